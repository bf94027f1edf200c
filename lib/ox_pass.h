/* Second tier: the inside of the library, for those who write passes, operators or rules in C. Not stable from version to version. */
#ifndef OX_PASS_TIER_H
#define OX_PASS_TIER_H

#include "exec/exec.h"
#include "onnx/onnx.h"
#include "yaml/yaml.h"

#include "passes/pass.h"

#endif
