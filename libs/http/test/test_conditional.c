/* Conditional requests: RFC 9110 section 13, in its order. */
#include "check.h"

#include <slog/slog.h>

#include "sample.h"

#define PRESENT 5

static struct err *read_thing(struct http_req *req, struct http_res *res)
{
    struct item item = {"thing", PRESENT};
    bool is_done = false;
    TRY(http_etag(req, res, PRESENT, &is_done));
    return is_done ? NULL : http_reply(res, 200, &item_model, &item);
}

static struct err *change_thing(struct http_req *req, struct http_res *res)
{
    TRY(http_if_match(req, PRESENT));
    TRY(http_set_etag(res, PRESENT + 1));
    return http_reply_empty(res, 204);
}

static struct err *make_thing(struct http_req *req, struct http_res *res)
{
    TRY(http_if_match(req, HTTP_ABSENT));
    return http_reply_empty(res, 201);
}

static struct err *miss_thing(struct http_req *req, struct http_res *res)
{
    (void)req, (void)res;
    return err_new(&ITEM_NOT_FOUND, "it is not there");
}

static const struct route routes[] = {
    {GET, "/thing", read_thing, .allow = ANYONE},
    {PATCH, "/thing", change_thing, .in = &item_model, .allow = ANYONE},
    {DELETE, "/thing", change_thing, .allow = ANYONE},
    {PUT, "/new", make_thing, .allow = ANYONE},
    {GET, "/missing", miss_thing, .allow = ANYONE},
    {DELETE, "/missing", miss_thing, .allow = ANYONE},
};

#define MATCH(value)                                                                               \
    {                                                                                              \
        "If-Match", value                                                                          \
    }
#define NONE_MATCH(value)                                                                          \
    {                                                                                              \
        "If-None-Match", value                                                                     \
    }

static const struct {
    const char *name;
    enum http_method method;
    const char *target;
    struct http_header_pair headers[4];
    int status;
} requests[] = {
    {"read", GET, "/thing", {{0}}, 200},
    {"same", GET, "/thing", {NONE_MATCH("\"v5\"")}, 304},
    {"same for HEAD", HEAD, "/thing", {NONE_MATCH("\"v5\"")}, 304},
    {"weak", GET, "/thing", {NONE_MATCH("W/\"v5\"")}, 304},
    {"in a list", GET, "/thing", {NONE_MATCH("\"a,b\" , W/\"x\",\"v5\"")}, 304},
    {"in a second list", GET, "/thing", {NONE_MATCH("\"a\""), NONE_MATCH("\"b\", \"v5\"")}, 304},
    {"any", GET, "/thing", {NONE_MATCH("*")}, 304},
    {"any, spaces", GET, "/thing", {NONE_MATCH("\t* ")}, 304},
    {"any, and more", GET, "/thing", {NONE_MATCH("*, \"a\"")}, 200},
    {"other", GET, "/thing", {NONE_MATCH("\"v4\", \"v50\", v5")}, 200},
    {"inside of another", GET, "/thing", {NONE_MATCH("\"a,\"v5\"")}, 200},
    {"no closing quote", GET, "/thing", {NONE_MATCH("\"v")}, 200},
    {"small w", GET, "/thing", {NONE_MATCH("w/\"v5\"")}, 200},
    {"letter case", GET, "/thing", {NONE_MATCH("\"V5\"")}, 200},
    {"empty", GET, "/thing", {NONE_MATCH("")}, 200},

    {"read what it is", GET, "/thing", {MATCH("\"v5\"")}, 200},
    {"read what it is not", GET, "/thing", {MATCH("\"v4\"")}, 412},
    {"read, If-Match first", GET, "/thing", {NONE_MATCH("\"v5\""), MATCH("\"v4\"")}, 412},
    {"read, then If-None-Match", GET, "/thing", {NONE_MATCH("\"v5\""), MATCH("\"v5\"")}, 304},

    {"change", PATCH, "/thing", {{0}}, 204},
    {"match", PATCH, "/thing", {MATCH("\"v5\"")}, 204},
    {"match in a list", PATCH, "/thing", {MATCH("\"v4\",\"v5\"")}, 204},
    {"match in a second list", PATCH, "/thing", {MATCH("\"v4\""), MATCH("\"v5\"")}, 204},
    {"match any", PATCH, "/thing", {MATCH("*")}, 204},
    {"no match", PATCH, "/thing", {MATCH("\"v4\"")}, 412},
    {"weak is no match", PATCH, "/thing", {MATCH("W/\"v5\"")}, 412},
    {"empty is no match", PATCH, "/thing", {MATCH("")}, 412},
    {"delete: match", DELETE, "/thing", {MATCH("\"v5\"")}, 204},
    {"delete: no match", DELETE, "/thing", {MATCH("\"v4\"")}, 412},
    {"change unless it is", PATCH, "/thing", {NONE_MATCH("\"v4\"")}, 204},
    {"change unless it is, and it is", PATCH, "/thing", {NONE_MATCH("W/\"v5\"")}, 412},
    {"change what is not there", DELETE, "/thing", {NONE_MATCH("*")}, 412},
    {"both", DELETE, "/thing", {MATCH("\"v5\""), NONE_MATCH("\"v5\"")}, 412},

    {"make", PUT, "/new", {{0}}, 201},
    {"make unless it is there", PUT, "/new", {NONE_MATCH("*")}, 201},
    {"make unless it is v1", PUT, "/new", {NONE_MATCH("\"v1\"")}, 201},
    {"make only if it is there", PUT, "/new", {MATCH("*")}, 412},
    {"make only if it is v1", PUT, "/new", {MATCH("\"v1\"")}, 412},

    /* Conditions do not count where it would have failed anyway (section 13.2.1). */
    {"missing", GET, "/missing", {NONE_MATCH("*")}, 404},
    {"delete what is missing", DELETE, "/missing", {MATCH("*")}, 404},
    {"nowhere", GET, "/nowhere", {NONE_MATCH("*")}, 404},
};

static void test_conditions(void **state)
{
    (void)state;
    slog_init(&(struct slog_options){.level = SLOG_OFF});
    const struct route_table tables[] = {ROUTES(routes), {0}};
    struct http_server_options options = sample_options();
    options.tables = tables;
    struct http_server *server = NULL;
    assert_null(http_server_start(&options, &server));
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        const char *row = requests[i].name;
        _cleanup_(http_answer_deinit) struct http_answer answer = {0};
        CHECK(row,
              !http_test_call(server, requests[i].method, requests[i].target, requests[i].headers,
                              requests[i].method == PATCH ? "{}" : NULL, &answer));
        CHECK_INT(row, answer.status, requests[i].status);
        const char *tag = http_answer_header(&answer, "ETag");
        if (answer.status == 200 || answer.status == 304)
            CHECK_STR(row, tag, "\"v5\"");
        if (answer.status == 204)
            CHECK_STR(row, tag, "\"v6\"");
        if (answer.status == 304) {
            CHECK_INT(row, answer.body_len, 0);
            CHECK(row, !http_answer_header(&answer, "Content-Length"));
            CHECK(row, !http_answer_header(&answer, "Content-Type"));
        }
        if (answer.status == 412) {
            CHECK(row, strstr(answer.body, "\"code\":\"precondition_failed\""));
            CHECK(row, !tag);
        }
    }
    http_server_stop(server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_conditions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
