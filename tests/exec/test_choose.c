/* Algorithms by limits, budgets and measured times: which are taken, and the file that keeps the times. */
#include "build.h"
#include "base/file.h"

#include <math.h>
#include <unistd.h>

enum { SIZE = 32, CHANNELS = 72, IN = CHANNELS / 2 };

/* y = conv(relu(x)) in two groups of 36 channels, which are no whole blocks: unfolded, in tiles of several sizes. */
static ox_model *grouped(ox_ctx *c) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    static float w[CHANNELS * IN * 9];
    for (int i = 0; i < CHANNELS * IN * 9; i++) w[i] = 0.125f * (float)(i % 13 - 6);
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(1, CHANNELS, SIZE, SIZE));
    ox_node *n = node(g, "Conv", 1, op1(g, "Relu", x), init(g, "w", floats(c, DIMS(CHANNELS, IN, 3, 3), w)), NULL);
    n->name = ox_intern(c, "grouped");
    ox_attr_add(n, "group", OX_A_INT)->i = 2;
    output(g, "y", op1(g, "Relu", n->out[0]));
    return m;
}

typedef struct made { ox_model *m; ox_frame *f; ox_rt *in; } made;

static made make(ox_ctx *c) {
    made d = {.m = grouped(c)};
    float *x = malloc(sizeof *x * CHANNELS * SIZE * SIZE);
    for (int i = 0; i < CHANNELS * SIZE * SIZE; i++) x[i] = 0.25f * (float)(i % 17 - 8);
    d.in = rt(c, floats(c, DIMS(1, CHANNELS, SIZE, SIZE), x));
    free(x);
    if (!(d.f = ox_frame_new(d.m))) fail_msg("%s", ox_error_text(c));
    return d;
}

static void drop(made *d) {
    ox_rt_unref(d->in);
    ox_frame_free(d->f);
    ox_model_free(d->m);
}

static ox_rt *run(ox_ctx *c, made *d) {
    ox_rt *out;
    if (ox_frame_run(d->f, &d->in, &out)) fail_msg("%s", ox_error_text(c));
    return out;
}

static ox_step_choice choice(ox_ctx *c, made *d) {
    ox_step_choice *list;
    size_t n;
    if (ox_frame_choices(d->f, c->arena, &list, &n)) fail_msg("%s", ox_error_text(c));
    assert_int_equal(n, 1);
    assert_string_equal(list->node->name, "grouped");
    assert_in_range(list->n, 3, OX_CANDIDATES);
    return *list;
}

static uint64_t taken_bytes(const ox_step_choice *s) { return s->list[s->taken].workspace; }

static uint64_t least_bytes(const ox_step_choice *s) {
    uint64_t least = UINT64_MAX;
    for (int k = 0; k < s->n; k++)
        if (s->list[k].workspace < least) least = s->list[k].workspace;
    return least;
}

static void a_limit_takes_what_fits(void **state) {
    ox_ctx *c = *state;
    made d = make(c);
    ox_rt *want = run(c, &d);
    ox_step_choice s = choice(c, &d);
    assert_int_equal(s.taken, 0); /* the first, when nothing is measured */
    for (int k = 0; k < s.n; k++) assert_true(isnan(s.seconds[k]));
    const uint64_t limits[] = {UINT64_MAX, 300000, least_bytes(&s), 300000};
    for (size_t i = 0; i < 4; i++) {
        ox_frame_set_limits(d.f, limits[i], UINT64_MAX);
        for (int again = 0; again < 2; again++) {
            ox_rt *out = run(c, &d);
            assert_memory_equal(ox_tensor_data(out->t), ox_tensor_data(want->t), (size_t)want->t->bytes);
            ox_rt_unref(out);
        }
        s = choice(c, &d);
        assert_true(taken_bytes(&s) <= limits[i]);
    }
    ox_frame_set_limits(d.f, least_bytes(&s) - 1, UINT64_MAX);
    ox_rt *out;
    assert_int_equal(ox_frame_run(d.f, &d.in, &out), -1);
    assert_int_equal(ox_error_code(c), OX_NO_MEMORY);
    assert_non_null(strstr(ox_error_text(c), "node 'grouped' (Conv): needs a workspace of"));
    ox_frame_set_limits(d.f, UINT64_MAX, UINT64_MAX); /* and then it runs again */
    ox_rt_unref(run(c, &d));
    ox_rt_unref(want);
    drop(&d);
}

