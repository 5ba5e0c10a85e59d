#include "jose_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "alloc_fail.h"
#include "key.h"
#include "signature.h"

#define TYP "at+jwt"

static struct err *verify(const struct jose_keys *keys, const char *typ, const char *token,
                          struct buf *out)
{
    return jose_verify(keys, typ, token, strlen(token), out);
}

/* The token is refused, nothing is given, and OpenSSL's queue stays empty. */
static void expect_refused(const struct jose_keys *keys, const char *typ, const struct str token,
                           const struct err_kind *kind, const char *what)
{
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_verify(keys, typ, token.data, token.len, &payload), kind, what);
    CHECK_INT(what, payload.len, 0);
    CHECK_INT(what, ERR_peek_error(), 0);
}

static void the_rfc_tokens_are_good(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key, *token, *payload;
    } rows[] = {
        {"RFC 7515 A.2", rfc7515_a2_key, rfc7515_a2_token, rfc7515_payload},
        {"RFC 7515 A.3", rfc7515_a3_key, rfc7515_a3_token, rfc7515_payload},
        {"RFC 7520 4.1", rfc7520_rsa_key, rfc7520_token, rfc7520_payload},
        {"RFC 8037 A.4", rfc8037_key, rfc8037_token, rfc8037_payload},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rows[i].key);
        _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
        _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
        expect_kind(verify(keys, NULL, rows[i].token, &payload), NULL, rows[i].name);
        CHECK_STR(rows[i].name, buf_text(&payload), rows[i].payload);
    }
}

static void rs256_makes_the_token_of_rfc_7520(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7520_rsa_key);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_sign(key, NULL, rfc7520_payload, strlen(rfc7520_payload), &token), NULL,
                "sign");
    assert_string_equal(buf_text(&token), rfc7520_token);
}

static void ed25519_makes_the_token_of_rfc_8037(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc8037_key);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    forge(key, "{\"alg\":\"EdDSA\"}", rfc8037_payload, &token);
    assert_string_equal(buf_text(&token), rfc8037_token);
}

static void what_is_signed_is_verified(void **state)
{
    (void)state;
    static const enum jose_alg algs[] = {JOSE_ES256, JOSE_EDDSA, JOSE_RS256};
    static const char *const payloads[] = {"{}", "{\"sub\":\"a\"}", "any \xff bytes"};
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = new_key(algs[i]);
        _cleanup_(jose_key_unref) struct jose_key *public =
            rename_key(key, jose_key_id(key), false);
        _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(public);
        for (size_t p = 0; p < ARRAY_LEN(payloads); p++) {
            /* Often: an r or s of ES256 with a zero in front comes once in 128 signatures. */
            for (int times = 0; times < (algs[i] == JOSE_ES256 ? 300 : 2); times++) {
                _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
                _cleanup_(buf_deinit) struct buf back = BUF_INIT(JOSE_TOKEN_MAX);
                expect_kind(jose_sign(key, TYP, payloads[p], strlen(payloads[p]), &token), NULL,
                            "sign");
                expect_kind(verify(keys, TYP, buf_text(&token), &back), NULL, "verify");
                assert_string_equal(buf_text(&back), payloads[p]);
            }
        }
    }
}

#define H(members) "{\"alg\":\"ES256\",\"kid\":\"k1\"," members "}"

