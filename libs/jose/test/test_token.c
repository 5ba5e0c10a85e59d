#include "jose_test.h"

#include <string.h>

#include <base/clock.h>

#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}"
#define NOW    1700000000
#define ISS    "https://id.example"
#define AUD    "plankton"

static const struct jose_expect expectation = {
    .iss = ISS, .aud = AUD, .now_s = NOW, .clock_skew_s = 30};

static struct jose_claims some_claims(void)
{
    return (struct jose_claims){.iss = ISS,
                                .sub = "0190b3a4-0000-7000-8000-000000000001",
                                .aud = AUD,
                                .jti = "token 1",
                                .sid = "session 1",
                                .role = "admin",
                                .email = "ann@example.org",
                                .scope = "users:read users:write",
                                .iat_s = NOW - 10,
                                .nbf_s = NOW - 10,
                                .exp_s = NOW + 900};
}

struct fixture {
    struct jose_key *key;
    struct jose_keys *keys;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->key = parse_key(rfc8037_key);
    fixture->keys = set_of(fixture->key);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    jose_keys_unref(fixture->keys);
    jose_key_unref(fixture->key);
    free(fixture);
    return 0;
}

static void claims_come_back(void **state)
{
    struct fixture *fixture = *state;
    struct jose_claims full = some_claims();
    struct jose_claims least = {.iss = ISS, .sub = "s", .aud = AUD, .iat_s = NOW, .exp_s = NOW + 1};
    struct jose_claims longest = some_claims();
    memset(longest.sub, 's', sizeof(longest.sub) - 1);
    memset(longest.email, 'e', sizeof(longest.email) - 1);
    memset(longest.scope, '"', sizeof(longest.scope) - 1);
    const struct jose_claims *rows[] = {&full, &least, &longest};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        struct jose_claims back;
        memset(&back, 0, sizeof(back));
        expect_kind(jose_token_sign(fixture->key, rows[i], &token), NULL, "sign");
        expect_kind(jose_token_verify(fixture->keys, &expectation, token.data, token.len, &back),
                    NULL, "verify");
        assert_string_equal(back.iss, rows[i]->iss);
        assert_string_equal(back.sub, rows[i]->sub);
        assert_string_equal(back.aud, rows[i]->aud);
        assert_string_equal(back.jti, rows[i]->jti);
        assert_string_equal(back.sid, rows[i]->sid);
        assert_string_equal(back.role, rows[i]->role);
        assert_string_equal(back.email, rows[i]->email);
        assert_string_equal(back.scope, rows[i]->scope);
        assert_int_equal(back.iat_s, rows[i]->iat_s);
        assert_int_equal(back.nbf_s, rows[i]->nbf_s);
        assert_int_equal(back.exp_s, rows[i]->exp_s);
    }
}

static void a_token_is_what_rfc_9068_says(void **state)
{
    struct fixture *fixture = *state;
    struct jose_claims claims = {.iss = ISS, .sub = "s", .aud = AUD, .iat_s = 1, .exp_s = 2};
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_token_sign(fixture->key, &claims, &token), NULL, "sign");
    expect_kind(jose_verify(fixture->keys, "at+jwt", token.data, token.len, &payload), NULL, "typ");
    assert_string_equal(buf_text(&payload), "{\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"" AUD
                                            "\",\"iat\":1,\"exp\":2}");
}

static void what_could_never_be_verified_is_not_signed(void **state)
{
    struct fixture *fixture = *state;
    size_t places[] = {offsetof(struct jose_claims, iss), offsetof(struct jose_claims, sub),
                       offsetof(struct jose_claims, aud)};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct jose_claims claims = some_claims();
        ((char *)&claims)[places[i]] = '\0';
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        expect_kind(jose_token_sign(fixture->key, &claims, &token), &ERR_INTERNAL,
                    "a claim is empty");
        assert_int_equal(token.len, 0);
    }
    struct jose_claims claims = some_claims();
    memset(claims.scope, 1, sizeof(claims.scope) - 1); /* six bytes each in JSON */
    memset(claims.email, 1, sizeof(claims.email) - 1);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(2 * JOSE_TOKEN_MAX);
    expect_kind(jose_token_sign(fixture->key, &claims, &token), &ERR_INTERNAL, "too long");
    assert_int_equal(token.len, 0);
}

