#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST_MAX 256
#define BACKLOG  4096

socklen_t address_len(const union address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

static bool is_mapped(const union address *address)
{
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr);
}

/* The bytes of the IP, 4 or 16 of them. */
static const unsigned char *ip_bytes(const union address *address, size_t *out_count)
{
    if (is_mapped(address)) {
        *out_count = 4;
        return address->v6.sin6_addr.s6_addr + 12;
    }
    if (address->any.sa_family == AF_INET) {
        *out_count = 4;
        return (const unsigned char *)&address->v4.sin_addr;
    }
    *out_count = 16;
    return address->v6.sin6_addr.s6_addr;
}

static in_port_t port_of(const union address *address)
{
    return address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port;
}

bool address_equal(const union address *a, const union address *b)
{
    size_t a_len, b_len;
    const unsigned char *a_ip = ip_bytes(a, &a_len), *b_ip = ip_bytes(b, &b_len);
    return a_len == b_len && memcmp(a_ip, b_ip, a_len) == 0 && port_of(a) == port_of(b);
}

void address_format(const union address *address, char out[static ADDRESS_TEXT])
{
    size_t count;
    const unsigned char *ip = ip_bytes(address, &count);
    inet_ntop(count == 4 ? AF_INET : AF_INET6, ip, out, ADDRESS_TEXT);
}

void address_format_port(const union address *address, char out[static ADDRESS_PORT_TEXT])
{
    char ip[ADDRESS_TEXT];
    address_format(address, ip);
    snprintf(out, ADDRESS_PORT_TEXT, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip,
             (unsigned)ntohs(port_of(address)));
}

bool address_parse_ip(struct str text, union address *out_address)
{
    char ip[ADDRESS_TEXT];
    union address address = {0};
    if (!str_copy_n(ip, sizeof(ip), text.data, text.len))
        return false;
    if (inet_pton(AF_INET, ip, &address.v4.sin_addr) == 1)
        address.any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, ip, &address.v6.sin6_addr) == 1)
        address.any.sa_family = AF_INET6;
    else
        return false;
    *out_address = address;
    return true;
}

bool address_split(const char *text, char *out_host, size_t host_cap, uint16_t *out_port)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || !parse_i64(colon + 1, 0, 65535, &port))
        return false;
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    if (host_len > 0 && host[0] == '[') {
        if (host_len < 3 || host[host_len - 1] != ']')
            return false;
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len)) {
        return false;
    }
    if (!str_copy_n(out_host, host_cap, host, host_len))
        return false;
    *out_port = (uint16_t)port;
    return true;
}

struct err *address_resolve(const char *text, bool numeric_only, union address *out_addresses,
                            size_t cap, size_t *out_count)
{
    char host[HOST_MAX], port_text[8];
    uint16_t port;
    if (!address_split(text, host, sizeof(host), &port) || host[0] == '\0')
        return err_new(&ERR_INTERNAL, "%s is not host:port", text);
    snprintf(port_text, sizeof(port_text), "%u", (unsigned)port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, port_text, &hints, &found);
    if (failure == EAI_NONAME && !numeric_only) {
        /* Not for an address: AI_ADDRCONFIG refuses "::" where no interface has IPv6. */
        hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
        failure = getaddrinfo(host, port_text, &hints, &found);
    }
    if (failure == EAI_MEMORY)
        return err_oom();
    if (failure)
        return err_new(&ERR_UPSTREAM_UNAVAILABLE, "%s: %s", host, gai_strerror(failure));
    size_t count = 0;
    for (struct addrinfo *one = found; one && count < cap; one = one->ai_next) {
        if (one->ai_addrlen > sizeof(union address))
            continue;
        memset(&out_addresses[count], 0, sizeof(union address));
        memcpy(&out_addresses[count++], one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    *out_count = count;
    return NULL;
}

bool network_parse(struct str text, struct network *out_network)
{
    const char *slash = memchr(text.data, '/', text.len);
    size_t ip_len = slash ? (size_t)(slash - text.data) : text.len;
    struct network network;
    if (!address_parse_ip((struct str){text.data, ip_len}, &network.address))
        return false;
    size_t bytes;
    ip_bytes(&network.address, &bytes);
    int64_t bits = (int64_t)bytes * 8;
    if (slash && !parse_i64_n(slash + 1, text.len - ip_len - 1, 0, bits, &bits))
        return false;
    network.prefix_bits = (unsigned)bits;
    *out_network = network;
    return true;
}

bool network_has(const struct network *network, const union address *address)
{
    size_t net_len, len;
    const unsigned char *net = ip_bytes(&network->address, &net_len);
    const unsigned char *ip = ip_bytes(address, &len);
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;
    if (net_len != len || memcmp(net, ip, whole) != 0)
        return false;
    return rest == 0 || ((net[whole] ^ ip[whole]) >> (8 - rest)) == 0;
}

static struct err *listen_on(int fd, const union address *address)
{
    const int on = 1, off = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
        return err_errno(errno, "setsockopt");
    if (address->any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return err_errno(errno, "setsockopt");
    if (bind(fd, &address->any, address_len(address)) < 0)
        return err_errno(errno, "bind");
    if (listen(fd, BACKLOG) < 0)
        return err_errno(errno, "listen");
    return NULL;
}

/* Every address: IPv6 with IPv4 mapped into it, or IPv4 alone where the kernel has no IPv6. */
static int open_any(uint16_t port, union address *out_address)
{
    *out_address = (union address){
        .v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any, .sin6_port = htons(port)}};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 || errno != EAFNOSUPPORT)
        return fd;
    *out_address = (union address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

struct err *address_listen(const char *text, int *out_fd)
{
    char host[HOST_MAX];
    uint16_t port;
    if (!address_split(text, host, sizeof(host), &port))
        return err_new(&ERR_INTERNAL, "%s is not host:port", text);
    union address address = {0};
    int fd;
    if (host[0] == '\0') {
        fd = open_any(port, &address);
    } else {
        size_t count;
        TRY(address_resolve(text, false, &address, 1, &count));
        fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (fd < 0)
        return err_errno(errno, "socket");
    struct err *e = listen_on(fd, &address);
    if (e) {
        close(fd);
        return err_wrap(e, "listen on %s", text);
    }
    *out_fd = fd;
    return NULL;
}

void socket_reset_on_close(int fd)
{
    const struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

void socket_no_delay(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}
