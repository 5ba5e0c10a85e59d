#include "jose_test.h"

#include <string.h>

#include <openssl/err.h>

#include "alloc_fail.h"

static const unsigned char key[32] = "an example key of 32 bytes.....";
static const unsigned char other_key[32] = "another example key of 32 bytes";

static void what_is_sealed_opens(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1700, JOSE_SEAL_MAX};
    unsigned char *plain = malloc(JOSE_SEAL_MAX);
    assert_non_null(plain);
    for (size_t i = 0; i < JOSE_SEAL_MAX; i++)
        plain[i] = (unsigned char)i;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(2 * JOSE_SEAL_MAX);
        _cleanup_(buf_deinit) struct buf back = BUF_INIT(JOSE_SEAL_MAX);
        expect_kind(jose_seal(key, "keys/1", plain, sizes[i], &text), NULL, "seal");
        assert_int_equal(text.len, BASE64URL_LEN(12 + sizes[i] + 16));
        expect_kind(jose_open(key, "keys/1", text.data, text.len, &back), NULL, "open");
        assert_int_equal(back.len, sizes[i]);
        assert_memory_equal(buf_text(&back), plain, sizes[i]);
    }
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(2 * JOSE_SEAL_MAX);
    expect_kind(jose_seal(key, "", plain, JOSE_SEAL_MAX + 1, &text), &ERR_INTERNAL, "too long");
    assert_int_equal(text.len, 0);
    free(plain);
}

static void each_seal_is_another(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf first = BUF_INIT(1000);
    _cleanup_(buf_deinit) struct buf second = BUF_INIT(1000);
    expect_kind(jose_seal(key, "", "same", 4, &first), NULL, "seal");
    expect_kind(jose_seal(key, "", "same", 4, &second), NULL, "seal again");
    assert_string_not_equal(buf_text(&first), buf_text(&second));
}

static void expect_broken(const unsigned char *with, const char *aad, const char *text, size_t len,
                          const char *what)
{
    _cleanup_(buf_deinit) struct buf back = BUF_INIT(1000);
    expect_kind(jose_open(with, aad, text, len, &back), &JOSE_BROKEN_SEAL, what);
    CHECK_INT(what, back.len, 0);
    CHECK_INT(what, ERR_peek_error(), 0);
}

static void every_change_is_noticed(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
    expect_kind(jose_seal(key, "keys/1", "a private key", 13, &text), NULL, "seal");
    expect_broken(other_key, "keys/1", text.data, text.len, "another key");
    expect_broken(key, "keys/2", text.data, text.len, "another place");
    expect_broken(key, "", text.data, text.len, "no place");
    for (size_t i = 0; i < text.len; i++) {
        char kept = text.data[i];
        text.data[i] = kept == 'A' ? 'B' : 'A';
        expect_broken(key, "keys/1", text.data, text.len, "one character changed");
        text.data[i] = kept;
        expect_broken(key, "keys/1", text.data, i, "cut off");
    }
    expect_broken(key, "keys/1", "not base64url!", 14, "not base64url");
    buf_append_char(&text, 'A');
    expect_broken(key, "keys/1", text.data, text.len, "one character more");
}

/* NIST's GCM test case 13, by David McGrew and John Viega: key and nonce zero, nothing sealed. */
static void a_known_seal_opens(void **state)
{
    (void)state;
    static const unsigned char zero_key[32] = {0};
    unsigned char sealed[28] = {0};
    static const unsigned char tag[16] = {0x53, 0x0f, 0x8a, 0xfb, 0xc7, 0x45, 0x36, 0xb9,
                                          0xa9, 0x63, 0xb4, 0xf1, 0xc4, 0xcb, 0x73, 0x8b};
    memcpy(sealed + 12, tag, 16);
    char text[BASE64URL_LEN(28) + 1];
    size_t len = base64url_encode(text, sealed, sizeof(sealed));
    _cleanup_(buf_deinit) struct buf back = BUF_INIT(16);
    expect_kind(jose_open(zero_key, "", text, len, &back), NULL, "the known seal");
    assert_int_equal(back.len, 0);
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
    _cleanup_(buf_deinit) struct buf small = BUF_INIT(3);
    expect_kind(jose_seal(key, "", "four", 4, &small), &ERR_INTERNAL, "no room for the seal");
    assert_int_equal(small.len, 0);
    buf_reset(&small);
    expect_kind(jose_seal(key, "", "four", 4, &text), NULL, "seal");
    expect_kind(jose_open(key, "", text.data, text.len, &small), &ERR_INTERNAL, "no room to open");
    assert_int_equal(small.len, 0);
}

static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    bool has_failed = true;
    for (size_t successes = 0; has_failed; successes++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(1000);
        _cleanup_(buf_deinit) struct buf back = BUF_INIT(1000);
        alloc_fail_after(successes);
        struct err *e = jose_seal(key, "", "four", 4, &text);
        if (!e)
            e = jose_open(key, "", text.data, text.len, &back);
        has_failed = alloc_fail_stop();
        expect_kind(e, has_failed ? &ERR_OUT_OF_MEMORY : NULL, "seal and open");
        assert_int_equal(back.len, has_failed ? 0 : 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(each_seal_is_another),
        cmocka_unit_test(every_change_is_noticed),
        cmocka_unit_test(a_known_seal_opens),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(memory_that_is_short_is_an_error),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
