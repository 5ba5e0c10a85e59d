#include "check.h"

#include <stdio.h>

#include "target.h"

/* The normalised path and the query, or "bad". */
static void parse(const char *text, char *out, size_t cap)
{
    char base[512];
    struct target target = {.path = {7, 7}};
    size_t len = strlen(text);
    assert_true(str_copy(base, sizeof(base), text));
    const char *wrong = target_parse(base, (struct span){0, (uint16_t)len}, &target);
    if (wrong) {
        assert_int_equal(target.path.at, 7); /* untouched */
        snprintf(out, cap, "bad");
        return;
    }
    snprintf(out, cap, "%.*s|%.*s|%.*s", target.host.len, base + target.host.at, target.path.len,
             base + target.path.at, target.query.len, base + target.query.at);
}

static const struct {
    const char *text;
    const char *expected; /* host|path|query */
} rows[] = {
    {"/", "|/|"},
    {"/a", "|/a|"},
    {"/a/", "|/a/|"},
    {"/a/b/c", "|/a/b/c|"},
    {"/a.b", "|/a.b|"},
    {"/.a", "|/.a|"},
    {"/a..", "|/a..|"},
    {"/...", "|/...|"},
    {"/.well-known/x", "|/.well-known/x|"},
    {"/a;b=c", "|/a;b=c|"},
    {"/a:b@c!$&'()*+,=~_-", "|/a:b@c!$&'()*+,=~_-|"},
    {"/a?", "|/a|?"},
    {"/a?/../b//c%00", "|/a|?/../b//c%00"},
    /* decoded, since it must not matter how they are spelled */
    {"/%61%62", "|/ab|"},
    {"/%41%5A%30%39%2d%5f%7e", "|/AZ09-_~|"},
    {"/a%2Eb", "|/a.b|"},
    {"/%61?%61", "|/a|?%61"},
    /* kept, since they are something else than what they stand for */
    {"/a%20b", "|/a%20b|"},
    {"/%C3%a9", "|/%C3%a9|"},
    {"/%ff", "|/%ff|"},
    {"/a%25b", "|/a%25b|"},
    {"/a%3Fb", "|/a%3Fb|"},
    {"/a%3bb", "|/a%3bb|"},
    {"/%252e%252e", "|/%252e%252e|"},
    /* refused */
    {"", "bad"},
    {"a", "bad"},
    {"?a", "bad"},
    {"**", "bad"},
    {"//", "bad"},
    {"//a", "bad"},
    {"/a//b", "bad"},
    {"/a//", "bad"},
    {"/.", "bad"},
    {"/..", "bad"},
    {"/./a", "bad"},
    {"/../a", "bad"},
    {"/a/.", "bad"},
    {"/a/..", "bad"},
    {"/a/./b", "bad"},
    {"/a/../b", "bad"},
    {"/..;/a", "bad"},
    {"/a/..%3B/b", "bad"},
    {"/a/.%3bx", "bad"},
    {"/.;x=y/a", "bad"},
    {"/%2e", "bad"},
    {"/%2e%2e/a", "bad"},
    {"/%2E.", "bad"},
    {"/.%2e/", "bad"},
    {"/a%2fb", "bad"},
    {"/a%2Fb", "bad"},
    {"/a%5cb", "bad"},
    {"/a\\b", "bad"},
    {"/%00", "bad"},
    {"/a%0a", "bad"},
    {"/a%0d%0aX: y", "bad"},
    {"/%1f", "bad"},
    {"/%7f", "bad"},
    {"/%", "bad"},
    {"/%4", "bad"},
    {"/%zz", "bad"},
    {"/%4z", "bad"},
    {"/%%34%31", "bad"},
    {"/%u0041", "bad"},
    {"/a#b", "bad"},
    {"/a?b#c", "bad"},
    {"/a\"", "bad"},
    {"/a<b>", "bad"},
    {"/a|b", "bad"},
    {"/a^b", "bad"},
    {"/a`b", "bad"},
    {"/{a}", "bad"},
    {"/[a]", "bad"},
    {"/\xc3\xa9", "bad"},
    {"/a?\xc3\xa9", "bad"},
    /* absolute form */
    {"http://h", "h|/|"},
    {"http://h/", "h|/|"},
    {"http://h/a?b", "h|/a|?b"},
    {"http://h?b", "h|/|?b"},
    {"https://h:1/a", "h:1|/a|"},
    {"HTTP://h/%61", "h|/a|"},
    {"http://[::1]:80/", "[::1]:80|/|"},
    {"http://", "bad"},
    {"http:///a", "bad"},
    {"http:/a", "bad"},
    {"http://u@h/", "bad"},
    {"http://u:p@h/", "bad"},
    {"http://h/../a", "bad"},
    {"http://h//a", "bad"},
    {"http://h#a", "bad"},
    {"http://h?a#b", "bad"},
    {"http://h:99999/", "bad"},
    {"http://h:/", "bad"},
    {"ftp://h/", "bad"},
    {"*", "|*|"},
};

static void targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char got[600];
        parse(rows[i].text, got, sizeof(got));
        CHECK_STR(rows[i].text, got, rows[i].expected);
    }
}

static void normalising_twice_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char once[600], again[600];
        parse(rows[i].text, once, sizeof(once));
        char *path = strchr(once, '|');
        if (rows[i].text[0] != '/' || !path)
            continue;
        path++;
        path[strcspn(path, "|")] = '\0';
        parse(path, again, sizeof(again));
        char expected[600];
        snprintf(expected, sizeof(expected), "|%s|", path);
        CHECK_STR(rows[i].text, again, expected);
    }
}

static void hosts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"h", true},
        {"a.b.c", true},
        {"a-b_c", true},
        {"127.0.0.1", true},
        {"h:0", true},
        {"h:65535", true},
        {"[::]", true},
        {"[1:2::3.4.5.6]:7", true},
        {"", false},
        {":80", false},
        {"h:", false},
        {"h:65536", false},
        {"h:-1", false},
        {"h:080", false},
        {"h:8a", false},
        {"h:80:80", false},
        {"a b", false},
        {"a,b", false},
        {"a/b", false},
        {"a@b", false},
        {"a%41", false},
        {"\xc3\xa9", false},
        {"[]", false},
        {"[:", false},
        {"[::1", false},
        {"[::1]x", false},
        {"[::1]:", false},
        {"[g::]", false},
        {"[::1%25eth0]", false},
        {"::1", false},
        {"a\tb", false},
        {"a?", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str host = {cases[i].text, strlen(cases[i].text)};
        CHECK_INT(cases[i].text, host_is_valid(host), cases[i].is_valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(normalising_twice_changes_nothing),
        cmocka_unit_test(hosts),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
