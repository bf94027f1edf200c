/* Surgery on graphs: use lists, interfaces, names, sorting, and that the verifier sees what is broken. */
#include "graphs.h"

#include <stdio.h>

static void uses_follow_edits(void **state) {
    world *w = *state;
    ox_value *x = input(w, w->g, "x"), *y = input(w, w->g, "y");
    ox_value *a = op2(w, w->g, "Add", x, x, "a"), *r = op1(w, w->g, "Relu", a, "r");
    ox_graph_add_output(w->g, r, sym(w, "r"));
    VERIFY(w);
    assert_int_equal(x->nuses, 2);
    assert_true(ox_is_graph_output(r) && !ox_is_graph_output(a));
    ox_node_set_input(a->def, 1, y);
    assert_int_equal(x->nuses, 1);
    ox_node_set_input(a->def, 1, NULL);
    assert_int_equal(y->nuses, 0);
    VERIFY(w);
    ox_value *in[] = {y, x, y};
    ox_node_set_inputs(a->def, 3, in);
    assert_int_equal(y->nuses, 2);
    for (int i = 0; i < 9; i++) ox_node_add_input(a->def, x);
    assert_int_equal(x->nuses, 10);
    VERIFY(w);
    ox_node *n = a->def;
    ox_node_remove(n); /* is used: stays */
    assert_ptr_equal(n->graph, w->g);
    ox_replace_uses(a, x);
    assert_int_equal(a->nuses, 0);
    ox_node_remove(n);
    assert_null(n->graph);
    assert_int_equal(x->nuses, 1);
    assert_int_equal(w->g->n_nodes, 1);
    VERIFY(w);
    ox_node_set_n_out(r->def, 3);
    assert_int_equal(r->def->out[2]->index, 2);
    ox_node_set_n_out(r->def, 0); /* the first is used */
    assert_int_equal(r->def->n_out, 3);
    ox_node_set_n_out(r->def, 1);
    VERIFY(w);
}

static void replacing_keeps_the_stronger_type(void **state) {
    world *w = *state;
    ox_dim one[] = {ox_dim_const(w->ctx, 4)};
    ox_value *x = input(w, w->g, "x"), *a = op1(w, w->g, "Relu", x, "a"), *b = op1(w, w->g, "Neg", x, "b");
    a->type = ox_type_tensor(w->m->arena, OX_FLOAT, 1, one);
    b->type = ox_type_tensor(w->m->arena, OX_FLOAT, 1, NULL);
    ox_graph_add_output(w->g, a, sym(w, "a"));
    ox_replace_uses(a, b);
    assert_true(ox_dim_is(b->type->dims[0], 4));
    assert_ptr_equal(w->g->ret->in[0].v, b);
}

static void interfaces(void **state) {
    world *w = *state;
    ox_value *v[5];
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        v[i] = input(w, w->g, name);
        snprintf(name, sizeof name, "y%d", i);
        ox_graph_add_output(w->g, op1(w, w->g, "Relu", v[i], name), sym(w, name));
    }
    VERIFY(w);
    ox_graph_remove_output(w->g, 1);
    ox_graph_remove_output(w->g, 3);
    assert_int_equal(w->g->ret->n_in, 3);
    assert_string_equal(w->g->out_names[1], "y2");
    assert_string_equal(w->g->ret->in[2].v->name, "y3");
    ox_graph_add_output(w->g, v[0], sym(w, "z"));
    ox_graph_add_output(w->g, v[0], sym(w, "z2"));
    VERIFY(w);
    ox_graph_remove_input(w->g, 1); /* used */
    assert_int_equal(w->g->n_inputs, 5);
    ox_node_remove(v[1]->uses->user);
    ox_graph_remove_input(w->g, 1);
    assert_int_equal(w->g->n_inputs, 4);
    assert_string_equal(w->g->inputs[1]->name, "x2");
    VERIFY(w);
}

