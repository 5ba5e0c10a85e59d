/*
 * The life of a service process: subcommands, settings, signals, readiness, ordered start and
 * drain, admin endpoints.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return app_run(argc, argv, &(struct app){.name = "hello", .routes = ROUTES(routes)});
 *     }
 *
 * Subcommands: serve (default), migrate [--status], config, healthcheck [URL] (of an answer of 2xx;
 * else its own /readyz), openapi, asyncapi (with APP_BUS), version, help, and those of the service
 * itself (.commands). Exit status: 0; 1 for a failure, a second signal and an unhealthy process; 2
 * for a wrong command or wrong settings, all of which one message lists.
 *
 * serve, in this order:
 *   1. settings are loaded, logs begin, database, bus and verifier are opened; none of them need be
 *      there yet, and what is away is tried for ever;
 *   2. the admin listener (ADMIN_ADDR) answers /livez, /readyz, /metrics, /version;
 *   3. migrations run as soon as the database answers. A database that is wrong
 *      (SQL_SCHEMA_NEWER, a changed migration) ends the process; on a newer one whose migrations
 *      work with this program it goes on, with a warning;
 *   4. start() builds the service, its bus methods are served, the listener (LISTEN_ADDR) opens;
 *   5. ready: /readyz is 200 while database, bus, verifier and ready() are fine, else 503 with a
 *      reason for each that is not. A bus that is lost after the process was ready is a reason still, but
 *      leaves it 200: it is lost to all replicas at once, and requests that need none go on. While
 *      PostgreSQL is away, bus methods are left to replicas that have it.
 *
 * SIGTERM or SIGINT, in this order:
 *   1. runtime->ctx ends, /readyz turns 503 (/livez stays 200), lame_duck();
 *   2. for SHUTDOWN_LAME_DUCK_MS everything is served as before, with Connection: close;
 *   3. the listener closes, requests in flight finish, then the bus drains; both together within
 *      SHUTDOWN_DRAIN_MS, and what takes longer is cancelled;
 *   4. the admin listener closes (what it tells of is about to go), stop(), bus and database close;
 *      exit 0.
 *
 * A second signal ends the process at once.
 *
 * The addresses are logged as they are bound (msg "admin listening", then "listening" when it is
 * ready but for what is away; each with "address"), so that tests may choose port 0; and "ready" with
 * "start_ms", once, when it is ready for the first time.
 *
 * Threads: app_run() is main's, called before any thread is started; the hooks run on its thread
 * but for ready(), which any thread may call.
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

/* The shared settings of design section 5. Those that a service has no use for (app->needs) are not
 * read and are NULL or 0. */
struct app_settings {
    char *listen_addr;
    char *admin_addr;
    char *database_url;
    char *nats_url;
    char *nats_creds_file;                               /* NULL: none */
    char *nats_ca_file, *nats_cert_file, *nats_key_file; /* likewise */
    int nats_stream_replicas;
    int log_level;  /* enum slog_level */
    int log_format; /* enum slog_format */
    bool access_log;
    int64_t lame_duck_ms;
    int64_t drain_ms;
    int db_max_open, db_max_idle;
    bool db_prepared_statements;
    int http_threads;
    char *auth_jwks_url;
    char *token_issuer, *token_audience;
};

/* The tables of the above, ended by NULL: what docs/configuration.md is made from. */
extern const struct cfg_table *const app_settings_tables[];

/* A running service, as its hooks see it. Parts that the app did not ask for are NULL. */
struct app_runtime {
    const struct app_settings *settings;
    const void *own_settings; /* the struct that .settings describes */
    struct metrics *metrics;
    struct sql_db *db;
    struct bus *bus;
    struct http_client *client; /* with APP_VERIFIER */
    struct app_verifier *verifier;
    struct ctx *ctx; /* ends when the process is told to stop */
    void *state;     /* set by start(), given to handlers as http_state() and to methods */
};

enum app_needs {
    APP_DATABASE = 1,     /* opens DATABASE_URL, runs the migrations */
    APP_BUS = 2,          /* connects to NATS_URL */
    APP_VERIFIER = 4,     /* access tokens are checked against AUTH_JWKS_URL */
    APP_OWN_LISTENER = 8, /* the service listens itself (gateway); .routes is unused */
};

