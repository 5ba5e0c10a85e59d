#include "sample.h"

#include <inttypes.h>
#include <string.h>

#include <base/str.h>

const struct err_kind ITEM_NOT_FOUND = {"item_not_found", 404, "Item not found", false, "-"};

static const struct field item_fields[] = {
    FIELD(struct item, name, STRING, .flags = REQUIRED, .min = 1, .max = 20, .doc = "Its name"),
    FIELD(struct item, size, INT, .min = 0, .max = 1000, .def = "7"),
};
const struct model item_model = MODEL(struct item, item_fields, "A thing");

static const struct field item_query_fields[] = {
    FIELD(struct item_query, limit, INT, .min = 1, .max = 200, .def = "50"),
    FIELD(struct item_query, name, STRING, .max = 20),
};
const struct model item_query_model = MODEL(struct item_query, item_query_fields, "A filter");

static struct err *list_items(struct http_req *req, struct http_res *res)
{
    const struct item_query *query = http_query(req);
    struct item items[2] = {{"first", query->limit}, {"second", 2}};
    str_copy(items[1].name, sizeof(items[1].name), query->name[0] ? query->name : "second");
    return http_reply_list(res, &item_model, items, 2, "next");
}

static struct err *create_item(struct http_req *req, struct http_res *res)
{
    const struct item *item = http_body(req);
    TRY(http_set_header(res, "Location", "/items/%s", item->name));
    return http_reply(res, 201, &item_model, item);
}

static struct err *find_item(const char *id, struct item *out)
{
    if (strcmp(id, "missing") == 0)
        return err_wrap(err_new(&ITEM_NOT_FOUND, "there is no item %s", id), "read it");
    *out = (struct item){.size = 5};
    str_copy(out->name, sizeof(out->name), id);
    return NULL;
}

static struct err *read_item(struct http_req *req, struct http_res *res)
{
    struct item item = {0};
    bool is_done = false;
    TRY(find_item(http_param(req, "id"), &item));
    TRY(http_etag(req, res, item.size, &is_done));
    return is_done ? NULL : http_reply(res, 200, &item_model, &item);
}

static struct err *patch_item(struct http_req *req, struct http_res *res)
{
    struct item item = {0};
    TRY(find_item(http_param(req, "id"), &item));
    TRY(http_if_match(req, item.size));
    TRY(http_merge(req, &item));
    TRY(http_set_etag(res, item.size + 1));
    return http_reply(res, 200, &item_model, &item);
}

static struct err *delete_item(struct http_req *req, struct http_res *res)
{
    (void)req;
    return http_reply_empty(res, 204);
}

static struct err *echo(struct http_req *req, struct http_res *res)
{
    size_t len;
    const char *body = http_raw_body(req, &len);
    return http_reply_bytes(res, 200, "text/plain", body, len);
}

static struct err *whoami(struct http_req *req, struct http_res *res)
{
    const struct http_identity *who = http_identity(req);
    const char *name = who ? who->subject : "nobody";
    return http_reply_bytes(res, 200, "text/plain", name, strlen(name));
}

static struct err *fail(struct http_req *req, struct http_res *res)
{
    const char *how = http_param(req, "how");
    TRY(http_set_header(res, "X-Half", "done"));
    if (strcmp(how, "late") == 0)
        TRY(http_reply_empty(res, 204));
    if (strcmp(how, "twice") == 0) {
        TRY(http_reply_empty(res, 204));
        return http_reply_empty(res, 200);
    }
    if (strcmp(how, "silent") == 0)
        return NULL;
    if (strcmp(how, "header") == 0)
        return http_set_header(res, "X-Split", "a\r\nSet-Cookie: b");
    if (strcmp(how, "cancelled") == 0)
        return err_new(&ERR_CANCELLED, "cancelled");
    if (strcmp(how, "busy") == 0)
        return err_set_retry_after(err_new(&ERR_OVERLOADED, "too much to do"), 1500);
    return err_wrap(err_new(&ERR_INTERNAL, "the disk is on fire"), "save it");
}

