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
 *     struct user user;
 *     TRY(model_read(&user_model, MODEL_READ, body, body_len, arena, &user));
 *     ...
 *     model_write(&user_model, &user, &writer);
 *
 * Tables are constant and shared by all threads; a struct belongs to one thread at a time. Nothing
 * here blocks. Memory comes from the caller's arena, and what cannot be had is err_oom().
 *
 * A table with a mistake (a member of the wrong type, an enum without values, two equal names, a
 * default that its own field refuses) is found by model_check(), which http and bus call at start
 * and tests call for tables that only sql sees; every other function takes a table for right.
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
#define EMAIL_TEXT    255  /* RFC 5321: 254 bytes */
#define URL_TEXT      2049 /* 2048 bytes are what every browser and proxy takes */

/* The C type of the member, and what its value may be. "text" is char[n], whose size bounds it, or
 * const char *, which points into the arena. */
enum model_type {
    MODEL_STRING, /* text */
    MODEL_INT,    /* int or int64_t */
    MODEL_FLOAT,  /* double */
    MODEL_BOOL,   /* bool */
    MODEL_ENUM,   /* int or a C enum: the index in values; its name in JSON */
    MODEL_TIME,   /* int64_t: milliseconds since 1970; RFC 3339 in JSON */
    MODEL_UUID,   /* text, if char[] then char[UUID_TEXT]: lower case, as uuid_is_valid() says */
    /* text: an ASCII address, its local part a dot-atom of at most 64 bytes, its domain of two or
     * more labels. (No quoted local parts, comments, IP addresses; an internationalised domain in
     * its xn-- form; no SMTPUTF8, which many mail servers refuse and two of whose spellings can
     * look the same.) */
    MODEL_EMAIL,
    /* text: absolute, http or https (RFC 3986), with a host, without user and password; other
     * characters than ASCII are percent-encoded. At most 2048 bytes. */
    MODEL_URL,
    MODEL_OBJECT, /* an embedded struct, described by .model */
    MODEL_ARRAY,  /* a pointer to items in the arena, and a size_t: FIELD_ARRAY */
    MODEL_RAW,    /* const char *: any JSON value but null, as compact text in the arena */
};

enum field_flags {
    REQUIRED = 1,   /* must be present in input (merge patch: may be absent) */
    NULLABLE = 2,   /* null is a value: see struct model_presence */
    READ_ONLY = 4,  /* refused in input with the code "read_only", so never missed in it */
    WRITE_ONLY = 8, /* never written out; masked where it is logged */
    /* Not written when empty: text "", count 0, time 0. Fields of other types: when not present,
     * which needs a struct model_presence. What is null by its bit there is written. */
    OMIT_EMPTY = 16,
    /* Of the SQL row alone: neither in JSON, where it is unknown, nor in schemas. */
    COLUMN_ONLY = 32,
};

/* Where a value is kept, which FIELD finds out from the member's type. */
enum model_storage {
    MODEL_IN_OTHER,   /* structs, arrays, and all types that no field has */
    MODEL_IN_CHARS,   /* char[] */
    MODEL_IN_POINTER, /* const char * */
    MODEL_IN_INT,
    MODEL_IN_UNSIGNED, /* how the compiler sees most C enums */
    MODEL_IN_INT64,
    MODEL_IN_DOUBLE,
    MODEL_IN_BOOL,
};

/* char * is none of these: what it points to is not the model's to own. */
/* clang-format off */
#define MODEL_STORAGE(member)                                                                      \
    _Generic((member),                                                                             \
        char *: __builtin_types_compatible_p(__typeof__(member), char *)                           \
                    ? MODEL_IN_OTHER : MODEL_IN_CHARS,                                             \
        const char *: MODEL_IN_POINTER,                                                            \
        int: MODEL_IN_INT,                                                                         \
        unsigned: MODEL_IN_UNSIGNED,                                                               \
        long: MODEL_IN_INT64,                                                                      \
        long long: MODEL_IN_INT64,                                                                 \
        double: MODEL_IN_DOUBLE,                                                                   \
        bool: MODEL_IN_BOOL,                                                                       \
        default: MODEL_IN_OTHER)
/* clang-format on */

struct model;