static void headers_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *header;
        const struct err_kind *kind;
    } rows[] = {
        {"as it should be", H("\"typ\":\"at+jwt\""), NULL},
        {"typ in capitals", H("\"typ\":\"AT+JWT\""), NULL},
        {"typ in full", H("\"typ\":\"application/at+jwt\""), NULL},
        {"typ in full and capitals", H("\"typ\":\"Application/AT+Jwt\""), NULL},
        {"more members", H("\"typ\":\"at+jwt\",\"cty\":\"x\",\"x5t\":\"AAAA\""), NULL},
        {"keys of its own", H("\"typ\":\"at+jwt\",\"jku\":\"https://evil.example/\",\"jwk\":{}"),
         NULL},
        {"no typ", "{\"alg\":\"ES256\",\"kid\":\"k1\"}", &JOSE_INVALID_TOKEN},
        {"typ JWT", H("\"typ\":\"JWT\""), &JOSE_INVALID_TOKEN},
        {"typ is longer", H("\"typ\":\"at+jwt2\""), &JOSE_INVALID_TOKEN},
        {"typ is shorter", H("\"typ\":\"at+jw\""), &JOSE_INVALID_TOKEN},
        {"typ is empty", H("\"typ\":\"\""), &JOSE_INVALID_TOKEN},
        {"typ is a prefix only", H("\"typ\":\"application/\""), &JOSE_INVALID_TOKEN},
        {"typ has the prefix twice", H("\"typ\":\"application/application/at+jwt\""),
         &JOSE_INVALID_TOKEN},
        {"typ is null", H("\"typ\":null"), &JOSE_INVALID_TOKEN},
        {"typ is a list", H("\"typ\":[\"at+jwt\"]"), &JOSE_INVALID_TOKEN},
        {"typ twice", H("\"typ\":\"at+jwt\",\"typ\":\"at+jwt\""), &JOSE_INVALID_TOKEN},
        {"crit", H("\"typ\":\"at+jwt\",\"crit\":[\"exp\"],\"exp\":1"), &JOSE_INVALID_TOKEN},
        {"crit is empty", H("\"typ\":\"at+jwt\",\"crit\":[]"), &JOSE_INVALID_TOKEN},
        {"crit is null", H("\"typ\":\"at+jwt\",\"crit\":null"), &JOSE_INVALID_TOKEN},
        {"b64 (RFC 7797)", H("\"typ\":\"at+jwt\",\"b64\":false,\"crit\":[\"b64\"]"),
         &JOSE_INVALID_TOKEN},
        {"b64 alone", H("\"typ\":\"at+jwt\",\"b64\":false"), &JOSE_INVALID_TOKEN},
        {"no kid, two keys", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", &JOSE_INVALID_TOKEN},
        {"kid of nobody", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k3\"}",
         &JOSE_UNKNOWN_KEY},
        {"kid is empty", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\"}", &JOSE_UNKNOWN_KEY},
        {"kid in capitals", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"K1\"}",
         &JOSE_UNKNOWN_KEY},
        {"kid is a number", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":1}",
         &JOSE_INVALID_TOKEN},
        {"kid is null", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":null}", &JOSE_INVALID_TOKEN},
        {"kid of the other key", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k2\"}",
         &JOSE_INVALID_TOKEN},
        {"empty", "{}", &JOSE_INVALID_TOKEN},
        {"a list", "[]", &JOSE_INVALID_TOKEN},
        {"not JSON", "alg: ES256", &JOSE_INVALID_TOKEN},
        {"cut off", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k1\"", &JOSE_INVALID_TOKEN},
        {"trailing bytes", H("\"typ\":\"at+jwt\"") "x", &JOSE_INVALID_TOKEN},
        {"byte order mark", "\xef\xbb\xbf" H("\"typ\":\"at+jwt\""), &JOSE_INVALID_TOKEN},
        {"bad UTF-8", H("\"typ\":\"at+jwt\",\"a\":\"\xff\""), &JOSE_INVALID_TOKEN},
    };
    _cleanup_(jose_key_unref) struct jose_key *base = parse_key(rfc7515_a3_key);
    _cleanup_(jose_key_unref) struct jose_key *other = parse_key(rfc7517_a2_ec_key);
    _cleanup_(jose_key_unref) struct jose_key *key = rename_key(base, "k1", true);
    _cleanup_(jose_key_unref) struct jose_key *second = rename_key(other, "k2", false);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of_two(key, second);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
        forge(key, rows[i].header, "{}", &token);
        if (rows[i].kind)
            expect_refused(keys, TYP, (struct str){token.data, token.len}, rows[i].kind,
                           rows[i].name);
        else
            expect_kind(verify(keys, TYP, buf_text(&token), &payload), NULL, rows[i].name);
    }
}

static void a_lone_key_needs_no_name(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7515_a3_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    _cleanup_(jose_keys_unref) struct jose_keys *empty = NULL;
    expect_kind(jose_keys_new(NULL, 0, &empty), NULL, "an empty set");
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    forge(key, "{\"alg\":\"ES256\"}", "{}", &token);
    expect_kind(verify(keys, NULL, buf_text(&token), &payload), NULL, "the only key");
    expect_refused(empty, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN, "no key");
}

