#include "openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/str.h>
#include <model/json.h>
#include <model/problem.h>

#include "core.h"

#define SCRATCH_MAX ((size_t)16 << 20)
#define KINDS_MAX   64 /* different errors of one route */

struct document {
    const struct http_server *server;
    struct json_writer w;
    struct arena arena;
    const struct route **routes; /* sorted by path and method */
    size_t route_count;
    struct model_schemas schemas;
};

/* --- small writers --- */

/* A piece that could not be put together fails the whole. */
static const char *text_of(struct document *doc, const struct buf *piece)
{
    if (buf_status(piece) != BUF_OK)
        doc->w.out->status = buf_status(piece);
    return buf_text(piece);
}

/* --- what there is --- */

static int compare_routes(const void *a, const void *b)
{
    const struct route *x = *(const struct route *const *)a;
    const struct route *y = *(const struct route *const *)b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (int)x->method - (int)y->method;
}

static struct err *collect_routes(struct document *doc)
{
    const struct route_table *tables = doc->server->options.tables;
    size_t count = 0;
    for (const struct route_table *table = tables; table && table->count > 0; table++)
        count += table->count;
    doc->routes = arena_calloc(&doc->arena, count, sizeof(struct route *));
    if (!doc->routes)
        return err_oom();
    for (const struct route_table *table = tables; table && table->count > 0; table++)
        for (size_t i = 0; i < table->count; i++)
            doc->routes[doc->route_count++] = &table->routes[i];
    qsort(doc->routes, doc->route_count, sizeof(struct route *), compare_routes);
    return NULL;
}

static struct err *collect_schemas(struct document *doc)
{
    for (size_t i = 0; i < doc->route_count; i++) {
        const struct route *route = doc->routes[i];
        if (route->in)
            TRY(model_schemas_add(&doc->schemas, route->in, route->method == PATCH));
        if (route->out)
            TRY(model_schemas_add(&doc->schemas, route->out, false));
    }
    return NULL;
}

/* --- one operation --- */

/* getUsersById, from GET /users/{id} */
static void write_operation_id(struct document *doc, const struct route *route)
{
    _cleanup_(buf_deinit) struct buf id = BUF_INIT(1024);
    for (const char *c = http_method_name(route->method); *c != '\0'; c++)
        buf_append_char(&id, (char)tolower((unsigned char)*c));
    bool begins_word = false;
    for (const char *c = route->path; *c != '\0'; c++) {
        if (*c == '{')
            buf_append_str(&id, "By");
        if (!isalnum((unsigned char)*c)) {
            begins_word = true;
            continue;
        }
        buf_append_char(&id, begins_word ? (char)toupper((unsigned char)*c) : *c);
        begins_word = false;
    }
    json_add_string(&doc->w, "operationId", text_of(doc, &id));
}

static void write_path_parameter(struct document *doc, const char *name, size_t len)
{
    json_begin_object(&doc->w);
    json_write_name(&doc->w, "name");
    json_write_string_n(&doc->w, name, len);
    json_add_string(&doc->w, "in", "path");
    json_add_raw(&doc->w, "required", "true");
    json_add_raw(&doc->w, "schema", "{\"type\":\"string\"}");
    json_end_object(&doc->w);
}

static void write_query_parameter(struct document *doc, const struct field *field)
{
    json_begin_object(&doc->w);
    json_add_string(&doc->w, "name", model_json_name(field));
    json_add_string(&doc->w, "in", "query");
    if (field->flags & REQUIRED)
        json_add_raw(&doc->w, "required", "true");
    json_write_name(&doc->w, "schema");
    model_write_field_schema(field, &doc->w);
    json_end_object(&doc->w);
}

static const char key_parameter[] =
    "{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":\"For 24 hours the same "
    "request with the same key gets the first answer again\",\"schema\":{\"type\":\"string\","
    "\"minLength\":1,\"maxLength\":255}}";

static void write_parameters(struct document *doc, const struct route *route)
{
    const char *param = strchr(route->path, '{');
    if (!param && !route->query && !route->idempotent)
        return;
    json_write_name(&doc->w, "parameters");
    json_begin_array(&doc->w);
    for (; param; param = strchr(param + 1, '{'))
        write_path_parameter(doc, param + 1, strcspn(param + 1, ".}"));
    for (size_t i = 0; route->query && i < route->query->count; i++)
        write_query_parameter(doc, &route->query->fields[i]);
    if (route->idempotent)
        json_write_raw(&doc->w, key_parameter, strlen(key_parameter));
    json_end_array(&doc->w);
}