struct field {
    const char *name;   /* member */
    const char *json;   /* name in JSON; NULL: the member's */
    const char *column; /* name in SQL; NULL: the JSON name */
    enum model_type type;
    unsigned flags;
    size_t offset, size;
    enum model_storage storage;
    /* STRING, EMAIL, URL: length in code points. INT: value. ARRAY: number of items. Both 0: only
     * what the storage can hold. min above 0 with max 0: no upper limit but that. */
    int64_t min, max;
    double fmin, fmax;         /* FLOAT: value; likewise */
    const char *const *values; /* ENUM: names by index, NULL-ended */
    const char *def;           /* for absent input, as JSON text: "\"user\"", "50", "true", "{}" */
    const struct model *model; /* OBJECT, and ARRAY of OBJECT */
    /* ARRAY. Items are kept like members: text as const char *. No arrays of arrays; no limits on
     * single items but those of their type, values or model. */
    enum model_type item;
    enum model_storage item_storage;
    size_t item_size;
    size_t count_offset, count_size;
    /* A further check on a value that is otherwise right and not null; false with a code (a string
     * constant) and a detail. It gets the address of the member and must not keep or change it. */
    bool (*check)(const void *member, const char **out_code, struct buf *out_detail);
    const char *doc;
    const char *example; /* JSON text */
};

#define FIELD(type_, member, kind, ...)                                                            \
    {                                                                                              \
        .name = #member, .type = MODEL_##kind, .offset = offsetof(type_, member),                  \
        .size = sizeof(((type_ *)0)->member), .storage = MODEL_STORAGE(((type_ *)0)->member),      \
        __VA_ARGS__                                                                                \
    }
/* FIELD_ARRAY(struct order, lines, line_count, OBJECT, .model = &line_model, .max = 20) */
#define FIELD_ARRAY(type_, member, count_, item_, ...)                                             \
    {                                                                                              \
        .name = #member, .type = MODEL_ARRAY, .offset = offsetof(type_, member),                   \
        .size = sizeof(__typeof__(((type_ *)0)->member)), .item = MODEL_##item_,                   \
        .item_storage = MODEL_STORAGE(*((type_ *)0)->member),                                      \
        .item_size = sizeof(*((type_ *)0)->member), .count_offset = offsetof(type_, count_),       \
        .count_size = sizeof(((type_ *)0)->count_), __VA_ARGS__                                    \
    }

/* Which fields of a struct were in the input, and which of them were null: a bit per row of its
 * table. A model whose struct has a member of this type (named in MODEL_WITH_PRESENCE) has it
 * filled when read; what defaults fill is not present. Nested structs have their own.
 *
 * A NULLABLE field is written as null when its bit is set, or, in a struct without presence, when
 * it has the value that null is read into: a NULL pointer, char[] "" or time 0. So INT, FLOAT,
 * BOOL, ENUM and OBJECT are NULLABLE only with presence. */
struct model_presence {
    uint64_t present, null;
};

#define MODEL_FIELDS_MAX 64