/* The algorithm is the key's: whatever the token claims, under whatever signature. */
static void the_algorithm_is_that_of_the_key(void **state)
{
    (void)state;
    static const char *const algs[] = {"none",  "None",   "NONE",    "nOnE",   "",      "es256",
                                       "HS256", "hs256",  "HS384",   "HS512",  "ES384", "ES512",
                                       "PS256", "ES256 ", "Ed25519", "ES256K", "RS1"};
    static const char *const names[] = {"ES256", "EdDSA", "RS256"};
    static const char *const jwks[] = {rfc7515_a3_key, rfc8037_key, rfc7515_a2_key};
    for (size_t k = 0; k < ARRAY_LEN(jwks); k++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(jwks[k]);
        _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
        for (size_t i = 0; i < ARRAY_LEN(algs) + ARRAY_LEN(names); i++) {
            const char *alg = i < ARRAY_LEN(algs) ? algs[i] : names[i - ARRAY_LEN(algs)];
            if (str_equal(alg, names[k]))
                continue;
            char header[64];
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", alg);
            _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
            forge(key, header, "{}", &token);
            expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                           alg);
            forge_raw(header, "{}", "", 0, &token);
            expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                           alg);
        }
    }
    static const char *const no_strings[] = {"{}", "{\"alg\":null}", "{\"alg\":[\"ES256\"]}",
                                             "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
                                             "{\"Alg\":\"ES256\"}"};
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7515_a3_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    for (size_t i = 0; i < ARRAY_LEN(no_strings); i++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        forge(key, no_strings[i], "{}", &token);
        expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                       no_strings[i]);
    }
}

/* The classic: HMAC with what everybody knows as the secret. */
static void hmac_with_the_public_key_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}"};
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7515_a2_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    _cleanup_(buf_deinit) struct buf jwk = BUF_INIT(8192);
    expect_kind(jose_key_write(key, false, &jwk), NULL, "the public JWK");
    BIO *pem = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(pem, key->pkey), 1);
    char *pem_text = NULL;
    long pem_len = BIO_get_mem_data(pem, &pem_text);
    const struct str secrets[] = {{jwk.data, jwk.len}, {pem_text, (size_t)pem_len}, {"", 0}};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        for (size_t h = 0; h < ARRAY_LEN(headers); h++) {
            _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
            unsigned char mac[32];
            unsigned mac_len = 0;
            forge_raw(headers[h], "{}", "", 0, &token);
            assert_non_null(HMAC(EVP_sha256(), secrets[i].data, (int)secrets[i].len,
                                 (unsigned char *)token.data, token.len - 1, mac, &mac_len));
            forge_raw(headers[h], "{}", mac, mac_len, &token);
            expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                           headers[h]);
        }
    }
    BIO_free(pem);
}

static void a_key_in_the_token_is_not_trusted(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *ours = parse_key(rfc7515_a3_key);
    _cleanup_(jose_key_unref) struct jose_key *theirs = parse_key(rfc7517_a2_ec_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(ours);
    _cleanup_(buf_deinit) struct buf jwk = BUF_INIT(8192);
    _cleanup_(buf_deinit) struct buf header = BUF_INIT(8192);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_key_write(theirs, false, &jwk), NULL, "the attacker's key");
    buf_printf(&header, "{\"alg\":\"ES256\",\"jwk\":%s}", buf_text(&jwk));
    forge(theirs, buf_text(&header), "{}", &token);
    expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                   "its own key");
}

static void es256_signatures_have_one_form(void **state)
{
    (void)state;
    /* The order of P-256. */
    static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                            0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    unsigned char zero[64] = {0}, ones[64], both_order[64], zero_r[64] = {0},
                  good[JOSE_SIGNATURE_MAX];
    memset(ones, 0xff, sizeof(ones));
    memcpy(both_order, order, 32);
    memcpy(both_order + 32, order, 32);
    memset(zero_r + 32, 1, 32);
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7515_a3_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    static const char header[] = "{\"alg\":\"ES256\"}";
    forge_raw(header, "{}", "", 0, &token);
    size_t len = 0;
    expect_kind(jose_signature_make(key->info, key->signer, token.data, token.len - 1, good, &len),
                NULL, "sign");
    assert_int_equal(len, 64);
    unsigned char der[80];
    size_t der_len = sizeof(der);
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_MD_CTX_copy_ex(ctx, key->signer), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &der_len, (unsigned char *)token.data, token.len - 1),
                     1);
    const struct {
        const char *name;
        const unsigned char *bytes;
        size_t len;
    } rows[] = {
        {"r = s = 0", zero, 64},      {"r = 0", zero_r, 64},
        {"all ones", ones, 64},       {"r = s = the order", both_order, 64},
        {"one byte short", good, 63}, {"one byte more", good, 65},
        {"r alone", good, 32},        {"one byte", good, 1},
        {"DER", der, der_len},        {"too long for any", good, JOSE_SIGNATURE_MAX},
    };
    good[64] = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        forge_raw(header, "{}", rows[i].bytes, rows[i].len, &token);
        expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                       rows[i].name);
    }
    forge_raw(header, "{}", good, 64, &token);
    _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(verify(keys, NULL, buf_text(&token), &payload), NULL, "the good one");
}

