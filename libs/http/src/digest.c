#include "digest.h"

#include <endian.h>

#include <base/encode.h>
#include <openssl/evp.h>

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

struct err *http_digest(const struct str *parts, size_t count, char out[static DIGEST_TEXT])
{
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *hash = EVP_MD_CTX_new();
    unsigned char bytes[EVP_MAX_MD_SIZE];
    bool is_fine = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; is_fine && i < count; i++) {
        uint64_t len = htobe64(parts[i].len);
        is_fine = EVP_DigestUpdate(hash, &len, sizeof(len)) == 1 &&
                  EVP_DigestUpdate(hash, parts[i].data, parts[i].len) == 1;
    }
    if (!is_fine || EVP_DigestFinal_ex(hash, bytes, NULL) != 1)
        return err_oom();
    hex_encode(out, bytes, (DIGEST_TEXT - 1) / 2);
    return NULL;
}
