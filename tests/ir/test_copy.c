/* Copying models and nodes, inlining calls. */
#include "graphs.h"

#include <stdio.h>

static int count_nodes(ox_graph *g, void *user) {
    *(size_t *)user += g->n_nodes;
    return 0;
}

static size_t nodes_of(ox_model *m) {
    size_t n = 0;
    ox_each_graph(m, count_nodes, &n);
    return n;
}

/* function local.f(a, b?) { t = Add(a, b); o = Relu(t) @alpha -> slope } => (o, t) */
static ox_function *add_function(world *w, const char *name, int64_t version) {
    ox_function *f = OX_NEW(w->m->arena, ox_function);
    f->domain = sym(w, "local");
    f->name = sym(w, name);
    f->opsets = OX_NEW_N(w->m->arena, ox_opset, 1);
    f->opsets[0] = (ox_opset){sym(w, ""), version};
    f->n_opsets = 1;
    f->body = ox_graph_new(w->m, NULL, NULL);
    f->body->function = f;
    OX_PUSH(w->m->arena, w->m->functions, w->m->n_functions, w->m->cap_functions, f);
    return f;
}

static ox_function *simple_function(world *w, int64_t version) {
    ox_function *f = add_function(w, "f", version);
    ox_graph *g = f->body;
    ox_value *a = input(w, g, "a"), *b = input(w, g, "b"), *t = op2(w, g, "Add", a, b, "t"),
             *o = op1(w, g, "LeakyRelu", t, "o");
    t->def->name = sym(w, "add");
    ox_attr_add(o->def, "slope", OX_A_FLOAT)->ref = sym(w, "alpha");
    ox_attr_add(o->def, "other", OX_A_INT)->ref = sym(w, "beta");
    f->formals = OX_NEW_N(w->m->arena, ox_attr *, 2);
    f->formals[0] = OX_NEW(w->m->arena, ox_attr);
    *f->formals[0] = (ox_attr){.name = sym(w, "alpha"), .type = OX_A_FLOAT, .f = 0.25f};
    f->formals[1] = OX_NEW(w->m->arena, ox_attr);
    f->formals[1]->name = sym(w, "beta");
    f->n_formals = 2;
    ox_graph_add_output(g, o, sym(w, "o"));
    ox_graph_add_output(g, t, sym(w, "t"));
    return f;
}

static ox_node *call(ox_graph *g, ox_function *f, ox_value *a, ox_value *b, uint32_t n_out) {
    ox_value *in[] = {a, b};
    ox_node *n = ox_node_new(g, NULL, f->name, f->domain, b ? 2 : 1, in, n_out);
    n->callee = f;
    return n;
}

static void calls_are_inlined(void **state) {
    world *w = *state;
    ox_function *f = simple_function(w, 17);
    ox_value *x = input(w, w->g, "x");
    ox_node *c = call(w->g, f, x, x, 2), *d = call(w->g, f, c->out[0], c->out[1], 1);
    c->name = sym(w, "first");
    ox_attr_set_float(d, "alpha", 0.5f);
    ox_attr_set_int(d, "beta", 3);
    named(w, c->out[0], "u");
    named(w, d->out[0], "y");
    ox_graph_add_output(w->g, d->out[0], sym(w, "y"));
    VERIFY(w);
    assert_int_equal(ox_inline_all(w->m), 2);
    VERIFY(w);
    assert_int_equal(w->g->n_nodes, 4);
    ox_node *relu = w->g->first->next, *last = w->g->last;
    assert_string_equal(w->g->first->name, "first/add");
    assert_string_equal(relu->out[0]->name, "u");
    assert_true(ox_attr_find(relu, "slope")->f == 0.25f && !ox_attr_find(relu, "slope")->ref);
    assert_null(ox_attr_find(relu, "other"));
    assert_true(ox_attr_find(last, "slope")->f == 0.5f && ox_attr_find(last, "other")->i == 3);
    assert_string_equal(last->out[0]->name, "y");
    assert_int_equal(f->body->n_nodes, 2);
    ox_settle_names(w->m);
    VERIFY(w);
}

static void absent_inputs_stay_absent(void **state) {
    world *w = *state;
    ox_function *f = simple_function(w, 17);
    ox_node *c = call(w->g, f, input(w, w->g, "x"), NULL, 1);
    ox_graph_add_output(w->g, c->out[0], sym(w, "y"));
    assert_int_equal(ox_inline_call(c), 1);
    assert_int_equal(w->g->first->n_in, 2);
    assert_null(w->g->first->in[1].v);
    VERIFY(w);
}

