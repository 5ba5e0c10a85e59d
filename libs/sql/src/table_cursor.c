/*
 * Where the next page begins: the table's name, the sort, and the value and key of the last row, as
 * text, parted by NUL (which no text in a database has), in base64url. There is one text for a
 * place, and what decodes is safe to bind; more is not promised, so none is signed.
 */
#include <math.h>
#include <string.h>

#include <base/encode.h>
#include <base/str.h>

#include "table.h"

enum { PARTS = 4 };

/* --- values as text --- */

static void append_value(struct buf *out, struct sql_value value)
{
    int64_t bits = 0;
    switch (value.type) {
    case SQL_TYPE_I64:
        buf_append_i64(out, value.as.i64);
        break;
    case SQL_TYPE_F64:
        memcpy(&bits, &value.as.f64, sizeof(bits));
        buf_append_i64(out, bits);
        break;
    case SQL_TYPE_BOOL:
        buf_append_i64(out, value.as.boolean);
        break;
    case SQL_TYPE_TEXT:
    case SQL_TYPE_BLOB:
        buf_append(out, value.as.bytes.data, value.as.bytes.len);
        break;
    case SQL_TYPE_NULL:
        break;
    }
}

static bool parse_real(const char *text, struct sql_value *out_value)
{
    int64_t bits = 0;
    double real = 0;
    if (!parse_i64(text, INT64_MIN, INT64_MAX, &bits))
        return false;
    memcpy(&real, &bits, sizeof(real));
    *out_value = SQL_F64(real);
    return isfinite(real);
}

static bool parse_value(const struct field *field, const char *text, struct sql_value *out_value)
{
    int64_t number = 0;
    bool is_number = false;
    switch (sql_column_type(field)) {
    case SQL_TYPE_I64:
        is_number = parse_i64(text, INT64_MIN, INT64_MAX, &number);
        *out_value = SQL_I64(number);
        return is_number;
    case SQL_TYPE_BOOL:
        is_number = parse_i64(text, 0, 1, &number);
        *out_value = SQL_BOOL(number == 1);
        return is_number;
    case SQL_TYPE_F64:
        return parse_real(text, out_value);
    case SQL_TYPE_TEXT:
        *out_value = SQL_TEXT(text);
        return field->type == MODEL_UUID ? uuid_is_valid(text) : utf8_is_valid(text, strlen(text));
    case SQL_TYPE_NULL:
    case SQL_TYPE_BLOB:
        break;
    }
    return false;
}

/* --- cursors --- */

static void append_sort(struct buf *out, const struct order *order)
{
    buf_append_str(out, order->is_down ? "-" : "");
    buf_append_str(out, order->name);
}

struct err *sql_cursor_encode(const struct sql_table *table, const struct order *order,
                              const void *row, struct arena *arena, const char **out_text)
{
    struct sql_value sort, key;
    TRY(sql_member_value(table->model, order->sort, row, &sort));
    TRY(sql_member_value(table->model, order->key, row, &key));
    _cleanup_(buf_deinit) struct buf bytes = BUF_INIT(CURSOR_BYTES);
    buf_append_str(&bytes, table->name);
    buf_append_char(&bytes, '\0');
    append_sort(&bytes, order);
    buf_append_char(&bytes, '\0');
    append_value(&bytes, sort);
    buf_append_char(&bytes, '\0');
    append_value(&bytes, key);
    if (buf_status(&bytes) == BUF_TOO_LARGE)
        return err_new(&SQL_FAILED, "a row of %s does not fit into a cursor", table->name);
    char *text = arena_alloc(arena, BASE64URL_LEN(bytes.len) + 1);
    if (buf_status(&bytes) != BUF_OK || !text)
        return err_oom();
    base64url_encode(text, bytes.data, bytes.len);
    *out_text = text;
    return NULL;
}

/* bytes ends with a NUL behind len. */
static bool split(const char *bytes, size_t len, const char *parts[static PARTS])
{
    size_t count = 0;
    for (size_t at = 0; at <= len; at += strlen(bytes + at) + 1) {
        if (count == PARTS)
            return false;
        parts[count++] = bytes + at;
    }
    return count == PARTS;
}

static bool is_sort(const char *text, const struct order *order)
{
    return (*text == '-') == order->is_down && str_equal(text + order->is_down, order->name);
}

bool sql_cursor_decode(const struct sql_table *table, const struct order *order, const char *text,
                       struct cursor *out_cursor, struct err **errors)
{
    const char *parts[PARTS] = {NULL};
    size_t len = 0;
    char *bytes = out_cursor->bytes;
    bool is_ours = base64url_decode(bytes, CURSOR_BYTES, text, strlen(text), &len);
    if (is_ours) {
        bytes[len] = '\0';
        is_ours = split(bytes, len, parts) && str_equal(parts[0], table->name);
    }
    if (is_ours && !is_sort(parts[1], order)) {
        err_add_field(errors, "cursor", "invalid_cursor", "belongs to a list with another sort");
        return false;
    }
    if (is_ours && parse_value(order->sort, parts[2], &out_cursor->sort) &&
        parse_value(order->key, parts[3], &out_cursor->key))
        return true;
    err_add_field(errors, "cursor", "invalid_cursor", "is not a next_cursor of this list");
    return false;
}
