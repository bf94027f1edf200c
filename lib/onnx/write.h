/* Private to write.c and save.c. */
#ifndef OX_WRITE_H
#define OX_WRITE_H

#include "onnx/proto.h"

int ox_pack_message(const ox_message *msg, const ProtobufCMessage *m, ox_out *out);
/* The model written, not yet committed; NULL after ox_fail. */
ox_out *ox_write_model(ox_message *msg, const Onnx__ModelProto *model, const char *path);
/* Copies the external data files that the model refers to beside PATH, except those that are there already. */
int ox_copy_data_files(ox_message *msg, const Onnx__ModelProto *model, const char *path, ox_outs *outs);
char *ox_beside(ox_arena *arena, const char *path, const char *name);

#endif
