/* Bad input for the programs: a writer of protobuf that can write what no writer would, and a runner that judges.
 *
 * A case is a file (and perhaps others beside it), a command, and what must come of it: the exit code and words that the message must
 * hold. The runner checks what holds for every case as well: one message of at most 16 KiB without control characters, an older output
 * untouched after a failure, the input untouched, no temporaries, bounds on processor time and memory. Output is TAP. */
#ifndef MALFORMED_H
#define MALFORMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- write_proto.c: pieces of a protobuf file; memory lives until forget() ---- */
typedef struct bytes {
    unsigned char *p;
    size_t n;
} bytes;

void forget(void);
void *keep(size_t size);
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
bytes raw(const void *p, size_t n);
bytes str(const char *s);                        /* the text itself, no field */
bytes join(const bytes *list, size_t n);
#define J(...) join((bytes[]){__VA_ARGS__}, sizeof((bytes[]){__VA_ARGS__}) / sizeof(bytes))
#define RAW(literal) raw(literal, sizeof(literal) - 1)
#define NONE ((bytes){0})
bytes times(size_t n, bytes b);
bytes varint(uint64_t v);
bytes tag(uint64_t field, unsigned wire);
bytes num(unsigned field, int64_t v);            /* a varint field */
bytes f32(unsigned field, float v);
bytes sub(unsigned field, bytes body);           /* a length-delimited field */
bytes txt(unsigned field, const char *s);
bytes ints(unsigned field, const char *numbers); /* "1,2,3", each a field of its own */

/* Pieces of ONNX. Names in a list are separated by blanks, "_" is the empty one. */
enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, INT64 = 7, STRING = 8, BOOL = 9, FLOAT16 = 10, DOUBLE = 11, UINT4 = 21, INT4 = 22 };
bytes type(int elem, const char *dims);          /* TypeProto; dims "2,N,3", NULL: no shape */
bytes value(const char *name, int elem, const char *dims); /* ValueInfoProto; elem 0: without type */
bytes node(const char *op, const char *in, const char *out, bytes attrs); /* NodeProto */
bytes N(const char *op, const char *in, const char *out, bytes attrs);    /* the same as field of a graph */
bytes a_int(const char *name, int64_t v);        /* attributes, as fields of a node */
bytes a_ints(const char *name, const char *numbers);
bytes a_float(const char *name, float v);
bytes a_str(const char *name, const char *v);
bytes a_tensor(const char *name, bytes tensor);
bytes a_graph(const char *name, bytes graph);
bytes tensor(const char *name, int elem, const char *dims, bytes more); /* TensorProto without data */
bytes t_raw(const char *name, int elem, const char *dims, size_t zeros);
bytes t_f(const char *name, const char *dims, const char *numbers);
bytes t_i(const char *name, const char *dims, const char *numbers);     /* int64 */
bytes init(bytes tensor);                        /* as field of a graph */
bytes entry(const char *key, const char *value); /* StringStringEntryProto */
bytes external(const char *name, const char *dims, bytes entries);      /* float TensorProto with data_location; entries: fields 13 */
bytes data(const char *key, const char *value);  /* an entry as field 13 of a tensor */
bytes opset(const char *domain, int64_t version);
bytes function(const char *name, const char *in, const char *out, bytes nodes); /* domain "local"; nodes as fields of a graph */
bytes model(bytes graph, bytes more);            /* ir_version 10, opset 21, "local" 1 */
/* A model with input x float[2,3] and output y = Relu(x), and parts of a graph besides. */
bytes around(bytes parts);
/* A model with input x float[2,3] and parts that make y. */
bytes making_y(bytes parts);
/* A model with the parts somewhere; they may read x, and make nothing that others read. */
typedef enum place { MAIN, BRANCH, LOOP, DEEP, FUNCTION, BODY_IN_FUNCTION, PLACES } place;
extern const char *const place_names[PLACES];
bytes at(place p, bytes parts);

/* ---- run_program.c ---- */
extern const char *bin, *group;
void start(const char *bin_dir, const char *group_name);
int finish(void);
bool sanitized(void);
/* Files of the folder in which the programs run. */
void put(const char *name, bytes b);
bytes get(const char *name);
bool there(const char *name);
const char *folder(void);

typedef struct want {
    int code, other;        /* other: a second code that is as good; 0: none */
    const char *words;      /* all in the message: "a|b~c": a, and b or c; upper and lower case are the same */
    const char *out;        /* the output that must stay or appear; NULL: none */
    const char *in;         /* the input that must stay; NULL: none */
    const char *from;       /* standard input from this file, as a pipe; NULL: /dev/null */
    const char *to;         /* standard output to this file; NULL: a file that is thrown away */
    int megabytes;          /* 0: 512 */
    double seconds;         /* of the processor; 0: 5 */
    int third;              /* a third code that is as good */
} want;
/* Runs a command ("onnx-opt m.onnx -o out.onnx"; words are separated by blanks); true when all is as wanted. Reports. */
bool run(const char *name, want w, const char *command, ...) __attribute__((format(printf, 3, 4)));
const char *said(void);      /* what the last command wrote to standard error */
double seconds_used(void);   /* and the time of the processor it took */
void check(const char *name, bool ok, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Short forms: m.onnx is written, and the programs that read models are run on it. */
void refuse(const char *name, bytes model, const char *words);                     /* 65 by all, with the same words */
void refuse_claim(const char *name, bytes model, const char *words);               /* the same below 96 MiB */
void refuse_op(const char *name, bytes model, const char *words);                  /* 65 by onnx-opt, by onnx-run run 65 or 1 */
void refuse_at(const char *name, bytes parts, const char *words);                  /* refuse() at every place */
void accept_model(const char *name, bytes model, const char *kept);                /* 0, the same results, and KEPT is still there */
void either(const char *name, bytes model, const char *words);                     /* 0 and the same results, or 65 with these words */

/* ---- bad_text.c: texts with a mark ---- */
/* The text without its mark; where the mark was, as ":line:column:", or nothing. Columns count bytes, those of pipelines characters. */
bytes without_mark(bytes b, bool characters, const char **where);
const char *one_line(const char *name);                                            /* control characters of a case's name made visible */
bytes put_at(const char *template, bytes with);                                    /* WITH in the place of "@" */
const char *with_words(const char *where, const char *words);                      /* both, for want.words */
bytes nested_text(const char *before, const char *open, size_t n, const char *inside, const char *close, const char *after);

/* ---- bad_inputs.c ---- */
bytes npy(const char *descr, const char *shape, bytes data);                       /* an array as numpy writes it */
void bad_values(void);                                                             /* bad_values.c */

/* ---- the groups ---- */
void group_wire(void);
void group_graph(void);
void group_tensors(void);
void group_operators(void);
void group_external(void);
void group_work(void);
void group_text(void);
void group_config(void);
void group_inputs(void);

#endif
