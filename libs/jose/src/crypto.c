#include "crypto.h"

#include <openssl/err.h>

struct err *jose_crypto_error(const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return err_oom();
    return err_new(&ERR_INTERNAL, "%s: %s", what, reason ? reason : "unknown reason");
}