/* GET /stream/{bytes}: that many x, in pieces of 1000. /stream/broken fails after the first. */
static struct err *stream(struct http_req *req, struct http_res *res)
{
    char piece[1000];
    memset(piece, 'x', sizeof(piece));
    int64_t left = 0;
    bool is_broken = !parse_i64(http_param(req, "bytes"), 0, INT64_MAX, &left);
    TRY(http_stream_begin(res, 200, "text/plain"));
    if (is_broken) {
        TRY(http_stream_write(res, piece, sizeof(piece)));
        return err_new(&ERR_INTERNAL, "half-way");
    }
    for (; left > 0; left -= (int64_t)sizeof(piece))
        TRY(http_stream_write(res, piece, MIN((size_t)left, sizeof(piece))));
    return NULL;
}

/* GET /large/{bytes}: the same at once. */
static struct err *large(struct http_req *req, struct http_res *res)
{
    int64_t len = 0;
    if (!parse_i64(http_param(req, "bytes"), 0, INT64_C(1) << 30, &len))
        return err_new(&ERR_BAD_REQUEST, "not a number");
    char *bytes = malloc((size_t)len + 1);
    if (!bytes)
        return err_oom();
    memset(bytes, 'x', (size_t)len);
    struct err *e = http_reply_bytes(res, 200, "text/plain", bytes, (size_t)len);
    free(bytes);
    return e;
}

static struct err *hook(struct http_req *req, struct http_res *res)
{
    struct sample *sample = http_state(req);
    if (sample && sample->hook)
        sample->hook(req, sample->data);
    return http_reply_empty(res, 204);
}

static struct err *rest(struct http_req *req, struct http_res *res)
{
    const char *path = http_param(req, "path");
    return http_reply_bytes(res, 200, "text/plain", path, strlen(path));
}

static const struct route routes[] = {
    {GET, "/items", list_items, .summary = "List items", .query = &item_query_model,
     .out = &item_model, .list = true, .allow = ANYONE},
    {POST, "/items", create_item, .summary = "Create an item", .in = &item_model,
     .out = &item_model, .status = 201, .allow = ANYONE, .idempotent = true},
    {GET, "/items/{id}", read_item, .summary = "Read an item", .out = &item_model, .allow = ANYONE,
     .fails = KINDS(&ITEM_NOT_FOUND)},
    {PATCH, "/items/{id}", patch_item, .summary = "Change an item", .in = &item_model,
     .out = &item_model, .allow = ANYONE, .fails = KINDS(&ITEM_NOT_FOUND)},
    {DELETE, "/items/{id}", delete_item, .summary = "Delete an item", .allow = ADMIN},
    {GET, "/me", whoami, .allow = SIGNED_IN},
    {GET, "/people/{id}", whoami, .allow = SELF_OR_ADMIN},
    {GET, "/public", whoami, .allow = ANYONE},
};

static const struct route odd_routes[] = {
    {POST, "/echo", echo, .takes = "text/plain", .allow = ANYONE},
    {PUT, "/echo/{id}", echo, .takes = "text/plain", .allow = ANYONE, .max_body = 10},
    {POST, "/nothing", delete_item, .allow = ANYONE},
    {GET, "/fail/{how}", fail, .allow = ANYONE},
    {GET, "/stream/{bytes}", stream, .allow = ANYONE},
    {GET, "/large/{bytes}", large, .allow = ANYONE},
    {GET, "/hook", hook, .allow = ANYONE},
    {GET, "/files/{path...}", rest, .allow = ANYONE},
};

const struct route_table sample_tables[] = {ROUTES(routes), ROUTES(odd_routes), {0}};

static struct err *check(void *data, const char *token, size_t len, struct http_identity *out)
{
    (void)data;
    if (len == 4 && memcmp(token, "away", 4) == 0)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "there are no keys");
    bool is_admin = len == 5 && memcmp(token, "admin", 5) == 0;
    if (!is_admin && !(len == 4 && memcmp(token, "user", 4) == 0)) {
        static const struct err_kind TOKEN_INVALID = {"token_invalid", 401, "-", false, "-"};
        return err_new(&TOKEN_INVALID, "the signature is wrong");
    }
    *out = (struct http_identity){0};
    str_copy(out->subject, sizeof(out->subject), is_admin ? "admin" : "user");
    str_copy(out->role, sizeof(out->role), is_admin ? "admin" : "user");
    return NULL;
}

const struct http_authenticator sample_authenticator = {.check = check};

/* For tests that send no Idempotency-Key. */
static const struct http_idempotency no_keys;

struct http_server_options sample_options(void)
{
    return (struct http_server_options){
        .name = "sample",
        .version = "1.2.3",
        .tables = sample_tables,
        .authenticator = &sample_authenticator,
        .idempotency = &no_keys,
    };
}