static void initializers(void **state) {
    world *w = *state;
    int64_t five = 5;
    double d;
    int64_t i;
    ox_value *x = input(w, w->g, "x"),
             *c = ox_graph_add_init(w->g, sym(w, "c"), ox_tensor_scalar_int(w->ctx, OX_INT64, 5));
    ox_graph_set_default(x, ox_tensor_ints(w->ctx, 1, &five), NULL);
    VERIFY(w);
    assert_null(ox_constant(x));
    w->m->ir_version = 3;
    assert_non_null(ox_constant(x));
    assert_true(ox_constant_int(c, &i) && i == 5);
    assert_true(ox_constant_double(c, &d) && d == 5);
    assert_true(ox_dim_is(ox_graph_add_init(w->g, NULL, ox_tensor_ints(w->ctx, 1, &five))->type->dims[0], 1));
    ox_value *u = op1(w, w->g, "Neg", c, "u");
    ox_graph_remove_init(c); /* used */
    assert_int_equal(w->g->n_inits, 3);
    ox_replace_uses(c, x);
    ox_graph_remove_init(c);
    ox_graph_remove_init(x); /* only its data */
    assert_int_equal(w->g->n_inits, 1);
    assert_ptr_equal(u->def->in[0].v, x);
    VERIFY(w);
    size_t had = w->m->n_tensors;
    ox_model_release_unused(w->m);
    assert_int_equal(w->m->n_tensors, had - 2);
    VERIFY(w);
}

static void constants_of_nodes(void **state) {
    world *w = *state;
    int64_t i;
    double d;
    ox_value *c = op1(w, w->g, "Constant", NULL, "c");
    assert_null(ox_constant(c));
    ox_attr_set_int(c->def, "value_int", 7);
    assert_true(ox_constant_int(c, &i) && i == 7);
    assert_ptr_equal(ox_constant(c), ox_constant(c));
    ox_attr_set_int(c->def, "value_int", 8);
    assert_true(ox_constant_int(c, &i) && i == 8);
    ox_attr_remove(c->def, "value_int");
    ox_attr_set_float(c->def, "value_float", 0.5f);
    assert_true(ox_constant_double(c, &d) && d == 0.5);
    assert_int_equal(ox_constant(c)->dtype, OX_FLOAT);
    assert_false(ox_constant_int(c, &i));
    ox_attr_remove(c->def, "value_float");
    ox_attr_set_ints(c->def, "value_ints", 0, NULL);
    ox_tensor *t = ox_constant(c);
    assert_true(t && t->dtype == OX_INT64 && t->rank == 1 && t->dims[0] == 0);
    ox_attr_remove(c->def, "value_ints");
    ox_attr_set_string(c->def, "value_string", "abc");
    t = ox_constant(c);
    assert_true(t && t->dtype == OX_STRING && t->rank == 0);
    assert_int_equal(((const ox_str *)ox_tensor_data(t))->len, 3);
    ox_attr_remove(c->def, "value_string");
    ox_attr_set_tensor(c->def, "value", ox_tensor_scalar_double(w->ctx, OX_DOUBLE, 3));
    assert_true(ox_constant_int(c, &i) && i == 3);
    ox_attr_find(c->def, "value")->ref = sym(w, "outside");
    assert_null(ox_constant(c));
}

static void attributes(void **state) {
    world *w = *state;
    int64_t v[] = {1, 2};
    ox_node *n = op1(w, w->g, "X", NULL, "x")->def;
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%d", i);
        ox_attr_set_int(n, name, i);
    }
    ox_attr_set_ints(n, "a3", 2, v);
    assert_int_equal(n->n_attrs, 9);
    ox_attr_remove(n, "a0");
    assert_null(ox_attr_find(n, "a0"));
    assert_int_equal(ox_attr_find(n, "a3")->is[1], 2);
    assert_int_equal(n->attrs[7]->i, 8);
    w->m->changed = false;
    ox_attr_set_ints(n, "a3", 2, v);
    ox_attr_set_int(n, "a4", 4);
    ox_attr_remove(n, "none");
    assert_false(w->m->changed);
    ox_attr *c = ox_attr_copy(w->m, ox_attr_find(n, "a3"));
    assert_true(c->is != ox_attr_find(n, "a3")->is && c->is[0] == 1);
}