/* Signs the payload as it stands and expects this detail (NULL: that it is accepted). */
static void judge(struct fixture *fixture, const struct jose_expect *expect, const char *payload,
                  const char *detail, const char *what)
{
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    struct jose_claims claims, before;
    memset(&claims, 0x5a, sizeof(claims));
    before = claims;
    forge(fixture->key, HEADER, payload, &token);
    struct err *e = jose_token_verify(fixture->keys, expect, token.data, token.len, &claims);
    if (detail) {
        CHECK_STR(what, err_detail(e), detail);
        CHECK(what, memcmp(&claims, &before, sizeof(claims)) == 0);
    }
    expect_kind(e, detail ? &JOSE_INVALID_TOKEN : NULL, what);
}

#define WITHOUT_TIMES(members) "{\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"" AUD "\"," members "}"
#define GOOD_TIMES             "\"iat\":1700000000,\"exp\":1700000900"
#define P(members)             "{" members "," GOOD_TIMES "}"
#define BASE                   "\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"" AUD "\""

static void times_are_judged(void **state)
{
    static const char expired[] = "the token has expired";
    static const char early[] = "the token is not valid yet";
    static const char future[] = "the token was issued in the future";
    static const struct {
        const char *name, *times;
        int64_t skew_s;
        const char *detail;
    } rows[] = {
        {"good", "\"iat\":1699999999,\"exp\":1700000900", 0, NULL},
        {"expires in a second", "\"iat\":1,\"exp\":1700000001", 0, NULL},
        {"expires now", "\"iat\":1,\"exp\":1700000000", 0, expired},
        {"expired long ago", "\"iat\":1,\"exp\":2", 0, expired},
        {"expired within the skew", "\"iat\":1,\"exp\":1699999971", 30, NULL},
        {"expired by the skew", "\"iat\":1,\"exp\":1699999970", 30, expired},
        {"exp is 0", "\"iat\":0,\"exp\":0", 300, expired},
        {"valid from now", "\"iat\":1,\"nbf\":1700000000,\"exp\":1700000900", 0, NULL},
        {"valid in a second", "\"iat\":1,\"nbf\":1700000001,\"exp\":1700000900", 0, early},
        {"valid within the skew", "\"iat\":1,\"nbf\":1700000030,\"exp\":1700000900", 30, NULL},
        {"valid after the skew", "\"iat\":1,\"nbf\":1700000031,\"exp\":1700000900", 30, early},
        {"issued now", "\"iat\":1700000000,\"exp\":1700000900", 0, NULL},
        {"issued in a second", "\"iat\":1700000001,\"exp\":1700000900", 0, future},
        {"issued within the skew", "\"iat\":1700000030,\"exp\":1700000900", 30, NULL},
        {"issued after the skew", "\"iat\":1700000031,\"exp\":1700000900", 30, future},
        {"the last second there is", "\"iat\":1,\"exp\":253402300799", 0, NULL},
        {"beyond it", "\"iat\":1,\"exp\":253402300800", 0, "exp is not a time in whole seconds"},
        {"beyond 64 bits", "\"iat\":1,\"exp\":99999999999999999999", 0,
         "exp is not a time in whole seconds"},
        {"before 1970", "\"iat\":-1,\"exp\":1700000900", 0, "iat is not a time in whole seconds"},
        {"no exp", "\"iat\":1700000000", 0, "exp is not a time in whole seconds"},
        {"no iat", "\"exp\":1700000900", 0, "iat is not a time in whole seconds"},
        {"exp is a string", "\"iat\":1,\"exp\":\"1700000900\"", 0,
         "exp is not a time in whole seconds"},
        {"exp has a fraction", "\"iat\":1,\"exp\":1700000900.5", 0,
         "exp is not a time in whole seconds"},
        {"exp has an exponent", "\"iat\":1,\"exp\":17e8", 0, "exp is not a time in whole seconds"},
        {"exp is null", "\"iat\":1,\"exp\":null", 0, "exp is not a time in whole seconds"},
        {"nbf is null", "\"iat\":1,\"nbf\":null,\"exp\":1700000900", 0,
         "nbf is not a time in whole seconds"},
        {"nbf is true", "\"iat\":1,\"nbf\":true,\"exp\":1700000900", 0,
         "nbf is not a time in whole seconds"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
        buf_printf(&payload, "{" BASE ",%s}", rows[i].times);
        struct jose_expect expect = expectation;
        expect.clock_skew_s = rows[i].skew_s;
        judge(*state, &expect, buf_text(&payload), rows[i].detail, rows[i].name);
    }
}

static void claims_are_judged(void **state)
{
    static const char not_aud[] = "aud is not a string or an array of strings";
    static const char other_aud[] = "the token is meant for another audience";
    static const char not_sub[] = "sub is not a string of 1 to 63 bytes";
    static const struct {
        const char *name, *payload, *detail;
    } rows[] = {
        {"good", P(BASE), NULL},
        {"unknown claims", P(BASE ",\"more\":{\"a\":[1]},\"exp2\":null"), NULL},
        {"another issuer", P("\"iss\":\"https://evil.example\",\"sub\":\"s\",\"aud\":\"" AUD "\""),
         "the token comes from another issuer"},
        {"issuer with a slash", P("\"iss\":\"" ISS "/\",\"sub\":\"s\",\"aud\":\"" AUD "\""),
         "the token comes from another issuer"},
        {"no issuer", P("\"sub\":\"s\",\"aud\":\"" AUD "\""),
         "iss is not a string of 1 to 255 bytes"},
        {"issuer in a list", P("\"iss\":[\"" ISS "\"],\"sub\":\"s\",\"aud\":\"" AUD "\""),
         "iss is not a string of 1 to 255 bytes"},
        {"no subject", P("\"iss\":\"" ISS "\",\"aud\":\"" AUD "\""), not_sub},
        {"subject is empty", P("\"iss\":\"" ISS "\",\"sub\":\"\",\"aud\":\"" AUD "\""), not_sub},
        {"subject is a number", P("\"iss\":\"" ISS "\",\"sub\":1,\"aud\":\"" AUD "\""), not_sub},
        {"subject of 64 bytes",
         P("\"iss\":\"" ISS "\",\"aud\":\"" AUD
           "\",\"sub\":\"0123456789012345678901234567890123456789012345678901234567890123\""),
         not_sub},
        {"subject of 63 bytes",
         P("\"iss\":\"" ISS "\",\"aud\":\"" AUD
           "\",\"sub\":\"012345678901234567890123456789012345678901234567890123456789012\""),
         NULL},
        {"subject with a NUL", P("\"iss\":\"" ISS "\",\"sub\":\"s\\u0000t\",\"aud\":\"" AUD "\""),
         "the payload is not strict JSON"},
        {"audience in a list", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":[\"x\",\"" AUD "\"]"),
         NULL},
        {"another audience", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"x\""), other_aud},
        {"other audiences", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":[\"x\",\"y\"]"),
         other_aud},
        {"no audiences", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":[]"), other_aud},
        {"audience in capitals", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"PLANKTON\""),
         other_aud},
        {"no audience", P("\"iss\":\"" ISS "\",\"sub\":\"s\""), not_aud},
        {"audience is null", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":null"), not_aud},
        {"audience is a number", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":[\"" AUD "\",1]"),
         not_aud},
        {"audience in an object", P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":{\"" AUD "\":1}"),
         not_aud},
        {"role is a list", P(BASE ",\"role\":[\"admin\"]"),
         "role is not a string of 1 to 31 bytes"},
        {"role is null", P(BASE ",\"role\":null"), "role is not a string of 1 to 31 bytes"},
        {"role is empty", P(BASE ",\"role\":\"\""), "role is not a string of 1 to 31 bytes"},
        {"role twice", P(BASE ",\"role\":\"user\",\"role\":\"admin\""),
         "the payload is not strict JSON"},
        {"session is true", P(BASE ",\"sid\":true"), "sid is not a string of 1 to 63 bytes"},
        {"a list", "[]", "the payload is not an object"},
        {"a string", "\"" ISS "\"", "the payload is not an object"},
        {"not JSON", "exp=1700000900", "the payload is not strict JSON"},
        {"trailing bytes", P(BASE) "}", "the payload is not strict JSON"},
        {"bad UTF-8", P(BASE ",\"email\":\"\xc3\""), "the payload is not strict JSON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        judge(*state, &expectation, rows[i].payload, rows[i].detail, rows[i].name);
}

