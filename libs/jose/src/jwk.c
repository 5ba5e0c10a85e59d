#include "key.h"

#include <string.h>

#include <base/encode.h>
#include <base/secret.h>

#include "material.h"
#include "refuse.h"
#include "scratch.h"

/* The private RSA key of the largest size with a kid that must be escaped throughout. */
#define WRITTEN_JWK_MAX      5120
#define THUMBPRINT_INPUT_MAX 2048
#define DIGEST_SIZE          32

/* The text of a part, wiped with its scope. */
struct part_text {
    char text[BASE64URL_LEN(JOSE_PART_MAX) + 1];
};

static void part_text_wipe(struct part_text *text)
{
    secret_wipe(text, sizeof(*text));
}
DEFINE_CLEANUP_VALUE(struct part_text, part_text_wipe);

static void write_part(struct json_writer *w, const struct jose_alg_info *info,
                       const struct jose_material *material, size_t i)
{
    _cleanup_(part_text_wipe) struct part_text encoded;
    base64url_encode(encoded.text, material->part[i].bytes, material->part[i].len);
    json_write_name(w, info->parts[i].name);
    json_write_string(w, encoded.text);
}

static void write_string(struct json_writer *w, const char *name, const char *value)
{
    json_write_name(w, name);
    json_write_string(w, value);
}

static void write_thumbprint_member(struct json_writer *w, const struct jose_alg_info *info,
                                    const struct jose_material *material, const char *name)
{
    if (str_equal(name, "kty"))
        write_string(w, name, info->kty);
    if (str_equal(name, "crv"))
        write_string(w, name, info->crv);
    for (size_t i = 0; i < info->part_count; i++) {
        if (str_equal(name, info->parts[i].name))
            write_part(w, info, material, i);
    }
}

struct err *jose_key_thumbprint(const struct jose_alg_info *info, const EVP_PKEY *pkey,
                                char out[static JOSE_THUMBPRINT_TEXT])
{
    struct jose_material material;
    TRY(jose_material_export(info, pkey, false, &material));
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(THUMBPRINT_INPUT_MAX);
    struct json_writer w = JSON_WRITER(&text);
    json_begin_object(&w);
    for (const char *const *name = info->thumbprint; *name; name++)
        write_thumbprint_member(&w, info, &material, *name);
    json_end_object(&w);
    if (buf_status(&text) != BUF_OK)
        return jose_buf_error(&text);
    unsigned char digest[DIGEST_SIZE];
    if (EVP_Q_digest(NULL, "SHA256", NULL, buf_text(&text), text.len, digest, NULL) != 1)
        return jose_crypto_error("digest a key");
    base64url_encode(out, digest, sizeof(digest));
    return NULL;
}

struct err *jose_key_to_json(const struct jose_key *key, bool with_private, struct json_writer *w)
{
    const struct jose_alg_info *info = key->info;
    _cleanup_(jose_material_wipe) struct jose_material material;
    TRY(jose_material_export(info, key->pkey, with_private, &material));
    json_begin_object(w);
    write_string(w, "kty", info->kty);
    write_string(w, "use", "sig");
    write_string(w, "alg", info->name);
    write_string(w, "kid", key->id);
    if (info->crv)
        write_string(w, "crv", info->crv);
    for (size_t i = 0; i < info->part_count; i++) {
        if (with_private || !info->parts[i].is_private)
            write_part(w, info, &material, i);
    }
    json_end_object(w);
    return NULL;
}

struct err *jose_key_write(const struct jose_key *key, bool with_private, struct buf *out)
{
    if (with_private && !jose_key_is_private(key))
        return err_new(&ERR_INTERNAL, "the key has no private part to write");
    _cleanup_(scratch_deinit) struct buf scratch;
    if (!scratch_init(&scratch, WRITTEN_JWK_MAX))
        return err_oom();
    struct json_writer w = JSON_WRITER(&scratch);
    TRY(jose_key_to_json(key, with_private, &w));
    if (buf_status(&scratch) != BUF_OK)
        return jose_buf_error(&scratch);
    return buf_append(out, scratch.data, scratch.len) ? NULL : jose_buf_error(out);
}

static struct err *read_part(const struct json_value *jwk, const struct jose_part *part,
                             unsigned char *out, size_t *out_len)
{
    const char *text = json_string(json_get(jwk, part->name));
    size_t len = 0;
    if (!text || !base64url_decode(out, JOSE_PART_MAX, text, strlen(text), &len))
        return err_new(&JOSE_INVALID_KEY, "%s is missing, or not base64url", part->name);
    if (part->size ? len != part->size : len == 0 || out[0] == 0)
        return err_new(&JOSE_INVALID_KEY, "%s has a wrong length", part->name);
    *out_len = len;
    return NULL;
}

static struct err *read_material(const struct json_value *jwk, const struct jose_alg_info *info,
                                 struct jose_material *out_material)
{
    *out_material = (struct jose_material){.is_private = json_get(jwk, "d") != NULL};
    for (size_t i = 0; i < info->part_count; i++) {
        if (info->parts[i].is_private && !out_material->is_private)
            continue;
        TRY(read_part(jwk, &info->parts[i], out_material->part[i].bytes,
                      &out_material->part[i].len));
    }
    return NULL;
}

/* A member that may be absent must be this string. */
static bool is_absent_or(const struct json_value *jwk, const char *name, const char *expected)
{
    const struct json_value *value = json_get(jwk, name);
    const char *text = json_string(value);
    return !value || (text && str_equal(text, expected));
}

struct err *jose_key_from_json(const struct json_value *jwk, struct jose_key **out_key)
{
    const struct jose_alg_info *info =
        jose_alg_find(json_string(json_get(jwk, "kty")), json_string(json_get(jwk, "crv")));
    if (!info)
        return err_new(&JOSE_INVALID_KEY,
                       "kty and crv are not those of a P-256, Ed25519 or RSA key");
    if (!is_absent_or(jwk, "use", "sig") || !is_absent_or(jwk, "alg", info->name))
        return err_new(&JOSE_INVALID_KEY, "use and alg are not those of a key for %s", info->name);
    if (json_get(jwk, "oth"))
        return err_new(&JOSE_INVALID_KEY, "RSA keys with more than two primes are not used");
    const struct json_value *id = json_get(jwk, "kid");
    if (id && !json_string(id))
        return err_new(&JOSE_INVALID_KEY, "kid is not a string");

    _cleanup_(jose_material_wipe) struct jose_material material;
    TRY(read_material(jwk, info, &material));
    EVP_PKEY *pkey = NULL;
    TRY(jose_material_import(info, &material, &pkey));
    return jose_key_wrap(info, pkey, material.is_private, json_string(id), out_key);
}

struct err *jose_key_parse(const char *json, size_t len, struct jose_key **out_key)
{
    if (len > JOSE_JWK_MAX)
        return err_new(&JOSE_INVALID_KEY, "a JWK has at most %d bytes", JOSE_JWK_MAX);
    _cleanup_(json_free) struct json_doc *doc = NULL;
    struct err *e = json_parse(json, len, &doc);
    if (e)
        return jose_refuse(e, &JOSE_INVALID_KEY, "the JWK is not JSON");
    return jose_key_from_json(json_root(doc), out_key);
}
