/* Resampling of images. */
#include "op/op.h"

OX_FAMILY(resize, "",
    OP("Resize", 19,
       "<antialias: int = 0, axes: ints?, coordinate_transformation_mode: string = \"half_pixel\", "
       "cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0, "
       "keep_aspect_ratio_policy: string = \"stretch\", mode: string = \"nearest\", nearest_mode: "
       "string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => (T1 Y) T1: any|"
       "bfloat16, T2: floats"),
    OP("Resize", 18,
       "<antialias: int = 0, axes: ints?, coordinate_transformation_mode: string = \"half_pixel\", "
       "cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0, "
       "keep_aspect_ratio_policy: string = \"stretch\", mode: string = \"nearest\", nearest_mode: "
       "string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => (T1 Y) T1: any|"
       "bfloat16, T2: floats"),
    OP("Resize", 13,
       "<coordinate_transformation_mode: string = \"half_pixel\", cubic_coeff_a: float = -0.75, "
       "exclude_outside: int = 0, extrapolation_value: float = 0.0, mode: string = \"nearest\", "
       "nearest_mode: string = \"round_prefer_floor\">(T1 X, T2? roi, float? scales, int64? sizes) => "
       "(T1 Y) T1: any|bfloat16, T2: floats"),
    OP("Resize", 11,
       "<coordinate_transformation_mode: string = \"half_pixel\", cubic_coeff_a: float = -0.75, "
       "exclude_outside: int = 0, extrapolation_value: float = 0.0, mode: string = \"nearest\", "
       "nearest_mode: string = \"round_prefer_floor\">(T1 X, T2 roi, float scales, int64? sizes) => (T1 "
       "Y) T1: any, T2: floats"),
    OP("Resize", 10,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any"),
    OP("Upsample", 10,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any",
       .flags = OX_DEPRECATED),
    OP("Upsample", 9,
       "<mode: string = \"nearest\">(T X, float scales) => (T Y) T: any"),
    OP("Upsample", 7,
       "<mode: string = \"nearest\", scales: floats>(T X) => (T Y) T: any"),
    OP("Upsample", 1,
       "<height_scale: float, mode: string = \"nearest\", width_scale: float>(T X) => (T Y) T: floats|"
       "bool|int32|int64"),
    OP("GridSample", 22,
       "<align_corners: int = 0, mode: string = \"linear\", padding_mode: string = \"zeros\">(T1 X, T2 "
       "grid) => (T1 Y) T1: any|bfloat16, T2: floats|bfloat16"),
    OP("GridSample", 20,
       "<align_corners: int = 0, mode: string = \"linear\", padding_mode: string = \"zeros\">(T1 X, T2 "
       "grid) => (T1 Y) T1: any, T2: floats"),
    OP("GridSample", 16,
       "<align_corners: int = 0, mode: string = \"bilinear\", padding_mode: string = \"zeros\">(T1 X, "
       "T2 grid) => (T1 Y) T1: any, T2: floats"),
    OP("AffineGrid", 20,
       "<align_corners: int = 0>(T1 theta, T2 size) => (T1 grid) T1: floats|bfloat16, T2: int64"));
