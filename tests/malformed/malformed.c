/* malformed BIN GROUP: the cases of one group, on the programs in BIN. */
#include "malformed.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(void);
} groups[] = {
    {"wire", group_wire},
    {"graph", group_graph},
    {"tensors", group_tensors},
    {"operators", group_operators},
    {"external", group_external},
    {"work", group_work},
    {"text", group_text},
    {"config", group_config},
    {"inputs", group_inputs},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 3 && i < sizeof groups / sizeof *groups; i++)
        if (!strcmp(argv[2], groups[i].name)) {
            start(argv[1], argv[2]);
            groups[i].run();
            return finish();
        }
    fprintf(stderr, "usage: malformed BIN GROUP\n");
    return 64;
}
