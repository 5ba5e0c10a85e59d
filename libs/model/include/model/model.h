/*
 * One descriptor table per struct: JSON in and out, validation, OpenAPI schema, SQL row.
 *
 *     struct user {
 *         char id[UUID_TEXT];
 *         char email[EMAIL_TEXT];
 *         char name[MODEL_TEXT(100)];
 *         int role;
 *         int64_t created_at_ms;
 *     };
 *     static const char *const user_roles[] = {"user", "admin", NULL};
 *     static const struct field user_fields[] = {
 *         FIELD(struct user, id, UUID, .flags = READ_ONLY),
 *         FIELD(struct user, email, EMAIL, .flags = REQUIRED, .doc = "Login address, unique"),
 *         FIELD(struct user, name, STRING, .min = 1, .max = 100),
 *         FIELD(struct user, role, ENUM, .values = user_roles, .flags = READ_ONLY),
 *         FIELD(struct user, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),
 *     };
 *     const struct model user_model = MODEL(struct user, user_fields, "A person who can sign in");
 *
 * Tables are constant and shared by all threads. A model with a mistake in its table (a size that
 * does not fit its type, an enum without values, two equal names) is refused by model_check(),
 * which http, sql and tests call at start.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/uuid.h>
#include <err/err.h>
#include <model/json.h>

/* Bytes for a string of n code points, its NUL included. */
#define MODEL_TEXT(n) (4 * (n) + 1)
#define EMAIL_TEXT    255 /* RFC 5321: 254 bytes */
#define URL_TEXT      2049

enum model_type {
    MODEL_STRING, /* char[n] (its size bounds it), or const char * in the arena */
    MODEL_INT,    /* int32_t, int64_t, int */
    MODEL_FLOAT,  /* double */
    MODEL_BOOL,   /* bool */
    MODEL_ENUM,   /* int: index in values */
    MODEL_TIME,   /* int64_t milliseconds; RFC 3339 in JSON */
    MODEL_UUID,   /* char[UUID_TEXT] */
    MODEL_EMAIL,  /* char[EMAIL_TEXT] or const char * */
    MODEL_URL,    /* char[n] or const char *; absolute http or https */
    MODEL_OBJECT, /* an embedded struct, described by .model */
    MODEL_ARRAY, /* a pointer to items in the arena and a size_t count (.count), items as .item says
                  */
    MODEL_RAW,   /* const char *: any JSON value, as compact text in the arena */
};

enum field_flags {
    COLUMN_ONLY =
        32, /* of the SQL row alone: neither written to JSON nor read from it nor in the schema */
    REQUIRED = 1,    /* must be present in input (merge patch: may be absent) */
    NULLABLE = 2,    /* null is a value; see struct model_presence */
    READ_ONLY = 4,   /* refused in input with the code "read_only" */
    WRITE_ONLY = 8,  /* never written out; masked where it is logged */
    OMIT_EMPTY = 16, /* not written when absent: empty string, count 0, time 0, or not present */
};

struct model;

struct field {
    const char *name;   /* member */
    const char *json;   /* name in JSON; NULL: the member's */
    const char *column; /* name in SQL; NULL: the JSON name */
    enum model_type type;
    unsigned flags;
    size_t offset, size;
    /* STRING, EMAIL, URL: length in code points. INT: value. ARRAY: number of items. Both 0: only
     * what the storage can hold. */
    int64_t min, max;
    double fmin, fmax;         /* FLOAT; both 0: any finite number */
    const char *const *values; /* ENUM: names by index, NULL-ended */
    const char *def; /* default for absent input, as JSON text: "\"user\"", "50", "true" */
    const struct model *model; /* OBJECT, and ARRAY of OBJECT */
    enum model_type item;      /* ARRAY: STRING (const char *), INT (int64_t), OBJECT, ... */
    size_t count_offset;       /* ARRAY: offset of the size_t count */
    /* A further check on a value that is otherwise right; false with a code and a detail. Must not
     * keep or change the value. */
    bool (*check)(const void *member, const char **out_code, struct buf *out_detail);
    const char *doc;
    const char *example; /* JSON text */
};

#define FIELD(type_, member, kind, ...)                                                            \
    {                                                                                              \
        .name = #member, .type = MODEL_##kind, .offset = offsetof(type_, member),                  \
        .size = sizeof(((type_ *)0)->member), __VA_ARGS__                                          \
    }
