#include "jose_test.h"

#include <string.h>

#include <openssl/err.h>

#include "alloc_fail.h"
#include "key.h"

static const enum jose_alg all_algs[] = {JOSE_ES256, JOSE_EDDSA, JOSE_RS256};

static void the_rfc_keys_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        enum jose_alg alg;
        bool is_private;
        const char *kid; /* the thumbprint, where the JWK has none */
    } rows[] = {
        {"RFC 7515 A.2", rfc7515_a2_key, JOSE_RS256, true, NULL},
        {"RFC 7515 A.3", rfc7515_a3_key, JOSE_ES256, true, NULL},
        {"RFC 7517 A.2", rfc7517_a2_ec_key, JOSE_ES256, true, NULL},
        {"RFC 7520 3.4", rfc7520_rsa_key, JOSE_RS256, true, "bilbo.baggins@hobbiton.example"},
        {"RFC 7638 3.1", rfc7638_key, JOSE_RS256, false, "2011-04-29"},
        {"RFC 8037 A.1", rfc8037_key, JOSE_EDDSA, true, rfc8037_thumbprint},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rows[i].json);
        CHECK_INT(rows[i].name, jose_key_alg(key), rows[i].alg);
        CHECK_INT(rows[i].name, jose_key_is_private(key), rows[i].is_private);
        if (rows[i].kid)
            CHECK_STR(rows[i].name, jose_key_id(key), rows[i].kid);
    }
}

static void the_rfc_7638_thumbprint_is_right(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *named = parse_key(rfc7638_key);
    _cleanup_(jose_key_unref) struct jose_key *unnamed = rename_key(named, NULL, false);
    assert_string_equal(jose_key_id(unnamed), rfc7638_thumbprint);
}

static void a_key_survives_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all_algs); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = new_key(all_algs[i]);
        assert_true(jose_key_is_private(key));
        for (int with_private = 0; with_private < 2; with_private++) {
            _cleanup_(buf_deinit) struct buf first = BUF_INIT(8192);
            _cleanup_(buf_deinit) struct buf second = BUF_INIT(8192);
            expect_kind(jose_key_write(key, with_private, &first), NULL, "write");
            _cleanup_(jose_key_unref) struct jose_key *back = parse_key(buf_text(&first));
            assert_int_equal(jose_key_is_private(back), with_private);
            assert_int_equal(jose_key_alg(back), all_algs[i]);
            assert_string_equal(jose_key_id(back), jose_key_id(key));
            expect_kind(jose_key_write(back, with_private, &second), NULL, "write again");
            assert_string_equal(buf_text(&first), buf_text(&second));
            assert_int_equal(strstr(buf_text(&first), "\"d\":") != NULL, with_private);
        }
    }
}

