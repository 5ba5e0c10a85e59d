/*
 * Who a piece of work is done for: the request id and the W3C trace context (Trace Context level 1,
 * https://www.w3.org/TR/trace-context-1/).
 *
 *     struct trace trace;
 *     trace_start(&trace, header(req, "X-Request-Id"), header(req, "traceparent"));
 *     const struct trace *outer = trace_set_current(&trace);
 *     ... every line logged here carries the ids; outgoing calls send trace_format_parent() ...
 *     trace_set_current(outer);
 *
 * A struct trace is a plain value that may be copied, kept in a job and made current on another
 * thread. Nothing here blocks, allocates or fails.
 *
 * Threads: each has its own current context; the rest works on the caller's storage.
 */
#ifndef SLOG_TRACE_H
#define SLOG_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#define TRACE_ID_TEXT    33 /* 32 hex digits and NUL */
#define TRACE_SPAN_TEXT  17
#define TRACE_PARENT_LEN 55
#define TRACE_REQUEST_ID 65 /* at most 64 characters and NUL */

struct trace {
    char request_id[TRACE_REQUEST_ID];    /* "" when there is none */
    char trace_id[TRACE_ID_TEXT];         /* "" when there is none */
    char span_id[TRACE_SPAN_TEXT];        /* of this process's own span */
    char parent_span_id[TRACE_SPAN_TEXT]; /* the caller's, "" at the root */
    bool sampled;                         /* as the caller said; true at the root */
};

/* A context for work that came with these headers (either may be NULL). A request id is kept when
 * it is sane, else a new UUIDv7 is made. A valid traceparent keeps its trace id and gets a new span
 * id; an invalid or missing one starts a new trace. Valid is, as the recommendation says:
 * lower-case hex; trace id and parent id not all zero; version 00 with exactly 55 characters, or 01
 * to fe with anything further after a dash. No surrounding white space. */
void trace_start(struct trace *out_trace, const char *request_id, const char *traceparent);
/* 1 to 64 of A-Z a-z 0-9 . _ - */
bool trace_request_id_is_sane(const char *id, size_t len);
/* "00-<trace>-<span>-01" (-00 when not sampled): what is passed on. "" when the context has no
 * trace id or no span id. */
void trace_format_parent(const struct trace *trace, char out[static TRACE_PARENT_LEN + 1]);

/* The calling thread's context: borrowed until set again (NULL: none). Returns the former one, so
 * that a scope can restore it. */
const struct trace *trace_set_current(const struct trace *trace);
/* NULL when the thread has none. */
const struct trace *trace_current(void);

#endif
