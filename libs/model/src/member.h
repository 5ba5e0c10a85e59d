/* The members of structs, seen through their rows: loads, stores, limits. */
#ifndef MODEL_MEMBER_H
#define MODEL_MEMBER_H

#include <base/str.h>
#include <model/model.h>

static inline void *model_member(void *object, const struct field *field)
{
    return (char *)object + field->offset;
}

static inline const void *model_member_const(const void *object, const struct field *field)
{
    return (const char *)object + field->offset;
}

/* STRING, UUID, EMAIL, URL, RAW. data is NULL for a NULL pointer. */
struct str model_text(const void *object, const struct field *field);
/* INT, ENUM, TIME. */
int64_t model_integer(const void *object, const struct field *field);
void model_set_integer(void *object, const struct field *field, int64_t number);
double model_real(const void *object, const struct field *field);

struct model_items {
    void *items; /* may be NULL when count is 0 */
    size_t count;
};

struct model_items model_items(const void *object, const struct field *field);
void model_set_items(void *object, const struct field *field, struct model_items items);
/* A row for the item at index of an array, whose object is the array itself. */
struct field model_item_field(const struct field *array, size_t index);

/* Text "", count 0, number 0, false, a struct of zeroes. */
bool model_is_empty(const void *object, const struct field *field);
/* The member as null leaves it, without a look at presence. */
void model_clear(void *object, const struct field *field);
/* Whether model_clear() leaves what no other value of the type is, so that null needs no bit. */
bool model_has_null_value(const struct field *field);

/* The limits of lengths, counts and INT, both ends included; INT64_MAX for a length: none. */
struct model_range {
    int64_t min, max;
};

struct model_range model_range(const struct field *field);
/* What the member can hold, whatever the row says. */
struct model_range model_storage_range(const struct field *field);

/* The limits of FLOAT; infinite: none. */
struct model_real_range {
    double min, max;
};

struct model_real_range model_real_range(const struct field *field);

/* model_find() that looks at row `first` first: members mostly come in the order of the table. */
const struct field *model_find_from(const struct model *model, size_t first, const char *json_name);

/* The row's bit in struct model_presence. */
static inline uint64_t model_bit(const struct model *model, const struct field *field)
{
    return UINT64_C(1) << (field - model->fields);
}

#endif
