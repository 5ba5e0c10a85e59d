/*
 * The header fields that the gateway knows, and what it does with them. All others are passed on.
 */
#ifndef GATEWAY_HEADERS_H
#define GATEWAY_HEADERS_H

#include <stddef.h>
#include <stdint.h>

enum header_policy {
    HEADER_HOP = 1,    /* speaks of one connection only: never passed on (RFC 9110 section 7.6.1) */
    HEADER_OWN = 2,    /* the gateway writes it itself, when it is needed */
    HEADER_FORGED = 4, /* believed by services: removed from what clients send */
    HEADER_SINGLE = 8, /* twice in one message could be read in two ways: refused */
};

enum header_id {
    HEADER_OTHER = 0,
#define X(id, ...) id,
#include "headers.def"
#undef X
};

struct header {
    const char *name; /* lower case */
    uint8_t name_len;
    uint8_t id;     /* enum header_id */
    uint8_t policy; /* enum header_policy */
};

/* The entry of a name in any case; for all unknown names one with HEADER_OTHER. Never NULL. */
const struct header *header_find(const char *name, size_t len);

#endif