static void a_budget_is_for_all_memory(void **state) {
    ox_ctx *c = *state;
    made d = make(c);
    ox_place_stats free, s;
    ox_rt_unref(run(c, &d));
    assert_int_equal(ox_frame_place(d.f, &free), 0);
    ox_step_choice all = choice(c, &d);
    uint64_t values = free.arena - taken_bytes(&all), least = least_bytes(&all), budget = values + (least + 63) / 64 * 64;
    assert_true(budget < free.arena);
    for (uint64_t b = free.arena; b >= budget; b -= (free.arena - budget) / 5 + 1) {
        ox_frame_set_limits(d.f, UINT64_MAX, b);
        ox_rt_unref(run(c, &d));
        assert_int_equal(ox_frame_place(d.f, &s), 0);
        assert_true(s.arena <= b);
    }
    ox_frame_set_limits(d.f, UINT64_MAX, budget - 64);
    ox_rt *out;
    assert_int_equal(ox_frame_run(d.f, &d.in, &out), -1);
    assert_int_equal(ox_error_code(c), OX_NO_MEMORY);
    assert_non_null(strstr(ox_error_text(c), "node 'grouped' (Conv): needs"));
    assert_non_null(strstr(ox_error_text(c), "the memory budget is"));
    drop(&d);
    d = make(c); /* also before the first run has given anything away */
    ox_frame_set_limits(d.f, UINT64_MAX, 1000);
    assert_int_equal(ox_frame_run(d.f, &d.in, &out), -1);
    assert_null(out);
    drop(&d);
}

/* ---- the tuning cache */

static char path[] = "/tmp/ox-tuning-XXXXXX";