static void other_opsets(void **state) {
    world *w = *state;
    ox_function *f = simple_function(w, 11);
    ox_node *c = call(w->g, f, input(w, w->g, "x"), NULL, 1);
    ox_graph_add_output(w->g, c->out[0], sym(w, "y"));
    assert_int_equal(ox_inline_all(w->m), 0);
    assert_int_equal(w->g->n_nodes, 1);
    w->m->run_only = true;
    assert_int_equal(ox_inline_all(w->m), 1);
    VERIFY(w);
    /* a domain that the model does not import is imported */
    ox_function *h = add_function(w, "h", 17);
    ox_value *a = input(w, h->body, "a"), *in[] = {a};
    ox_node *n = ox_node_new(h->body, NULL, sym(w, "Op"), sym(w, "custom"), 1, in, 1);
    h->opsets = OX_NEW_N(w->m->arena, ox_opset, 1);
    h->opsets[0] = (ox_opset){sym(w, "custom"), 3};
    ox_graph_add_output(h->body, named(w, n->out[0], "ho"), sym(w, "ho"));
    w->m->run_only = false;
    assert_int_equal(ox_inline_call(call(w->g, h, w->g->inputs[0], NULL, 1)), 1);
    assert_int_equal(ox_model_opset(w->m, w->g, sym(w, "custom")), 3);
}

static void limits_hold(void **state) {
    world *w = *state;
    ox_function *f[20];
    for (int i = 0; i < 20; i++) { /* each calls the one before twice: 2^20 nodes */
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        f[i] = add_function(w, name, 17);
        ox_graph *g = f[i]->body;
        ox_value *v = input(w, g, "a");
        for (int k = 0; k < 2; k++) v = i ? call(g, f[i - 1], v, NULL, 1)->out[0] : op1(w, g, "Relu", v, NULL);
        ox_graph_add_output(g, v, sym(w, "o"));
    }
    ox_node *c = call(w->g, f[19], input(w, w->g, "x"), NULL, 1);
    ox_graph_add_output(w->g, c->out[0], sym(w, "y"));
    w->ctx->limits.inlined_nodes = 1000;
    assert_int_equal(ox_inline_all(w->m), -1);
    assert_int_equal(ox_error_code(w->ctx), OX_BAD_DATA);
    assert_non_null(strstr(ox_error_text(w->ctx), "inlined_nodes"));
    w->ctx->limits.inlined_nodes = 2000000;
    w->ctx->limits.call_depth = 10;
    assert_int_equal(ox_inline_all(w->m), -1);
    assert_non_null(strstr(ox_error_text(w->ctx), "call_depth"));
}

static void recursion_ends(void **state) {
    world *w = *state;
    ox_function *f = add_function(w, "f", 17);
    ox_value *a = input(w, f->body, "a");
    ox_graph_add_output(f->body, call(f->body, f, a, NULL, 1)->out[0], sym(w, "o"));
    ox_graph_add_output(w->g, call(w->g, f, input(w, w->g, "x"), NULL, 1)->out[0], sym(w, "y"));
    assert_int_equal(ox_inline_all(w->m), -1);
    assert_int_equal(ox_error_code(w->ctx), OX_BAD_DATA);
}

/* A call with a body, given to a function that puts it into an If. */
static void bodies_are_inlined(void **state) {
    world *w = *state;
    ox_function *f = add_function(w, "f", 17), *inner = simple_function(w, 17);
    ox_graph *g = f->body;
    ox_value *a = input(w, g, "a");
    ox_node *n = op1(w, g, "If", a, "r")->def;
    ox_graph *t = body(n, "then_branch");
    ox_graph_add_output(t, named(w, call(t, inner, a, a, 1)->out[0], "z"), sym(w, "z"));
    ox_attr_add(n, "else_branch", OX_A_GRAPH)->ref = sym(w, "e");
    ox_graph_add_output(g, n->out[0], sym(w, "r"));
    ox_value *x = input(w, w->g, "x");
    ox_node *c = call(w->g, f, x, NULL, 1);
    ox_graph *e = body(c, "e");
    ox_graph_add_output(e, op1(w, e, "Cos", x, "q"), sym(w, "q"));
    ox_graph_add_output(w->g, c->out[0], sym(w, "y"));
    VERIFY(w);
    assert_int_equal(ox_inline_all(w->m), 2);
    ox_settle_names(w->m);
    VERIFY(w);
    ox_node *made = w->g->first;
    assert_true(ox_is(made, "If"));
    assert_int_equal(ox_attr_find(made, "then_branch")->g->n_nodes, 2);
    assert_ptr_equal(ox_attr_find(made, "else_branch")->g->first->in[0].v, x);
    assert_int_equal(x->nuses, 4); /* condition, Add twice, Cos */
}

