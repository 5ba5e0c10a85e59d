#include "jose_test.h"

#include <string.h>

#include "key.h"
#include "signature.h"

void expect_kind(struct err *e, const struct err_kind *kind, const char *what)
{
    if (err_kind(e) != kind) {
        char line[ERR_LINE] = "success";
        if (e)
            err_format(e, line, sizeof(line));
        fail_msg("%s: %s, not %s", what, line, kind ? kind->slug : "success");
    }
    err_free(e);
}

struct jose_key *parse_key(const char *json)
{
    struct jose_key *key = NULL;
    expect_kind(jose_key_parse(json, strlen(json), &key), NULL, json);
    return key;
}

struct jose_key *new_key(enum jose_alg alg)
{
    struct jose_key *key = NULL;
    expect_kind(jose_key_generate(alg, &key), NULL, "generate a key");
    return key;
}

struct jose_keys *set_of(struct jose_key *key)
{
    struct jose_keys *keys = NULL;
    expect_kind(jose_keys_new(&key, 1, &keys), NULL, "a set of one");
    return keys;
}

struct jose_keys *set_of_two(struct jose_key *a, struct jose_key *b)
{
    struct jose_key *both[] = {a, b};
    struct jose_keys *keys = NULL;
    expect_kind(jose_keys_new(both, 2, &keys), NULL, "a set of two");
    return keys;
}

struct jose_key *rename_key(const struct jose_key *key, const char *kid, bool with_private)
{
    _cleanup_(buf_deinit) struct buf old = BUF_INIT(8192);
    _cleanup_(buf_deinit) struct buf new = BUF_INIT(8192);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    expect_kind(jose_key_write(key, with_private, &old), NULL, "write a key");
    expect_kind(json_parse(old.data, old.len, &doc), NULL, "parse what was written");
    struct json_writer w = JSON_WRITER(&new);
    json_begin_object(&w);
    json_foreach (member, json_root(doc)) {
        if (str_equal(json_name(member), "kid"))
            continue;
        json_write_name(&w, json_name(member));
        json_write_value(&w, member);
    }
    if (kid) {
        json_write_name(&w, "kid");
        json_write_string(&w, kid);
    }
    json_end_object(&w);
    return parse_key(buf_text(&new));
}

static void append_part(struct buf *out, const void *bytes, size_t len)
{
    char *place = buf_reserve(out, BASE64URL_LEN(len));
    assert_non_null(place);
    buf_commit(out, base64url_encode(place, bytes, len));
}

void forge_raw(const char *header, const char *payload, const void *signature, size_t len,
               struct buf *out)
{
    buf_reset(out);
    append_part(out, header, strlen(header));
    buf_append_char(out, '.');
    append_part(out, payload, strlen(payload));
    buf_append_char(out, '.');
    append_part(out, signature, len);
    assert_int_equal(buf_status(out), BUF_OK);
}

void forge(const struct jose_key *key, const char *header, const char *payload, struct buf *out)
{
    unsigned char signature[JOSE_SIGNATURE_MAX];
    size_t len = 0;
    forge_raw(header, payload, "", 0, out);
    expect_kind(
        jose_signature_make(key->info, key->signer, out->data, out->len - 1, signature, &len), NULL,
        "sign");
    forge_raw(header, payload, signature, len, out);
}