static void write_request_body(struct document *doc, const struct route *route)
{
    if (!route->in && !route->takes)
        return;
    bool is_patch = route->method == PATCH && route->in;
    json_add_object(&doc->w, "requestBody");
    if (route->in)
        json_add_raw(&doc->w, "required", "true");
    json_add_object(&doc->w, "content");
    json_add_object(&doc->w, is_patch       ? "application/merge-patch+json"
                             : route->takes ? route->takes
                                            : "application/json");
    if (route->in) {
        json_write_name(&doc->w, "schema");
        model_write_reference(route->in, is_patch, &doc->w);
    }
    json_end_object(&doc->w);
    json_end_object(&doc->w);
    json_end_object(&doc->w);
}

static void write_list_schema(struct document *doc, const struct model *item)
{
    json_begin_object(&doc->w);
    json_add_string(&doc->w, "type", "object");
    json_add_object(&doc->w, "properties");
    json_add_object(&doc->w, "items");
    json_add_string(&doc->w, "type", "array");
    json_write_name(&doc->w, "items");
    model_write_reference(item, false, &doc->w);
    json_end_object(&doc->w);
    json_add_raw(&doc->w, "next_cursor", "{\"type\":[\"string\",\"null\"]}");
    json_end_object(&doc->w);
    json_add_raw(&doc->w, "required", "[\"items\",\"next_cursor\"]");
    json_end_object(&doc->w);
}

static void begin_response(struct document *doc, int status, const char *description)
{
    char text[12];
    snprintf(text, sizeof(text), "%d", status);
    json_add_object(&doc->w, text);
    json_add_string(&doc->w, "description", description);
}

static void write_success(struct document *doc, const struct route *route)
{
    int status = route->status != 0 ? route->status : route->out ? 200 : 204;
    begin_response(doc, status, "Success");
    if (route->out) {
        json_add_object(&doc->w, "content");
        json_add_object(&doc->w, "application/json");
        json_write_name(&doc->w, "schema");
        if (route->list)
            write_list_schema(doc, route->out);
        else
            model_write_reference(route->out, false, &doc->w);
        json_end_object(&doc->w);
        json_end_object(&doc->w);
    }
    json_end_object(&doc->w);
}

static int compare_kinds(const void *a, const void *b)
{
    const struct err_kind *x = *(const struct err_kind *const *)a;
    const struct err_kind *y = *(const struct err_kind *const *)b;
    return x->status != y->status ? x->status - y->status : strcmp(x->slug, y->slug);
}

struct kinds {
    const struct err_kind *items[KINDS_MAX];
    size_t count;
};

static void add_kind(struct kinds *kinds, const struct err_kind *kind)
{
    for (size_t i = 0; i < kinds->count; i++)
        if (kinds->items[i] == kind)
            return;
    if (kinds->count < KINDS_MAX)
        kinds->items[kinds->count++] = kind;
}

static void collect_kinds(const struct document *doc, const struct route *route,
                          struct kinds *kinds)
{
    bool has_body = route->in || route->takes;
    for (const struct err_kind *const *kind = route->fails; kind && *kind; kind++)
        add_kind(kinds, *kind);
    add_kind(kinds, &ERR_BAD_REQUEST);
    if (route->in)
        add_kind(kinds, &ERR_MALFORMED_JSON);
    if (has_body) {
        add_kind(kinds, &ERR_BODY_TOO_LARGE);
        add_kind(kinds, &ERR_UNSUPPORTED_MEDIA_TYPE);
    }
    if (route->in || route->query)
        add_kind(kinds, &ERR_INVALID_REQUEST);
    if (route->idempotent) {
        add_kind(kinds, &ERR_IDEMPOTENCY_IN_PROGRESS);
        add_kind(kinds, &ERR_IDEMPOTENCY_KEY_REUSED);
    }
    if (route->allow != ANYONE)
        add_kind(kinds, &ERR_UNAUTHENTICATED);
    if (route->allow == SELF_OR_ADMIN || route->allow == ADMIN)
        add_kind(kinds, &ERR_FORBIDDEN);
    if (doc->server->rates)
        add_kind(kinds, &ERR_RATE_LIMITED);
    add_kind(kinds, &ERR_INTERNAL);
    qsort(kinds->items, kinds->count, sizeof(struct err_kind *), compare_kinds);
}

static void write_problem_content(struct document *doc)
{
    json_add_raw(&doc->w, "content",
                 "{\"" PROBLEM_MEDIA_TYPE
                 "\":{\"schema\":{\"$ref\":\"#/components/schemas/problem\"}}}");
}

