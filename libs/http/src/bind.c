/* HTTP_BODY: query and body of a request become the structs that the route names. */
#include <string.h>

#include <base/str.h>

#include "core.h"
#include "exchange.h"

/* Bodies may have a value for so many bytes of what is the most of them. */
#define BYTES_PER_VALUE 16
#define VALUES_MIN      256

/* --- query --- */

struct pair {
    const char *name, *value;
};

static struct err *decode(struct arena *arena, const char *text, size_t len, const char **out_text)
{
    char *decoded = arena_alloc(arena, len + 1);
    if (!decoded)
        return err_oom();
    size_t decoded_len = 0;
    if (!http_percent_decode(text, len, true, decoded, &decoded_len))
        return err_new(&ERR_BAD_REQUEST, "the query has a broken percent escape");
    if (memchr(decoded, '\0', decoded_len) || !utf8_is_valid(decoded, decoded_len))
        return err_new(&ERR_BAD_REQUEST, "the query has an encoded NUL or is not UTF-8");
    *out_text = decoded;
    return NULL;
}

/* The next name=value of *rest, which moves on. */
static struct err *next_pair(struct arena *arena, const char **rest, struct pair *out_pair)
{
    const char *text = *rest;
    size_t len = strcspn(text, "&");
    *rest = text + len + (text[len] == '&');
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    const char *value = equals ? equals + 1 : text + len;
    TRY(decode(arena, text, name_len, &out_pair->name));
    return decode(arena, value, len - (size_t)(value - text), &out_pair->value);
}

static struct err *bind_query(struct http_req *req, const struct model *model)
{
    void *object = arena_alloc(&req->arena, model->size);
    if (!object)
        return err_oom();
    _cleanup_(err_free) struct err *wrong = NULL;
    uint64_t seen = 0;
    const char *rest = req->query_text ? req->query_text : "";
    while (*rest != '\0') {
        struct pair pair = {"", ""};
        TRY(next_pair(&req->arena, &rest, &pair));
        if (pair.name[0] == '\0' && pair.value[0] == '\0')
            continue;
        const struct field *field = model_find(model, pair.name);
        if (!field) {
            err_add_field(&wrong, pair.name, "unknown", "there is no such query parameter");
            continue;
        }
        uint64_t bit = UINT64_C(1) << (field - model->fields);
        if (seen & bit)
            err_add_field(&wrong, pair.name, "duplicate", "is there more than once");
        else
            model_read_text(model, field, pair.value, &req->arena, object, &wrong);
        seen |= bit;
    }
    model_finish_text(model, seen, &req->arena, object, &wrong);
    if (!wrong)
        req->query = object;
    return TAKE(wrong);
}

/* --- body --- */

/* The value of the next parameter of a media type must be UTF-8 if it is a charset. */
static bool has_utf8_parameters(const char *rest)
{
    while (*rest != '\0') {
        rest += strspn(rest, "; \t");
        size_t len = strcspn(rest, ";");
        size_t used = len;
        while (used > 0 && (rest[used - 1] == ' ' || rest[used - 1] == '\t'))
            used--;
        if (str_equal_nocase_n(rest, "charset=", 8) &&
            !(used == 13 && str_equal_nocase_n(rest + 8, "utf-8", 5)) &&
            !(used == 15 && str_equal_nocase_n(rest + 8, "\"utf-8\"", 7)))
            return false;
        rest += len;
    }
    return true;
}

static bool is_media_type(const char *header, const char *type)
{
    size_t len = strcspn(header, "; \t");
    return len == strlen(type) && str_equal_nocase_n(header, type, len) &&
           has_utf8_parameters(header + len);
}

static struct err *check_media_type(const struct http_req *req, const struct route *route)
{
    const char *type = req->known[KNOWN_CONTENT_TYPE];
    const char *coding = req->known[KNOWN_CONTENT_ENCODING];
    const char *expected = route->takes ? route->takes : "application/json";
    if (coding && !str_equal_nocase(coding, "identity"))
        return err_new(&ERR_UNSUPPORTED_MEDIA_TYPE, "an encoded body is not taken");
    if (type && is_media_type(type, expected))
        return NULL;
    if (type && route->method == PATCH && !route->takes &&
        is_media_type(type, "application/merge-patch+json"))
        return NULL;
    return err_new(&ERR_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be %s", expected);
}

static size_t max_body(const struct http_req *req, const struct route *route)
{
    return route->max_body > 0 ? route->max_body : req->server->options.max_body;
}

struct err *http_read_model(struct http_req *req, const struct route *route, enum model_mode mode,
                            void *object)
{
    size_t values_max = MAX(max_body(req, route) / BYTES_PER_VALUE, VALUES_MIN);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    TRY(json_parse_at_most(req->raw_body, req->raw_len, MIN(values_max, JSON_VALUES_MAX), &doc));
    return model_read_value(route->in, mode, json_root(doc), &req->arena, object);
}

static struct err *bind_body(struct http_req *req, const struct route *route)
{
    size_t max = max_body(req, route);
    bool takes_body = route->in || route->takes;
    /* Before reading: who sends the wrong thing need not send all of it. */
    if (takes_body && req->body_length != 0)
        TRY(check_media_type(req, route));
    if (req->body_length > 0 && !takes_body)
        return err_new(&ERR_INVALID_REQUEST, "this takes no body");
    TRY(http_read_body(req, max));
    if (req->raw_len > 0 && !takes_body)
        return err_new(&ERR_INVALID_REQUEST, "this takes no body");
    if (!route->in || route->method == PATCH)
        return NULL;
    void *object = arena_alloc(&req->arena, route->in->size);
    if (!object)
        return err_oom();
    TRY(http_read_model(req, route, MODEL_READ, object));
    req->body = object;
    return NULL;
}

static struct err *run_body(struct http_req *req, struct http_res *res, struct http_next *next)
{
    const struct route *route = http_route(req);
    if (route) {
        if (route->query)
            TRY(bind_query(req, route->query));
        TRY(bind_body(req, route));
    }
    return http_next(next, req, res);
}
const struct http_middleware HTTP_BODY = {"body", run_body};
