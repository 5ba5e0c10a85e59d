/*
 * JSON values: strict reading (RFC 8259 and I-JSON's rules), streaming writing.
 *
 * json_parse() accepts one JSON text and nothing else: valid UTF-8 only, no byte order mark, no lone
 * surrogates, no duplicate keys, no trailing bytes, no NUL inside strings, depth at most
 * JSON_DEPTH_MAX. cJSON, which is lenient, builds the tree only after the text has passed.
 *
 * Threads: a document belongs to one thread at a time. Nothing blocks.
 */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>

#define JSON_DEPTH_MAX 32

/* Only the strict check, no tree. ERR_MALFORMED_JSON with the byte offset and what was expected. */
struct err *json_check(const char *text, size_t len) MUST_CHECK;

struct json_doc;   /* owns everything below it */
struct json_value; /* borrowed from its document */

struct err *json_parse(const char *text, size_t len, struct json_doc **out_doc) MUST_CHECK;
void json_free(struct json_doc *doc);
DEFINE_CLEANUP(struct json_doc *, json_free);
const struct json_value *json_root(const struct json_doc *doc);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* NULL values are allowed everywhere below and behave as "absent". */
enum json_type json_type(const struct json_value *value); /* JSON_NULL for NULL */
bool json_is(const struct json_value *value, enum json_type type);
/* Member of an object; NULL when absent or not an object. Case-sensitive. */
const struct json_value *json_get(const struct json_value *object, const char *name);
size_t json_count(const struct json_value *container); /* 0 for others */
/* First element or member, then the next one; NULL at the end. */
const struct json_value *json_first(const struct json_value *container);
const struct json_value *json_next(const struct json_value *value);
#define json_foreach(item, container)                                                              \
    for (const struct json_value *item = json_first(container); item; item = json_next(item))
const char *json_name(const struct json_value *member); /* NULL for array elements */
const char *json_string(const struct json_value *value); /* NULL unless a string */
/* False unless the value is a number of exactly this kind: an integer (no fraction, no exponent)
 * that fits, or any number for json_f64() that is finite. */
bool json_i64(const struct json_value *value, int64_t *out);
bool json_f64(const struct json_value *value, double *out);
bool json_bool(const struct json_value *value, bool *out);

/* Streaming writer on a buffer: the commas and quotes are its business; nesting at most 64. Failures
 * stick in the buffer (buf_status). Misuse (a value where a name is due) is an assertion. */
struct json_writer {
    struct buf *out;
    uint64_t has_items; /* a bit per level */
    unsigned depth;
    bool after_name;
};

#define JSON_WRITER(buffer) ((struct json_writer){.out = (buffer)})

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_write_name(struct json_writer *w, const char *name);
void json_write_string(struct json_writer *w, const char *text); /* NULL: null */
void json_write_string_n(struct json_writer *w, const char *bytes, size_t count);
void json_write_i64(struct json_writer *w, int64_t number);
void json_write_f64(struct json_writer *w, double number); /* shortest that reads back; not finite: null */
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
/* A complete JSON text that is known to be valid. */
void json_write_raw(struct json_writer *w, const char *text, size_t count);
/* Any value of a document, as it was. */
void json_write_value(struct json_writer *w, const struct json_value *value);

#endif
