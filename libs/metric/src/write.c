#include "labels.h"
#include "number.h"
#include "registry.h"

/* name_suffix{labels,le="bound"}, and the blank before the value. */
static void write_name(struct buf *out, const struct metric *metric, const char *suffix,
                       const char *le)
{
    const char *labels = metric->labels;
    buf_append_str(out, metric->family->name);
    buf_append_str(out, suffix);
    if (*labels || le) {
        buf_append_char(out, '{');
        buf_append_str(out, labels);
        if (le)
            buf_printf(out, "%sle=\"%s\"", *labels ? "," : "", le);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ' ');
}

static void write_float(struct buf *out, double number)
{
    char text[F64_TEXT];
    metric_number_format(number, text);
    buf_append_str(out, text);
    buf_append_char(out, '\n');
}

static void write_integer(struct buf *out, int64_t number)
{
    buf_append_i64(out, number);
    buf_append_char(out, '\n');
}

static void write_histogram(struct buf *out, const struct metric *metric)
{
    const struct family *family = metric->family;
    uint64_t observations = 0;
    for (size_t i = 0; i <= family->bounds_count; i++) {
        observations += atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
        write_name(out, metric, "_bucket",
                   i < family->bounds_count ? family->bounds[i].text : "+Inf");
        write_integer(out, (int64_t)observations);
    }
    write_name(out, metric, "_sum", NULL);
    write_float(out, atomic_load_explicit(&metric->sum, memory_order_relaxed));
    write_name(out, metric, "_count", NULL);
    write_integer(out, (int64_t)observations);
}

static void write_series(struct buf *out, const struct metric *metric)
{
    if (metric->type == METRIC_HISTOGRAM) {
        write_histogram(out, metric);
        return;
    }
    write_name(out, metric, "", NULL);
    if (metric->read)
        write_float(out, metric->read(metric->data));
    else
        write_integer(out, metric_value(metric));
}

static void write_family(struct buf *out, const struct family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    if (!family->first)
        return;
    buf_printf(out, "# HELP %s ", family->name);
    metric_append_escaped(out, family->help, SIZE_MAX, false);
    buf_printf(out, "\n# TYPE %s %s\n", family->name, types[family->type]);
    for (const struct metric *metric = family->first; metric; metric = metric->next)
        write_series(out, metric);
}

struct err *metrics_write(struct metrics *metrics, struct buf *out)
{
    size_t start = out->len;
    pthread_mutex_lock(&metrics->lock);
    for (const struct family *family = metrics->first; family; family = family->next)
        write_family(out, family);
    pthread_mutex_unlock(&metrics->lock);
    if (buf_status(out) == BUF_OK)
        return NULL;
    buf_truncate(out, start);
    return buf_status(out) == BUF_NO_MEMORY
               ? err_oom()
               : err_new(&ERR_INTERNAL, "the metrics are longer than %zu bytes", out->max);
}
