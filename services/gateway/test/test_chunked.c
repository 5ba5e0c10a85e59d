#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include <base/macros.h>

#include "chunked.h"

/* "hello" and 3 bytes left over, or "more", or "bad": as text. */
static void decode(const char *bytes, size_t len, size_t step, char *out, size_t cap)
{
    struct chunked chunked = {0};
    char content[1024];
    size_t content_len = 0, at = 0;
    enum chunk_status status = CHUNK_MORE;
    while (at < len && status == CHUNK_MORE) {
        size_t count = MIN(step, len - at), body = 0, used = 0;
        char *piece = malloc(count);
        memcpy(piece, bytes + at, count);
        status = chunked_decode(&chunked, piece, count, &body, &used);
        if (status != CHUNK_BAD) {
            memcpy(content + content_len, piece, body);
            content_len += body;
            at += used;
        }
        free(piece);
    }
    static const char *const names[] = {"more", "done", "bad"};
    if (status == CHUNK_BAD)
        content_len = 0;
    snprintf(out, cap, "%s '%.*s' left=%zu", names[status], (int)content_len, content,
             status == CHUNK_BAD ? 0 : len - at);
}

static const struct {
    const char *name;
    const char *bytes;
    const char *expected;
} rows[] = {
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "done 'hello' left=0"},
    {"two chunks", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "done 'hello' left=0"},
    {"empty", "0\r\n\r\n", "done '' left=0"},
    {"what follows is left", "1\r\na\r\n0\r\n\r\nGET", "done 'a' left=3"},
    {"upper and lower hex", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
     "done '01234567890123456789' left=0"},
    {"leading zeros", "0005\r\nhello\r\n0000\r\n\r\n", "done 'hello' left=0"},
    {"CR and LF are content", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "done '\r\n\r\n' left=0"},
    {"extension", "5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "done 'hello' left=0"},
    {"trailer", "0\r\nX-Sum: 1\r\nY:\r\n\r\n", "done '' left=0"},
    {"not ended", "5\r\nhel", "more 'hel' left=0"},
    {"last line missing", "0\r\n", "more '' left=0"},

    {"no size", "\r\nhello", "bad '' left=0"},
    {"no size but an extension", ";a\r\n", "bad '' left=0"},
    {"sign", "+5\r\nhello\r\n", "bad '' left=0"},
    {"minus", "-5\r\nhello\r\n", "bad '' left=0"},
    {"0x", "0x5\r\nhello\r\n", "bad '' left=0"},
    {"not hex", "g\r\n", "bad '' left=0"},
    {"space before", " 5\r\nhello\r\n", "bad '' left=0"},
    {"space after", "5 \r\nhello\r\n", "bad '' left=0"},
    {"underscore", "1_0\r\n", "bad '' left=0"},
    {"15 digits", "fffffffffffffff\r\nx", "more 'x' left=0"},
    {"16 digits", "0000000000000005\r\nhello\r\n", "bad '' left=0"},
    {"LF alone after the size", "5\nhello\r\n0\r\n\r\n", "bad '' left=0"},
    {"CR alone after the size", "5\rhello\r\n", "bad '' left=0"},
    {"LF alone after the content", "5\r\nhello\n0\r\n\r\n", "bad '' left=0"},
    {"more content than said", "5\r\nhello!\r\n0\r\n\r\n", "bad '' left=0"},
    {"CR and something else", "5\r\nhello\rx", "bad '' left=0"},
    {"control in an extension", "5;a\x01\r\nhello\r\n", "bad '' left=0"},
    {"LF in an extension", "5;a\nhello\r\n", "bad '' left=0"},
    {"trailer without name", "0\r\n: x\r\n\r\n", "bad '' left=0"},
    {"trailer without colon", "0\r\nX\r\n\r\n", "bad '' left=0"},
    {"trailer folded", "0\r\nX: a\r\n b\r\n\r\n", "bad '' left=0"},
    {"trailer with space before the colon", "0\r\nX : a\r\n\r\n", "bad '' left=0"},
    {"control in a trailer", "0\r\nX: \x01\r\n\r\n", "bad '' left=0"},
    {"LF alone after a trailer", "0\r\nX: a\n\r\n", "bad '' left=0"},
    {"LF alone at the end", "0\r\n\n", "bad '' left=0"},
    {"CR and something else at the end", "0\r\n\rx", "bad '' left=0"},
};

static void in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].bytes);
        for (size_t step = 1; step <= len; step++) {
            char got[1200];
            decode(rows[i].bytes, len, step, got, sizeof(got));
            CHECK_STR(rows[i].name, got, rows[i].expected);
        }
    }
}

static void extensions_and_trailers_are_limited(void **state)
{
    (void)state;
    static const struct {
        const char *name, *before, *after;
    } cases[] = {
        {"extension", "1;", "\r\na\r\n0\r\n\r\n"},
        {"trailer name", "1\r\na\r\n0\r\n", ":\r\n\r\n"},
        {"trailer value", "1\r\na\r\n0\r\nX:", "\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t count = CHUNK_EXTRA_MAX - 2; count <= CHUNK_EXTRA_MAX + 1; count++) {
            char bytes[CHUNK_EXTRA_MAX + 100], got[64];
            int len = snprintf(bytes, sizeof(bytes), "%s%*s%s", cases[i].before, (int)count, "",
                               cases[i].after);
            for (char *at = bytes; (at = strchr(at, ' '));)
                *at = 'x';
            decode(bytes, (size_t)len, 100, got, sizeof(got));
            /* The name of the trailer counts too: one byte. */
            size_t most = CHUNK_EXTRA_MAX - (i == 2);
            CHECK_STR(cases[i].name, got, count <= most ? "done 'a' left=0" : "bad '' left=0");
        }
    }
}

static void lines_of_all_sizes(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 40; bit++) {
        size_t size = (size_t)1 << bit;
        for (size_t i = 0; i < 2; i++, size += size - 1) {
            char line[CHUNK_LINE_MAX + 1], expected[32];
            line[chunk_line(line, size)] = '\0';
            snprintf(expected, sizeof(expected), "%zx\r\n", size);
            assert_string_equal(line, expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_pieces_of_any_size),
        cmocka_unit_test(extensions_and_trailers_are_limited),
        cmocka_unit_test(lines_of_all_sizes),
    };
    return cmocka_run_group_tests_name("chunked", tests, NULL, NULL);
}
