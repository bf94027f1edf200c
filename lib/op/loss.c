/* Losses. */
#include "op/op.h"

OX_FAMILY(loss, "",
    OP("NegativeLogLikelihoodLoss", 22,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats|bfloat16, Tind: int32|int64"),
    OP("NegativeLogLikelihoodLoss", 13,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats, Tind: int32|int64"),
    OP("NegativeLogLikelihoodLoss", 12,
       "<ignore_index: int?, reduction: string = \"mean\">(T input, Tind target, T? weight) => (T loss) "
       "T: floats, Tind: int32|int64"),
    OP("SoftmaxCrossEntropyLoss", 13,
       "<ignore_index: int?, reduction: string = \"mean\">(T scores, Tind labels, T? weights) => (T "
       "output, T? log_prob) T: floats|bfloat16, Tind: int32|int64"),
    OP("SoftmaxCrossEntropyLoss", 12,
       "<ignore_index: int?, reduction: string = \"mean\">(T scores, Tind labels, T? weights) => (T "
       "output, T? log_prob) T: floats, Tind: int32|int64"));
