/* Lines at the end of a text file that several processes write: one at a time, each piece as a whole. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *text, size_t len) {
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -1;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int lock(int fd) {
    int rc;
    while ((rc = flock(fd, LOCK_EX)) && errno == EINTR) {}
    return rc;
}

/* A piece that a process left without its end gets one. */
static int end_line(int fd, off_t size) {
    char last = '\n';
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' ? write_all(fd, "\n", 1) : 0;
}

int ox_append_text(ox_ctx *ctx, const char *path, const char *text, size_t len) {
    struct stat s;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (fd < 0) return ox_fail(ctx, OX_CANT_CREATE, "%s: %s", path, strerror(errno));
    int result = 0;
    if (fstat(fd, &s) || !S_ISREG(s.st_mode)) result = ox_fail(ctx, OX_CANT_CREATE, "%s: not a regular file", path);
    else if (lock(fd) || fstat(fd, &s)) result = ox_fail(ctx, OX_IO, "%s: %s", path, strerror(errno));
    else if (end_line(fd, s.st_size) || write_all(fd, text, len)) {
        int why = errno;
        if (ftruncate(fd, s.st_size)) why = errno; /* nothing more can be done: the last line is cut, and readers leave it out */
        result = ox_fail(ctx, OX_IO, "%s: %s", path, strerror(why));
    }
    if (close(fd) && !result) result = ox_fail(ctx, OX_IO, "%s: %s", path, strerror(errno)); /* the lock goes with it */
    return result;
}