static char other_digit(char c)
{
    return c == '.' ? 'A' : c == 'A' ? 'B' : 'A';
}

/* Any one character changed, left out or doubled. */
static void every_character_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *key, *token;
    } rows[] = {
        {"RS256", rfc7515_a2_key, rfc7515_a2_token},
        {"ES256", rfc7515_a3_key, rfc7515_a3_token},
        {"EdDSA", rfc8037_key, rfc8037_token},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rows[i].key);
        _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
        char token[1024];
        size_t len = strlen(rows[i].token);
        for (size_t at = 0; at < len; at++) {
            memcpy(token, rows[i].token, len + 1);
            token[at] = other_digit(token[at]);
            expect_refused(keys, NULL, (struct str){token, len}, &JOSE_INVALID_TOKEN, rows[i].name);
            /* The last digit of a part has bits that are not used: those count too. */
            token[at] = (char)(rows[i].token[at] ^ 1);
            expect_refused(keys, NULL, (struct str){token, len}, &JOSE_INVALID_TOKEN, rows[i].name);
            memmove(token + at, rows[i].token + at + 1, len - at);
            expect_refused(keys, NULL, (struct str){token, len - 1}, &JOSE_INVALID_TOKEN,
                           rows[i].name);
            memcpy(token + at + 1, rows[i].token + at, len - at);
            token[at] = rows[i].token[at];
            expect_refused(keys, NULL, (struct str){token, len + 1}, &JOSE_INVALID_TOKEN,
                           rows[i].name);
            expect_refused(keys, NULL, (struct str){rows[i].token, at}, &JOSE_INVALID_TOKEN,
                           rows[i].name);
        }
    }
}

static void malformed_tokens_are_refused(void **state)
{
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("."),
        STR(".."),
        STR("..."),
        STR("a.b"),
        STR("a.b.c.d"),
        STR("a.b.c"),
        STR("\0.\0.\0"),
        STR("eyJhbGciOiJFUzI1NiJ9.e30."),
        STR("eyJhbGciOiJFUzI1NiJ9..AAAA"),
        STR(".e30.AAAA"),
        STR("eyJhbGciOiJub25lIn0.e30."),
        STR("eyJhbGciOiJFUzI1NiJ9=.e30.AAAA"),
        STR(" eyJhbGciOiJFUzI1NiJ9.e30.AAAA"),
        STR("eyJhbGciOiJFUzI1NiJ9\n.e30.AAAA"),
        STR("eyJhbGciOiJFUzI1NiJ9.e30.AA+/"),
        STR("\xff\xfe.\xff.\xff"),
    };
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7515_a3_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        expect_refused(keys, NULL, rows[i], &JOSE_INVALID_TOKEN, rows[i].data);
}

static void long_tokens_are_refused_unread(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc8037_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    char payload[JOSE_TOKEN_MAX];
    memset(payload, 'p', sizeof(payload));
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(2 * JOSE_TOKEN_MAX);
    _cleanup_(buf_deinit) struct buf back = BUF_INIT(JOSE_TOKEN_MAX);

    /* The longest payload that this key can sign. */
    size_t fits = 0;
    struct err *e = NULL;
    while (!e) {
        buf_reset(&token);
        e = jose_sign(key, NULL, payload, ++fits, &token);
    }
    assert_int_equal(token.len, 0);
    expect_kind(e, &ERR_INTERNAL, "sign one byte too many");
    expect_kind(jose_sign(key, NULL, payload, fits - 1, &token), NULL, "sign the longest");
    assert_in_range(token.len, JOSE_TOKEN_MAX - 1, JOSE_TOKEN_MAX);
    expect_kind(verify(keys, NULL, buf_text(&token), &back), NULL, "verify the longest");
    assert_int_equal(back.len, fits - 1);
    expect_kind(jose_sign(key, NULL, payload, sizeof(payload), &token), &ERR_INTERNAL,
                "far too long");
    expect_kind(jose_sign(key, NULL, payload, SIZE_MAX / 2, &token), &ERR_INTERNAL, "absurd");

    payload[fits] = '\0';
    forge(key, "{\"alg\":\"EdDSA\"}", payload, &token);
    while (token.len <= JOSE_TOKEN_MAX)
        buf_append_char(&token, 'A');
    expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                   "too long");

    char header[1100];
    memset(header, ' ', sizeof(header));
    memcpy(header, "{\"alg\":\"EdDSA\"}", 15);
    header[1025] = '\0';
    forge(key, header, "{}", &token);
    expect_refused(keys, NULL, (struct str){token.data, token.len}, &JOSE_INVALID_TOKEN,
                   "long header");
}

