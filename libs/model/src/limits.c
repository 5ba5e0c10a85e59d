/* Values held against the limits of their rows, wherever they came from. */
#include <inttypes.h>

#include <base/str.h>

#include "member.h"
#include "run.h"
#include "syntax.h"

static bool check_length(const struct model_run *run, const struct model_place *place,
                         const struct field *field, struct str text)
{
    struct model_range range = model_range(field);
    if (range.min == 0 && range.max == INT64_MAX)
        return true;
    int64_t length = (int64_t)utf8_length(text.data, text.len);
    if (length < range.min)
        return model_fail(run, place, "too_short", "must have at least %" PRId64 " characters",
                          range.min);
    if (length > range.max)
        return model_fail(run, place, "too_long", "must have at most %" PRId64 " characters",
                          range.max);
    return true;
}

static bool check_text(const struct model_run *run, const struct model_place *place,
                       const struct field *field, struct str text)
{
    if (!check_length(run, place, field, text))
        return false;
    if (field->type == MODEL_UUID && !(text.data && uuid_is_valid(text.data)))
        return model_fail(run, place, "invalid_uuid",
                          "must be a UUID in lower case, such as "
                          "0190163d-8694-739b-aea5-966c26f8ad91");
    if (field->type == MODEL_EMAIL && !model_is_email(text))
        return model_fail(run, place, "invalid_email",
                          "must be an e-mail address, such as ann@example.com");
    if (field->type == MODEL_URL && !model_is_url(text))
        return model_fail(run, place, "invalid_url",
                          "must be an absolute http or https URL, such as https://example.com/");
    return true;
}

bool model_fail_range(const struct model_run *run, const struct model_place *place,
                      const struct field *field, bool is_below)
{
    struct model_range range = model_range(field);
    if (is_below)
        return model_fail(run, place, "too_small", "must be at least %" PRId64, range.min);
    return model_fail(run, place, "too_large", "must be at most %" PRId64, range.max);
}

bool model_check_integer(const struct model_run *run, const struct model_place *place,
                         const struct field *field, int64_t number)
{
    struct model_range range = model_range(field);
    if (number >= range.min && number <= range.max)
        return true;
    return model_fail_range(run, place, field, number < range.min);
}

/* Not a number is neither at least this nor at most that. */
static bool check_real(const struct model_run *run, const struct model_place *place,
                       const struct field *field, double number)
{
    struct model_real_range range = model_real_range(field);
    if (!(number >= range.min))
        return model_fail(run, place, "too_small", "must be at least %g", range.min);
    if (!(number <= range.max))
        return model_fail(run, place, "too_large", "must be at most %g", range.max);
    return true;
}

static bool check_enum(const struct model_run *run, const struct model_place *place,
                       const struct field *field, int64_t index)
{
    for (int64_t i = 0; field->values[i]; i++)
        if (i == index)
            return true;
    return model_fail(run, place, "not_in_list", "is none of the values of the list");
}

bool model_check_count(const struct model_run *run, const struct model_place *place,
                       const struct field *array, size_t count)
{
    struct model_range range = model_range(array);
    if (count < (uint64_t)range.min)
        return model_fail(run, place, "too_few", "must have at least %" PRId64 " items", range.min);
    if (count > (uint64_t)range.max)
        return model_fail(run, place, "too_many", "must have at most %" PRId64 " items", range.max);
    return true;
}

static bool check_type(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const void *object)
{
    switch (field->type) {
    case MODEL_STRING:
    case MODEL_UUID:
    case MODEL_EMAIL:
    case MODEL_URL:
        return check_text(run, place, field, model_text(object, field));
    case MODEL_INT:
        return model_check_integer(run, place, field, model_integer(object, field));
    case MODEL_FLOAT:
        return check_real(run, place, field, model_real(object, field));
    case MODEL_ENUM:
        return check_enum(run, place, field, model_integer(object, field));
    case MODEL_BOOL:
    case MODEL_TIME:
    case MODEL_OBJECT:
    case MODEL_ARRAY:
    case MODEL_RAW:
        break;
    }
    return true;
}

bool model_check_limits(const struct model_run *run, const struct model_place *place,
                        const struct field *field, const void *object)
{
    if (!check_type(run, place, field, object))
        return false;
    const char *code = "invalid";
    _cleanup_(buf_deinit) struct buf detail = BUF_INIT(ERR_MESSAGE_MAX);
    if (!field->check || field->check(model_member_const(object, field), &code, &detail))
        return true;
    if (buf_status(&detail) == BUF_NO_MEMORY)
        return model_fail_memory(run);
    return model_fail(run, place, code, "%s", detail.len > 0 ? detail.data : "is not acceptable");
}
