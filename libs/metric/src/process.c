/* What the kernel knows about this process (proc(5)). */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <base/str.h>

#include "registry.h"

#define UNKNOWN ((double)NAN)

static double seconds_of(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        return UNKNOWN;
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double read_cpu_seconds(void *data)
{
    (void)data;
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* A small file of /proc as text; "" when it cannot be read. */
static void read_file(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? 0 : read(fd, out, cap - 1);
    out[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

/* The number at this place (from 0) among words with one blank between them. */
static bool find_number(const char *text, int place, int64_t *out_number)
{
    for (; place > 0 && (text = strchr(text, ' ')) != NULL; place--)
        text++;
    return text && parse_i64_n(text, strcspn(text, " \n"), 0, INT64_MAX, out_number);
}

static double read_resident_bytes(void *data)
{
    (void)data;
    char text[128];
    int64_t pages;
    read_file("/proc/self/statm", text, sizeof(text));
    if (!find_number(text, 1, &pages))
        return UNKNOWN;
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double read_open_fds(void *data)
{
    (void)data;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return UNKNOWN;
    double count = -1; /* the one that is open for counting */
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static double read_max_fds(void *data)
{
    (void)data;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return UNKNOWN;
    return limit.rlim_cur == RLIM_INFINITY ? HUGE_VAL : (double)limit.rlim_cur;
}

static double read_start_time(void *data)
{
    return ((const struct metrics *)data)->start_time;
}

/* Field 22 of stat, in ticks since the boot. Field 2 is a name that may contain anything: what
 * follows it begins with a blank and field 3. */
static double start_time(void)
{
    char text[1024];
    int64_t ticks;
    read_file("/proc/self/stat", text, sizeof(text));
    const char *after_name = strrchr(text, ')');
    if (!after_name || !find_number(after_name + 1, 22 - 2, &ticks))
        return UNKNOWN;
    double since_boot = (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return seconds_of(CLOCK_REALTIME) - seconds_of(CLOCK_BOOTTIME) + since_boot;
}

struct err *metric_register_process(struct metrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        double (*read)(void *data);
    } rows[] = {
        {"process_cpu_seconds_total", "counter", "CPU time, user and system", read_cpu_seconds},
        {"process_resident_memory_bytes", "gauge", "Memory that is resident", read_resident_bytes},
        {"process_open_fds", "gauge", "Open file descriptors", read_open_fds},
        {"process_max_fds", "gauge", "Limit of open file descriptors", read_max_fds},
        {"process_start_time_seconds", "gauge", "When the process began, in seconds since 1970",
         read_start_time},
    };
    metrics->start_time = start_time();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        TRY(metric_function(metrics, rows[i].name, rows[i].help, rows[i].type, NULL, rows[i].read,
                            metrics));
    return NULL;
}
