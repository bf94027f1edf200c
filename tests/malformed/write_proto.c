/* Pieces of protobuf and of ONNX, put together as byte strings. Lengths are right unless a case writes them itself. */
#include "malformed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct chunk {
    struct chunk *next;
    char data[];
} chunk;

static chunk *chunks;

void *keep(size_t size) {
    chunk *c = calloc(1, sizeof *c + size + 1);
    if (!c) abort();
    c->next = chunks;
    chunks = c;
    return c->data;
}

void forget(void) {
    while (chunks) {
        chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
}

const char *text(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *t = keep((size_t)n + 1);
    va_start(args, format);
    vsnprintf(t, (size_t)n + 1, format, args);
    va_end(args);
    return t;
}

/* ---- protobuf ---- */

bytes raw(const void *p, size_t n) {
    bytes b = {keep(n), n};
    if (n) memcpy(b.p, p, n);
    return b;
}

bytes str(const char *s) { return raw(s, strlen(s)); }

bytes join(const bytes *list, size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) size += list[i].n;
    bytes b = {keep(size), 0};
    for (size_t i = 0; i < n; i++) {
        if (list[i].n) memcpy(b.p + b.n, list[i].p, list[i].n);
        b.n += list[i].n;
    }
    return b;
}

bytes times(size_t n, bytes b) {
    bytes all = {keep(n * b.n), n * b.n};
    for (size_t i = 0; i < n; i++) memcpy(all.p + i * b.n, b.p, b.n);
    return all;
}

bytes varint(uint64_t v) {
    unsigned char t[10];
    size_t n = 0;
    for (; v > 127; v >>= 7) t[n++] = (unsigned char)(v | 0x80);
    t[n++] = (unsigned char)v;
    return raw(t, n);
}

bytes tag(uint64_t field, unsigned wire) { return varint(field << 3 | wire); }
bytes num(unsigned field, int64_t v) { return J(tag(field, 0), varint((uint64_t)v)); }
bytes f32(unsigned field, float v) { return J(tag(field, 5), raw(&v, 4)); }
bytes sub(unsigned field, bytes body) { return J(tag(field, 2), varint(body.n), body); }
bytes txt(unsigned field, const char *s) { return sub(field, str(s)); }

/* The next of a list, by commas or blanks; false at the end. */
static bool next(const char **list, char separator, char *out, size_t size) {
    size_t n = 0;
    if (!*list || !**list) return false;
    for (; **list && **list != separator; ++*list)
        if (n + 1 < size) out[n++] = **list;
    out[n] = 0;
    if (**list) ++*list;
    return true;
}

bytes ints(unsigned field, const char *numbers) {
    char t[32];
    bytes all = NONE;
    while (next(&numbers, ',', t, sizeof t)) all = J(all, num(field, strtoll(t, NULL, 10)));
    return all;
}

/* ---- types and values ---- */

static bool is_number(const char *t) { return *t == '-' || (*t >= '0' && *t <= '9'); }

static bytes shape(const char *dims) {
    char t[64];
    bytes all = NONE;
    while (next(&dims, ',', t, sizeof t)) all = J(all, sub(1, is_number(t) ? num(1, strtoll(t, NULL, 10)) : txt(2, t)));
    return all;
}

bytes type(int elem, const char *dims) { return sub(1, J(num(1, elem), dims ? sub(2, shape(dims)) : NONE)); }
bytes value(const char *name, int elem, const char *dims) { return J(txt(1, name), elem ? sub(2, type(elem, dims)) : NONE); }

/* ---- nodes ---- */

static bytes names(unsigned field, const char *list) {
    char t[256];
    bytes all = NONE;
    while (next(&list, ' ', t, sizeof t)) all = J(all, txt(field, strcmp(t, "_") ? t : ""));
    return all;
}

bytes node(const char *op, const char *in, const char *out, bytes attrs) {
    return J(names(1, in), names(2, out), txt(3, text("the_%s", op)), txt(4, op), attrs);
}

bytes N(const char *op, const char *in, const char *out, bytes attrs) { return sub(1, node(op, in, out, attrs)); }
bytes a_int(const char *name, int64_t v) { return sub(5, J(txt(1, name), num(3, v), num(20, 2))); }
bytes a_ints(const char *name, const char *numbers) { return sub(5, J(txt(1, name), ints(8, numbers), num(20, 7))); }
bytes a_float(const char *name, float v) { return sub(5, J(txt(1, name), f32(2, v), num(20, 1))); }
bytes a_str(const char *name, const char *v) { return sub(5, J(txt(1, name), txt(4, v), num(20, 3))); }
bytes a_tensor(const char *name, bytes t) { return sub(5, J(txt(1, name), sub(5, t), num(20, 4))); }
bytes a_graph(const char *name, bytes g) { return sub(5, J(txt(1, name), sub(6, g), num(20, 5))); }

/* ---- tensors ---- */

bytes tensor(const char *name, int elem, const char *dims, bytes more) {
    return J(ints(1, dims), num(2, elem), name ? txt(8, name) : NONE, more);
}

