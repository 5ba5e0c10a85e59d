/*
 * Socket addresses: parsing, printing, networks; and what is done to sockets. Pure, but for
 * address_resolve(), address_listen() and the socket functions.
 */
#ifndef GATEWAY_ADDRESS_H
#define GATEWAY_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <base/str.h>
#include <err/err.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

#define ADDRESS_TEXT      INET6_ADDRSTRLEN
#define ADDRESS_PORT_TEXT (INET6_ADDRSTRLEN + 8)

socklen_t address_len(const union address *address);
bool address_equal(const union address *a, const union address *b);
/* The IP alone; an IPv4 address in IPv6 clothes is shown as IPv4. */
void address_format(const union address *address, char out[static ADDRESS_TEXT]);
void address_format_port(const union address *address, char out[static ADDRESS_PORT_TEXT]);
/* An IP without port. False, *out untouched, when it is none. */
bool address_parse_ip(struct str text, union address *out_address);

/* "host:port", ":port" (every address) or "[ip6]:port" in its two parts; host may become "". */
bool address_split(const char *text, char *out_host, size_t host_cap, uint16_t *out_port);
/* The addresses of "host:port". numeric_only: never asks a name server, so never blocks; a name has
 * no addresses then. ERR_UPSTREAM_UNAVAILABLE when there is none. */
struct err *address_resolve(const char *text, bool numeric_only, union address *out_addresses,
                            size_t cap, size_t *out_count) MUST_CHECK;

/* An address range such as 10.0.0.0/8 or ::1. */
struct network {
    union address address;
    unsigned prefix_bits;
};
bool network_parse(struct str text, struct network *out_network);
bool network_has(const struct network *network, const union address *address);

/* A listening socket with SO_REUSEPORT, not blocking; ":port" listens on IPv6 and IPv4 alike. */
struct err *address_listen(const char *text, int *out_fd) MUST_CHECK;
/* close() will send a reset, and drop what the peer has not taken. */
void socket_reset_on_close(int fd);
/* Small pieces are sent at once. */
void socket_no_delay(int fd);

#endif
