#include "check.h"

#include <stdio.h>
#include <string.h>

#include "syntax.h"

#define X63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define X64 X63 "1"

static const struct {
    const char *text;
    bool is_right;
} emails[] = {
    {"a@b.cd", true},
    {"ann@example.com", true},
    {"Ann.Smith@Example.COM", true},
    {"ann+tag@example.com", true},
    {"a!#$%&'*+-/=?^_`{|}~z@example.com", true},
    {"1@2.x3", true},
    {"a@xn--bcher-kva.example", true},
    {"a@a-b.c-d.e1", true},
    {X64 "@example.com", true},
    {"a@" X63 ".com", true},
    {"a@" X63 "." X63 "." X63 "." X63 "." X63, false}, /* 255 and more in all */
    {"", false},
    {"@", false},
    {"ann", false},
    {"ann@", false},
    {"@example.com", false},
    {"ann@localhost", false},
    {"ann@@example.com", false},
    {"ann@b@example.com", false},
    {".ann@example.com", false},
    {"ann.@example.com", false},
    {"an..n@example.com", false},
    {"ann smith@example.com", false},
    {" ann@example.com", false},
    {"ann@example.com ", false},
    {"ann@example.com\n", false},
    {"\"ann\"@example.com", false},
    {"ann(x)@example.com", false},
    {"<ann@example.com>", false},
    {"a,b@example.com", false},
    {"a;b@example.com", false},
    {"a:b@example.com", false},
    {"a\\b@example.com", false},
    {"b\xc3\xbc@example.com", false},
    {"a@b\xc3\xbc.com", false},
    {"a\x01@example.com", false},
    {X64 "2@example.com", false},
    {"a@" X64 ".com", false},
    {"a@.com", false},
    {"a@example.", false},
    {"a@example.com.", false},
    {"a@example..com", false},
    {"a@-example.com", false},
    {"a@example-.com", false},
    {"a@exa_mple.com", false},
    {"a@1.2.3.4", false},
    {"a@[1.2.3.4]", false},
    {"a@example.123", false},
    {"a@example.com/x", false},
};

static const struct {
    const char *text;
    bool is_right;
} urls[] = {
    {"http://a", true},
    {"https://example.com", true},
    {"HTTPS://Example.COM/", true},
    {"http://localhost:8080", true},
    {"http://users.plankton.svc.cluster.local:80/x", true},
    {"http://127.0.0.1", true},
    {"http://127.0.0.1:65535/", true},
    {"http://[::1]", true},
    {"http://[2001:db8::1]:8080/a", true},
    {"http://example.com?q", true},
    {"http://example.com#f", true},
    {"http://example.com/a/b;c=d?e=f&g=h#i!$'()*+,@:~-._", true},
    {"http://example.com/%20%C3%A9", true},
    {"http://example.com/a//b", true},
    {"", false},
    {"http:", false},
    {"http://", false},
    {"https://", false},
    {"http:///x", false},
    {"http://?q", false},
    {"http://#f", false},
    {"example.com", false},
    {"//example.com", false},
    {"/x", false},
    {"ftp://example.com", false},
    {"javascript:alert(1)", false},
    {"http:example.com", false},
    {"http:/example.com", false},
    {"httpx://example.com", false},
    {" http://example.com", false},
    {"http://example.com ", false},
    {"http://exa mple.com", false},
    {"http://example.com/a b", false},
    {"http://example.com/\n", false},
    {"http://example.com/\x7f", false},
    {"http://example.com/\xc3\xa9", false},
    {"http://ex\xc3\xa4mple.com/", false},
    {"http://example.com/<", false},
    {"http://example.com/\"", false},
    {"http://example.com/\\", false},
    {"http://example.com/{a}", false},
    {"http://example.com/|", false},
    {"http://example.com/^", false},
    {"http://example.com/`", false},
    {"http://example.com/%", false},
    {"http://example.com/%2", false},
    {"http://example.com/%zz", false},
    {"http://user@example.com/", false},
    {"http://user:password@example.com/", false},
    {"http://example.com:/", false},
    {"http://example.com:0/", false},
    {"http://example.com:65536/", false},
    {"http://example.com:080/", false},
    {"http://example.com:8a/", false},
    {"http://:80/", false},
    {"http://-a/", false},
    {"http://a-/", false},
    {"http://.a/", false},
    {"http://a./", false},
    {"http://a..b/", false},
    {"http://a_b/", false},
    {"http://1.2.3/", false},
    {"http://1.2.3.4.5/", false},
    {"http://1.2.3.256/", false},
    {"http://1.2.3.04/", false},
    {"http://[::1/", false},
    {"http://::1/", false},
    {"http://[]/", false},
    {"http://[12]/", false},
    {"http://[::g]/", false},
    {"http://[::1]x/", false},
    {"http://%61.com/", false},
};

static struct str str_of(const char *text)
{
    return (struct str){text, strlen(text)};
}

static void test_emails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(emails); i++)
        if (model_is_email(str_of(emails[i].text)) != emails[i].is_right)
            fail_msg("%s", emails[i].text);
    assert_false(model_is_email((struct str){NULL, 0}));
}

static void test_email_of_254_bytes_is_the_longest(void **state)
{
    (void)state;
    char text[300];
    for (size_t last = 40; last <= 63; last++) {
        int len = snprintf(text, sizeof(text), "a@" X63 "." X63 "." X63 ".%.*s", (int)last, X63);
        assert_int_equal(model_is_email((struct str){text, (size_t)len}), len <= 254);
    }
}

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        if (model_is_url(str_of(urls[i].text)) != urls[i].is_right)
            fail_msg("%s", urls[i].text);
    assert_false(model_is_url((struct str){NULL, 0}));
}

static void test_url_of_2048_bytes_is_the_longest(void **state)
{
    (void)state;
    char text[MODEL_URL_MAX + 1];
    memset(text, 'x', sizeof(text));
    const struct str start = STR("http://a/");
    memcpy(text, start.data, start.len);
    assert_true(model_is_url((struct str){text, MODEL_URL_MAX}));
    assert_false(model_is_url((struct str){text, MODEL_URL_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emails),
        cmocka_unit_test(test_email_of_254_bytes_is_the_longest),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_url_of_2048_bytes_is_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
