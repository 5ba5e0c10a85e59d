#include <assert.h>
#include <math.h>
#include <string.h>

#include <base/str.h>
#include <model/json.h>

/* The bit of the innermost level; none outside and beyond the limit, where the buffer has failed.
 */
static uint64_t level_bit(const struct json_writer *w)
{
    return w->depth > 0 && w->depth <= JSON_WRITE_DEPTH_MAX ? UINT64_C(1) << (w->depth - 1) : 0;
}

static void separate(struct json_writer *w)
{
    if (w->has_items & level_bit(w))
        buf_append_char(w->out, ',');
    w->has_items |= level_bit(w);
}

static void start_value(struct json_writer *w)
{
    if (w->after_name) {
        w->after_name = false;
        return;
    }
    assert((w->in_object & level_bit(w)) == 0);
    separate(w);
}

static void begin(struct json_writer *w, char bracket)
{
    start_value(w);
    buf_append_char(w->out, bracket);
    w->depth++;
    w->has_items &= ~level_bit(w);
    w->in_object &= ~level_bit(w);
    if (w->depth > JSON_WRITE_DEPTH_MAX)
        w->out->status = BUF_TOO_LARGE;
}

static void end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->after_name);
    buf_append_char(w->out, bracket);
    w->depth--;
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
    w->in_object |= level_bit(w);
}

void json_end_object(struct json_writer *w)
{
    assert(w->depth > JSON_WRITE_DEPTH_MAX || w->in_object & level_bit(w));
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    assert((w->in_object & level_bit(w)) == 0);
    end(w, ']');
}

void json_write_name(struct json_writer *w, const char *name)
{
    assert(w->depth > JSON_WRITE_DEPTH_MAX || w->in_object & level_bit(w));
    assert(!w->after_name);
    separate(w);
    buf_append_json(w->out, name, strlen(name));
    buf_append_char(w->out, ':');
    w->after_name = true;
}

void json_write_string(struct json_writer *w, const char *text)
{
    if (text)
        json_write_string_n(w, text, strlen(text));
    else
        json_write_null(w);
}

void json_write_string_n(struct json_writer *w, const char *bytes, size_t count)
{
    start_value(w);
    buf_append_json(w->out, bytes, count);
}

void json_write_i64(struct json_writer *w, int64_t number)
{
    start_value(w);
    buf_append_i64(w->out, number);
}

void json_write_f64(struct json_writer *w, double number)
{
    if (!isfinite(number)) {
        json_write_null(w);
        return;
    }
    char text[F64_TEXT];
    json_write_raw(w, text, f64_format(number, text));
}

void json_write_bool(struct json_writer *w, bool value)
{
    if (value)
        json_write_raw(w, "true", 4);
    else
        json_write_raw(w, "false", 5);
}

void json_write_null(struct json_writer *w)
{
    json_write_raw(w, "null", 4);
}

void json_write_raw(struct json_writer *w, const char *text, size_t count)
{
    start_value(w);
    buf_append(w->out, text, count);
}

static void write_members(struct json_writer *w, const struct json_value *object)
{
    json_begin_object(w);
    json_foreach (member, object) {
        json_write_name(w, json_name(member));
        json_write_value(w, member);
    }
    json_end_object(w);
}

static void write_elements(struct json_writer *w, const struct json_value *array)
{
    json_begin_array(w);
    json_foreach (element, array)
        json_write_value(w, element);
    json_end_array(w);
}

void json_write_value(struct json_writer *w, const struct json_value *value)
{
    bool truth = false;
    switch (json_type(value)) {
    case JSON_NULL:
        json_write_null(w);
        break;
    case JSON_BOOL:
        json_bool(value, &truth);
        json_write_bool(w, truth);
        break;
    case JSON_NUMBER:
        json_write_raw(w, json_number(value), strlen(json_number(value)));
        break;
    case JSON_STRING:
        json_write_string(w, json_string(value));
        break;
    case JSON_ARRAY:
        write_elements(w, value);
        break;
    case JSON_OBJECT:
        write_members(w, value);
        break;
    }
}

/* --- members --- */

void json_add_string(struct json_writer *w, const char *name, const char *text)
{
    json_write_name(w, name);
    json_write_string(w, text);
}

void json_add_i64(struct json_writer *w, const char *name, int64_t number)
{
    json_write_name(w, name);
    json_write_i64(w, number);
}

void json_add_raw(struct json_writer *w, const char *name, const char *text)
{
    json_write_name(w, name);
    json_write_raw(w, text, strlen(text));
}

void json_add_object(struct json_writer *w, const char *name)
{
    json_write_name(w, name);
    json_begin_object(w);
}
