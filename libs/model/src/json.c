#include <model/json.h>

#include <math.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <base/secret.h>
#include <base/str.h>

#include "json_scan.h"

/* A struct json_value is a cJSON node whose numbers have their text in valuestring, which belongs
 * to the document (cJSON_IsReference says so to cJSON_Delete). */
struct json_doc {
    cJSON *root;
    size_t size; /* of texts */
    char texts[];
};

static const cJSON *node(const struct json_value *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct json_value *value_of(const cJSON *item)
{
    return (const struct json_value *)(const void *)item;
}

static void wipe_strings(cJSON *item)
{
    for (; item; item = item->next) {
        if (item->type == cJSON_String)
            secret_wipe(item->valuestring, strlen(item->valuestring));
        wipe_strings(item->child);
    }
}

/* Bodies carry passwords and tokens, key files private keys. */
void json_free(struct json_doc *doc)
{
    if (!doc)
        return;
    wipe_strings(doc->root);
    cJSON_Delete(doc->root);
    secret_wipe(doc->texts, doc->size);
    free(doc);
}

/* Gives each number of the list and below its text; returns the next text. */
static char *attach_numbers(cJSON *item, char *next)
{
    for (; item; item = item->next) {
        if (item->type == cJSON_Number) {
            item->valuestring = next;
            item->type |= cJSON_IsReference;
            next += strlen(next) + 1;
        } else {
            next = attach_numbers(item->child, next);
        }
    }
    return next;
}

/* The document has room behind it for what json_scan() splits the text into. */
struct err *json_parse_at_most(const char *text, size_t len, size_t values_max,
                               struct json_doc **out_doc)
{
    size_t room;
    if (__builtin_mul_overflow(len + 1, 2, &room) ||
        __builtin_add_overflow(room, sizeof(struct json_doc), &room))
        return err_oom();
    _cleanup_(json_free) struct json_doc *doc = malloc(room);
    if (!doc)
        return err_oom();
    *doc = (struct json_doc){.size = room - sizeof(*doc)};
    const struct json_split split = {.numbers = doc->texts, .skeleton = doc->texts + len + 1};
    if (len > 0)
        memcpy(split.skeleton, text, len);
    TRY(json_scan(text, len, values_max, &split));
    /* Of a text that was found right, cJSON fails for want of memory only. Its error position is a
     * global that parsers in other threads overwrite; nobody reads it. */
    doc->root = cJSON_ParseWithLength(split.skeleton, len);
    if (!doc->root)
        return err_oom();
    attach_numbers(doc->root, split.numbers);
    *out_doc = TAKE(doc);
    return NULL;
}

struct err *json_parse(const char *text, size_t len, struct json_doc **out_doc)
{
    return json_parse_at_most(text, len, JSON_VALUES_MAX, out_doc);
}

const struct json_value *json_root(const struct json_doc *doc)
{
    return value_of(doc->root);
}

enum json_type json_type(const struct json_value *value)
{
    switch (value ? node(value)->type & 0xff : cJSON_NULL) {
    case cJSON_False:
    case cJSON_True:
        return JSON_BOOL;
    case cJSON_Number:
        return JSON_NUMBER;
    case cJSON_String:
        return JSON_STRING;
    case cJSON_Array:
        return JSON_ARRAY;
    case cJSON_Object:
        return JSON_OBJECT;
    default:
        return JSON_NULL;
    }
}

bool json_is(const struct json_value *value, enum json_type type)
{
    return value && json_type(value) == type;
}

const struct json_value *json_get(const struct json_value *object, const char *name)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    json_foreach (member, object) {
        if (str_equal(json_name(member), name))
            return member;
    }
    return NULL;
}

size_t json_count(const struct json_value *container)
{
    size_t count = 0;
    json_foreach (item, container)
        count++;
    return count;
}

const struct json_value *json_first(const struct json_value *container)
{
    return container ? value_of(node(container)->child) : NULL;
}

const struct json_value *json_next(const struct json_value *value)
{
    return value ? value_of(node(value)->next) : NULL;
}

const char *json_name(const struct json_value *member)
{
    return member ? node(member)->string : NULL;
}

const char *json_string(const struct json_value *value)
{
    return json_is(value, JSON_STRING) ? node(value)->valuestring : NULL;
}

const char *json_number(const struct json_value *value)
{
    return json_is(value, JSON_NUMBER) ? node(value)->valuestring : NULL;
}

bool json_i64(const struct json_value *value, int64_t *out)
{
    const char *text = json_number(value);
    if (!text)
        return false;
    return parse_i64(str_equal(text, "-0") ? "0" : text, INT64_MIN, INT64_MAX, out);
}

bool json_f64(const struct json_value *value, double *out)
{
    const char *text = json_number(value);
    if (!text)
        return false;
    double number = strtod(text, NULL);
    if (!isfinite(number))
        return false;
    *out = number;
    return true;
}

bool json_bool(const struct json_value *value, bool *out)
{
    if (!json_is(value, JSON_BOOL))
        return false;
    *out = (node(value)->type & cJSON_True) != 0;
    return true;
}
