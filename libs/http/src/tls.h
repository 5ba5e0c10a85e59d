/*
 * TLS for the client, by OpenSSL: 1.2 at least, the chain and the host name (RFC 9525) always
 * verified. Errors as in net.h.
 */
#ifndef HTTP_TLS_H
#define HTTP_TLS_H

#include <stddef.h>

#include <base/macros.h>
#include <conc/ctx.h>
#include <err/err.h>

struct tls_context; /* shared by connections; any thread */
struct tls;         /* one connection */

/* ca_file: PEM; NULL: the system's. ERR_INTERNAL when it cannot be read. */
struct err *http_tls_context_new(const char *ca_file, struct tls_context **out_context) MUST_CHECK;
void http_tls_context_free(struct tls_context *context);
DEFINE_CLEANUP(struct tls_context *, http_tls_context_free);

/* Shakes hands on a connected non-blocking socket, which stays the caller's. host: a name, or an
 * address that the certificate must have. */
struct err *http_tls_connect(struct tls_context *context, int fd, const char *host, struct ctx *ctx,
                             struct tls **out_tls) MUST_CHECK;
void http_tls_free(struct tls *tls);
DEFINE_CLEANUP(struct tls *, http_tls_free);

struct err *http_tls_write(struct tls *tls, struct ctx *ctx, const void *bytes, size_t len)
    MUST_CHECK;
/* 0: the server has closed the stream properly. */
struct err *http_tls_read(struct tls *tls, struct ctx *ctx, void *out, size_t cap, size_t *out_len)
    MUST_CHECK;

#endif
