/* From model to file: what was not touched stays byte for byte, what was touched is written right; data files; value
 * files; and, where folders of models are at hand (OX_MODELS, OX_ONNX_TESTS), the round trip of every one. */
#include "build.h"

#include <dirent.h>

static const bytes none;
static const float six[6] = {1, 2, 3, 4, 5, 6};

static const char *write_model(const char *name, bytes m) {
    const char *path = in_folder(name);
    write_bytes(path, m.p, m.n);
    free(m.p);
    return path;
}

/* The same with its fields in order, as every writer puts them. */
static const char *write_canonical(ox_ctx *ctx, const char *name, bytes m) {
    ox_message *msg = ox_message_open(ctx, write_model("raw.onnx", m));
    const char *path = in_folder(name);
    assert_non_null(msg);
    assert_int_equal(ox_message_write(msg, path), 0);
    ox_message_free(msg);
    return path;
}

static ox_model *open_model(ox_ctx *ctx, const char *path) {
    ox_model *m = ox_model_open(ctx, path);
    if (!m) print_error("%s\n", ox_error_text(ctx));
    assert_non_null(m);
    return m;
}

static void assert_same_files(const char *a, const char *b) {
    bytes x = read_bytes(a), y = read_bytes(b);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    free(x.p);
    free(y.p);
}

static void must(ox_ctx *ctx, int failed) {
    if (failed) print_error("%s\n", ox_error_text(ctx));
    assert_int_equal(failed, 0);
}

/* Everything that no pass understands, in a file whose fields stand in order. */
static bytes rich_model(void) {
    bytes g = {0}, n = node("Relu", "x", "h"), meta = {0}, device = {0}, note = {0}, entry = {0}, m = {0}, opset = {0},
          type, v = {0};
    put_str(&meta, 1, "key");
    put_str(&meta, 2, "value");
    put_str(&n, 6, "doc of the node");
    put_data(&n, 9, meta.p, meta.n);
    put_str(&device, 1, "conf");
    put_sub(&n, 10, device);
    put_str(&n, 500, "unknown");
    put_sub(&g, 1, n);
    put_sub(&g, 1, node("Neg", "h", "y"));
    put_str(&g, 2, "g");
    put_sub(&g, 5, tensor_raw("w", 1, DIMS(6), six, sizeof six));
    put_str(&g, 10, "doc of the graph");
    put_sub(&g, 11, info("x", 1, DIMS(-1)));
    put_sub(&g, 12, info("y", 1, DIMS(-1)));
    type = tensor_type(1, DIMS(-1));
    put_str(&type, 6, "denoted");
    put_str(&v, 1, "h");
    put_sub(&v, 2, type);
    put_str(&v, 3, "doc of h");
    put_sub(&g, 13, v);
    put_str(&entry, 1, "SCALE_TENSOR");
    put_str(&entry, 2, "w");
    put_str(&note, 1, "h");
    put_sub(&note, 2, entry);
    put_sub(&g, 14, note);
    put_num(&m, 1, 8);
    put_str(&m, 2, "producer");
    put_str(&m, 6, "doc");
    put_sub(&m, 7, g);
    put_num(&opset, 2, 17);
    put_sub(&m, 8, opset);
    put_sub(&m, 14, meta);
    put_str(&m, 700, "unknown");
    return m;
}

static void untouched(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    ox_model *m = open_model(ctx, write_model("in.onnx", rich_model()));
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    assert_same_files(in_folder("in.onnx"), in_folder("out.onnx"));
    m->changed = true; /* through the export, which finds nothing to change */
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    assert_same_files(in_folder("in.onnx"), in_folder("out.onnx"));
    assert_true(ox_model_save(m, in_folder("in.onnx"), NULL) < 0); /* never the input itself */
    assert_int_equal(ox_error_code(ctx), OX_CANT_CREATE);
    assert_same_files(in_folder("in.onnx"), in_folder("out.onnx"));
    ox_model_free(m);
    ox_ctx_free(ctx);
}

static bool holds(const char *path, const char *text) {
    bytes b = read_bytes(path);
    bool found = memmem(b.p, b.n, text, strlen(text)) != NULL;
    free(b.p);
    return found;
}