static void only_private_keys_sign(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7638_key);
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_sign(key, NULL, "{}", 2, &token), &ERR_INTERNAL, "a public key");
    assert_int_equal(token.len, 0);
}

static void a_full_buffer_is_an_error(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc8037_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    _cleanup_(buf_deinit) struct buf small = BUF_INIT(10);
    expect_kind(jose_sign(key, NULL, "{}", 2, &small), &ERR_INTERNAL, "no room for a token");
    assert_int_equal(small.len, 0);
    buf_reset(&small);
    expect_kind(verify(keys, NULL, rfc8037_token, &small), &ERR_INTERNAL, "no room for a payload");
    assert_int_equal(small.len, 0);
    char typ[1100];
    memset(typ, 't', sizeof(typ) - 1);
    typ[sizeof(typ) - 1] = '\0';
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    expect_kind(jose_sign(key, typ, "{}", 2, &token), &ERR_INTERNAL, "a header that is too long");
}

static void memory_that_is_short_is_an_error(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc8037_key);
    _cleanup_(jose_keys_unref) struct jose_keys *keys = set_of(key);
    bool has_failed = true;
    for (size_t successes = 0; has_failed; successes++) {
        _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
        _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
        alloc_fail_after(successes);
        struct err *e = jose_sign(key, TYP, "{}", 2, &token);
        bool is_signed = !e;
        if (is_signed)
            e = verify(keys, TYP, buf_text(&token), &payload);
        has_failed = alloc_fail_stop();
        expect_kind(e, has_failed ? &ERR_OUT_OF_MEMORY : NULL, "sign and verify");
        assert_int_equal(payload.len, has_failed ? 0 : 2);
        assert_int_equal(token.len != 0, is_signed);
    }
}

/* Threads share keys; ThreadSanitizer and the results tell whether they may. */
static void *verify_often(void *data)
{
    intptr_t failures = 0;
    for (int i = 0; i < 50; i++) {
        _cleanup_(buf_deinit) struct buf payload = BUF_INIT(JOSE_TOKEN_MAX);
        struct jose_keys *keys = jose_keys_ref(data);
        struct err *e = verify(keys, NULL, rfc7520_token, &payload);
        jose_keys_unref(keys);
        failures += e || strcmp(buf_text(&payload), rfc7520_payload) != 0;
        err_free(e);
    }
    return (void *)failures;
}

static void threads_share_keys(void **state)
{
    (void)state;
    _cleanup_(jose_key_unref) struct jose_key *key = parse_key(rfc7520_rsa_key);
    struct jose_keys *keys = set_of(key);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, keys), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
    jose_keys_unref(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_tokens_are_good),
        cmocka_unit_test(rs256_makes_the_token_of_rfc_7520),
        cmocka_unit_test(ed25519_makes_the_token_of_rfc_8037),
        cmocka_unit_test(what_is_signed_is_verified),
        cmocka_unit_test(headers_are_judged),
        cmocka_unit_test(a_lone_key_needs_no_name),
        cmocka_unit_test(the_algorithm_is_that_of_the_key),
        cmocka_unit_test(hmac_with_the_public_key_is_refused),
        cmocka_unit_test(a_key_in_the_token_is_not_trusted),
        cmocka_unit_test(es256_signatures_have_one_form),
        cmocka_unit_test(every_character_counts),
        cmocka_unit_test(malformed_tokens_are_refused),
        cmocka_unit_test(long_tokens_are_refused_unread),
        cmocka_unit_test(only_private_keys_sign),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(memory_that_is_short_is_an_error),
        cmocka_unit_test(threads_share_keys),
    };
    return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}
