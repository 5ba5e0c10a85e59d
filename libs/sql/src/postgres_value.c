#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/str.h>

#include "postgres.h"

/* Of pg_type, where they are for ever. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_OID = 26,
    OID_FLOAT4 = 700,
    OID_FLOAT8 = 701,
    OID_NUMERIC = 1700,
};

#define NUMBER_TEXT 32

/* --- parameters: as text, of which the server finds the type; BYTEA as it is --- */

static size_t room_for(const struct sql_value *value)
{
    return value->type == SQL_TYPE_TEXT ? value->as.bytes.len + 1 : NUMBER_TEXT;
}

/* Returns the length of what was written at place. */
static size_t write_text(const struct sql_value *value, char *place)
{
    switch (value->type) {
    case SQL_TYPE_I64:
        return (size_t)snprintf(place, NUMBER_TEXT, "%" PRId64, value->as.i64);
    case SQL_TYPE_F64:
        return (size_t)snprintf(place, NUMBER_TEXT, "%.17g", value->as.f64);
    case SQL_TYPE_BOOL:
        return (size_t)snprintf(place, NUMBER_TEXT, "%s", value->as.boolean ? "true" : "false");
    case SQL_TYPE_TEXT:
        memcpy(place, value_bytes(value), value->as.bytes.len);
        place[value->as.bytes.len] = '\0';
        return value->as.bytes.len;
    case SQL_TYPE_NULL:
    case SQL_TYPE_BLOB:
        break;
    }
    return 0;
}

struct err *sql_postgres_params_init(struct postgres_params *out, const struct sql_value *params,
                                     size_t count)
{
    size_t total = 1;
    for (size_t i = 0; i < count; i++)
        total += room_for(&params[i]);
    out->memory = malloc(total);
    if (!out->memory)
        return err_oom();
    char *place = out->memory;
    for (size_t i = 0; i < count; i++) {
        const struct sql_value *value = &params[i];
        bool is_blob = value->type == SQL_TYPE_BLOB;
        out->values[i] = value->type == SQL_TYPE_NULL ? NULL : is_blob ? value_bytes(value) : place;
        out->lengths[i] = (int)(is_blob ? value->as.bytes.len : write_text(value, place));
        out->formats[i] = is_blob;
        place += room_for(value);
    }
    return NULL;
}

void sql_postgres_params_deinit(struct postgres_params *params)
{
    free(params->memory);
}

/* --- results, as text --- */

/* The memory of the row is libpq's, and its bytes are escaped there. */
static struct sql_value bytea(struct postgres_prepared *prepared, const char *text)
{
    size_t len = 0;
    unsigned char *bytes = sql_pq.PQunescapeBytea((const unsigned char *)text, &len);
    char *copy = bytes ? arena_strndup(&prepared->bytes, (const char *)bytes, len) : NULL;
    sql_pq.PQfreemem(bytes);
    return SQL_BLOB(copy, copy ? len : 0);
}

static struct sql_value integer_or_text(const char *text, size_t len)
{
    int64_t number = 0;
    if (parse_i64_n(text, len, INT64_MIN, INT64_MAX, &number))
        return SQL_I64(number);
    return SQL_TEXTN(text, len);
}

struct sql_value sql_postgres_value(struct postgres_prepared *prepared, int column)
{
    const PGresult *row = prepared->row;
    if (sql_pq.PQgetisnull(row, 0, column))
        return SQL_NULL;
    const char *text = sql_pq.PQgetvalue(row, 0, column);
    size_t len = (size_t)sql_pq.PQgetlength(row, 0, column);
    switch (sql_pq.PQftype(row, column)) {
    case OID_BOOL:
        return SQL_BOOL(*text == 't');
    case OID_BYTEA:
        return bytea(prepared, text);
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_OID:
    case OID_NUMERIC: /* sums of BIGINT */
        return integer_or_text(text, len);
    case OID_FLOAT4:
    case OID_FLOAT8:
        return SQL_F64(strtod(text, NULL));
    default:
        return SQL_TEXTN(text, len);
    }
}
