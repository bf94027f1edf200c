/* How many processors this process may use: the affinity mask, then the quotas of its control groups (versions 2 and
 * 1). */
#include "base/base.h"
#include "base/base_private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ox_read_line(const char *path, char *buf, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    if (n <= 0) return false;
    buf[n] = 0;
    buf[strcspn(buf, "\n")] = 0;
    return true;
}

/* Whether a list such as "cpu,cpuacct" has a word. */
static bool has_word(const char *list, size_t len, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++)
        if (!memcmp(list + i, word, n) && (!i || list[i - 1] == ',') && (i + n == len || list[i + n] == ','))
            return true;
    return false;
}

bool ox_cgroup_folder(const char *controller, char *buf, size_t size) {
    char text[8192];
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return false;
    text[n] = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) { /* "id:controllers:/path" */
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        size_t len = (size_t)(path - names - 1);
        if (controller ? !has_word(names + 1, len, controller) : len != 0) continue;
        int w =
            snprintf(buf, size, "/sys/fs/cgroup%s%s%s", controller ? "/" : "", controller ? controller : "", path + 1);
        return w > 0 && (size_t)w < size;
    }
    return false;
}

static double quota_of(const char *folder, int version) {
    char path[4200], line[128];
    int64_t quota = 0, period = 0;
    if (version == 2) {
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        if (!ox_read_line(path, line, sizeof line) || sscanf(line, "%" SCNd64 " %" SCNd64, &quota, &period) != 2)
            return 0;
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        if (!ox_read_line(path, line, sizeof line) || sscanf(line, "%" SCNd64, &quota) != 1) return 0;
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (!ox_read_line(path, line, sizeof line) || sscanf(line, "%" SCNd64, &period) != 1) return 0;
    }
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

static int affinity_count(void) {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set) return 1;
        size_t bytes = CPU_ALLOC_SIZE(cpus);
        bool ok = !sched_getaffinity(0, bytes, set);
        int n = ok ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (n > 0) return n;
    }
    return 1;
}

int ox_count_cpus(void) {
    int n = affinity_count();
    for (int version = 2; version >= 1; version--) {
        char folder[4096];
        if (!ox_cgroup_folder(version == 2 ? NULL : "cpu", folder, sizeof folder)) continue;
        for (char *slash; (slash = strrchr(folder, '/')); *slash = 0) { /* every group above holds too */
            double q = quota_of(folder, version);
            int whole = q > 0 && q < n ? (int)(q + 0.999) : n;
            if (whole < n) n = whole > 0 ? whole : 1;
        }
    }
    return n;
}

int ox_thread_count(const ox_ctx *ctx) {
    if (ctx->threads > 0) return ctx->threads;
    int *known = ox_memory_threads(ctx);
    if (!*known) *known = ctx->on_threads ? ctx->on_threads(ctx->on_threads_user, ox_count_cpus()) : ox_count_cpus();
    return *known;
}
