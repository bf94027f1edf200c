/* Convolutions of images in blocks of channels, with weights packed once, a BatchNormalization in them, and what comes behind. */
#include "cpu/conv.h"
#include "exec/native.h"
#include "op/compute.h"
#include "op/window.h"

/* Channels, groups, kernel: what is the same in every run. */
static int fixed_part(ox_run *r, ox_conv *c, const ox_window *w) {
    const ox_tensor *k = ox_native_tensor(r, 1);
    int one = w->n == 1;
    *c = (ox_conv){.groups = ox_get_int(r->call, "group"), .out_channels = k->dims[0]};
    if (c->groups < 1 || !ox_mul_ok(k->dims[1], c->groups, &c->in_channels)) return ox_fail(r->ctx, OX_BAD_DATA, "too many groups");
    c->kernel_h = one ? 1 : w->kernel[0];
    c->kernel_w = w->kernel[1 - one];
    c->stride_h = one ? 1 : w->stride[0];
    c->stride_w = w->stride[1 - one];
    c->dilation_h = one ? 1 : w->dilation[0];
    c->dilation_w = w->dilation[1 - one];
    return 0;
}

/* scale = gamma / sqrt(var + epsilon); shift = (bias - mean) * scale + beta */
static int normalization(ox_run *r, const ox_image_conv *s, int64_t n, float *scale, float *shift) {
    const float *v[4];
    for (int i = 0; i < 4; i++)
        if (!ox_native_tensor(r, s->norm[i]) || ox_native_tensor(r, s->norm[i])->count != n || !(v[i] = ox_native_floats(r, s->norm[i])))
            return ox_fail(r->ctx, OX_BAD_DATA, "the normalization is not for %" PRId64 " channels", n);
    for (int64_t c = 0; c < n; c++) {
        double f = v[0][c] / sqrt((double)v[3][c] + s->epsilon);
        scale[c] = (float)f;
        shift[c] = (float)(((double)shift[c] - v[2][c]) * f + v[1][c]);
    }
    return 0;
}

/* Bias, normalization and what the tail needs: the same for all algorithms. */
static int prepare(ox_run *r, ox_image_conv *s, const ox_conv *c, float *scale, int64_t padded) {
    const ox_tensor *b = ox_native_tensor(r, s->bias);
    int64_t n = c->out_channels;
    if (b && b->count != n) return ox_fail(r->ctx, OX_BAD_DATA, "the bias must have %" PRId64 " elements", n);
    if (!s->shift && !(s->shift = ox_payload_alloc(r->ctx, (size_t)padded * sizeof(float)))) return -1;
    memset(s->shift, 0, (size_t)padded * sizeof(float));
    if (b) {
        const float *from = ox_native_floats(r, s->bias);
        if (!from) return -1;
        memcpy(s->shift, from, (size_t)n * sizeof *from);
    }
    if (s->norm[0] >= 0 && normalization(r, s, n, scale, s->shift)) return -1;
    for (int i = 1; s->has_tail && i < s->tail.program.n_operands; i++)
        if (s->tail.per_channel[i] && !s->columns[i] && !(s->columns[i] = ox_tail_columns(r, ox_native_tensor(r, s->tail.input[i]), n, ox_conv_block())))
            return -1;
    s->in_channels = c->in_channels;
    s->out_channels = n;
    return 0;
}

static float *pack(ox_run *r, ox_image_conv *s, const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    const ox_tensor *k = ox_native_tensor(r, 1);
    const float *w = ox_native_floats(r, 1);
    int64_t block = ox_conv_block(), padded = (c->out_channels + block - 1) / block * block;
    float *scale = ox_scratch(r, (uint64_t)padded * sizeof *scale);
    if (!w || !scale || prepare(r, s, c, scale, padded)) return NULL;
    float *packed = ox_payload_alloc(r->ctx, (size_t)a->packed_floats(c, form) * sizeof *packed);
    if (!packed) return NULL;
    a->pack(c, form, w, s->norm[0] >= 0 ? scale : NULL, packed, ox_thread_count(r->ctx));
    if (!r->tunes) {
        ox_tensor_forget(k);
        s->forgotten = true;
    }
    return packed;
}

