#include "routes_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <base/arena.h>
#include <cfg/cfg.h>
#include <model/model.h>

#include "address.h"
#include "target.h"

#define ARENA_BYTES (16 * 1024 * 1024)
#define PLACE_MAX   256
#define DETAIL_MAX  16384
#define METHODS_MAX 16

#define NUMBER(text)      NUMBER_TEXT(text)
#define NUMBER_TEXT(text) #text

/* --- an upstream --- */

struct upstream_entry {
    const char **servers;
    size_t server_count;
    int64_t max_connections, max_waiting;
    int64_t connect_timeout_ms, idle_timeout_ms, wait_timeout_ms;
};

static const struct field upstream_fields[] = {
    FIELD_ARRAY(struct upstream_entry, servers, server_count, STRING, .flags = REQUIRED, .min = 1,
                .max = UPSTREAM_SERVERS),
    FIELD(struct upstream_entry, max_connections, INT, .def = NUMBER(DEFAULT_MAX_CONNECTIONS),
          .min = 1, .max = 100000),
    FIELD(struct upstream_entry, max_waiting, INT, .def = NUMBER(DEFAULT_MAX_WAITING), .min = 0,
          .max = 1000000),
    FIELD(struct upstream_entry, connect_timeout_ms, INT, .def = NUMBER(DEFAULT_CONNECT_TIMEOUT_MS),
          .min = 1, .max = 3600000),
    FIELD(struct upstream_entry, idle_timeout_ms, INT, .def = NUMBER(DEFAULT_IDLE_TIMEOUT_MS),
          .min = 1, .max = 3600000),
    FIELD(struct upstream_entry, wait_timeout_ms, INT, .def = NUMBER(DEFAULT_WAIT_TIMEOUT_MS),
          .min = 1, .max = 3600000),
};

static bool is_server(const char *text)
{
    char host[256];
    uint16_t port;
    return address_split(text, host, sizeof(host), &port) && host[0] != '\0' && port > 0;
}

static void check_upstream(const void *object, struct err **e)
{
    const struct upstream_entry *entry = object;
    for (size_t i = 0; i < entry->server_count; i++) {
        char place[PLACE_MAX];
        snprintf(place, sizeof(place), "servers/%zu", i);
        if (!is_server(entry->servers[i]))
            err_add_field(e, place, "invalid_address", "must be host:port");
    }
}

static const struct model upstream_model = MODEL(
    struct upstream_entry, upstream_fields, "Servers that do the same", .check = check_upstream);

/* --- a route --- */

struct route_entry {
    const char *path;
    const char **methods;
    size_t method_count;
    const char *upstream;
    int auth; /* enum route_auth */
    int64_t max_body_bytes, timeout_ms;
};

static const char *const auth_names[] = {"optional", "none", "required", NULL};

static const struct field route_fields[] = {
    FIELD(struct route_entry, path, STRING, .flags = REQUIRED, .min = 1, .max = ROUTE_PATH_MAX),
    FIELD_ARRAY(struct route_entry, methods, method_count, STRING, .min = 1, .max = METHODS_MAX),
    FIELD(struct route_entry, upstream, STRING, .flags = REQUIRED),
    FIELD(struct route_entry, auth, ENUM, .values = auth_names, .def = "\"optional\""),
    FIELD(struct route_entry, max_body_bytes, INT, .def = NUMBER(DEFAULT_MAX_BODY_BYTES), .min = 0,
          .max = INT64_C(1) << 50),
    FIELD(struct route_entry, timeout_ms, INT, .def = NUMBER(DEFAULT_TIMEOUT_MS), .min = 1,
          .max = 3600000),
};

/* What a normalised request path can be equal to (<target.h>). */
static bool is_path(const char *path)
{
    char copy[4 * ROUTE_PATH_MAX + 1]; /* the limit counts code points */
    size_t len = strlen(path);
    struct target target;
    if (path[0] != '/' || strpbrk(path, "%?") || (len > 1 && path[len - 1] == '/'))
        return false;
    memcpy(copy, path, len + 1);
    return !target_parse(copy, (struct span){0, (uint16_t)len}, &target);
}

static bool is_method(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    return len > 0 && len <= 32 && text[len] == '\0';
}

