#include "service_test.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/str.h>

/* --- tokens --- */

static struct err *check_token(void *data, const char *token, size_t len,
                               struct http_identity *out_identity)
{
    (void)data;
    const char *slash = memchr(token, '/', len);
    if (!slash)
        return err_new(&ERR_UNAUTHENTICATED, "not ROLE/SUBJECT");
    struct http_identity identity = {.expires_s = INT64_MAX};
    size_t role_len = (size_t)(slash - token);
    str_copy_n(identity.role, sizeof(identity.role), token, role_len);
    str_copy_n(identity.subject, sizeof(identity.subject), slash + 1, len - role_len - 1);
    *out_identity = identity;
    return NULL;
}

const struct http_authenticator TEST_AUTHENTICATOR = {.check = check_token};

/* --- calls --- */

#define HEADERS_MAX 5

static void check_problem(const struct call *call, const struct reply *reply)
{
    int64_t status = 0;
    CHECK_STR(call->target, reply_header(reply, "Content-Type"), "application/problem+json");
    json_i64(reply_find(reply, "status"), &status);
    CHECK_INT(call->target, status, reply->status);
    static const char *const members[] = {"type", "title", "detail", "code", "request_id"};
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        CHECK(members[i], reply_text(reply, members[i])[0] != '\0');
}

struct reply test_call(struct http_server *server, const struct call *call)
{
    char bearer[4096 + 8];
    struct http_header_pair headers[HEADERS_MAX] = {0};
    size_t count = 0;
    if (call->token) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", call->token);
        headers[count++] = (struct http_header_pair){"Authorization", bearer};
    }
    if (call->if_match)
        headers[count++] = (struct http_header_pair){"If-Match", call->if_match};
    if (call->if_none_match)
        headers[count++] = (struct http_header_pair){"If-None-Match", call->if_none_match};
    if (call->idempotency_key)
        headers[count++] = (struct http_header_pair){"Idempotency-Key", call->idempotency_key};
    struct reply reply = {0};
    expect_ok(
        http_test_call(server, call->method, call->target, headers, call->body, &reply.answer));
    reply.status = reply.answer.status;
    if (reply.answer.body_len > 0)
        expect_ok(json_parse(reply.answer.body, reply.answer.body_len, &reply.json));
    if (reply.status >= 400)
        check_problem(call, &reply);
    return reply;
}

void reply_deinit(struct reply *reply)
{
    json_free(reply->json);
    http_answer_deinit(&reply->answer);
    *reply = (struct reply){0};
}

static const struct json_value *step(const struct json_value *value, const char *name)
{
    if (!json_is(value, JSON_ARRAY))
        return json_get(value, name);
    const struct json_value *item = json_first(value);
    for (long index = strtol(name, NULL, 10); index > 0 && item; index--)
        item = json_next(item);
    return item;
}

const struct json_value *reply_find(const struct reply *reply, const char *path)
{
    const struct json_value *value = reply->json ? json_root(reply->json) : NULL;
    while (value && *path) {
        char name[64];
        size_t len = strcspn(path, "/");
        assert_true(str_copy_n(name, sizeof(name), path, len));
        value = step(value, name);
        path += len + (path[len] == '/');
    }
    return value;
}

const char *reply_text(const struct reply *reply, const char *path)
{
    const char *text = json_string(reply_find(reply, path));
    return text ? text : "";
}

const char *reply_header(const struct reply *reply, const char *name)
{
    return http_answer_header(&reply->answer, name);
}

void check_reply(const char *row, const struct reply *reply, int status, const char *code)
{
    if (reply->status != status)
        fail_msg("%s: status %d, not %d: %s", row, reply->status, status, reply->answer.body);
    CHECK_STR(row, reply->status >= 400 ? reply_text(reply, "code") : "", code);
}
