#include "jws.h"

#include <string.h>

#include <base/encode.h>

#include "keys.h"
#include "refuse.h"
#include "signature.h"

#define HEADER_MAX 1024 /* bytes, decoded */

/* The three parts between the dots, none of them empty. */
struct parts {
    struct str header, payload, signature;
    struct str signed_part; /* header "." payload */
};

static bool split(const char *token, size_t len, struct parts *out)
{
    const char *end = token + len;
    const char *first = memchr(token, '.', len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    out->header = (struct str){token, (size_t)(first - token)};
    out->payload = (struct str){first + 1, (size_t)(second - first - 1)};
    out->signature = (struct str){second + 1, (size_t)(end - second - 1)};
    out->signed_part = (struct str){token, (size_t)(second - token)};
    return out->header.len > 0 && out->payload.len > 0 && out->signature.len > 0;
}

static struct err *invalid(const char *detail)
{
    return err_new_text(&JOSE_INVALID_TOKEN, detail);
}

/* RFC 7515 section 4.1.9: "application/" may be left out; media types ignore case. */
static bool is_type(const char *given, const char *expected)
{
    static const char prefix[] = "application/";
    const size_t skip = sizeof(prefix) - 1;
    if (str_equal_nocase_n(given, prefix, skip))
        given += skip;
    return str_equal_nocase(given, expected);
}

static struct err *find_key(const struct jose_keys *keys, const struct json_value *kid,
                            const struct jose_key **out_key)
{
    if (!kid && keys->count == 1) {
        *out_key = keys->key[0];
        return NULL;
    }
    const char *id = json_string(kid);
    if (!id)
        return invalid("the token does not name its key");
    *out_key = jose_keys_find(keys, id, strlen(id));
    if (!*out_key)
        return err_new(&JOSE_UNKNOWN_KEY, "the token is signed with an unknown key");
    return NULL;
}

/* Gives the key that the header names, if all that the header says fits. Members such as jwk, jku
 * and x5c are not looked at: a token does not bring its own trust. */
static struct err *read_header(const struct jose_keys *keys, const char *typ, struct str encoded,
                               const struct jose_key **out_key)
{
    char text[HEADER_MAX];
    size_t len;
    if (!base64url_decode(text, sizeof(text), encoded.data, encoded.len, &len))
        return invalid("the header is not base64url, or too long");
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(text, len, &doc);
    if (e)
        return jose_refuse(e, &JOSE_INVALID_TOKEN, "the header is not strict JSON");
    const struct json_value *header = json_root(doc);
    if (!json_is(header, JSON_OBJECT))
        return invalid("the header is not an object");
    if (json_get(header, "crit") || json_get(header, "b64"))
        return invalid("the header asks for an extension");
    const char *given_typ = json_string(json_get(header, "typ"));
    if (typ && (!given_typ || !is_type(given_typ, typ)))
        return invalid("the token is of another type");
    const struct jose_key *key = NULL;
    TRY(find_key(keys, json_get(header, "kid"), &key));
    const char *alg = json_string(json_get(header, "alg"));
    if (!alg || !str_equal(alg, key->info->name))
        return invalid("the algorithm is not that of the key");
    *out_key = key;
    return NULL;
}

static struct err *check_signature(const struct jose_key *key, const struct parts *parts)
{
    unsigned char signature[JOSE_SIGNATURE_MAX];
    size_t len;
    bool is_valid = false;
    if (!base64url_decode(signature, sizeof(signature), parts->signature.data, parts->signature.len,
                          &len))
        return invalid("the signature is not base64url, or too long");
    TRY(jose_signature_check(key->info, key->verifier, parts->signed_part.data,
                             parts->signed_part.len, signature, len, &is_valid));
    return is_valid ? NULL : invalid("the signature is wrong");
}

struct err *jose_jws_open(const struct jose_keys *keys, const char *typ, const char *token,
                          size_t len, struct jose_payload *out_payload)
{
    struct parts parts;
    const struct jose_key *key = NULL;
    if (len > JOSE_TOKEN_MAX)
        return invalid("the token is too long");
    if (!split(token, len, &parts))
        return invalid("the token does not have three parts");
    TRY(read_header(keys, typ, parts.header, &key));
    TRY(check_signature(key, &parts));
    if (!base64url_decode(out_payload->bytes, sizeof(out_payload->bytes), parts.payload.data,
                          parts.payload.len, &out_payload->len))
        return invalid("the payload is not base64url");
    return NULL;
}

struct err *jose_verify(const struct jose_keys *keys, const char *typ, const char *token,
                        size_t len, struct buf *out_payload)
{
    struct jose_payload payload;
    TRY(jose_jws_open(keys, typ, token, len, &payload));
    return buf_append(out_payload, payload.bytes, payload.len) ? NULL : jose_buf_error(out_payload);
}

static bool append_base64url(struct buf *out, const void *bytes, size_t count)
{
    char *place = count <= JOSE_TOKEN_MAX ? buf_reserve(out, BASE64URL_LEN(count)) : NULL;
    if (!place)
        return false;
    buf_commit(out, base64url_encode(place, bytes, count));
    return true;
}

static struct err *append_header(const struct jose_key *key, const char *typ, struct buf *out)
{
    _cleanup_(buf_deinit) struct buf header = BUF_INIT(HEADER_MAX);
    struct json_writer w = JSON_WRITER(&header);
    json_begin_object(&w);
    json_write_name(&w, "alg");
    json_write_string(&w, key->info->name);
    if (typ) {
        json_write_name(&w, "typ");
        json_write_string(&w, typ);
    }
    json_write_name(&w, "kid");
    json_write_string(&w, key->id);
    json_end_object(&w);
    if (buf_status(&header) != BUF_OK)
        return jose_buf_error(&header);
    return append_base64url(out, header.data, header.len) ? NULL : jose_buf_error(out);
}

struct err *jose_sign(const struct jose_key *key, const char *typ, const void *payload, size_t len,
                      struct buf *out)
{
    if (!jose_key_is_private(key))
        return err_new(&ERR_INTERNAL, "a public key cannot sign");
    unsigned char signature[JOSE_SIGNATURE_MAX];
    size_t signature_len = 0;
    _cleanup_(buf_deinit) struct buf token = BUF_INIT(JOSE_TOKEN_MAX);
    TRY(append_header(key, typ, &token));
    if (!buf_append_char(&token, '.') || !append_base64url(&token, payload, len))
        return jose_buf_error(&token);
    TRY(jose_signature_make(key->info, key->signer, token.data, token.len, signature,
                            &signature_len));
    if (!buf_append_char(&token, '.') || !append_base64url(&token, signature, signature_len))
        return jose_buf_error(&token);
    return buf_append(out, token.data, token.len) ? NULL : jose_buf_error(out);
}
