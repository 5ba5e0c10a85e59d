/* The document of the sample against test/openapi.json, which is laid out for people. */
#include "check.h"

#include <ctype.h>
#include <stdio.h>

#include <model/json.h>

#include "alloc_fail.h"
#include "sample.h"

static struct http_server *start(const struct route_table *tables)
{
    struct http_server_options options = sample_options();
    options.tables = tables;
    options.rate_limit.per_second = 1;
    struct http_server *server = NULL;
    assert_null(http_server_start(&options, &server));
    return server;
}

/* Without the white space between the values. */
static void read_compact(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    bool is_text = false;
    for (int c = fgetc(file), before = 0; c != EOF; before = c, c = fgetc(file)) {
        if (c == '"' && before != '\\')
            is_text = !is_text;
        if (is_text || !isspace(c))
            buf_append_char(out, (char)c);
    }
    fclose(file);
}

static void test_golden(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf expected = BUF_INIT(1 << 20), first = BUF_INIT(1 << 20),
                                     again = BUF_INIT(1 << 20);
    const struct route_table tables[] = {sample_tables[0], {0}};
    struct http_server *server = start(tables);
    read_compact("openapi.json", &expected);
    assert_null(http_server_openapi(server, &first));
    assert_null(http_server_openapi(server, &again));
    assert_null(json_check(first.data, first.len));
    assert_string_equal(first.data, again.data);
    if (strcmp(first.data, buf_text(&expected)) != 0) {
        puts(first.data);
        fail_msg("openapi.json is not what the tables say (above)");
    }
    http_server_stop(server, 0);
}

static struct err *reply(struct http_req *req, struct http_res *res)
{
    (void)req;
    return http_reply_empty(res, 204);
}

static void test_same_name(void **state)
{
    (void)state;
    static const struct field fields[] = {FIELD(struct item, name, STRING)};
    static const struct model other = MODEL(struct item, fields, "Another one of this name");
    static const struct route routes[] = {
        {GET, "/a", reply, .out = &item_model, .allow = ANYONE},
        {GET, "/b", reply, .out = &other, .allow = ANYONE},
    };
    const struct route_table tables[] = {ROUTES(routes), {0}};
    struct http_server *server = start(tables);
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
    _cleanup_(err_free) struct err *e = http_server_openapi(server, &out);
    assert_string_equal(err_detail(e), "two models are called item");
    assert_int_equal(out.len, 0);
    http_server_stop(server, 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct http_server *server = start(sample_tables);
    for (size_t successes = 0;; successes++) {
        _cleanup_(buf_deinit) struct buf out = BUF_INIT(1 << 20);
        alloc_fail_after(successes);
        struct err *e = http_server_openapi(server, &out);
        bool has_failed = alloc_fail_stop();
        assert_int_equal(e != NULL, has_failed);
        err_free(e);
        if (!has_failed)
            break;
    }
    http_server_stop(server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