/* FIELD_ARRAY(struct order, lines, line_count, OBJECT, .model = &line_model, .max = 20) */
#define FIELD_ARRAY(type_, member, count_, item_, ...)                                             \
    {                                                                                              \
        .name = #member, .type = MODEL_ARRAY, .offset = offsetof(type_, member),                   \
        .size = sizeof(((type_ *)0)->member), .item = MODEL_##item_,                               \
        .count_offset = offsetof(type_, count_), __VA_ARGS__                                       \
    }

/* Which fields of a struct were in the input, and which were null: a bit per row of its table. A
 * model whose struct has a member of this type (named in MODEL_WITH_PRESENCE) has it filled when
 * read, and NULLABLE fields are written as null by it. Nested structs have their own. */
struct model_presence {
    uint64_t present, null;
};

#define MODEL_FIELDS_MAX 64

struct model {
    const char *name; /* schema name: the struct's tag */
    const struct field *fields;
    size_t count;
    size_t size;
    size_t presence_offset; /* SIZE_MAX: none */
    const char *doc;
    /* A check across fields, after each field was found right; adds to *e with err_add_field(). */
    void (*check)(const void *object, struct err **e);
};

#define MODEL(type_, rows, doc_, ...)                                                              \
    {                                                                                              \
        .name = #type_, .fields = (rows), .count = sizeof(rows) / sizeof((rows)[0]),               \
        .size = sizeof(type_), .presence_offset = SIZE_MAX, .doc = (doc_), ##__VA_ARGS__           \
    }
#define MODEL_WITH_PRESENCE(type_, rows, member, doc_, ...)                                        \
    {                                                                                              \
        .name = #type_, .fields = (rows), .count = sizeof(rows) / sizeof((rows)[0]),               \
        .size = sizeof(type_), .presence_offset = offsetof(type_, member), .doc = (doc_),          \
        ##__VA_ARGS__                                                                              \
    }

/* Every mistake in the table, and in the tables it refers to, as one ERR_INTERNAL. */
struct err *model_check(const struct model *model) MUST_CHECK;
/* The schema's name: "user" for struct user. */
const char *model_schema_name(const struct model *model);
const char *model_json_name(const struct field *field);
const char *model_column_name(const struct field *field);
/* The row with this JSON name or column name; NULL if there is none. */
const struct field *model_find(const struct model *model, const char *json_name);
const struct field *model_find_column(const struct model *model, const char *column);
bool model_is_present(const struct model *model, const void *object, const struct field *field);

enum model_mode {
    MODEL_READ,  /* a whole object: required fields must be there, defaults are filled in */
    MODEL_PATCH, /* RFC 7396: absent fields stay as they are in *out; null only where NULLABLE */
    MODEL_READ_TRUSTED, /* from our own services: READ_ONLY fields are taken, unknown ones ignored
                         */
};

/* JSON text into *out (MODEL_READ: zeroed first). ERR_MALFORMED_JSON, or ERR_INVALID_REQUEST with
 * one entry per wrong field. Field codes: required, unknown, read_only, wrong_type, null,
 * too_short, too_long, too_small, too_large, too_few, too_many, not_in_list, invalid_uuid,
 * invalid_email, invalid_url, invalid_time, not_exact, and those of checks. On error *out is
 * untouched. Variable parts live in the arena. */
struct err *model_read(const struct model *model, enum model_mode mode, const char *text,
                       size_t len, struct arena *arena, void *out) MUST_CHECK;
struct err *model_read_value(const struct model *model, enum model_mode mode,
                             const struct json_value *value, struct arena *arena, void *out)
    MUST_CHECK;
/* One field from plain text, as query parameters come; same checks and codes (the field's JSON
 * name). */
void model_read_text(const struct model *model, const struct field *field, const char *text,
                     struct arena *arena, void *out, struct err **e);
/* Sets defaults and reports missing required fields, for input that came by model_read_text(). seen
 * has a bit per row. */
void model_finish_text(const struct model *model, uint64_t seen, struct arena *arena, void *out,
                       struct err **e);
/* The checks of model_read() on a filled struct. */
struct err *model_validate(const struct model *model, const void *object) MUST_CHECK;

/* Compact JSON in the order of the table; WRITE_ONLY fields never. */
void model_write(const struct model *model, const void *object, struct json_writer *w);
/* The OpenAPI 3.1 (JSON Schema 2020-12) schema of the model; nested models are $ref to
 * #/components/schemas/NAME. for_patch: nothing required. */
void model_write_schema(const struct model *model, bool for_patch, struct json_writer *w);
/* The schema of one field, without the surrounding object (query parameters). */
void model_write_field_schema(const struct field *field, struct json_writer *w);

#endif