/* main: x -> (If c { then: Neg(x) } { else: c }) -> y */
static ox_node *make_if(world *w, ox_value *c, ox_value *x) {
    ox_node *n = op1(w, w->g, "If", c, "y")->def;
    ox_graph *t = body(n, "then_branch"), *e = body(n, "else_branch");
    ox_graph_add_output(t, op1(w, t, "Neg", x, "t"), sym(w, "t"));
    ox_graph_add_output(e, op1(w, e, "Abs", x, "t"), sym(w, "t")); /* siblings may share names */
    return n;
}

static void bodies(void **state) {
    world *w = *state;
    ox_value *c = input(w, w->g, "c"), *x = input(w, w->g, "x"), *x2 = op1(w, w->g, "Relu", x, "x2");
    ox_node *n = make_if(w, c, x2);
    ox_graph_add_output(w->g, n->out[0], sym(w, "y"));
    VERIFY(w);
    assert_int_equal(x2->nuses, 2);
    ox_graph *t = ox_attr_find(n, "then_branch")->g;
    assert_true(ox_graph_contains(w->g, t) && !ox_graph_contains(t, w->g));
    /* a node of the body moves out */
    ox_node *neg = t->first;
    ox_node_move(neg, n);
    assert_ptr_equal(neg->graph, w->g);
    assert_ptr_equal(neg->out[0]->graph, w->g);
    assert_int_equal(t->n_nodes, 0);
    VERIFY(w);
    ox_graph_remove_output(w->g, 0);
    ox_node_remove(n);
    assert_int_equal(neg->out[0]->nuses, 0);
    assert_int_equal(x2->nuses, 1);
    VERIFY(w);
}

static void names_are_settled(void **state) {
    world *w = *state;
    ox_value *x = input(w, w->g, "x"), *a = op1(w, w->g, "Relu", x, "a"), *b = op1(w, w->g, "Neg", a, NULL);
    ox_value *dead = op1(w, w->g, "Abs", x, "y0");
    ox_graph_add_output(w->g, b, sym(w, "y0")); /* takes the name, the other gives way */
    ox_graph_add_output(w->g, b, sym(w, "y1")); /* a second name of one value */
    ox_graph_add_output(w->g, x, sym(w, "y2")); /* an input */
    ox_graph_add_output(w->g, x, sym(w, "x"));  /* an input as it is */
    ox_value *k = ox_graph_add_init(w->g, sym(w, "k"), ox_tensor_scalar_int(w->ctx, OX_INT64, 1));
    ox_graph_add_output(w->g, k, sym(w, "y3"));
    ox_settle_names(w->m);
    VERIFY(w);
    assert_string_equal(b->name, "y0");
    assert_string_not_equal(dead->name, "y0");
    assert_int_equal(w->g->n_nodes, 6);
    for (uint32_t i = 0; i < w->g->ret->n_in; i++) assert_ptr_equal(w->g->ret->in[i].v->name, w->g->out_names[i]);
    assert_true(ox_is(w->g->last, "Identity"));
    assert_string_equal(x->name, "x");
    w->m->changed = false;
    ox_settle_names(w->m);
    assert_false(w->m->changed);
    assert_int_equal(w->g->n_nodes, 6);
}

static void names_in_bodies(void **state) {
    world *w = *state;
    ox_value *c = input(w, w->g, "c"), *x = input(w, w->g, "x");
    ox_node *n = make_if(w, c, x);
    ox_graph_add_output(w->g, n->out[0], sym(w, "y"));
    w->m->changed = false;
    ox_settle_names(w->m);
    assert_false(w->m->changed); /* siblings keep their equal names */
    ox_graph *t = ox_attr_find(n, "then_branch")->g, *e = ox_attr_find(n, "else_branch")->g;
    ox_node_move(t->first, n);
    n->prev->out[0]->name = sym(w, "t"); /* now "t" is seen from the other branch */
    ox_settle_names(w->m);
    VERIFY(w);
    assert_string_equal(t->ret->in[0].v->name, t->out_names[0]);
    assert_string_equal(e->ret->in[0].v->name, e->out_names[0]);
    assert_string_not_equal(e->out_names[0], n->prev->out[0]->name);
    w->m->changed = false;
    ox_settle_names(w->m);
    assert_false(w->m->changed);
}

