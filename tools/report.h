/* What onnx-opt says of its work: one struct of facts, shown as a table on the terminal, as JSON for programs or as a page for people. */
#ifndef OX_REPORT_H
#define OX_REPORT_H

#include "tools/cli.h"

typedef struct report_facts {
    const char *in, *out;        /* as the user gave them: bytes of any kind, "-" for the standard ones */
    cli_census before, after;
    const ox_pass_stat *passes;
    size_t n_passes;
    ox_verify_result check;      /* all zero: verification was off */
    double ms;                   /* of all work between reading and writing */
} report_facts;

/* Prints the table on stderr; passes that changed nothing only with -vv. */
void report_print(const cli *c, const report_facts *f);
/* Whether PATH ends as a format does; 0, or -1 after ox_fail(OX_USAGE). */
int report_check(cli *c, const char *path);
/* The report in the format that PATH ends in. Written, not yet committed; NULL after ox_fail(). */
ox_out *report_write(cli *c, const char *path, const report_facts *f);

#endif
