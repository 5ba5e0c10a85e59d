#include "registry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/str.h>

#include "labels.h"
#include "number.h"

#define LABELS_TEXT_MAX 8192

static const double default_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                        0.1,    0.25,  0.5,    1,     2.5,  5,     10};

/* Stands in for a series that cannot be made. */
static struct metric hidden = {.type = METRIC_HIDDEN};

/* What a caller asks for. */
struct wanted {
    const char *name;
    const char *help;
    enum metric_type type;
    const struct metric_label *labels;
    const double *bounds;
    size_t bounds_count;
    double (*read)(void *data);
    void *data;
};

static void metric_free(struct metric *metric)
{
    free(metric->labels);
    free(metric);
}

static void family_free(struct family *family)
{
    while (family->first) {
        struct metric *metric = family->first;
        family->first = metric->next;
        metric_free(metric);
    }
    map_deinit(&family->series);
    free(family->name);
    free(family->help);
    free(family);
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    while (metrics->first) {
        struct family *family = metrics->first;
        metrics->first = family->next;
        family_free(family);
    }
    map_deinit(&metrics->families);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

struct err *metrics_new(struct metrics **out_metrics)
{
    _cleanup_(metrics_free) struct metrics *metrics = calloc(1, sizeof(*metrics));
    if (!metrics)
        return err_oom();
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->families = MAP_INIT(METRIC_NAMES_MAX);
    TRY(metric_register_process(metrics));
    *out_metrics = TAKE(metrics);
    return NULL;
}

static bool bounds_are_valid(const double *bounds, size_t count)
{
    if (count > METRIC_BOUNDS_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1]))
            return false;
    return true;
}

static struct family *family_new(const struct wanted *wanted)
{
    struct family *family =
        calloc(1, sizeof(*family) + wanted->bounds_count * sizeof(family->bounds[0]));
    if (!family)
        return NULL;
    family->name = strdup(wanted->name);
    family->help = strdup(wanted->help ? wanted->help : "");
    if (!family->name || !family->help) {
        family_free(family);
        return NULL;
    }
    family->type = wanted->type;
    family->series = MAP_INIT(METRIC_SERIES_MAX + 1); /* the one for others */
    family->bounds_count = wanted->bounds_count;
    for (size_t i = 0; i < family->bounds_count; i++) {
        family->bounds[i].limit = wanted->bounds[i];
        metric_number_format(wanted->bounds[i], family->bounds[i].text);
    }
    return family;
}

static struct family *add_family(struct metrics *metrics, const struct wanted *wanted)
{
    struct family *family = family_new(wanted);
    if (!family)
        return NULL;
    if (map_put(&metrics->families, family->name, strlen(family->name), family, NULL) !=
        MAP_PUT_NEW) {
        family_free(family);
        return NULL;
    }
    struct family **place = &metrics->first;
    while (*place && strcmp((*place)->name, family->name) < 0)
        place = &(*place)->next;
    family->next = *place;
    *place = family;
    return family;
}

static struct metric *metric_new(const struct family *family, const struct wanted *wanted,
                                 const char *labels)
{
    size_t counts = family->type == METRIC_HISTOGRAM ? family->bounds_count + 1 : 0;
    struct metric *metric = calloc(1, sizeof(*metric) + counts * sizeof(metric->counts[0]));
    if (!metric)
        return NULL;
    metric->labels = strdup(labels);
    if (!metric->labels) {
        metric_free(metric);
        return NULL;
    }
    metric->family = family;
    metric->type = family->type;
    metric->read = wanted->read;
    metric->data = wanted->data;
    return metric;
}

static struct metric *add_series(struct family *family, const struct wanted *wanted,
                                 const char *labels)
{
    struct metric *metric = metric_new(family, wanted, labels);
    if (!metric)
        return NULL;
    if (map_put(&family->series, labels, strlen(labels), metric, NULL) != MAP_PUT_NEW) {
        metric_free(metric);
        return NULL;
    }
    struct metric **place = &family->first;
    while (*place && strcmp((*place)->labels, labels) < 0)
        place = &(*place)->next;
    metric->next = *place;
    *place = metric;
    return metric;
}

