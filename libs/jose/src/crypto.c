#include "crypto.h"

#include <jose/jose.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

void jose_keep_openssl(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct err *jose_crypto_oom(void)
{
    bool has_failed = false;
    unsigned long code;
    /* The first failure may lie below others that it caused. */
    while ((code = ERR_get_error()))
        has_failed = has_failed || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    return has_failed ? err_oom() : NULL;
}

struct err *jose_crypto_error(const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    TRY(jose_crypto_oom());
    return err_new(&ERR_INTERNAL, "%s: %s", what, reason ? reason : "unknown reason");
}
