/* Boxes. */
#include "op/op.h"

OX_FAMILY(box, "",
    OP("NonMaxSuppression", 11,
       "<center_point_box: int = 0>(float boxes, float scores, int64? max_output_boxes_per_class, "
       "float? iou_threshold, float? score_threshold) => (int64 selected_indices)"),
    OP("NonMaxSuppression", 10,
       "<center_point_box: int = 0>(float boxes, float scores, int64? max_output_boxes_per_class, "
       "float? iou_threshold, float? score_threshold) => (int64 selected_indices)"));
