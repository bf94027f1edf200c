/* Reads an archive of arrays as the programs do, and prints what is in it: for the sweeps, which run programs. */
#include "exec/exec.h"
#include "exec/npy.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

typedef struct job { ox_ctx *ctx; const char *path; } job;

static int work(void *arg) {
    job *j = arg;
    ox_npz *z = ox_npz_open(j->ctx, j->path);
    int result = z ? 0 : -1;
    for (size_t i = 0; z && result == 0 && i < ox_npz_count(z); i++) {
        ox_tensor *t = ox_npz_read(z, i);
        const void *data = t ? ox_tensor_data(t) : NULL;
        if (data) printf("%s %" PRIx64 "\n", ox_npz_name(z, i), ox_hash(data, (size_t)t->bytes, 0));
        else result = -1;
        ox_tensor_unref(t);
    }
    ox_npz_close(z);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 2) return OX_USAGE;
    signal(SIGXFSZ, SIG_IGN);
    job j = {ox_ctx_new(), argv[1]};
    if (!j.ctx) return fprintf(stderr, "read-npz: out of memory\n"), OX_NO_MEMORY;
    int code = ox_protect(j.ctx, work, &j) < 0 ? ox_error_code(j.ctx) : 0;
    if (code) fprintf(stderr, "read-npz: %s\n", ox_error_text(j.ctx));
    ox_ctx_free(j.ctx);
    return fflush(stdout) ? fprintf(stderr, "read-npz: standard output: cannot be written\n"), OX_IO : code;
}