static int make_path(void **state) {
    strcpy(path, "/tmp/ox-tuning-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 || close(fd) || setup(state);
}

static int remove_path(void **state) {
    teardown(state);
    return unlink(path);
}

static void write_file(const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static char *read_file(void) {
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static int count(const char *text, char c) {
    int n = 0;
    for (; *text; text++) n += *text == c;
    return n;
}

static void times_are_measured_once(void **state) {
    ox_ctx *c = *state;
    ox_tuning *t = ox_tuning_new(c);
    made d = make(c);
    ox_frame_set_tuning(d.f, t, OX_MISS_MEASURE);
    ox_rt_unref(run(c, &d));
    ox_step_choice s = choice(c, &d);
    double best = INFINITY, before = INFINITY;
    for (int k = 0; k < s.n; k++) {
        assert_true(s.seconds[k] > 0);
        if (s.seconds[k] < best) best = s.seconds[k];
    }
    assert_true(s.seconds[s.taken] == best);
    for (uint64_t limit = least_bytes(&s); limit < 4 << 20; limit *= 2) { /* more workspace is never slower */
        ox_frame_set_limits(d.f, limit, UINT64_MAX);
        s = choice(c, &d);
        assert_true(taken_bytes(&s) <= limit && s.seconds[s.taken] <= before);
        before = s.seconds[s.taken];
    }
    assert_int_equal(ox_tuning_append(t, path), 0);
    int lines = count(read_file(), '\n');
    assert_int_equal(lines, s.n); /* every candidate, not the best alone */
    assert_int_equal(ox_tuning_append(t, path), 0);
    assert_int_equal(count(read_file(), '\n'), lines);
    drop(&d);
    ox_tuning_free(t);

    t = ox_tuning_new(c); /* another process: nothing has to be measured */
    assert_int_equal(ox_tuning_read(t, path), 0);
    d = make(c);
    ox_frame_set_tuning(d.f, t, OX_MISS_ERROR);
    ox_rt_unref(run(c, &d));
    ox_step_choice known = choice(c, &d);
    assert_true(fabs(known.seconds[known.taken] - best) < 1e-9);
    drop(&d);
    ox_tuning_free(t);
}

/* y = relu(conv(x)), 3 x 3: other algorithms may add in another order. */
static ox_model *square(ox_ctx *c, float *w) {
    ox_model *m = new_model(c);
    ox_graph *g = m->graph;
    for (int i = 0; i < 32 * 32 * 9; i++) w[i] = 0.0625f * (float)(i % 11 - 5);
    ox_value *x = input(g, "x", OX_FLOAT, DIMS(1, 32, -1, -2));
    ox_node *n = node(g, "Conv", 1, x, init(g, "w", floats(c, DIMS(32, 32, 3, 3), w)), NULL);
    n->name = ox_intern(c, "square");
    output(g, "y", op1(g, "Relu", n->out[0]));
    return m;
}

static void what_was_measured_gives_the_same_within_rounding(void **state) {
    ox_ctx *c = *state;
    static float w[32 * 32 * 9], x[32 * 40 * 40];
    ox_model *m = square(c, w);
    ox_tuning *t = ox_tuning_new(c);
    ox_frame *measured = ox_frame_new(m), *heuristic = ox_frame_new(m);
    ox_frame_set_tuning(measured, t, OX_MISS_MEASURE);
    for (int i = 0; i < 32 * 40 * 40; i++) x[i] = 0.5f * (float)(i % 7 - 3);
    const int64_t sizes[] = {40, 17, 40, 5, 17}; /* another size, another choice; and back */
    for (int k = 0; k < 5; k++) {
        ox_rt *in = rt(c, floats(c, DIMS(1, 32, sizes[k], sizes[k]), x)), *a, *b;
        for (int again = 0; again < 3; again++) {
            if (ox_frame_run(measured, &in, &a) || ox_frame_run(heuristic, &in, &b)) fail_msg("%s", ox_error_text(c));
            ox_difference d;
            ox_compare(b, a, &(ox_tolerance){0, 1e-5, true}, &d);
            if (!d.same) fail_msg("%s", d.text);
            ox_rt_unref(a);
            ox_rt_unref(b);
        }
        ox_rt_unref(in);
    }
    ox_step_choice *list;
    size_t n;
    assert_int_equal(ox_frame_choices(measured, c->arena, &list, &n), 0);
    assert_int_equal(n, 1);
    for (int k = 0; k < list->n; k++) assert_true(list->seconds[k] > 0);
    ox_frame_free(measured);
    ox_frame_free(heuristic);
    ox_tuning_free(t);
    ox_model_free(m);
}

static void a_missing_time_is_what_the_user_says(void **state) {
    ox_ctx *c = *state;
    ox_tuning *t = ox_tuning_new(c);
    made d = make(c);
    ox_rt *out;
    assert_int_equal(ox_tuning_read(t, "/tmp/ox-tuning-that-is-not-there"), 0);
    ox_frame_set_tuning(d.f, t, OX_MISS_ERROR);
    assert_int_equal(ox_frame_run(d.f, &d.in, &out), -1);
    assert_int_equal(ox_error_code(c), OX_UNAVAILABLE);
    assert_non_null(strstr(ox_error_text(c), "node 'grouped' (Conv): the tuning cache has no time of"));
    ox_frame_set_tuning(d.f, t, OX_MISS_HEURISTIC);
    ox_rt_unref(run(c, &d));
    ox_step_choice s = choice(c, &d);
    assert_int_equal(s.taken, 0);
    assert_true(isnan(s.seconds[0]));
    drop(&d);
    ox_tuning_free(t);
}

static void wrong_lines_are_named(void **state) {
    ox_ctx *c = *state;
    ox_tuning *t = ox_tuning_new(c);
    write_file("2\twhatever a later version says\n\n1\tother machine\tConv x\tdirect\t0\t1000\t5\n1\tcut short");
    assert_int_equal(ox_tuning_read(t, path), 0); /* the last line is just being written */
    static const char *const wrong[] = {
        "1\tm\tConv x\tdirect\t0\t1000\n", "1\tm\tConv x\tdirect\t-1\t1000\t5\n", "1\tm\tConv x\tdirect\t0\tfast\t5\n", "1\tm\tConv x\tdirect\t0\t0\t5\n",
        "1\tm\t\tdirect\t0\t1000\t5\n", "1\tm\tConv x\tdirect\t0\t1000\t5\t6\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[200];
        snprintf(text, sizeof text, "2\tx\n%s", wrong[i]);
        write_file(text);
        assert_int_equal(ox_tuning_read(t, path), -1);
        assert_int_equal(ox_error_code(c), OX_BAD_DATA);
        snprintf(text, sizeof text, "%s:2: not a time", path);
        if (!strstr(ox_error_text(c), text)) fail_msg("%s: %s", wrong[i], ox_error_text(c));
    }
    assert_int_equal(ox_tuning_read(t, "/tmp"), -1);
    ox_tuning_free(t);
}

static void a_line_that_was_cut_gets_an_end(void **state) {
    ox_ctx *c = *state;
    write_file("1\tcut short");
    assert_int_equal(ox_append_text(c, path, "2\tnext\n", 7), 0);
    assert_string_equal(read_file(), "1\tcut short\n2\tnext\n");
    assert_int_equal(ox_append_text(c, "/tmp", "x\n", 2), -1);
    assert_int_equal(ox_error_code(c), OX_CANT_CREATE);
}

#define F(f) cmocka_unit_test_setup_teardown(f, make_path, remove_path)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_limit_takes_what_fits), T(a_budget_is_for_all_memory), F(times_are_measured_once), T(what_was_measured_gives_the_same_within_rounding), F(a_missing_time_is_what_the_user_says),
        F(wrong_lines_are_named), F(a_line_that_was_cut_gets_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
