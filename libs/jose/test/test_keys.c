#include "jose_test.h"

#include <stdio.h>
#include <string.h>

static struct jose_keys *parse_set(const char *json)
{
    struct jose_keys *keys = NULL;
    expect_kind(jose_keys_parse(json, strlen(json), &keys), NULL, json);
    return keys;
}

static void the_rfc_7517_set_is_read(void **state)
{
    (void)state;
    _cleanup_(jose_keys_unref) struct jose_keys *keys = parse_set(rfc7517_a1_set);
    assert_int_equal(jose_keys_count(keys), 1); /* the other one is for encryption */
    assert_non_null(jose_keys_find(keys, "2011-04-29", 10));
    assert_null(jose_keys_find(keys, "2011-04-2", 9));
    assert_null(jose_keys_find(keys, "2011-04-299", 11));
    assert_null(jose_keys_find(keys, "1", 1));
    assert_null(jose_keys_find(keys, "", 0));
}

static void unusable_keys_are_skipped(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        size_t count;
    } rows[] = {
        {"empty", "{\"keys\":[]}", 0},
        {"other members", "{\"next\":1,\"keys\":[],\"more\":{}}", 0},
        {"no keys at all", "{\"keys\":[1,null,\"x\",[],{},{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", 0},
        {"one among others",
         "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"},"
         "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
         "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
         "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
         1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(jose_keys_unref) struct jose_keys *keys = parse_set(rows[i].json);
        CHECK_INT(rows[i].name, jose_keys_count(keys), rows[i].count);
    }
}

static void what_is_no_set_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[]} ]",
        "{\"Keys\":[]}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"keys\":["
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
        "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jose_keys *keys = (void *)1;
        expect_kind(jose_keys_parse(rows[i], strlen(rows[i]), &keys), &JOSE_INVALID_KEY, rows[i]);
        CHECK(rows[i], keys == (void *)1);
    }
}

static void a_set_never_tells_a_private_part(void **state)
{
    (void)state;
    static const char *const private_keys[] = {rfc7515_a2_key, rfc7515_a3_key, rfc8037_key};
    static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi"};
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(16384);
    _cleanup_(buf_deinit) struct buf written = BUF_INIT(16384);
    buf_printf(&json, "{\"keys\":[%s,%s,%s]}", private_keys[0], private_keys[1], private_keys[2]);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = parse_set(buf_text(&json));
    assert_int_equal(jose_keys_count(keys), 3);
    expect_kind(jose_keys_write(keys, &written), NULL, "write");
    for (size_t i = 0; i < ARRAY_LEN(private_members); i++) {
        char member[8];
        snprintf(member, sizeof(member), "\"%s\":", private_members[i]);
        CHECK(private_members[i], strstr(buf_text(&json), member) != NULL);
        CHECK(private_members[i], strstr(buf_text(&written), member) == NULL);
    }
    _cleanup_(jose_keys_unref) struct jose_keys *back = parse_set(buf_text(&written));
    assert_int_equal(jose_keys_count(back), 3);
    for (size_t i = 0; i < ARRAY_LEN(private_keys); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(private_keys[i]);
        const struct jose_key *public =
            jose_keys_find(back, jose_key_id(key), strlen(jose_key_id(key)));
        assert_non_null(public);
        assert_false(jose_key_is_private(public));
    }
}

static void a_set_has_a_limit(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *base = parse_key(rfc8037_key);
    struct jose_key *many[JOSE_KEYS_MAX + 1];
    struct jose_keys *keys = (void *)1;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        char kid[16];
        snprintf(kid, sizeof(kid), "key %zu", i);
        many[i] = rename_key(base, kid, false);
    }
    expect_kind(jose_keys_new(many, JOSE_KEYS_MAX + 1, &keys), &JOSE_INVALID_KEY, "one too many");
    assert_ptr_equal(keys, (void *)1);
    many[1] = (jose_key_unref(many[1]), jose_key_ref(many[0]));
    expect_kind(jose_keys_new(many, 2, &keys), &JOSE_INVALID_KEY, "one kid twice");
    jose_key_unref(many[1]);
    many[1] = rename_key(base, "key 1", false);
    expect_kind(jose_keys_new(many, JOSE_KEYS_MAX, &keys), NULL, "as many as fit");
    assert_int_equal(jose_keys_count(keys), JOSE_KEYS_MAX);
    assert_ptr_equal(jose_keys_find(keys, "key 63", 6), many[63]);
    jose_keys_unref(keys);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        jose_key_unref(many[i]);
}

static void a_set_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    _cleanup_(jose_keys_unref) struct jose_keys *keys = parse_set(rfc7517_a1_set);
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(30);
    buf_append_str(&out, "before");
    expect_kind(jose_keys_write(keys, &out), &ERR_INTERNAL, "no room");
    assert_string_equal(buf_text(&out), "before");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_7517_set_is_read),
        cmocka_unit_test(unusable_keys_are_skipped),
        cmocka_unit_test(what_is_no_set_is_refused),
        cmocka_unit_test(a_set_never_tells_a_private_part),
        cmocka_unit_test(a_set_has_a_limit),
        cmocka_unit_test(a_set_that_does_not_fit_leaves_nothing),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
