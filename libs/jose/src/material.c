#include "material.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <base/secret.h>

enum { EC_X, EC_Y, EC_D };
enum { ED_X, ED_D };
enum { RSA_N, RSA_E };

#define EC_SIZE   32 /* bytes of a coordinate */
#define EC_POINT  (1 + 2 * EC_SIZE)
#define ED_SIZE   32
#define RSA_E_MIN 65537

void jose_material_wipe(struct jose_material *material)
{
    secret_wipe(material, sizeof(*material));
}

/* Numbers that a parameter list refers to until it is built. In OpenSSL's secure memory (which is
 * wiped when freed, also where no secure heap is set up), since some are private. */
struct numbers {
    size_t count;
    BIGNUM *number[JOSE_PARTS_MAX];
};

static void numbers_free(struct numbers *numbers)
{
    for (size_t i = 0; i < numbers->count; i++)
        BN_clear_free(numbers->number[i]);
}
DEFINE_CLEANUP_VALUE(struct numbers, numbers_free);

static bool push_number(OSSL_PARAM_BLD *list, struct numbers *numbers, const char *param,
                        const unsigned char *bytes, size_t len)
{
    BIGNUM *number = BN_secure_new();
    if (!number)
        return false;
    numbers->number[numbers->count++] = number;
    BN_set_flags(number, BN_FLG_CONSTTIME);
    return BN_bin2bn(bytes, (int)len, number) && OSSL_PARAM_BLD_push_BN(list, param, number);
}

static bool push_ec(OSSL_PARAM_BLD *list, struct numbers *numbers,
                    const struct jose_material *material, unsigned char point[static EC_POINT])
{
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, material->part[EC_X].bytes, EC_SIZE);
    memcpy(point + 1 + EC_SIZE, material->part[EC_Y].bytes, EC_SIZE);
    if (!OSSL_PARAM_BLD_push_utf8_string(list, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(list, OSSL_PKEY_PARAM_PUB_KEY, point, EC_POINT))
        return false;
    return !material->is_private || push_number(list, numbers, OSSL_PKEY_PARAM_PRIV_KEY,
                                                material->part[EC_D].bytes, EC_SIZE);
}

static bool push_rsa(OSSL_PARAM_BLD *list, struct numbers *numbers,
                     const struct jose_alg_info *info, const struct jose_material *material)
{
    for (size_t i = 0; i < info->part_count; i++) {
        if (info->parts[i].is_private && !material->is_private)
            continue;
        if (!push_number(list, numbers, info->parts[i].param, material->part[i].bytes,
                         material->part[i].len))
            return false;
    }
    return true;
}

static EVP_PKEY *import_params(const char *type, int selection, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    _cleanup_(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, selection, params) <= 0)
        return NULL;
    return pkey;
}

static EVP_PKEY *import_numbers(const struct jose_alg_info *info,
                                const struct jose_material *material)
{
    unsigned char point[EC_POINT];
    _cleanup_(numbers_free) struct numbers numbers = {0};
    _cleanup_(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *list = OSSL_PARAM_BLD_new();
    bool is_ec = info->alg == JOSE_ES256;
    if (!list || !(is_ec ? push_ec(list, &numbers, material, point)
                         : push_rsa(list, &numbers, info, material)))
        return NULL;
    _cleanup_(OSSL_PARAM_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(list);
    int selection = material->is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    return params ? import_params(info->kty, selection, params) : NULL;
}

static EVP_PKEY *import_ed25519(const struct jose_material *material)
{
    const unsigned char *public = material->part[ED_X].bytes;
    if (!material->is_private)
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED_SIZE);
    _cleanup_(EVP_PKEY_free) EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, material->part[ED_D].bytes, ED_SIZE);
    /* Signing with a public key that is not that of d would give d away. */
    unsigned char derived[ED_SIZE];
    size_t len = sizeof(derived);
    if (!pkey || EVP_PKEY_get_raw_public_key(pkey, derived, &len) != 1 ||
        memcmp(derived, public, ED_SIZE) != 0)
        return NULL;
    return TAKE(pkey);
}

/* RFC 7518 section 3.3 asks for 2048 bits; the upper bound keeps a check cheap. */
static struct err *check_rsa(const struct jose_material *material, const EVP_PKEY *pkey)
{
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < JOSE_RSA_MIN || bits > JOSE_RSA_MAX)
        return err_new(&JOSE_INVALID_KEY, "an RSA key has %d to %d bits, not %d", JOSE_RSA_MIN,
                       JOSE_RSA_MAX, bits);
    uint64_t exponent = 0;
    size_t len = material->part[RSA_E].len;
    for (size_t i = 0; i < len && len <= sizeof(uint32_t); i++)
        exponent = exponent << 8 | material->part[RSA_E].bytes[i];
    if (exponent < RSA_E_MIN || exponent % 2 == 0)
        return err_new(&JOSE_INVALID_KEY, "the RSA exponent is not an odd number from 65537 up to "
                                          "32 bits");
    return NULL;
}

struct err *jose_material_import(const struct jose_alg_info *info,
                                 const struct jose_material *material, EVP_PKEY **out_pkey)
{
    _cleanup_(EVP_PKEY_free) EVP_PKEY *pkey =
        info->alg == JOSE_EDDSA ? import_ed25519(material) : import_numbers(info, material);
    if (!pkey) {
        TRY(jose_crypto_oom());
        return err_new(&JOSE_INVALID_KEY, "the members are not those of a key");
    }
    if (info->alg == JOSE_RS256)
        TRY(check_rsa(material, pkey));
    *out_pkey = TAKE(pkey);
    return NULL;
}

static bool export_part(const struct jose_part *part, const EVP_PKEY *pkey, bool is_number,
                        unsigned char *out, size_t *out_len)
{
    if (!is_number)
        return EVP_PKEY_get_octet_string_param(pkey, part->param, out, JOSE_PART_MAX, out_len) == 1;
    _cleanup_(BN_clear_free) BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, part->param, &number) != 1)
        return false;
    int size = part->size ? (int)part->size : BN_num_bytes(number);
    if (size > JOSE_PART_MAX || BN_bn2binpad(number, out, size) != size)
        return false;
    *out_len = (size_t)size;
    return true;
}

struct err *jose_material_export(const struct jose_alg_info *info, const EVP_PKEY *pkey,
                                 bool with_private, struct jose_material *out_material)
{
    *out_material = (struct jose_material){.is_private = with_private};
    for (size_t i = 0; i < info->part_count; i++) {
        if (info->parts[i].is_private && !with_private)
            continue;
        if (!export_part(&info->parts[i], pkey, info->alg != JOSE_EDDSA,
                         out_material->part[i].bytes, &out_material->part[i].len))
            return jose_crypto_error("export a key");
    }
    return NULL;
}
