#include <model/problem.h>

#include <stdio.h>

#define TYPE_PREFIX "urn:plankton:error:"

static const char *public_detail(const struct err *e)
{
    const struct err_kind *kind = err_kind(e);
    const char *detail = kind->status < 500 ? err_detail(e) : kind->help;
    return detail && *detail ? detail : kind->title;
}

static void write_field_error(const struct err_field *field, struct json_writer *w)
{
    json_begin_object(w);
    json_write_name(w, "field");
    json_write_string(w, field->field);
    json_write_name(w, "code");
    json_write_string(w, field->code);
    json_write_name(w, "detail");
    json_write_string(w, field->detail);
    json_end_object(w);
}

static void write_field_errors(const struct err *e, struct json_writer *w)
{
    const struct err_field *fields;
    size_t count = err_fields(e, &fields);
    if (count == 0 || err_kind(e)->status >= 500)
        return;
    json_write_name(w, "errors");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        write_field_error(&fields[i], w);
    json_end_array(w);
}

void problem_write(const struct err *e, const char *request_id, struct buf *out)
{
    const struct err_kind *kind = err_kind(e);
    struct json_writer w = JSON_WRITER(out);
    char type[128];
    snprintf(type, sizeof(type), TYPE_PREFIX "%s", kind->slug);
    json_begin_object(&w);
    json_write_name(&w, "type");
    json_write_string(&w, type);
    json_write_name(&w, "title");
    json_write_string(&w, kind->title);
    json_write_name(&w, "status");
    json_write_i64(&w, kind->status);
    json_write_name(&w, "detail");
    json_write_string(&w, public_detail(e));
    json_write_name(&w, "code");
    json_write_string(&w, kind->slug);
    if (request_id) {
        json_write_name(&w, "request_id");
        json_write_string(&w, request_id);
    }
    write_field_errors(e, &w);
    json_end_object(&w);
}

static const char *string_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

/* An ERR_INVALID_REQUEST with the field errors of the document; NULL without any. */
static struct err *read_field_errors(const struct json_value *problem)
{
    struct err *e = NULL;
    json_foreach (row, json_get(problem, "errors")) {
        const char *field = json_string(json_get(row, "field"));
        const char *code = json_string(json_get(row, "code"));
        const char *detail = json_string(json_get(row, "detail"));
        if (field && code)
            err_add_field(&e, field, code, "%s", string_or(detail, ""));
    }
    return e;
}

static struct err *read_problem(const struct json_value *problem,
                                const struct err_kind *const *kinds)
{
    const char *code = json_string(json_get(problem, "code"));
    const char *detail = string_or(json_string(json_get(problem, "detail")), "");
    if (!code)
        return err_new(&ERR_INTERNAL, "an error answer without a code");
    const struct err_kind *kind = err_kind_find(kinds, code);
    if (!kind)
        return err_new(&ERR_INTERNAL, "an error answer with the unknown code %s: %s", code, detail);
    struct err *fields = read_field_errors(problem);
    return fields ? err_wrap_as(fields, kind, "%s", detail) : err_new(kind, "%s", detail);
}

struct err *problem_read(const char *text, size_t len, const struct err_kind *const *kinds)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    _cleanup_(err_free) struct err *malformed = json_parse(text, len, &doc);
    if (err_is(malformed, &ERR_OUT_OF_MEMORY))
        return err_oom();
    if (malformed)
        return err_new(&ERR_INTERNAL, "an error answer that is no JSON: %s", err_detail(malformed));
    return read_problem(json_root(doc), kinds);
}
