#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

struct tls_context {
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
    int fd;
};

/* OpenSSL's last word about the calling thread. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "no reason given";
}

struct err *http_tls_context_new(const char *ca_file, struct tls_context **out_context)
{
    _cleanup_(http_tls_context_free) struct tls_context *context = calloc(1, sizeof(*context));
    if (!context)
        return err_oom();
    ERR_clear_error();
    context->ssl = SSL_CTX_new(TLS_client_method());
    if (!context->ssl)
        return err_new(&ERR_INTERNAL, "TLS: %s", reason());
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context->ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int is_loaded = ca_file ? SSL_CTX_load_verify_locations(context->ssl, ca_file, NULL)
                            : SSL_CTX_set_default_verify_paths(context->ssl);
    if (is_loaded != 1)
        return err_new(&ERR_INTERNAL, "TLS: the certificates of %s: %s",
                       ca_file ? ca_file : "the system", reason());
    *out_context = TAKE(context);
    return NULL;
}

void http_tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    free(context);
}

/* What to do after an operation that returned result: wait, and then it is tried again, or give up.
 */
static struct err *settle(struct tls *tls, int result, struct ctx *ctx, const char *what)
{
    int saved_errno = errno;
    int error = SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return http_net_wait(tls->fd, POLLIN, ctx);
    if (error == SSL_ERROR_WANT_WRITE)
        return http_net_wait(tls->fd, POLLOUT, ctx);
    TRY(ctx_check(ctx));
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "TLS %s: %s", what,
                       X509_verify_cert_error_string(verified));
    char text[128];
    if (error == SSL_ERROR_SYSCALL && saved_errno != 0)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "TLS %s: %s", what,
                       strerror_r(saved_errno, text, sizeof(text)));
    return err_new(&ERR_UPSTREAM_UNAVAILABLE, "TLS %s: %s", what, reason());
}

/* The name or address that the certificate must be for. */
static bool set_host(SSL *ssl, const char *host)
{
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 &&
           SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)host) == 1;
}

struct err *http_tls_connect(struct tls_context *context, int fd, const char *host, struct ctx *ctx,
                             struct tls **out_tls)
{
    _cleanup_(http_tls_free) struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return err_oom();
    ERR_clear_error();
    tls->fd = fd;
    tls->ssl = SSL_new(context->ssl);
    if (!tls->ssl || !set_host(tls->ssl, host) || SSL_set_fd(tls->ssl, fd) != 1)
        return err_new(&ERR_INTERNAL, "TLS: %s", reason());
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(tls->ssl);
        if (result == 1)
            break;
        TRY_WRAP(settle(tls, result, ctx, "handshake"), "%s", host);
    }
    *out_tls = TAKE(tls);
    return NULL;
}

void http_tls_free(struct tls *tls)
{
    if (!tls)
        return;
    /* Says goodbye if that is possible without waiting. */
    if (tls->ssl && SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    SSL_free(tls->ssl);
    ERR_clear_error();
    free(tls);
}

struct err *http_tls_write(struct tls *tls, struct ctx *ctx, const void *bytes, size_t len)
{
    const char *from = bytes;
    while (len > 0) {
        ERR_clear_error();
        size_t written = 0;
        int result = SSL_write_ex(tls->ssl, from, len, &written);
        if (result != 1)
            TRY(settle(tls, result, ctx, "write"));
        from += written;
        len -= written;
    }
    return NULL;
}

struct err *http_tls_read(struct tls *tls, struct ctx *ctx, void *out, size_t cap, size_t *out_len)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, out, cap, out_len);
        if (result == 1)
            return NULL;
        if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN) {
            *out_len = 0;
            return NULL;
        }
        TRY(settle(tls, result, ctx, "read"));
    }
}
