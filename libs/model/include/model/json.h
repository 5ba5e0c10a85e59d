/*
 * JSON values: strict reading (RFC 8259), streaming writing.
 *
 * json_parse() accepts exactly one JSON text and nothing else. Beyond the grammar of RFC 8259 it
 * refuses what two readers could understand differently (RFC 7493, I-JSON) and what costs too much:
 *
 *   - bytes that are not UTF-8, a byte order mark, escaped surrogates that are not a pair
 *   - two members of one object with the same name, compared after their escapes are resolved
 *   - the escape \u0000, since strings are C strings here
 *   - anything but white space after the value
 *   - more than JSON_DEPTH_MAX arrays and objects inside each other
 *   - more than JSON_VALUES_MAX values: a tree takes some 40 bytes per byte of a text like [0,0,0]
 *
 * The check is one pass over the text, whose cost grows as n log n at worst (many members in one
 * object). cJSON, which is lenient, builds the tree only after the text has passed, and never sees
 * a number: those are kept as they were written, so 9007199254740993 and 1e400 arrive unharmed.
 *
 * Errors: ERR_MALFORMED_JSON, whose detail names the byte (counted from 0) and what was expected
 * there, and never repeats the text, which may hold a secret; err_oom().
 *
 * Threads: a document belongs to one thread at a time; documents are independent of each other.
 * Nothing blocks. The process stays in the "C" locale (no setlocale()): numbers are read and
 * written with its decimal point.
 */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/buf.h>
#include <base/macros.h>
#include <err/err.h>

#define JSON_DEPTH_MAX  32
#define JSON_VALUES_MAX 100000

/* Only the strict check, no tree. text need not end with a NUL. */
struct err *json_check(const char *text, size_t len) MUST_CHECK;
/* Whether the whole text is a number of JSON's grammar (no spaces around it). */
bool json_is_number(const char *text, size_t len);

struct json_doc;   /* owns everything below it; wiped when freed, for it may carry secrets */
struct json_value; /* borrowed from its document: valid until json_free() */

/* The document is a copy: text may change afterwards. */
struct err *json_parse(const char *text, size_t len, struct json_doc **out_doc) MUST_CHECK;
/* With a limit of its own in place of JSON_VALUES_MAX: for texts of strangers, many at once. */
struct err *json_parse_at_most(const char *text, size_t len, size_t values_max,
                               struct json_doc **out_doc) MUST_CHECK;
void json_free(struct json_doc *doc); /* NULL is fine */
DEFINE_CLEANUP(struct json_doc *, json_free);
const struct json_value *json_root(const struct json_doc *doc);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Below, NULL stands for an absent value: it has no type, no members and no content. */
enum json_type json_type(const struct json_value *value);          /* JSON_NULL for NULL */
bool json_is(const struct json_value *value, enum json_type type); /* false for NULL */
/* Member of an object; NULL when absent or not an object. Case-sensitive; a walk over the members.
 */
const struct json_value *json_get(const struct json_value *object, const char *name);
/* Elements or members, counted by walking; 0 for what is no container. */
size_t json_count(const struct json_value *container);
/* First element or member in the order of the text, then the next one; NULL at the end. */
const struct json_value *json_first(const struct json_value *container);
const struct json_value *json_next(const struct json_value *value);
#define json_foreach(item, container)                                                              \
    for (const struct json_value *item = json_first(container); item; item = json_next(item))

/* Name of a member; NULL for elements and the root. */
const char *json_name(const struct json_value *member);
/* UTF-8 with its escapes resolved; NULL unless a string. */
const char *json_string(const struct json_value *value);
/* The number as it is written in the text; NULL unless a number. */
const char *json_number(const struct json_value *value);
/* False, out untouched, unless the value is exactly this: an integer is a number without fraction
 * and exponent that fits ("1.0" and "1e2" are none); a double is any number whose nearest double is
 * finite. */
bool json_i64(const struct json_value *value, int64_t *out);
bool json_f64(const struct json_value *value, double *out);
bool json_bool(const struct json_value *value, bool *out);

/* Streaming writer on a buffer: commas, colons and quotes are its business; the text is compact.
 * The buffer keeps the first failure (buf_status), which deeper nesting than JSON_WRITE_DEPTH_MAX
 * is too (BUF_TOO_LARGE). Misuse (a value where a name is due, an end without its begin) is a fault
 * of the program: an assertion. */
#define JSON_WRITE_DEPTH_MAX 64

struct json_writer {
    struct buf *out;
    uint64_t has_items; /* a bit per level: a comma is due */
    uint64_t in_object; /* a bit per level */
    unsigned depth;
    bool after_name;
};

#define JSON_WRITER(buffer) ((struct json_writer){.out = (buffer)})

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_write_name(struct json_writer *w, const char *name);
/* Bytes that are not UTF-8 become U+FFFD. NULL is written as null. */
void json_write_string(struct json_writer *w, const char *text);
void json_write_string_n(struct json_writer *w, const char *bytes, size_t count);
void json_write_i64(struct json_writer *w, int64_t number);
/* The shortest text of 15 to 17 digits that reads back as the same double; null if not finite. */
void json_write_f64(struct json_writer *w, double number);
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);
/* A complete JSON text that is known to be valid. */
void json_write_raw(struct json_writer *w, const char *text, size_t count);
/* A member of an object: its name, then a value as above. json_end_object() ends the last. */
void json_add_string(struct json_writer *w, const char *name, const char *text);
void json_add_i64(struct json_writer *w, const char *name, int64_t number);
void json_add_raw(struct json_writer *w, const char *name, const char *text);
void json_add_object(struct json_writer *w, const char *name);
/* Any value of a document with all that is in it: same order, numbers digit by digit. NULL: null.
 */
void json_write_value(struct json_writer *w, const struct json_value *value);

#endif