static void touched(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    ox_model *m = open_model(ctx, write_model("in.onnx", rich_model()));
    /* a new node between x and the Relu, whose output gets a value_info */
    ox_node *relu = m->graph->first;
    ox_node *abs = ox_node_new(m->graph, relu, ox_intern(ctx, "Abs"), ox_intern(ctx, ""), 1, &m->graph->inputs[0], 1);
    abs->out[0]->type = ox_type_tensor(m->arena, OX_FLOAT, 1, (ox_dim[]){ox_dim_symbol(ctx, ox_intern(ctx, "N"))});
    abs->out[0]->listed = true;
    abs->out[0]->name = ox_fresh_name(m, "fresh");
    ox_node_set_input(relu, 0, abs->out[0]);
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    ox_model_free(m);
    static const char *const kept[] = {"doc of the node", "conf",     "unknown",      "doc of the graph",
                                       "denoted",         "doc of h", "SCALE_TENSOR", "producer"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_true(holds(in_folder("out.onnx"), kept[i]));
    m = open_model(ctx, in_folder("out.onnx"));
    assert_int_equal(m->graph->n_nodes, 3);
    assert_true(m->graph->first->out[0]->listed);
    assert_string_equal(m->graph->first->out[0]->name, "fresh");
    /* the value with the annotation goes: so do value_info and annotation */
    ox_node *neg = m->graph->last;
    relu = neg->prev;
    ox_node_set_input(neg, 0, relu->in[0].v);
    ox_node_remove(relu);
    must(ctx, ox_model_save(m, in_folder("out2.onnx"), NULL));
    assert_false(holds(in_folder("out2.onnx"), "doc of h"));
    assert_false(holds(in_folder("out2.onnx"), "SCALE_TENSOR"));
    assert_true(holds(in_folder("out2.onnx"), "doc of the graph"));
    m->strip = OX_STRIP_DOCS | OX_STRIP_METADATA;
    must(ctx, ox_model_save(m, in_folder("out3.onnx"), NULL));
    assert_false(holds(in_folder("out3.onnx"), "doc"));
    assert_false(holds(in_folder("out3.onnx"), "value"));
    ox_model_free(m);
    ox_ctx_free(ctx);
}

static void attributes(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    bytes n = node("Flatten", "x", "z"), extra = {0};
    put_sub(&n, 5, attr_int("axis", 1));
    put_sub(&extra, 1, n);
    ox_model *m = open_model(ctx, write_canonical(ctx, "in.onnx", relu_model(extra)));
    ox_attr_set_int(m->graph->last, "axis", 0);
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    ox_model_free(m);
    m = open_model(ctx, in_folder("out.onnx"));
    assert_int_equal(ox_attr_find(m->graph->last, "axis")->i, 0);
    ox_attr_set_int(m->graph->last, "axis", 1);
    must(ctx, ox_model_save(m, in_folder("out2.onnx"), NULL));
    ox_model_free(m);
    assert_same_files(in_folder("in.onnx"), in_folder("out2.onnx"));
    ox_ctx_free(ctx);
}

/* Below IR version 4 every initializer is an input. */
static void old_ir(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    bytes b = relu_model(none);
    b.p[1] = 3;
    ox_model *m = open_model(ctx, write_model("in.onnx", b));
    int64_t two = 2;
    ox_tensor *t = ox_tensor_new(ctx, OX_FLOAT, 1, &two);
    memcpy(ox_tensor_mut(t), six, 8);
    ox_graph_add_init(m->graph, ox_fresh_name(m, "w"), t);
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    ox_model_free(m);
    m = open_model(ctx, in_folder("out.onnx"));
    assert_int_equal(m->graph->n_inputs, 2);
    assert_true(m->graph->inputs[1]->is_init);
    assert_memory_equal(ox_tensor_data(m->graph->inputs[1]->data), six, 8);
    ox_model_free(m);
    ox_ctx_free(ctx);
}

/* ---- data files ---- */

enum { BIG = 70000, SMALL = 2000 };

static bytes weights_model(void) {
    static uint8_t big[BIG], other[BIG];
    bytes extra = {0};
    for (int i = 0; i < BIG; i++) big[i] = (uint8_t)(i * 7), other[i] = (uint8_t)(i * 11);
    put_sub(&extra, 5, tensor_raw("tiny", 2, DIMS(10), big, 10));
    put_sub(&extra, 5, tensor_raw("small", 2, DIMS(SMALL), big, SMALL));
    put_sub(&extra, 5, tensor_raw("big", 2, DIMS(BIG), big, BIG));
    put_sub(&extra, 5, tensor_raw("twin", 2, DIMS(BIG), big, BIG));
    put_sub(&extra, 5, tensor_raw("other", 2, DIMS(BIG), other, BIG));
    return relu_model(extra);
}

static const ox_value *init_named(const ox_model *m, const char *name) {
    for (const ox_value *v = m->graph->first_init; v; v = v->next_init)
        if (!strcmp(v->name, name)) return v;
    fail_msg("no initializer %s", name);
    return NULL;
}

static uint64_t offset_of(const ox_model *m, const char *name) {
    const ox_tensor *t = init_named(m, name)->data;
    assert_non_null(t->file);
    return (uint64_t)((const uint8_t *)t->view - t->file->data);
}

static void external(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    const ox_save_options out = {.data_file = "{output}.data"}, in = {.internalize = true};
    ox_model *m = open_model(ctx, write_canonical(ctx, "in.onnx", weights_model()));
    must(ctx, ox_model_save(m, in_folder("out.onnx"), &out));
    ox_model_free(m);
    m = open_model(ctx, in_folder("out.onnx"));
    assert_ptr_equal(init_named(m, "tiny")->data->file, m->files);
    assert_int_equal(offset_of(m, "small"), 0);
    assert_int_equal(offset_of(m, "big"), 4096);
    assert_int_equal(offset_of(m, "twin"), 4096);
    assert_int_equal(offset_of(m, "other"), 4096 + 73728);
    assert_string_equal(init_named(m, "big")->data->file->name, in_folder("out.onnx.data"));
    must(ctx, ox_model_save(m, in_folder("back.onnx"), &in));
    assert_same_files(in_folder("in.onnx"), in_folder("back.onnx"));
    /* to another folder the data file goes along, to the same one not */
    assert_int_equal(mkdir(in_folder("far"), 0777), 0);
    must(ctx, ox_model_save(m, in_folder("far/copy.onnx"), NULL));
    assert_same_files(in_folder("out.onnx.data"), in_folder("far/out.onnx.data"));
    assert_same_files(in_folder("out.onnx"), in_folder("far/copy.onnx"));
    m->changed = true;
    must(ctx, ox_model_save(m, in_folder("far/copy2.onnx"), NULL));
    assert_same_files(in_folder("out.onnx"), in_folder("far/copy2.onnx"));
    must(ctx, ox_model_save(m, in_folder("near.onnx"), NULL));
    assert_same_files(in_folder("out.onnx"), in_folder("near.onnx"));
    /* the data file that is read is never written */
    assert_true(ox_model_save(m, in_folder("x.onnx"), &(ox_save_options){.data_file = "out.onnx.data"}) < 0);
    assert_int_equal(ox_error_code(ctx), OX_CANT_CREATE);
    assert_true(access(in_folder("x.onnx"), F_OK) != 0);
    static const char *const wrong[] = {"../x.data", "/tmp/x.data", "a/../../x.data"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(ox_model_save(m, in_folder("x.onnx"), &(ox_save_options){.data_file = wrong[i]}) < 0);
        assert_int_equal(ox_error_code(ctx), OX_POLICY);
    }
    must(ctx, ox_model_save(m, in_folder("all.onnx"),
                            &(ox_save_options){.data_file = "all.bin", .threshold = 1, .align = 65536}));
    ox_model_free(m);
    m = open_model(ctx, in_folder("all.onnx"));
    assert_int_equal(offset_of(m, "small"), 64);
    assert_int_equal(offset_of(m, "big"), 65536);
    ox_model_free(m);
    ox_ctx_free(ctx);
}

static void over_the_limit(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    ox_model *m = open_model(ctx, write_model("in.onnx", weights_model()));
    ctx->limits.file_bytes = 20000;
    m->changed = true;
    must(ctx, ox_model_save(m, in_folder("out.onnx"), NULL));
    assert_non_null(strstr(warnings, "out.onnx.data"));
    ox_model_free(m);
    m = open_model(ctx, in_folder("out.onnx"));
    assert_int_equal(offset_of(m, "big"), 4096);
    ctx->limits.file_bytes = 100;
    m->changed = true;
    assert_true(ox_model_save(m, in_folder("no.onnx"), NULL) < 0);
    assert_int_equal(ox_error_code(ctx), OX_BAD_DATA);
    assert_non_null(strstr(ox_error_text(ctx), "limit of 100"));
    assert_true(access(in_folder("no.onnx"), F_OK) != 0);
    ox_model_free(m);
    assert_null(ox_model_open(ctx, in_folder("in.onnx")));
    assert_non_null(strstr(ox_error_text(ctx), "limit"));
    ox_ctx_free(ctx);
}

/* ---- value files ---- */

static void values(void **state) {
    (void)state;
    ox_ctx *ctx = new_ctx();
    ox_arena *arena = ox_arena_new(ctx);
    ox_tensor *t = ox_tensor_new(ctx, OX_FLOAT, 2, DIMS(2, 3));
    ox_pb_value v;
    memcpy(ox_tensor_mut(t), six, sizeof six);
    must(ctx, ox_pb_write_tensor(ctx, in_folder("t.pb"), t, "t"));
    must(ctx, ox_pb_read(ctx, arena, in_folder("t.pb"), NULL, &v));
    assert_int_equal(v.kind, 1);
    assert_true(ox_tensor_equal(v.t, t));
    ox_tensor_unref(v.t);
    bytes s = {0}, o = {0}, copy = {0};
    put_num(&s, 2, 1);
    put_sub(&s, 3, tensor_raw("a", 1, DIMS(2), six, 8));
    put_sub(&s, 3, tensor_raw("b", 1, DIMS(3), six, 12));
    put(&copy, s.p, s.n);
    write_model("s.pb", copy);
    ox_type *tensor = ox_type_tensor(arena, OX_FLOAT, -1, NULL), *seq = ox_type_of(arena, OX_K_SEQUENCE, tensor);
    must(ctx, ox_pb_read(ctx, arena, in_folder("s.pb"), seq, &v));
    assert_int_equal(v.kind, 2);
    assert_int_equal(v.n, 2);
    assert_memory_equal(ox_tensor_data(v.items[1].t), six, 12);
    for (size_t i = 0; i < v.n; i++) ox_tensor_unref(v.items[i].t);
    put_num(&o, 2, 3);
    put_sub(&o, 5, s);
    write_model("o.pb", o);
    must(ctx, ox_pb_read(ctx, arena, in_folder("o.pb"), ox_type_of(arena, OX_K_OPTIONAL, seq), &v));
    assert_int_equal(v.kind, 2);
    for (size_t i = 0; i < v.n; i++) ox_tensor_unref(v.items[i].t);
    o = none;
    put_num(&o, 2, 0);
    write_model("none.pb", o);
    must(ctx, ox_pb_read(ctx, arena, in_folder("none.pb"), ox_type_of(arena, OX_K_OPTIONAL, tensor), &v));
    assert_int_equal(v.kind, 0);
    write_model("bad.pb", tensor_raw("a", 1, DIMS(3), six, 8));
    assert_true(ox_pb_read(ctx, arena, in_folder("bad.pb"), NULL, &v) < 0);
    assert_int_equal(ox_error_code(ctx), OX_BAD_DATA);
    ox_tensor_unref(t);
    ox_arena_free(arena);
    ox_ctx_free(ctx);
}

/* ---- every model at hand ---- */

typedef struct tally {
    int files, rewritten, refused;
} tally;

/* Read and written as a message: the same bytes, when fields stand in order and the schema's choice of packing was
 * kept. */
static void round_trip(const char *path, tally *t) {
    ox_ctx *ctx = new_ctx();
    ox_message *msg = ox_message_open(ctx, path);
    if (!msg) print_error("%s\n", ox_error_text(ctx));
    assert_non_null(msg);
    must(ctx, ox_message_write(msg, in_folder("trip.onnx")));
    ox_message_free(msg);
    bytes a = read_bytes(path), b = read_bytes(in_folder("trip.onnx"));
    t->files++;
    if (a.n != b.n || memcmp(a.p, b.p, a.n)) {
        t->rewritten++;
        print_message("%s is not in canonical form\n", path);
    }
    free(a.p);
    free(b.p);
    ox_model *m = ox_model_open(ctx, path);
    if (!m) {
        t->refused++;
        print_message("%s\n", ox_error_text(ctx));
    } else {
        must(ctx, ox_verify(m));
        m->changed = true;
        must(ctx, ox_model_save(m, in_folder("trip.onnx"), NULL));
        ox_model_free(m);
        ox_model_free(open_model(ctx, in_folder("trip.onnx")));
    }
    ox_ctx_free(ctx);
}

static void walk(const char *dir, tally *t) {
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[4096];
    if (!d) return;
    while ((e = readdir(d))) {
        size_t n = strlen(e->d_name);
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.') continue;
        if (n > 5 && !strcmp(e->d_name + n - 5, ".onnx"))
            round_trip(path, t);
        else
            walk(path, t);
    }
    closedir(d);
}

static void corpus(void **state) {
    (void)state;
    static const char *const folders[] = {"OX_MODELS", "OX_ONNX_TESTS"};
    for (int i = 0; i < 2; i++) {
        tally t = {0, 0, 0};
        const char *dir = getenv(folders[i]);
        if (!dir) {
            print_message("%s is not set: skipped\n", folders[i]);
            continue;
        }
        walk(dir, &t);
        print_message("%s: %d files, %d not canonical, %d refused\n", folders[i], t.files, t.rewritten, t.refused);
        assert_true(t.files > 0);
        assert_true(t.rewritten <= t.files / 50);
        assert_true(t.refused <= t.files / 50);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched), cmocka_unit_test(touched),  cmocka_unit_test(attributes),
        cmocka_unit_test(old_ir),    cmocka_unit_test(external), cmocka_unit_test(over_the_limit),
        cmocka_unit_test(values),    cmocka_unit_test(corpus),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