/* The series, found or made. Under the lock. */
static struct err *find_series(struct metrics *metrics, const struct wanted *wanted,
                               const char *labels, struct metric **out_metric)
{
    struct family *family = map_get(&metrics->families, wanted->name, strlen(wanted->name));
    if (!family && metrics->families.count == METRIC_NAMES_MAX)
        return err_new(&ERR_INTERNAL, "there are %d metric names already", METRIC_NAMES_MAX);
    if (!family)
        family = add_family(metrics, wanted);
    if (!family)
        return err_oom();
    if (family->type != wanted->type)
        return err_new(&ERR_INTERNAL, "%s has another type", wanted->name);
    struct metric *metric = map_get(&family->series, labels, strlen(labels));
    if (!metric && family->series.count >= METRIC_SERIES_MAX) {
        labels = "other=\"true\"";
        metric = map_get(&family->series, labels, strlen(labels));
    }
    if (metric && (metric->read || wanted->read))
        return err_new(&ERR_CONFLICT, "%s{%s} is there already", wanted->name, labels);
    if (!metric)
        metric = add_series(family, wanted, labels);
    if (!metric)
        return err_oom();
    *out_metric = metric;
    return NULL;
}

static struct err *get_series(struct metrics *metrics, const struct wanted *wanted,
                              struct metric **out_metric)
{
    if (!metric_name_is_valid(wanted->name))
        return err_new(&ERR_INTERNAL, "metric name \"%s\" is not allowed", wanted->name);
    if (!bounds_are_valid(wanted->bounds, wanted->bounds_count))
        return err_new(&ERR_INTERNAL, "the bounds of %s are not allowed", wanted->name);
    _cleanup_(buf_deinit) struct buf labels = BUF_INIT(LABELS_TEXT_MAX);
    TRY(metric_labels_format(wanted->labels, wanted->type == METRIC_HISTOGRAM, &labels));
    pthread_mutex_lock(&metrics->lock);
    struct err *e = find_series(metrics, wanted, buf_text(&labels), out_metric);
    pthread_mutex_unlock(&metrics->lock);
    return e;
}

static struct metric *get_or_hide(struct metrics *metrics, const struct wanted *wanted)
{
    struct metric *metric = &hidden;
    err_free(get_series(metrics, wanted, &metric));
    return metric;
}

struct metric *metric_counter(struct metrics *metrics, const char *name, const char *help,
                              const struct metric_label *labels)
{
    return get_or_hide(metrics, &(struct wanted){
                                    .name = name,
                                    .help = help,
                                    .type = METRIC_COUNTER,
                                    .labels = labels,
                                });
}

struct metric *metric_gauge(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels)
{
    return get_or_hide(metrics, &(struct wanted){
                                    .name = name,
                                    .help = help,
                                    .type = METRIC_GAUGE,
                                    .labels = labels,
                                });
}

struct metric *metric_histogram(struct metrics *metrics, const char *name, const char *help,
                                const struct metric_label *labels, const double *bounds,
                                size_t bounds_count)
{
    return get_or_hide(metrics,
                       &(struct wanted){
                           .name = name,
                           .help = help,
                           .type = METRIC_HISTOGRAM,
                           .labels = labels,
                           .bounds = bounds ? bounds : default_bounds,
                           .bounds_count = bounds ? bounds_count : ARRAY_LEN(default_bounds),
                       });
}

struct err *metric_function(struct metrics *metrics, const char *name, const char *help,
                            const char *type, const struct metric_label *labels,
                            double (*read)(void *data), void *data)
{
    bool is_counter = str_equal(type, "counter");
    if (!is_counter && !str_equal(type, "gauge"))
        return err_new(&ERR_INTERNAL, "%s: a function cannot be a %s", name, type);
    struct metric *made = NULL;
    return get_series(metrics,
                      &(struct wanted){
                          .name = name,
                          .help = help,
                          .type = is_counter ? METRIC_COUNTER : METRIC_GAUGE,
                          .labels = labels,
                          .read = read,
                          .data = data,
                      },
                      &made);
}