struct model {
    const char *name; /* the struct's tag: "struct user" */
    const struct field *fields;
    size_t count; /* at most MODEL_FIELDS_MAX */
    size_t size;
    size_t presence_offset; /* SIZE_MAX: none */
    const char *doc;
    const char *schema; /* name of its schema in documents; NULL: "user" for struct user */
    /* A check across fields, after each field was found right; adds to *e with err_add_field(),
     * whose field names are those of this model (those around it are put in front). In a patch it
     * sees the struct as it would become. */
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

/* --- the table --- */

/* Every mistake in the table, and in the tables it refers to, as one ERR_INTERNAL. */
struct err *model_check(const struct model *model) MUST_CHECK;
const char *model_schema_name(const struct model *model);
const char *model_json_name(const struct field *field);
const char *model_column_name(const struct field *field);
/* The row with this name in JSON, where COLUMN_ONLY rows have none, or in SQL; NULL: no such row.
 */
const struct field *model_find(const struct model *model, const char *json_name);
const struct field *model_find_column(const struct model *model, const char *column);

/* --- presence of a filled struct; field is a row of the model --- */

/* true in a struct without presence. */
bool model_is_present(const struct model *model, const void *object, const struct field *field);
bool model_is_null(const struct model *model, const void *object, const struct field *field);
/* For what fills structs by other ways, such as sql. Null zeroes the member, and is present. In a
 * struct without presence there are no bits to set. */
void model_set_present(const struct model *model, void *object, const struct field *field);
void model_set_null(const struct model *model, void *object, const struct field *field);

/* --- reading --- */

enum model_mode {
    /* A whole object: *out is zeroed first, required fields must be there, defaults fill in. */
    MODEL_READ,
    /* RFC 7396: fields that are absent, in nested objects too, stay as they are in *out, and so do
     * their presence bits; there are no required fields and no defaults. null is for NULLABLE
     * fields only, since the other ones cannot be removed. Arrays, and objects that were null
     * before, are read whole. */
    MODEL_PATCH,
    /* MODEL_READ of what our own services wrote: READ_ONLY fields are taken and, if REQUIRED, must
     * be there; unknown fields are ignored, so that the writer can be newer. */
    MODEL_READ_TRUSTED,
};

/* JSON text into *out, whose pointers live as long as the arena's content. ERR_MALFORMED_JSON; or
 * ERR_INVALID_REQUEST with one entry per wrong field, in the order of the table, then unknown
 * fields in the order of the input. Then *out is untouched.
 *
 * The name of a field is its path, "address/lines/0/text", as in a JSON pointer (RFC 6901: '~' and
 * '/' in a name are ~0 and ~1) without the first slash; "" is the whole text; cut at
 * MODEL_PATH_MAX bytes. Values are never repeated in details.
 *
 * Codes: required, unknown, read_only, wrong_type, null, too_short, too_long, too_small, too_large,
 * too_few, too_many, not_in_list, not_exact (a fraction or exponent in an integer), invalid_uuid,
 * invalid_email, invalid_url, invalid_time, invalid_utf8 (in plain text only), and those of checks
 * ("invalid" if a check names none). */
#define MODEL_PATH_MAX 255
struct err *model_read(const struct model *model, enum model_mode mode, const char *text,
                       size_t len, struct arena *arena, void *out) MUST_CHECK;
struct err *model_read_value(const struct model *model, enum model_mode mode,
                             const struct json_value *value, struct arena *arena, void *out)
    MUST_CHECK;

/* One field of *out from plain text, as query parameters come: same checks and codes, added to *e
 * (NULL or made by err_add_field()); then *out is untouched. true and false are bools; arrays,
 * objects and raw JSON cannot be given so. */
void model_read_text(const struct model *model, const struct field *field, const char *text,
                     struct arena *arena, void *out, struct err **e);
/* Ends input that came by model_read_text(): sets defaults, reports missing required fields, and if
 * nothing is wrong runs the model's check. seen has a bit per row that was read. */
void model_finish_text(const struct model *model, uint64_t seen, struct arena *arena, void *out,
                       struct err **e);

/* The checks of model_read() on a filled struct. A field that is not REQUIRED, has no default and
 * is not present (without presence: is empty or 0) counts as absent. */
struct err *model_validate(const struct model *model, const void *object) MUST_CHECK;

/* --- writing --- */

/* Compact JSON in the order of the table. */
void model_write(const struct model *model, const void *object, struct json_writer *w);
/* The OpenAPI 3.1 (JSON Schema 2020-12) schema of the model; nested models are $ref to
 * #/components/schemas/NAME. for_patch: nothing required, no defaults, and embedded structs, which
 * are patched in place, have their own patch schema instead of a $ref. */
void model_write_schema(const struct model *model, bool for_patch, struct json_writer *w);
/* The schema of one field, without the surrounding object (query parameters). */
void model_write_field_schema(const struct field *field, struct json_writer *w);

/* The schemas that a document refers to: each one once, those that they refer to included. Begin
 * with {.arena = ...}; by one thread. */
struct model_schemas {
    struct arena *arena;
    struct model_schema *rows;
    size_t count, cap;
};
/* ERR_INTERNAL: another model has the same name. */
struct err *model_schemas_add(struct model_schemas *schemas, const struct model *model,
                              bool for_patch) MUST_CHECK;
/* The members of #/components/schemas, sorted by name. */
void model_schemas_write(struct model_schemas *schemas, struct json_writer *w);
/* {"$ref":"#/components/schemas/NAME"} */
void model_write_reference(const struct model *model, bool for_patch, struct json_writer *w);

#endif