static void the_rfc_keys_are_written_as_they_were(void **state)
{
    (void)state;
    static const struct {
        const char *json, *member;
    } rows[] = {
        {rfc7515_a3_key, "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""},
        {rfc8037_key, "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\""},
        {rfc7515_a2_key, "\"dq\":\"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa"},
        {rfc7638_key, "\"e\":\"AQAB\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf text = BUF_INIT(8192);
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rows[i].json);
        expect_kind(jose_key_write(key, jose_key_is_private(key), &text), NULL, "write");
        if (!strstr(buf_text(&text), rows[i].member))
            fail_msg("%s is not in %s", rows[i].member, buf_text(&text));
    }
}

#define X43 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU" /* RFC 7515 A.3 */
#define Y43 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define D43 "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define EC  "{\"kty\":\"EC\",\"crv\":\"P-256\","
#define ED  "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","

static void bad_keys_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
    } rows[] = {
        {"nothing", ""},
        {"not JSON", "key"},
        {"not an object", "[]"},
        {"no members", "{}"},
        {"a secret for HMAC", "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"}"},
        {"another curve", "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"secp256k1", "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"no curve", "{\"kty\":\"EC\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"X25519", "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X43 "\"}"},
        {"kty in lower case",
         "{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"kty is a number", "{\"kty\":1,\"crv\":\"P-256\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"for encryption", EC "\"use\":\"enc\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"use is a list", EC "\"use\":[\"sig\"],\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"for another algorithm", EC "\"alg\":\"ES384\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"for HMAC", EC "\"alg\":\"HS256\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"no y", EC "\"x\":\"" X43 "\"}"},
        {"x is null", EC "\"x\":null,\"y\":\"" Y43 "\"}"},
        {"x is empty", EC "\"x\":\"\",\"y\":\"" Y43 "\"}"},
        {"x is short", EC "\"x\":\"83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE\",\"y\":\"" Y43 "\"}"},
        {"x with a zero in front",
         EC "\"x\":\"AH_NzidwvsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\",\"y\":\"" Y43 "\"}"},
        {"x is padded", EC "\"x\":\"" X43 "=\",\"y\":\"" Y43 "\"}"},
        {"x in other base64",
         EC "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRV+U\",\"y\":\"" Y43 "\"}"},
        {"point not on the curve", EC "\"x\":\"" Y43 "\",\"y\":\"" X43 "\"}"},
        {"point at zero", EC "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
                             "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"coordinates beyond the field",
         EC "\"x\":\"_____________________________________________\",\"y\":\"" Y43 "\"}"},
        {"d of another key", EC "\"x\":\"" X43 "\",\"y\":\"" Y43
                                "\",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}"},
        {"d is zero", EC "\"x\":\"" X43 "\",\"y\":\"" Y43
                         "\",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"},
        {"d is a number", EC "\"x\":\"" X43 "\",\"y\":\"" Y43 "\",\"d\":1}"},
        {"x twice", EC "\"x\":\"" X43 "\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"kid is a number", EC "\"kid\":1,\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"kid is empty", EC "\"kid\":\"\",\"x\":\"" X43 "\",\"y\":\"" Y43 "\"}"},
        {"Ed25519: d of another key", ED "\"x\":\"" X43 "\",\"d\":\"" D43 "\"}"},
        {"Ed25519: x is short", ED "\"x\":\"AAAA\"}"},
        {"RSA: no n", "{\"kty\":\"RSA\",\"e\":\"AQAB\"}"},
        {"RSA: tiny", "{\"kty\":\"RSA\",\"n\":\"" X43 "\",\"e\":\"AQAB\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jose_key *key = (void *)1;
        expect_kind(jose_key_parse(rows[i].json, strlen(rows[i].json), &key), &JOSE_INVALID_KEY,
                    rows[i].name);
        CHECK(rows[i].name, key == (void *)1);
        CHECK_INT(rows[i].name, ERR_peek_error(), 0);
    }
}

/* The JWK with one member replaced (NULL: left out). */
static void replace_member(const char *json, const char *name, const char *value, struct buf *out)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    expect_kind(json_parse(json, strlen(json), &doc), NULL, "the base of a row");
    struct json_writer w = JSON_WRITER(out);
    json_begin_object(&w);
    json_foreach (member, json_root(doc)) {
        if (str_equal(json_name(member), name))
            continue;
        json_write_name(&w, json_name(member));
        json_write_value(&w, member);
    }
    if (value) {
        json_write_name(&w, name);
        json_write_string(&w, value);
    }
    json_end_object(&w);
    assert_int_equal(buf_status(out), BUF_OK);
}