/*
 * A subcommand of the service's own:
 *
 *     {"export", "[FILE]", "write all users to standard output, or to a file", APP_DATABASE, run},
 *
 * The names of those that every service has are taken. Settings are loaded and logs begin as in
 * serve; start() is not called. Signals end the process at once, as they do any program.
 */
struct app_command {
    const char *name;
    /* What it takes, as help shows it, in words with one space between: WORD must be given, [WORD]
     * may be (and comes after those that must), [--WORD] is a flag, which may stand anywhere. At
     * most APP_ARGS_MAX. NULL: nothing. Whoever calls it otherwise is told, with exit status 2. */
    const char *arguments;
    const char *help;
    /* Of app->needs: APP_DATABASE is opened and migrated, APP_BUS connected. What is away fails the
     * command. */
    unsigned needs;
    /* args: an entry for each word of .arguments, NULL where it was not given (a flag: its text).
     * runtime has the parts of .needs, own_settings and a ctx. An error is told on standard error;
     * exit status 1. */
    struct err *(*run)(struct app_runtime *runtime, const char *const *args);
};
#define APP_ARGS_MAX 8

struct app {
    const char *name;         /* "users" */
    const char *listen_addr;  /* default of LISTEN_ADDR; NULL: 127.0.0.1:8080 */
    const char *admin_addr;   /* default of ADMIN_ADDR; NULL: 127.0.0.1:9090 */
    const char *database_url; /* default of DATABASE_URL; NULL: it must be set */
    unsigned needs;           /* enum app_needs */
    struct route_table routes;
    /* Of the listener: chain, cors, rate_limit, max_body and the timeouts. The rest of it is not
     * looked at, it comes from settings and the app. NULL: the defaults. */
    const struct http_server_options *http;
    const struct sql_migrations *migrations; /* NULL: none */
    const struct cfg_table *settings;        /* the service's own; NULL: none */
    size_t settings_size;                    /* bytes of their struct */
    /* Mistakes that no single setting has; CFG_INVALID. NULL: none. */
    struct err *(*check)(const struct app_settings *settings, const void *own_settings);
    /* Builds the service (the composition root); *out_state goes to the handlers. The database is
     * migrated and answering; the bus may not be connected yet. An error ends the process
     * (CFG_INVALID: with status 2). */
    struct err *(*start)(struct app_runtime *runtime, void **out_state);
    const struct bus_method *methods; /* served after start(), with its state */
    size_t method_count;
    const struct app_command *commands; /* NULL: none of its own */
    size_t command_count;
    const struct bus_event_type *events; /* that it publishes, for its AsyncAPI document */
    size_t event_count;
    const struct bus_stream *streams; /* declared: there before anything is published to them */
    size_t stream_count;
    /* A further condition of readiness, asked after start(); NULL when fine. At each /readyz, so it
     * must not block long. */
    struct err *(*ready)(struct app_runtime *runtime);
    /* SIGTERM has come: begin the lame duck (APP_OWN_LISTENER: Connection: close). */
    void (*lame_duck)(struct app_runtime *runtime);
    /* Stop listening and finish what is in flight within drain_ms (APP_OWN_LISTENER). */
    void (*drain)(struct app_runtime *runtime, int64_t drain_ms);
    /* Frees what start() made. No request and no bus method runs any more; the bus still sends. */
    void (*stop)(struct app_runtime *runtime);
    /* Overrides the verifier: auth checks tokens with its own keys. After start(). */
    struct http_authenticator (*authenticator)(struct app_runtime *runtime);
    /* A secret for the hashes of requests with an Idempotency-Key, which are in the database
     * (<app/idempotency.h>), where bodies have passwords. After start(). NULL: none. */
    void (*idempotency_secret)(struct app_runtime *runtime, unsigned char out_secret[static 32]);
};

/* What main() returns. */
int app_run(int argc, char **argv, const struct app *app);
/* "0.1.0" */
const char *app_version(void);

#endif
