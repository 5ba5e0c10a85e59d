/* One line about each request. The query is left out, since it may hold a secret. */
#include <base/clock.h>
#include <slog/slog.h>

#include "forwarded.h"

void access_log(const struct exchange *ex, const char *failure)
{
    if (!ex->worker->options->access_log || !slog_enabled(SLOG_INFO))
        return;
    const char *base = ex->client->in->data;
    struct str method = span_str(base, ex->request.method);
    struct str path = span_str(base, ex->request.target.path);
    char client[ADDRESS_TEXT];
    forwarded_client(ex, client);
    const struct trace *outer = trace_set_current(&ex->trace);
    slog_info("request", SLOG_STRN("method", method.data, method.len),
              SLOG_STRN("path", path.data, path.len), SLOG_I64("status", ex->status),
              SLOG_I64("bytes", ex->answer_bytes),
              SLOG_I64("duration_us", (clock_mono_ns() - ex->started_ns) / 1000),
              SLOG_STR("upstream", ex->upstream ? upstream_name(ex->upstream) : NULL),
              SLOG_STR("client", client),
              failure ? SLOG_STR("failure", failure) : (struct slog_pair){0});
    trace_set_current(outer);
}