static void bad_rsa_keys_are_refused(void **state)
{
    (void)state;
    char n_1024[BASE64URL_LEN(128) + 1], n_5000[BASE64URL_LEN(625) + 1],
        n_zero[BASE64URL_LEN(257) + 1];
    unsigned char bytes[625];
    memset(bytes, 0xfd, sizeof(bytes));
    base64url_encode(n_1024, bytes, 128);
    base64url_encode(n_5000, bytes, 625);
    bytes[0] = 0;
    base64url_encode(n_zero, bytes, 257);
    const struct {
        const char *name, *json, *member, *value;
    } rows[] = {
        {"1024 bits", rfc7638_key, "n", n_1024},
        {"5000 bits", rfc7638_key, "n", n_5000},
        {"a zero in front", rfc7638_key, "n", n_zero},
        {"n is empty", rfc7638_key, "n", ""},
        {"no e", rfc7638_key, "e", NULL},
        {"e = 0", rfc7638_key, "e", "AA"},
        {"e = 1", rfc7638_key, "e", "AQ"},
        {"e = 3", rfc7638_key, "e", "Aw"},
        {"e is even", rfc7638_key, "e", "AQAC"},
        {"e of 33 bits", rfc7638_key, "e", "AQAAAAE"},
        {"for RS512", rfc7638_key, "alg", "RS512"},
        {"for PSS", rfc7638_key, "alg", "PS256"},
        {"d without the primes", rfc7515_a2_key, "p", NULL},
        {"d without qi", rfc7515_a2_key, "qi", NULL},
        {"more primes", rfc7515_a2_key, "oth", "r"},
        {"n of another key", rfc7515_a2_key, "n",
         "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
         "BJEC"
         "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
         "FDW2Qvzq"
         "Y368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
         "bFTWhAI4vMQFh6WeZu0"
         "fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf json = BUF_INIT(8192);
        replace_member(rows[i].json, rows[i].member, rows[i].value, &json);
        struct jose_key *key = (void *)1;
        expect_kind(jose_key_parse(json.data, json.len, &key), &JOSE_INVALID_KEY, rows[i].name);
        CHECK(rows[i].name, key == (void *)1);
        CHECK_INT(rows[i].name, ERR_peek_error(), 0);
    }
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    struct jose_key *key = NULL;
    struct jose_keys *keys = NULL;
    char kid[JOSE_KEY_ID_MAX + 2];
    memset(kid, 'k', sizeof(kid));
    kid[JOSE_KEY_ID_MAX + 1] = '\0';
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(8192);
    replace_member(rfc7515_a3_key, "kid", kid, &json);
    expect_kind(jose_key_parse(json.data, json.len, &key), &JOSE_INVALID_KEY,
                "a kid that is too long");
    kid[JOSE_KEY_ID_MAX] = '\0';
    buf_reset(&json);
    replace_member(rfc7515_a3_key, "kid", kid, &json);
    expect_kind(jose_key_parse(json.data, json.len, &key), NULL, "the longest kid");
    assert_string_equal(jose_key_id(key), kid);
    jose_key_unref(key);

    char *spaces = malloc(JOSE_JWKS_MAX + 1);
    assert_non_null(spaces);
    memset(spaces, ' ', JOSE_JWKS_MAX + 1);
    expect_kind(jose_key_parse(spaces, JOSE_JWK_MAX + 1, &key), &JOSE_INVALID_KEY, "a long JWK");
    expect_kind(jose_keys_parse(spaces, JOSE_JWKS_MAX + 1, &keys), &JOSE_INVALID_KEY, "a long set");
    free(spaces);

    _cleanup_(jose_key_unref) struct jose_key *good = parse_key(rfc7515_a3_key);
    _cleanup_(buf_deinit) struct buf small = BUF_INIT(20);
    expect_kind(jose_key_write(good, false, &small), &ERR_INTERNAL, "no room");
    assert_int_equal(small.len, 0);
}

static void a_public_key_has_no_private_part_to_write(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7638_key);
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(8192);
    expect_kind(jose_key_write(key, true, &out), &ERR_INTERNAL, "write");
    assert_int_equal(out.len, 0);
}

static void references_are_counted(void **state)
{
    (void)state;
    struct jose_key *key = parse_key(rfc7515_a3_key);
    struct jose_keys *keys = set_of(key);
    assert_ptr_equal(jose_key_ref(key), key);
    jose_key_unref(key);
    jose_key_unref(key);
    assert_ptr_equal(jose_keys_ref(keys), keys);
    jose_keys_unref(keys);
    assert_int_equal(jose_keys_count(keys), 1); /* the set still has the key */
    assert_ptr_equal(jose_keys_find(keys, jose_key_id(key), strlen(jose_key_id(key))), key);
    jose_keys_unref(keys);
    jose_keys_unref(NULL);
    jose_key_unref(NULL);
}

static size_t find_free_successes(struct err *(*run)(void), const char *what)
{
    size_t successes = 0;
    for (;; successes++) {
        alloc_fail_after(successes);
        struct err *e = run();
        if (!alloc_fail_stop()) {
            expect_kind(e, NULL, what);
            return successes;
        }
        expect_kind(e, &ERR_OUT_OF_MEMORY, what);
    }
}

static struct err *parse_write_and_drop(void)
{
    _cleanup_(jose_key_unref) struct jose_key *key = NULL;
    _cleanup_(jose_keys_unref) struct jose_keys *keys = NULL;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(8192);
    TRY(jose_key_parse(rfc7515_a3_key, sizeof(rfc7515_a3_key) - 1, &key));
    TRY(jose_key_write(key, true, &text));
    TRY(jose_keys_new(&key, 1, &keys));
    return jose_keys_write(keys, &text);
}

static struct err *parse_set_and_drop(void)
{
    _cleanup_(jose_keys_unref) struct jose_keys *keys = NULL;
    return jose_keys_parse(rfc7517_a1_set, sizeof(rfc7517_a1_set) - 1, &keys);
}

/* A set must not lose keys when memory is short: that would be an answer, and a wrong one. */
static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    assert_true(find_free_successes(parse_write_and_drop, "a key") > 5);
    assert_true(find_free_successes(parse_set_and_drop, "a set") > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_keys_are_read),
        cmocka_unit_test(the_rfc_7638_thumbprint_is_right),
        cmocka_unit_test(a_key_survives_writing),
        cmocka_unit_test(the_rfc_keys_are_written_as_they_were),
        cmocka_unit_test(bad_keys_are_refused),
        cmocka_unit_test(bad_rsa_keys_are_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_public_key_has_no_private_part_to_write),
        cmocka_unit_test(references_are_counted),
        cmocka_unit_test(memory_that_is_short_is_an_error),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