static void check_route(const void *object, struct err **e)
{
    const struct route_entry *entry = object;
    if (!is_path(entry->path))
        err_add_field(
            e, "path", "invalid_path",
            "must begin with a slash, not end with one, and have no empty segment, no dot "
            "segment and no escape");
    for (size_t i = 0; i < entry->method_count; i++) {
        char place[PLACE_MAX];
        snprintf(place, sizeof(place), "methods/%zu", i);
        if (!is_method(entry->methods[i]))
            err_add_field(e, place, "invalid_method", "must be upper-case letters");
    }
}

static const struct model route_model =
    MODEL(struct route_entry, route_fields, "Where a path goes", .check = check_route);

/* --- both together --- */

struct reader {
    struct routes *routes;
    struct arena arena;
    struct err *e; /* all mistakes so far */
};

static void reader_deinit(struct reader *reader)
{
    routes_unref(reader->routes);
    arena_deinit(&reader->arena);
    err_free(reader->e);
}
DEFINE_CLEANUP_VALUE(struct reader, reader_deinit);

/* Takes e, whose mistakes are below place. */
static void add_mistakes(struct reader *reader, const char *place, struct err *e)
{
    const struct err_field *fields = NULL;
    size_t count = err_fields(e, &fields);
    for (size_t i = 0; i < count; i++) {
        char full[PLACE_MAX];
        const char *slash = fields[i].field[0] ? "/" : "";
        snprintf(full, sizeof(full), "%s%s%s", place, slash, fields[i].field);
        err_add_field(&reader->e, full, fields[i].code, "%s", fields[i].detail);
    }
    if (e && count == 0)
        err_add_field(&reader->e, place, err_kind(e)->slug, "%s", err_detail(e));
    err_free(e);
}

static bool is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");
    return len > 0 && len <= UPSTREAM_NAME_MAX && name[len] == '\0';
}

static struct err *add_upstream(struct reader *reader, const char *name,
                                const struct json_value *value)
{
    struct upstream_entry entry;
    if (!is_name(name))
        return err_new(&ERR_INVALID_REQUEST, "the name must have 1 to %d of a-z 0-9 - _ .",
                       UPSTREAM_NAME_MAX);
    TRY(model_read_value(&upstream_model, MODEL_READ, value, &reader->arena, &entry));
    struct upstream_config config = {
        .server_count = entry.server_count,
        .max_connections = entry.max_connections,
        .max_waiting = entry.max_waiting,
        .connect_timeout_ms = entry.connect_timeout_ms,
        .idle_timeout_ms = entry.idle_timeout_ms,
        .wait_timeout_ms = entry.wait_timeout_ms,
    };
    str_copy(config.name, sizeof(config.name), name);
    for (size_t i = 0; i < entry.server_count; i++)
        config.servers[i] = entry.servers[i];
    return routes_add_upstream(reader->routes, &config);
}

static struct err *add_route(struct reader *reader, const struct json_value *value)
{
    struct route_entry entry;
    TRY(model_read_value(&route_model, MODEL_READ, value, &reader->arena, &entry));
    char methods[METHODS_MAX * 35] = "";
    for (size_t i = 0, len = 0; i < entry.method_count; i++)
        len += (size_t)snprintf(methods + len, sizeof(methods) - len, "%s%s", i > 0 ? ", " : "",
                                entry.methods[i]);
    const struct path_route route = {
        .path = entry.path,
        .methods = entry.method_count > 0 ? methods : NULL,
        .upstream = routes_find_upstream(reader->routes, entry.upstream),
        .auth = (enum route_auth)entry.auth,
        .max_body_bytes = entry.max_body_bytes,
        .timeout_ms = entry.timeout_ms,
    };
    if (route.upstream != SIZE_MAX)
        return routes_add(reader->routes, &route);
    struct err *e = NULL;
    err_add_field(&e, "upstream", "unknown_upstream", "there is no upstream of this name");
    return e;
}

/* NULL when the member is missing or has another type, which is a mistake. */
static const struct json_value *get_member(struct reader *reader, const struct json_value *root,
                                           const char *name, enum json_type type)
{
    const struct json_value *member = json_get(root, name);
    if (!member)
        err_add_field(&reader->e, name, "required", "must be there");
    else if (!json_is(member, type))
        err_add_field(&reader->e, name, "wrong_type", "must be %s",
                      type == JSON_ARRAY ? "an array" : "an object");
    return json_is(member, type) ? member : NULL;
}

