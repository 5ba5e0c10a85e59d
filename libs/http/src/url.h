/* The URLs that the client takes: absolute, http or https, without user info and fragment. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>

#include <base/macros.h>
#include <err/err.h>

struct http_url {
    bool is_tls;
    char host[256];      /* without the brackets of an IPv6 address */
    char port[6];        /* "443" where the URL has none */
    char authority[272]; /* as the URL has it: for the Host header */
    const char *target;  /* borrowed: from the path on; "", or begins with '/' or '?' */
};

/* ERR_INTERNAL: the caller should have known. */
struct err *http_url_parse(const char *text, struct http_url *out_url) MUST_CHECK;

#endif