/* Where weights as algorithm A reads them are, or would be; NULL: no place. */
static ox_conv_weights *place_of(ox_image_conv *s, const ox_conv_algorithm *a) {
    ox_conv_weights *free = NULL;
    for (int i = 0; i < OX_CONV_WEIGHTS; i++) {
        ox_conv_weights *w = &s->weights[i];
        if (w->like && w->like->pack == a->pack) return w;
        if (!w->packed && !free) free = w;
    }
    return free;
}

/* NULL after ox_fail(). */
static const float *weights_for(ox_run *r, ox_image_conv *s, const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    ox_conv_weights *w = place_of(s, a);
    if (w && !w->packed) {
        r->once = true;
        w->packed = pack(r, s, a, c, form);
        r->once = false;
        w->like = w->packed ? a : NULL;
    }
    return w ? w->packed : NULL;
}

static void taken(void *state, const char *candidate) {
    ox_image_conv *s = state;
    size_t n;
    const ox_conv_algorithm *const *all = ox_conv_algorithms(&n);
    for (size_t k = 0; k < n; k++)
        if (!strcmp(all[k]->name, candidate)) place_of(s, all[k])->taken = true;
    for (int i = 0; i < OX_CONV_WEIGHTS; i++) {
        ox_conv_weights *w = &s->weights[i];
        if (w->taken || s->forgotten) continue;
        ox_payload_free(w->packed);
        *w = (ox_conv_weights){0};
    }
}

/* Sizes of the image: [N, C, spatial] when planar, [N, C / B, H, W, B]. */
static int image_sizes(ox_run *r, const ox_image_conv *s, const ox_tensor *x, ox_conv *c, int64_t *spatial) {
    int64_t block = ox_conv_block();
    int n = s->rank - 2;
    bool fits = x && (s->planar || x->dtype == OX_FLOAT) &&
                (s->planar ? x->rank == s->rank && x->dims[1] == c->in_channels
                           : x->rank == 5 && x->dims[1] == (c->in_channels + block - 1) / block && x->dims[4] == block);
    if (!fits) return ox_fail(r->ctx, OX_BAD_DATA, "the weights are for %" PRId64 " channels, which the input has not", c->in_channels);
    const int64_t *in = s->planar ? x->dims + 2 : x->dims + (n == 1 ? 3 : 2);
    memcpy(spatial, in, (size_t)n * sizeof *in);
    c->batch = x->dims[0];
    c->in_h = n == 1 ? 1 : spatial[0];
    c->in_w = spatial[n - 1];
    return 0;
}

/* Sizes of the output; what a Pad has put around the image counts as image. */
static int padded_sizes(ox_run *r, const ox_image_conv *s, ox_window *w, const int64_t *in, int64_t *out) {
    int64_t all[2];
    int n = s->rank - 2;
    for (int i = 0; i < n; i++) {
        int k = n == 1 ? 1 : i;
        if (__builtin_add_overflow(in[i], s->pad[k] + s->pad[k + 2], &all[i])) return ox_fail(r->ctx, OX_BAD_DATA, "the padded image is too large");
    }
    return ox_window_sizes(r->ctx, w, all, out);
}

/* Bytes of the output in blocks, where algorithm A cannot write planes and they are wanted. */
static uint64_t turned_bytes(const ox_image_conv *s, const ox_conv_algorithm *a, const ox_conv *c, ox_conv_form form) {
    int64_t block = ox_conv_block(), blocks = (c->out_channels + block - 1) / block;
    if (!s->planar_out || (a->planar && ox_conv_writes_planar(c, form))) return 0;
    return ((uint64_t)(c->batch * blocks * block * c->out_h * c->out_w) * sizeof(float) + 63) / 64 * 64;
}