static void read_root(struct reader *reader, const struct json_value *root)
{
    char place[PLACE_MAX];
    json_foreach (member, root)
        if (!str_equal(json_name(member), "upstreams") && !str_equal(json_name(member), "routes"))
            err_add_field(&reader->e, json_name(member), "unknown", "is not known");
    json_foreach (value, get_member(reader, root, "upstreams", JSON_OBJECT)) {
        snprintf(place, sizeof(place), "upstreams/%.100s", json_name(value));
        add_mistakes(reader, place, add_upstream(reader, json_name(value), value));
    }
    size_t index = 0;
    json_foreach (value, get_member(reader, root, "routes", JSON_ARRAY)) {
        snprintf(place, sizeof(place), "routes/%zu", index++);
        add_mistakes(reader, place, add_route(reader, value));
    }
}

struct err *routes_parse(const char *text, size_t len, struct routes **out_routes)
{
    _cleanup_(reader_deinit) struct reader reader = {.arena = ARENA_INIT(ARENA_BYTES)};
    _cleanup_(json_free) struct json_doc *doc = NULL;
    TRY(json_parse(text, len, &doc));
    TRY(routes_new(&reader.routes));
    if (!json_is(json_root(doc), JSON_OBJECT))
        return err_new(&ERR_MALFORMED_JSON, "must be an object");
    read_root(&reader, json_root(doc));
    if (reader.e)
        return TAKE(reader.e);
    *out_routes = TAKE(reader.routes);
    return NULL;
}

/* --- the file --- */

static struct err *read_all(int fd, struct buf *out_text)
{
    for (;;) {
        char *room = buf_reserve(out_text, 4096);
        if (!room)
            return buf_status(out_text) == BUF_NO_MEMORY
                       ? err_oom()
                       : err_new(&CFG_INVALID, "more than %d bytes", ROUTES_FILE_MAX);
        ssize_t got = read(fd, room, 4096);
        if (got < 0)
            return err_errno(errno, "read");
        if (got == 0)
            return NULL;
        buf_commit(out_text, (size_t)got);
    }
}

struct err *routes_file_read(const char *path, struct buf *out_text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_new(&CFG_INVALID, "ROUTES_FILE=\"%s\": %s", path, strerror(errno));
    buf_reset(out_text);
    struct err *e = read_all(fd, out_text);
    close(fd);
    return err_is(e, &ERR_OUT_OF_MEMORY)
               ? e
               : err_wrap_as(e, &CFG_INVALID, "ROUTES_FILE=\"%s\": cannot be read", path);
}

/* Takes e. */
static struct err *explain(const char *path, struct err *e)
{
    _cleanup_(err_free) struct err *cause = e;
    _cleanup_(buf_deinit) struct buf detail = BUF_INIT(DETAIL_MAX);
    const struct err_field *fields = NULL;
    size_t count = err_fields(cause, &fields);
    if (err_is(cause, &ERR_OUT_OF_MEMORY))
        return TAKE(cause);
    if (count == 0)
        return err_new(&CFG_INVALID, "ROUTES_FILE=\"%s\": %s", path, err_detail(cause));
    for (size_t i = 0; i < count; i++)
        buf_printf(&detail, "%sROUTES_FILE=\"%s\": %s: %s", i > 0 ? "\n" : "", path,
                   fields[i].field, fields[i].detail);
    return err_new(&CFG_INVALID, "%s", buf_text(&detail));
}

struct err *routes_file_parse(const char *path, const struct buf *text, struct routes **out_routes)
{
    struct err *e = routes_parse(buf_text(text), text->len, out_routes);
    return e ? explain(path, e) : NULL;
}

struct err *routes_file_load(const char *path, struct routes **out_routes)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(ROUTES_FILE_MAX);
    TRY(routes_file_read(path, &text));
    return routes_file_parse(path, &text, out_routes);
}

struct err *routes_default(struct routes **out_routes)
{
    static const char text[] =
        "{\"upstreams\":{\"auth\":{\"servers\":[\"127.0.0.1:8082\"]},"
        "\"users\":{\"servers\":[\"127.0.0.1:8081\"]}},"
        "\"routes\":["
        "{\"path\":\"/api/v1/"
        "auth\",\"upstream\":\"auth\",\"auth\":\"none\",\"max_body_bytes\":16384},"
        "{\"path\":\"/"
        ".well-known\",\"upstream\":\"auth\",\"auth\":\"none\",\"max_body_bytes\":16384},"
        "{\"path\":\"/oauth2\",\"upstream\":\"auth\",\"auth\":\"none\",\"max_body_bytes\":16384},"
        "{\"path\":\"/api/v1/users\",\"upstream\":\"users\",\"max_body_bytes\":16384}]}";
    return routes_parse(text, sizeof(text) - 1, out_routes);
}
