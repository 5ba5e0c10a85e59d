#include "settings.h"

#include <string.h>

#include "fields.h"

bool trusted_parse(const char *list, struct network out[static TRUSTED_MAX], size_t *out_count)
{
    struct str text = {list, strlen(list)}, one;
    size_t count = 0;
    for (size_t cursor = 0; list_next(text, &cursor, &one);)
        if (count == TRUSTED_MAX || !network_parse(one, &out[count++]))
            return false;
    *out_count = count;
    return true;
}

static bool are_networks(const char *text, struct buf *out_must_be)
{
    struct network networks[TRUSTED_MAX];
    size_t count;
    if (trusted_parse(text, networks, &count))
        return true;
    buf_printf(out_must_be,
               "at most %d addresses or networks such as 10.0.0.0/8, separated by commas",
               TRUSTED_MAX);
    return false;
}

static const struct cfg_setting rows[] = {
    CFG_STRING(struct gateway_settings, routes_file, "ROUTES_FILE",
               .help = "JSON file of upstreams and routes, read again when it changes; without it "
                       "users and auth on this machine"),
    CFG_INT(struct gateway_settings, workers, "WORKERS", .def = "0", .min = 0, .max = WORKERS_MAX,
            .help = "Event loops, each on its own thread; 0 for one per core"),
    CFG_STRING(struct gateway_settings, trusted_proxies, "TRUSTED_PROXIES", .check = are_networks,
               .help = "Proxies in front of the gateway whose X-Forwarded-* headers are believed"),
    CFG_INT(struct gateway_settings, max_connections, "MAX_CONNECTIONS", .def = "20000", .min = 1,
            .max = 1000000, .help = "Client connections at most; more wait in the kernel"),
    CFG_DURATION(struct gateway_settings, header_timeout_ms, "CLIENT_HEADER_TIMEOUT_MS",
                 .def = "10000", .min = 1, .max = 600000,
                 .help = "How long a client may take to send the head of a request"),
    CFG_DURATION(struct gateway_settings, body_timeout_ms, "CLIENT_BODY_TIMEOUT_MS", .def = "30000",
                 .min = 1, .max = 600000,
                 .help = "How long a client may take to send or take 16 KiB of a body"),
    CFG_DURATION(struct gateway_settings, idle_timeout_ms, "CLIENT_IDLE_TIMEOUT_MS", .def = "60000",
                 .min = 1, .max = 3600000,
                 .help = "How long a client's connection is kept between two requests"),
};

const struct cfg_table gateway_settings_table = CFG_TABLE("Gateway", rows);
