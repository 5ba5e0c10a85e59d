#include "settings.h"

static const struct cfg_setting rows[] = {
    CFG_DURATION(struct users_settings, pending_ttl_s, "PENDING_TTL_S", .def = "600", .min = 1,
                 .max = 86400,
                 .help = "How long a registration may take; what one that did not end has left is "
                         "removed then (it blocks nobody before)"),
};

const struct cfg_table users_settings_table = CFG_TABLE("users", rows);
