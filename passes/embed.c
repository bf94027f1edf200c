/* Build-time program: text files become a C table, so that the programs need no files beside them.
 *
 *   embed SYMBOL OUT.c FILE...     writes  const ox_embedded SYMBOL[] = {{"name without folder and ending", "text"}, ..., {0}};
 */
#include <stdio.h>
#include <string.h>

static int put_file(FILE *out, const char *path) {
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    FILE *in = fopen(path, "rb");
    if (!in) return perror(path), 1;
    fprintf(out, "    {\"%.*s\",\n     \"", (int)strcspn(base, "."), base);
    for (int c; (c = getc(in)) != EOF;) {
        if (c == '\n') fputs("\\n\"\n     \"", out);
        else if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 32 || c > 126) fprintf(out, "\\%03o", c);
        else putc(c, out);
    }
    fputs("\"},\n", out);
    return fclose(in);
}

int main(int argc, char **argv) {
    if (argc < 3) return fputs("usage: embed SYMBOL OUT.c FILE...\n", stderr), 2;
    FILE *out = fopen(argv[2], "wb");
    if (!out) return perror(argv[2]), 1;
    fprintf(out, "#include \"passes/embedded.h\"\n\nconst ox_embedded %s[] = {\n", argv[1]);
    for (int i = 3; i < argc; i++)
        if (put_file(out, argv[i])) return 1;
    fputs("    {0},\n};\n", out);
    return fclose(out) ? 1 : 0;
}