/* The algorithms that serve, those first that need no measuring to be preferred. */
static int candidates(const ox_run *r, const ox_image_conv *s, const ox_conv *c, ox_conv_form form, ox_candidate *list,
                      const ox_conv_algorithm **which) {
    size_t all;
    int n = 0;
    const ox_conv_algorithm *const *algorithms = ox_conv_algorithms(&all);
    const size_t preferred = ox_conv_heuristic(c, form, UINT64_MAX);
    for (size_t k = 0; k < all && n < OX_CANDIDATES; k++) {
        const ox_conv_algorithm *a = algorithms[k == 0 ? preferred : k <= preferred ? k - 1 : k];
        const bool other = a->pack != algorithms[0]->pack;
        if ((other && (!r->tunes || s->forgotten)) || !a->serves(a, c, form)) continue; /* in this order: to ask a library is to load it */
        uint64_t turned = turned_bytes(s, a, c, form);
        which[n] = a;
        list[n++] = (ox_candidate){a->name, turned + a->workspace(a, c, form)};
    }
    return n;
}

static int convolve(ox_run *r, ox_image_conv *s, ox_conv *c, ox_conv_form form, const float *x, ox_tensor *y) {
    ox_candidate list[OX_CANDIDATES];
    const ox_conv_algorithm *which[OX_CANDIDATES];
    void *room;
    int threads = ox_thread_count(r->ctx), k = ox_choose(r, list, candidates(r, s, c, form, list, which), &room);
    const ox_conv_algorithm *a = k < 0 ? NULL : which[k];
    const float *packed = a ? weights_for(r, s, a, c, form) : NULL;
    ox_tail_run t;
    if (!packed || (s->has_tail && ox_tail_begin(&t, r, &s->tail, s->columns, ox_conv_block(), y))) return -1;
    uint64_t turned = turned_bytes(s, a, c, form);
    c->planar_out = s->planar_out && !turned;
    float *to = ox_tensor_mut(y), *blocked = turned ? room : to;
    a->run(a, threads, c, form, x, packed, s->shift, s->has_tail ? &t.tail : NULL, blocked, turned ? (float *)((char *)room + turned) : room);
    if (turned) ox_image_unblock(threads, c->batch, c->out_channels, c->out_h * c->out_w, blocked, to);
    return 0;
}

static int run_conv(ox_run *r) {
    ox_image_conv *s = r->state;
    const ox_tensor *x = ox_native_tensor(r, 0), *k = ox_native_tensor(r, 1);
    ox_window w;
    ox_conv c;
    int64_t in[2], out[2], block = ox_conv_block();
    int n = s->rank - 2;
    if (ox_window_init(&w, r->call, r->arena, n, k->dims + 2) < 0 || fixed_part(r, &c, &w) || image_sizes(r, s, x, &c, in) ||
        padded_sizes(r, s, &w, in, out))
        return -1;
    c.out_h = n == 1 ? 1 : out[0];
    c.out_w = out[n - 1];
    c.pad_top = n == 1 ? 0 : w.begin[0] + s->pad[0];
    c.pad_left = w.begin[n - 1] + s->pad[1];
    ox_conv_form form = ox_conv_form_of(&c);
    if (form == OX_CONV_PLANAR && !s->planar) form = OX_CONV_BLOCKED;
    bool beyond = (c.out_h - 1) * c.stride_h >= c.in_h || (c.out_w - 1) * c.stride_w >= c.in_w;
    if (form == OX_CONV_POINTWISE && beyond) form = OX_CONV_BLOCKED; /* pads at the end only */
    int64_t blocks = (c.out_channels + block - 1) / block, plain[4] = {c.batch, c.out_channels, out[0], out[n - 1]};
    ox_tensor *y = s->planar_out ? ox_output(r, 0, OX_FLOAT, s->rank, plain)
                                 : ox_output(r, 0, OX_FLOAT, 5, (int64_t[]){c.batch, blocks, c.out_h, c.out_w, block});
    const float *from = y ? ox_native_input(r, x) : NULL;
    if (!from) return -1;
    if (!y->count) return weights_for(r, s, ox_conv_algorithms(&(size_t){0})[0], &c, form) ? 0 : -1;
    return convolve(r, s, &c, form, from, y);
}

static void done(ox_ctx *ctx, void *state) {
    ox_image_conv *s = state;
    (void)ctx;
    for (int i = 0; i < OX_CONV_WEIGHTS; i++) ox_payload_free(s->weights[i].packed);
    ox_payload_free(s->shift);
    for (int k = 0; k < OX_PROGRAM_OPERANDS; k++) ox_payload_free(s->columns[k]);
}

const ox_native ox_native_conv = {"convolution in blocks", run_conv, done, taken};
