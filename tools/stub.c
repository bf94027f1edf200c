#include "tools/run.h"
int run_profile(run_args *a) { (void)a; return 0; }
int run_tune(run_args *a) { (void)a; return 0; }