static void fresh_names(void **state) {
    world *w = *state;
    assert_string_equal(ox_fresh_name(w->m, "a"), "a");
    assert_string_equal(ox_fresh_name(w->m, "a"), "a_1");
    assert_string_equal(ox_fresh_name(w->m, "a_1"), "a_2");
    assert_string_equal(ox_fresh_name(w->m, "b_7"), "b_7");
    assert_string_equal(ox_fresh_name(w->m, "b_7"), "b_1");
    assert_string_equal(ox_fresh_name(w->m, NULL), "value");
}

static void sorting(void **state) {
    world *w = *state;
    enum { N = 5000 };
    ox_value *x = input(w, w->g, "x"), *v = x;
    bool moved;
    for (int i = 0; i < N; i++) v = op1(w, w->g, "Relu", v, NULL);
    ox_graph_add_output(w->g, v, sym(w, "y"));
    assert_int_equal(ox_sort(w->g, &moved), 0);
    assert_false(moved);
    for (ox_node *n = w->g->first, *next; n; n = next) { /* reversed */
        next = n->next;
        ox_node_move(n, w->g->first);
    }
    assert_int_equal(ox_verify(w->m), -1);
    assert_int_equal(ox_sort(w->g, &moved), 0);
    assert_true(moved);
    VERIFY(w);
    assert_ptr_equal(w->g->first->in[0].v, x);
}

static void sorting_sees_captures(void **state) {
    world *w = *state;
    ox_value *c = input(w, w->g, "c"), *x = input(w, w->g, "x"), *r = op1(w, w->g, "Relu", x, "r"),
             *s = op1(w, w->g, "Sin", x, "s");
    ox_node *n = make_if(w, c, r);
    ox_graph_add_output(w->g, n->out[0], sym(w, "y"));
    ox_node_move(n, w->g->first);
    assert_int_equal(ox_verify(w->m), -1);
    assert_int_equal(ox_sort(w->g, NULL), 0);
    VERIFY(w);
    assert_ptr_equal(w->g->first, r->def);
    assert_ptr_equal(w->g->last, s->def); /* stays where it was */
    ox_node_set_input(r->def, 0, n->out[0]);
    r->def->name = sym(w, "knot");
    assert_int_equal(ox_sort(w->g, NULL), -1);
    assert_int_equal(ox_error_code(w->ctx), OX_BAD_DATA);
    assert_non_null(strstr(ox_error_text(w->ctx), "cycle"));
    assert_non_null(strstr(ox_error_text(w->ctx), "knot"));
}

static void the_verifier_sees(void **state) {
    world *w = *state;
    ox_value *x = input(w, w->g, "x"), *a = op1(w, w->g, "Relu", x, "a"), *b = op1(w, w->g, "Neg", a, "b");
    ox_graph_add_output(w->g, b, sym(w, "b"));
    VERIFY(w);
    a->nuses++;
    assert_int_equal(ox_verify(w->m), -1);
    a->nuses--;
    b->name = a->name;
    assert_int_equal(ox_verify(w->m), -1);
    b->name = sym(w, "b");
    a->index = 1;
    assert_int_equal(ox_verify(w->m), -1);
    a->index = 0;
    ox_node_move(b->def, a->def);
    assert_int_equal(ox_verify(w->m), -1);
    assert_int_equal(ox_error_code(w->ctx), OX_BUG);
    ox_node_append(w->g, b->def);
    VERIFY(w);
    w->g->n_nodes++;
    assert_int_equal(ox_verify(w->m), -1);
    w->g->n_nodes--;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(uses_follow_edits),
        T(replacing_keeps_the_stronger_type),
        T(interfaces),
        T(initializers),
        T(constants_of_nodes),
        T(attributes),
        T(bodies),
        T(names_are_settled),
        T(names_in_bodies),
        T(fresh_names),
        T(sorting),
        T(sorting_sees_captures),
        T(the_verifier_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
