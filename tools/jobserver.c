/* Threads inside make: one for the job itself, each further one for a token of make's jobserver, given back at the end however it comes.
 * (GNU make manual, "Sharing Job Slots with GNU make".) Outside make, or without -j, every processor counts. */
#include "tools/jobserver.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKENS = 1024 };

/* A signal handler must find what was taken. */
static struct {
    int out;
    volatile sig_atomic_t n;
    char tokens[TOKENS]; /* each to be given back as it was */
} taken = {.out = -1};

/* The last mention counts: a recursive make adds its own behind those of its parent. */
static const char *find_server(const char *flags) {
    static const char *const names[] = {"--jobserver-auth=", "--jobserver-fds="};
    const char *found = NULL;
    for (int i = 0; i < 2 && !found; i++)
        for (const char *p = flags; p && (p = strstr(p, names[i])); found = p += strlen(names[i])) {}
    return found;
}

static bool is_pipe(int fd) {
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* The end to read from, without waiting: a descriptor of our own, for that of make must stay as it is. */
static int open_server(const char *server) {
    char path[PATH_MAX];
    int in, out;
    size_t len = strcspn(server, " \t");
    if (!strncmp(server, "fifo:", 5) && len > 5 && len - 5 < sizeof path) {
        memcpy(path, server + 5, len - 5);
        path[len - 5] = 0;
        int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        return taken.out = is_pipe(fd) ? fd : -1;
    }
    if (sscanf(server, "%d,%d", &in, &out) != 2 || !is_pipe(in) || !is_pipe(out)) return -1; /* a line without '+' has them closed */
    snprintf(path, sizeof path, "/proc/self/fd/%d", in);
    taken.out = out;
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int jobserver_threads(void *user, int processors) {
    (void)user;
    const char *server = find_server(getenv("MAKEFLAGS"));
    if (!server) return processors;
    int fd = open_server(server);
    if (fd < 0) return 1;
    while (taken.n < processors - 1 && taken.n < TOKENS && read(fd, &taken.tokens[taken.n], 1) == 1) taken.n++;
    if (fd != taken.out) close(fd);
    return 1 + taken.n;
}

void jobserver_release(void) {
    while (taken.n > 0) {
        int i = --taken.n;
        if (write(taken.out, &taken.tokens[i], 1) != 1) return; /* make is gone, or its pipe is full: it has what it needs */
    }
}