/* One for each status, with the codes that it may have. */
static void write_failures(struct document *doc, const struct route *route)
{
    struct kinds kinds = {.count = 0};
    collect_kinds(doc, route, &kinds);
    for (size_t i = 0; i < kinds.count;) {
        int status = kinds.items[i]->status;
        _cleanup_(buf_deinit) struct buf codes = BUF_INIT(8192);
        for (; i < kinds.count && kinds.items[i]->status == status; i++)
            buf_printf(&codes, "%s`%s`: %s", codes.len > 0 ? "; " : "", kinds.items[i]->slug,
                       kinds.items[i]->title);
        begin_response(doc, status, text_of(doc, &codes));
        write_problem_content(doc);
        json_end_object(&doc->w);
    }
    json_add_object(&doc->w, "default");
    json_add_string(&doc->w, "description", "Any other failure");
    write_problem_content(doc);
    json_end_object(&doc->w);
}

static void write_operation(struct document *doc, const struct route *route)
{
    char method[8] = "";
    str_copy(method, sizeof(method), http_method_name(route->method));
    str_lower(method);
    json_add_object(&doc->w, method);
    write_operation_id(doc, route);
    if (route->summary)
        json_add_string(&doc->w, "summary", route->summary);
    if (route->doc)
        json_add_string(&doc->w, "description", route->doc);
    json_write_name(&doc->w, "tags");
    json_begin_array(&doc->w);
    json_write_string(&doc->w, route->tag ? route->tag : doc->server->options.name);
    json_end_array(&doc->w);
    json_add_raw(&doc->w, "security", route->allow == ANYONE ? "[]" : "[{\"bearer\":[]}]");
    write_parameters(doc, route);
    write_request_body(doc, route);
    json_add_object(&doc->w, "responses");
    write_success(doc, route);
    write_failures(doc, route);
    json_end_object(&doc->w);
    json_end_object(&doc->w);
}

/* --- the whole --- */

/* OpenAPI knows no {rest...}. */
static void begin_path(struct document *doc, const char *path)
{
    _cleanup_(buf_deinit) struct buf plain = BUF_INIT(4096);
    bool takes_rest = str_ends_with(path, "...}");
    buf_append(&plain, path, strlen(path) - (takes_rest ? 4 : 0));
    if (takes_rest)
        buf_append_char(&plain, '}');
    json_add_object(&doc->w, text_of(doc, &plain));
}

static void write_paths(struct document *doc)
{
    json_add_object(&doc->w, "paths");
    for (size_t i = 0; i < doc->route_count;) {
        const char *path = doc->routes[i]->path;
        begin_path(doc, path);
        for (; i < doc->route_count && strcmp(doc->routes[i]->path, path) == 0; i++)
            write_operation(doc, doc->routes[i]);
        json_end_object(&doc->w);
    }
    json_end_object(&doc->w);
}

static void write_components(struct document *doc)
{
    static const char problem[] =
        "{\"description\":\"RFC 9457 problem details\",\"type\":\"object\",\"properties\":{"
        "\"type\":{\"type\":\"string\",\"format\":\"uri\"},\"title\":{\"type\":\"string\"},"
        "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
        "\"code\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"},"
        "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
        "\"field\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},"
        "\"detail\":{\"type\":\"string\"}},\"required\":[\"field\",\"code\",\"detail\"]}}},"
        "\"required\":[\"type\",\"title\",\"status\",\"detail\",\"code\"]}";
    json_add_object(&doc->w, "components");
    json_add_object(&doc->w, "schemas");
    model_schemas_write(&doc->schemas, &doc->w);
    json_add_raw(&doc->w, "problem", problem);
    json_end_object(&doc->w);
    json_add_raw(&doc->w, "securitySchemes",
                 "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}}");
    json_end_object(&doc->w);
}

struct err *http_openapi_write(const struct http_server *server, struct buf *out)
{
    struct document doc = {
        .server = server, .w = JSON_WRITER(out), .arena = ARENA_INIT(SCRATCH_MAX)};
    doc.schemas.arena = &doc.arena;
    struct err *e = collect_routes(&doc);
    if (!e)
        e = collect_schemas(&doc);
    if (!e) {
        json_begin_object(&doc.w);
        json_add_string(&doc.w, "openapi", "3.1.0");
        json_add_object(&doc.w, "info");
        json_add_string(&doc.w, "title", server->options.name ? server->options.name : "");
        json_add_string(&doc.w, "version", server->options.version ? server->options.version : "");
        json_end_object(&doc.w);
        write_paths(&doc);
        write_components(&doc);
        json_end_object(&doc.w);
        e = buf_status(out) == BUF_OK ? NULL : err_oom();
    }
    arena_deinit(&doc.arena);
    return e;
}
