#include "app.h"

#include <app/verifier.h>
#include <slog/slog.h>

#include "routes_file.h"
#include "service.h"

static struct err *check_settings(const struct app_settings *shared, const void *own)
{
    const struct gateway_settings *settings = own;
    (void)shared;
    if (!settings->routes_file)
        return NULL;
    _cleanup_(routes_unref) struct routes *routes = NULL;
    return routes_file_load(settings->routes_file, &routes);
}

static struct err *check_token(void *data, struct str token, int64_t *out_expires_s)
{
    struct jose_claims claims;
    TRY(app_verifier_check(data, token.data, token.len, &claims));
    *out_expires_s = claims.exp_s;
    return NULL;
}

static uint64_t token_epoch(void *data)
{
    return app_verifier_epoch(data);
}

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    struct gateway *gateway = NULL;
    const struct gateway_options options = {
        .settings = runtime->own_settings,
        .listen_addr = runtime->settings->listen_addr,
        .access_log = runtime->settings->access_log,
        .metrics = runtime->metrics,
        .checker = {check_token, token_epoch, runtime->verifier},
    };
    TRY(gateway_new(&options, &gateway));
    slog_info("listening", SLOG_STR("address", gateway_address(gateway)));
    *out_state = gateway;
    return NULL;
}

static void lame_duck(struct app_runtime *runtime)
{
    gateway_lame_duck(runtime->state);
}

static void drain(struct app_runtime *runtime, int64_t drain_ms)
{
    gateway_drain(runtime->state, drain_ms);
}

static void stop(struct app_runtime *runtime)
{
    gateway_free(runtime->state);
}

const struct app gateway_app = {
    .name = "gateway",
    .needs = APP_VERIFIER | APP_OWN_LISTENER,
    .settings = &gateway_settings_table,
    .settings_size = sizeof(struct gateway_settings),
    .check = check_settings,
    .start = start,
    .lame_duck = lame_duck,
    .drain = drain,
    .stop = stop,
};
