/* Measured times of algorithms: private side of ox_tuning (exec.h). */
#ifndef OX_TUNING_H
#define OX_TUNING_H

#include "exec/exec.h"

typedef struct ox_timing {
    ox_sym op;               /* operator, sizes and attributes: ox_choice_key() */
    const char *algorithm;
    uint64_t workspace;      /* bytes */
    double seconds, spread;  /* median of the runs; interquartile range as a part of it */
    bool fresh;              /* measured now: not in the file */
    struct ox_timing *next;  /* of the same operator */
} ox_timing;

/* Of this machine with this number of threads; NULL. */
const ox_timing *ox_tuning_find(const ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace);
void ox_tuning_add(ox_tuning *t, ox_sym op, const char *algorithm, uint64_t workspace, double seconds, double spread);

#endif