static void the_audience_that_matched_is_given(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    struct jose_claims claims = {0};
    forge(fixture->key, HEADER,
          P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":[\"x\",\"" AUD "\",\"y\"]"), &token);
    expect_kind(jose_token_verify(fixture->keys, &expectation, token.data, token.len, &claims),
                NULL, "verify");
    assert_string_equal(claims.aud, AUD);
}

static void expectations_must_be_stated(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        struct jose_expect expect;
    } rows[] = {
        {"no issuer", {.aud = AUD, .now_s = NOW}},
        {"no audience", {.iss = ISS, .now_s = NOW}},
        {"a skew of hours", {.iss = ISS, .aud = AUD, .now_s = NOW, .clock_skew_s = 3600}},
        {"a negative skew", {.iss = ISS, .aud = AUD, .now_s = NOW, .clock_skew_s = -1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct jose_claims claims;
        expect_kind(jose_token_verify(fixture->keys, &rows[i].expect, "a.b.c", 5, &claims),
                    &ERR_INTERNAL, rows[i].name);
    }
}

static void without_a_time_the_clock_counts(void **state)
{
    struct fixture *fixture = *state;
    struct jose_expect expect = {.iss = ISS, .aud = AUD};
    int64_t now_s = clock_now_ms() / 1000;
    struct jose_claims claims = some_claims();
    for (int is_expired = 0; is_expired < 2; is_expired++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        claims.exp_s = is_expired ? now_s - 1 : now_s + 1000;
        expect_kind(jose_token_sign(fixture->key, &claims, &token), NULL, "sign");
        expect_kind(jose_token_verify(fixture->keys, &expect, token.data, token.len, &claims),
                    is_expired ? &JOSE_INVALID_TOKEN : NULL, "by the clock");
    }
}

static void an_id_token_is_no_access_token(void **state)
{
    struct fixture *fixture = *state;
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    struct jose_claims claims;
    forge(fixture->key, "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", P(BASE), &token);
    expect_kind(jose_token_verify(fixture->keys, &expectation, token.data, token.len, &claims),
                &JOSE_INVALID_TOKEN, "typ JWT");
}

/* Whatever a forger writes, none of it comes back in what he or the log is shown. */
static void errors_tell_no_part_of_the_token(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *header, *payload;
    } rows[] = {
        {"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"EVIL\"}", P(BASE)},
        {"{\"alg\":\"EVIL\",\"typ\":\"at+jwt\"}", P(BASE)},
        {"{\"alg\":\"EdDSA\",\"typ\":\"EVIL\"}", P(BASE)},
        {"{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"crit\":[\"EVIL\"]}", P(BASE)},
        {"{\"EVIL\":1,\"EVIL\":2}", P(BASE)},
        {"EVIL", P(BASE)},
        {HEADER, "EVIL"},
        {HEADER, "{\"EVIL\":1,\"EVIL\":2}"},
        {HEADER, P("\"iss\":\"EVIL\",\"sub\":\"EVIL\",\"aud\":\"" AUD "\"")},
        {HEADER, P("\"iss\":\"" ISS "\",\"sub\":\"s\",\"aud\":\"EVIL\"")},
        {HEADER, P(BASE ",\"role\":{\"EVIL\":1}")},
        {HEADER, WITHOUT_TIMES("\"exp\":\"EVIL\",\"iat\":1")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        struct jose_claims claims;
        char line[ERR_LINE];
        forge(fixture->key, rows[i].header, rows[i].payload, &token);
        _cleanup_(err_free) struct err *e =
            jose_token_verify(fixture->keys, &expectation, token.data, token.len, &claims);
        assert_non_null(e);
        assert_int_equal(err_kind(e)->status, 401);
        err_format(e, line, sizeof(line));
        CHECK(line, strstr(line, "EVIL") == NULL);
        CHECK(line, *err_detail(e) != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_come_back),
        cmocka_unit_test(a_token_is_what_rfc_9068_says),
        cmocka_unit_test(what_could_never_be_verified_is_not_signed),
        cmocka_unit_test(times_are_judged),
        cmocka_unit_test(claims_are_judged),
        cmocka_unit_test(the_audience_that_matched_is_given),
        cmocka_unit_test(expectations_must_be_stated),
        cmocka_unit_test(without_a_time_the_clock_counts),
        cmocka_unit_test(an_id_token_is_no_access_token),
        cmocka_unit_test(errors_tell_no_part_of_the_token),
    };
    return cmocka_run_group_tests_name("token", tests, set_up, tear_down);
}