bytes t_raw(const char *name, int elem, const char *dims, size_t zeros) {
    return tensor(name, elem, dims, sub(9, (bytes){keep(zeros), zeros}));
}

bytes t_f(const char *name, const char *dims, const char *numbers) {
    char t[64];
    bytes all = NONE;
    while (next(&numbers, ',', t, sizeof t)) {
        float v = strtof(t, NULL);
        all = J(all, raw(&v, 4));
    }
    return tensor(name, FLOAT, dims, sub(9, all));
}

bytes t_i(const char *name, const char *dims, const char *numbers) {
    char t[64];
    bytes all = NONE;
    while (next(&numbers, ',', t, sizeof t)) {
        int64_t v = strtoll(t, NULL, 10);
        all = J(all, raw(&v, 8));
    }
    return tensor(name, INT64, dims, sub(9, all));
}

bytes init(bytes t) { return sub(5, t); }
bytes entry(const char *key, const char *v) { return J(txt(1, key), txt(2, v)); }
bytes data(const char *key, const char *v) { return sub(13, entry(key, v)); }
bytes external(const char *name, const char *dims, bytes entries) { return tensor(name, FLOAT, dims, J(entries, num(14, 1))); }

/* ---- models ---- */

bytes opset(const char *domain, int64_t version) { return sub(8, J(txt(1, domain), num(2, version))); }

/* Parts of a graph as those of a function: only nodes, under another number. */
static bytes as_function_nodes(bytes parts) {
    bytes all = NONE;
    for (size_t i = 0; i < parts.n;) {
        uint64_t t = 0, size = 0;
        for (int s = 0;; s += 7) {
            t |= (uint64_t)(parts.p[i] & 127) << s;
            if (!(parts.p[i++] & 128)) break;
        }
        for (int s = 0;; s += 7) {
            size |= (uint64_t)(parts.p[i] & 127) << s;
            if (!(parts.p[i++] & 128)) break;
        }
        if (t >> 3 == 1) all = J(all, sub(7, raw(parts.p + i, size)));
        i += size;
    }
    return all;
}

bytes function(const char *name, const char *in, const char *out, bytes nodes) {
    return sub(25, J(txt(1, name), names(4, in), names(5, out), as_function_nodes(nodes), sub(9, J(txt(1, ""), num(2, 21))),
                     sub(9, J(txt(1, "local"), num(2, 1))), txt(10, "local")));
}

bytes model(bytes graph, bytes more) { return J(num(1, 10), sub(7, graph), opset("", 21), opset("local", 1), more); }

static bytes io(void) {
    return J(txt(2, "g"), sub(11, value("x", FLOAT, "2,3")), sub(12, value("y", 0, NULL)));
}

bytes making_y(bytes parts) { return model(J(parts, io()), NONE); }
bytes around(bytes parts) { return making_y(J(N("Relu", "x", "y", NONE), parts)); }

const char *const place_names[PLACES] = {"main graph", "If branch", "Loop body", "If in a Loop", "function", "body in a function"};

static bytes branch(const char *out, bytes parts) {
    return J(parts, N("Neg", "x", out, NONE), txt(2, "branch"), sub(12, value(out, 0, NULL)));
}

/* Nodes that use an If or a Loop around the parts, from x to OUT; condition k and count m are made by Constant nodes. */
static bytes in_if(const char *out, bytes parts) {
    bytes k = tensor(NULL, BOOL, "", sub(9, RAW("\1")));
    return J(N("Constant", "", text("k%s", out), a_tensor("value", k)),
             N("If", text("k%s", out), out, J(a_graph("then_branch", branch(text("t%s", out), parts)), a_graph("else_branch", branch(text("e%s", out), NONE)))));
}

static bytes in_loop(const char *out, bytes parts) {
    bytes body = J(parts, N("Identity", "c", "c2", NONE), N("Neg", "v", "v2", NONE), txt(2, "loop"), sub(11, value("i", INT64, "")),
                   sub(11, value("c", BOOL, "")), sub(11, value("v", FLOAT, NULL)), sub(12, value("c2", BOOL, "")), sub(12, value("v2", FLOAT, NULL)));
    return J(N("Constant", "", "m", a_tensor("value", t_i(NULL, "", "2"))), N("Loop", text("m _ x"), out, a_graph("body", body)));
}

bytes at(place p, bytes parts) {
    switch (p) {
    case MAIN: return around(parts);
    case BRANCH: return making_y(in_if("y", parts));
    case LOOP: return making_y(in_loop("y", parts));
    case DEEP: return making_y(in_loop("y", in_if("w", parts)));
    case FUNCTION:
        return model(J(sub(1, J(node("Fn", "x", "y", NONE), txt(7, "local"))), io()), function("Fn", "x", "r", J(parts, N("Relu", "x", "r", NONE))));
    default:
        return model(J(sub(1, J(node("Fn", "x", "y", NONE), txt(7, "local"))), io()), function("Fn", "x", "r", in_if("r", parts)));
    }
}
