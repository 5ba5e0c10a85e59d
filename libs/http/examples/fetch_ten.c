/*
 * Fetches up to ten URLs in parallel within one deadline. All or nothing: the first failure cancels
 * what is still under way, and so does the deadline.
 *
 *     example_fetch_ten 2000 http://127.0.0.1:8081/api/v1/users http://127.0.0.1:8082/...
 */
#include <stdio.h>

#include <base/str.h>
#include <conc/group.h>
#include <http/client.h>

#define URLS_MAX     10
#define DEADLINE_MAX 60000

struct page {
    struct http_client *client;
    const char *url;
    size_t len; /* the result */
};

static struct err *fetch(struct ctx *ctx, void *data)
{
    struct page *page = data;
    const struct http_request request = {.method = GET, .url = page->url};
    _cleanup_(http_answer_deinit) struct http_answer answer = {0};
    TRY_WRAP(http_client_call(page->client, ctx, &request, &answer), "fetch %s", page->url);
    if (answer.status != 200)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s answered %d", page->url, answer.status);
    page->len = answer.body_len;
    return NULL;
}

static struct err *fetch_all(struct ctx *ctx, struct page *pages, size_t count)
{
    struct group *group = NULL;
    TRY(group_new(ctx, URLS_MAX, &group));
    struct err *refused = NULL;
    for (size_t i = 0; i < count && !refused; i++)
        refused = group_go(group, fetch, &pages[i]);
    struct err *first = group_wait(group);
    if (!first)
        return refused;
    err_free(refused);
    return first;
}

static struct err *run(int64_t deadline_ms, char **urls, size_t count)
{
    _cleanup_(http_client_free) struct http_client *client = NULL;
    TRY(http_client_new(&(struct http_client_options){0}, &client));
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, deadline_ms);
    struct page pages[URLS_MAX];
    for (size_t i = 0; i < count; i++)
        pages[i] = (struct page){.client = client, .url = urls[i]};
    TRY(fetch_all(&ctx, pages, count));
    for (size_t i = 0; i < count; i++)
        printf("%zu bytes from %s\n", pages[i].len, pages[i].url);
    return NULL;
}

int main(int argc, char **argv)
{
    int64_t deadline_ms;
    if (argc < 3 || argc > 2 + URLS_MAX || !parse_i64(argv[1], 1, DEADLINE_MAX, &deadline_ms)) {
        fprintf(stderr, "usage: %s MILLISECONDS URL... (ten at most)\n", argv[0]);
        return 2;
    }
    _cleanup_(err_free) struct err *e = run(deadline_ms, argv + 2, (size_t)argc - 2);
    if (!e)
        return 0;
    char line[ERR_LINE];
    err_format(e, line, sizeof(line));
    fprintf(stderr, "%s\n", line);
    return 1;
}
