/*
 * The life of a service process: flags, settings, signals, readiness, ordered start and drain, admin
 * endpoints.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return app_run(argc, argv, &(struct app){.name = "hello", .routes = ROUTES(routes)});
 *     }
 *
 * Subcommands: serve (default), migrate [--status], config, healthcheck, openapi, version, help.
 *
 * serve: settings are loaded (every mistake in one message, exit 2); logs begin; the admin listener
 * answers /livez, /readyz, /metrics, /version; database and bus are opened (both may be away: the process
 * stays unready and keeps trying); migrations run once the database answers; start() runs; the
 * listener opens; ready. SIGTERM or SIGINT: /readyz 503, lame duck, listener closes, requests drain, stop(),
 * bus drains, database closes, exit 0. A second signal exits at once with 1.
 *
 * Threads: app_run() is main's; hooks run on its thread.
 */
#ifndef APP_APP_H
#define APP_APP_H

#include <bus/bus.h>
#include <cfg/cfg.h>
#include <err/err.h>
#include <http/client.h>
#include <http/server.h>
#include <metric/metric.h>
#include <sql/migrate.h>
#include <sql/sql.h>

/* The shared settings of design section 5; rows in app_settings_table. */
struct app_settings {
    char *listen_addr;
    char *admin_addr;
    char *database_url;
    char *nats_url;
    char *nats_creds_file;
    int log_level;  /* enum slog_level */
    int log_format; /* enum slog_format */
    bool access_log;
    int64_t lame_duck_ms;
    int64_t drain_ms;
    int db_max_open, db_max_idle;
    int http_threads;
    char *auth_jwks_url;
    char *token_issuer, *token_audience;
};

/* A running service, as its hooks see it. Parts that the app did not ask for are NULL. */
struct app_runtime {
    const struct app_settings *settings;
    void *own_settings; /* the struct that .settings describes */
    struct metrics *metrics;
    struct sql_db *db;
    struct bus *bus;
    struct http_client *client;
    struct app_verifier *verifier;
    struct ctx *ctx; /* ends when the process is told to stop */
    void *state;     /* set by start(), given to handlers as http_state() */
};

enum app_needs {
    APP_DATABASE = 1, /* opens DATABASE_URL, runs the migrations */
    APP_BUS = 2,      /* connects to NATS_URL */
    APP_VERIFIER = 4, /* access tokens are checked against AUTH_JWKS_URL */
    APP_OWN_LISTENER = 8, /* the service listens itself (gateway); .routes is unused */
};

struct app {
    const char *name;        /* "users" */
    const char *listen_addr; /* defaults of LISTEN_ADDR and ADMIN_ADDR; NULL: 127.0.0.1:8080, :9090 */
    const char *admin_addr;
    const char *database_url; /* default of DATABASE_URL */
    unsigned needs;          /* enum app_needs */
    struct route_table routes;
    const struct sql_migrations *migrations; /* NULL: none */
    const struct cfg_table *settings; /* the service's own settings */
    size_t settings_size;             /* bytes of their struct */
    /* Builds the service (the composition root); *out_state goes to the handlers. The database is
     * migrated and answering; the bus may not be connected yet. */
    struct err *(*start)(struct app_runtime *runtime, void **out_state);
    /* After start: subscriptions and background work, once the bus is there. */
    const struct bus_method *methods;
    size_t method_count;
    /* Further condition of readiness; NULL when fine. Called by /readyz, must not block long. */
    struct err *(*ready)(struct app_runtime *runtime);
    /* SIGTERM has come: begin the lame duck (gateway: Connection: close). */
    void (*lame_duck)(struct app_runtime *runtime);
    /* Stop listening and finish what is in flight within drain_ms (APP_OWN_LISTENER). */
    void (*drain)(struct app_runtime *runtime, int64_t drain_ms);
    /* Frees what start() made. */
    void (*stop)(struct app_runtime *runtime);
    /* Overrides the verifier: auth checks tokens with its own keys. */
    struct http_authenticator (*authenticator)(struct app_runtime *runtime);
};

int app_run(int argc, char **argv, const struct app *app);
const char *app_version(void);

#endif