static void models_are_copied(void **state) {
    world *w = *state;
    ox_function *f = simple_function(w, 17);
    ox_dim dims[] = {ox_dim_symbol(w->ctx, sym(w, "N"))};
    ox_value *x = input(w, w->g, "x"),
             *k = ox_graph_add_init(w->g, sym(w, "k"), ox_tensor_scalar_int(w->ctx, OX_INT64, 1));
    x->type = ox_type_tensor(w->m->arena, OX_FLOAT, 1, dims);
    ox_node *n = op1(w, w->g, "If", x, "r")->def;
    n->from = "test";
    n->origin = &dims;
    ox_graph *t = body(n, "then_branch");
    ox_value *p = input(w, t, "p");
    ox_graph_add_output(t, op2(w, t, "Mul", p, k, "z"), sym(w, "z"));
    ox_attr_set_tensor(n, "t", ox_tensor_scalar_int(w->ctx, OX_INT64, 3));
    ox_node *c = call(w->g, f, n->out[0], k, 2);
    ox_node_set_n_out(c, 3);
    c->out[1] = NULL;
    ox_graph_add_output(w->g, c->out[0], sym(w, "y"));
    VERIFY(w);
    ox_model *m = ox_model_copy(w->m);
    assert_non_null(m);
    assert_int_equal(ox_verify(m), 0);
    assert_int_equal(nodes_of(m), nodes_of(w->m));
    ox_node *n2 = m->graph->first;
    assert_ptr_equal(n2->out[0]->name, n->out[0]->name);
    assert_ptr_equal(n2->origin, n->origin);
    assert_string_equal(n2->from, "test");
    assert_ptr_equal(m->graph->last->callee, m->functions[0]);
    assert_true(m->functions[0] != f && m->functions[0]->body->function == m->functions[0]);
    assert_null(m->graph->last->out[1]);
    assert_ptr_equal(m->graph->first_init->data, k->data);
    assert_true(ox_type_equal(m->graph->inputs[0]->type, x->type) && m->graph->inputs[0]->type != x->type);
    assert_ptr_equal(ox_attr_find(n2, "then_branch")->g->first->in[1].v, m->graph->first_init);
    assert_int_equal(ox_model_opset(m, m->graph, sym(w, "")), 17);
    ox_model_free(m);
    VERIFY(w);
    assert_int_equal(((const int64_t *)ox_tensor_data(k->data))[0], 1); /* still alive */
}

static void nodes_are_copied(void **state) {
    world *w = *state;
    ox_value *x = input(w, w->g, "x"), *a = op1(w, w->g, "If", x, "a");
    ox_graph *t = body(a->def, "then_branch");
    ox_value *b = op1(w, t, "Neg", x, "b"), *c = op1(w, t, "Abs", b, "c");
    ox_graph_add_output(t, c, sym(w, "c"));
    ox_graph_add_output(w->g, a, sym(w, "a"));
    ox_map map;
    ox_map_init(&map, w->m->arena);
    assert_int_equal(ox_graph_copy_into(t, w->g, a->def, &map, NULL), 0);
    assert_int_equal(w->g->n_nodes, 3);
    ox_value *c2 = ox_map_get(&map, c);
    assert_ptr_equal(c2->graph, w->g);
    assert_string_not_equal(c2->name, "c");
    VERIFY(w);
    ox_map_init(&map, w->m->arena);
    ox_map_put(&map, x, x);
    assert_int_equal(ox_graph_copy_into(w->g, w->g, NULL, &map, NULL),
                     0); /* into itself: nodes made on the way are not copied */
    assert_int_equal(w->g->n_nodes, 6);
    VERIFY(w);
    w->ctx->limits.graph_depth = 0;
    ox_map_init(&map, w->m->arena);
    ox_map_put(&map, x, x);
    assert_int_equal(ox_graph_copy_into(w->g, w->g, NULL, &map, NULL), -1);
    assert_non_null(strstr(ox_error_text(w->ctx), "graph_depth"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(calls_are_inlined), T(absent_inputs_stay_absent), T(other_opsets),      T(limits_hold),
        T(recursion_ends),    T(bodies_are_inlined),        T(models_are_copied), T(nodes_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
