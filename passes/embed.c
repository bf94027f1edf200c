/* Build-time program: text files become a C table, so that the programs need no files beside them.
 *
 *   embed SYMBOL OUT.c FILE...     writes  const ox_embedded SYMBOL[] = {{"name without folder and ending", "text"}, ..., {0}};
 */
#include <stdio.h>
#include <string.h>

static const char *base_of(const char *path) {
    const char *base = strrchr(path, '/');
    return base ? base + 1 : path;
}

/* As an array: compilers need not take string literals beyond 4095 bytes. */
static int put_file(FILE *out, const char *path, int number) {
    FILE *in = fopen(path, "rb");
    if (!in) return perror(path), 1;
    fprintf(out, "static const char text_%d[] = {", number);
    for (int c, n = 0; (c = getc(in)) != EOF; n++) fprintf(out, "%s'\\%03o',", n % 20 ? "" : "\n    ", (unsigned)c);
    fputs("0};\n", out);
    return fclose(in);
}

int main(int argc, char **argv) {
    if (argc < 3) return fputs("usage: embed SYMBOL OUT.c FILE...\n", stderr), 2;
    FILE *out = fopen(argv[2], "wb");
    if (!out) return perror(argv[2]), 1;
    fprintf(out, "#include \"passes/embedded.h\"\n\n");
    for (int i = 3; i < argc; i++)
        if (put_file(out, argv[i], i - 3)) return 1;
    fprintf(out, "const ox_embedded %s[] = {\n", argv[1]);
    for (int i = 3; i < argc; i++) fprintf(out, "    {\"%.*s\", text_%d},\n", (int)strcspn(base_of(argv[i]), "."), base_of(argv[i]), i - 3);
    fputs("    {0},\n};\n", out);
    return fclose(out) ? 1 : 0;
}
