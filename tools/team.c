/* Threads of the programs (team.h).
 *
 * A thread that waits without sleeping is not moved by every system: when it was started on the processor of the thread that it waits for,
 * two threads are as fast as one, or slower. So threads are put on processors once, when the team is made, and the caller's thread on what is
 * left. */
#include "tools/team.h"

#include <fcntl.h>
#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SPINS "20000" /* looks of a waiting thread: about half a millisecond */

enum { LOOKS = 4 };

/* Whether others would fill the processors at this moment. */
static bool all_taken(void) {
    char line[128];
    int running = 0, fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0) close(fd);
    line[n > 0 ? n : 0] = 0;
    return sscanf(line, "%*f %*f %*f %d/", &running) == 1 && running > sysconf(_SC_NPROCESSORS_ONLN);
}

/* Whether other processes keep the processors busy: who started us may still be running for a moment. */
static bool others_run(void) {
    for (int i = 0; i < LOOKS; i++) {
        if (i) nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        if (!all_taken()) return false;
    }
    return true;
}

void team_settle(char **argv) {
    char path[4096];
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME")) return;
    const char *flags = getenv("MAKEFLAGS");
    bool alone = !(flags && strstr(flags, "--jobserver")) && !others_run();
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n <= 0 || (size_t)n >= sizeof path || setenv("OMP_WAIT_POLICY", "passive", 1) || (alone && setenv("GOMP_SPINCOUNT", SPINS, 1))) return;
    path[n] = 0;
    execv(path, argv);
}

/* The allowed processors, behind the one the caller runs on first; how many. */
static int list_processors(int *list, int most) {
    cpu_set_t set;
    int n = 0, now = sched_getcpu();
    if (now < 0 || sched_getaffinity(0, sizeof set, &set)) return 0;
    for (int i = 1; i <= CPU_SETSIZE && n < most; i++) {
        int cpu = (now + i) % CPU_SETSIZE;
        if (CPU_ISSET(cpu, &set)) list[n++] = cpu; /* the caller's own comes last */
    }
    return n;
}

static bool stays;

void team_stay(void) { stays = true; }

void team_spread(int n) {
    int list[CPU_SETSIZE], known = n < 2 || getenv("OMP_PROC_BIND") || getenv("GOMP_CPU_AFFINITY") ? 0 : list_processors(list, CPU_SETSIZE);
    if (stays || n < 2 || n > known || others_run()) return;
    cpu_set_t left;
    CPU_ZERO(&left);
    for (int i = n - 1; i < known; i++) CPU_SET(list[i], &left);
#pragma omp parallel num_threads(n)
    {
        int i = omp_get_thread_num();
        cpu_set_t one;
        CPU_ZERO(&one);
        if (i) CPU_SET(list[i - 1], &one);
        (void)sched_setaffinity(0, sizeof one, i ? &one : &left); /* of this thread; in vain: it runs anywhere */
    }
}
