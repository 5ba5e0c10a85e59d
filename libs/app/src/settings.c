#include "settings.h"

#include <stdlib.h>
#include <unistd.h>

#include <base/str.h>

#define LISTEN_DEFAULT "127.0.0.1:8080"
#define ADMIN_DEFAULT  "127.0.0.1:9090"

/* In the order of enum slog_level and enum slog_format. */
static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const formats[] = {"json", "text", NULL};
static const char *const nats_schemes[] = {"nats", "tls", NULL};
static const char *const web_schemes[] = {"http", "https", NULL};

static bool is_database_url(const char *text, struct buf *out_must_be)
{
    if (str_starts_with(text, "sqlite:") || str_starts_with(text, "postgres://") ||
        str_starts_with(text, "postgresql://"))
        return true;
    buf_append_str(out_must_be, "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE");
    return false;
}

static bool is_readable_file(const char *text, struct buf *out_must_be)
{
    if (access(text, R_OK) == 0)
        return true;
    buf_append_str(out_must_be, "a file that can be read");
    return false;
}

static const struct cfg_setting general[] = {
    CFG_ADDRESS(struct app_settings, listen_addr, "LISTEN_ADDR", .def = LISTEN_DEFAULT,
                .help = "Where the service is served; port 0 takes a free one"),
    CFG_ADDRESS(struct app_settings, admin_addr, "ADMIN_ADDR", .def = ADMIN_DEFAULT,
                .help = "Where /livez, /readyz, /metrics and /version are served"),
    CFG_ENUM(struct app_settings, log_level, "LOG_LEVEL", .def = "info", .values = levels,
             .help = "Least severe events that are logged"),
    CFG_ENUM(struct app_settings, log_format, "LOG_FORMAT", .def = "json", .values = formats,
             .help = "One JSON object or one line of text per event"),
    CFG_BOOL(struct app_settings, access_log, "ACCESS_LOG", .def = "true",
             .help = "Whether each request is logged"),
    CFG_INT(struct app_settings, http_threads, "HTTP_THREADS", .def = "16", .min = 1, .max = 1024,
            .help = "Connections that are served at once, a thread for each"),
    CFG_DURATION(struct app_settings, lame_duck_ms, "SHUTDOWN_LAME_DUCK_MS", .def = "0", .min = 0,
                 .max = 600000,
                 .help =
                     "How long everything is still served after SIGTERM, while it is not ready"),
    CFG_DURATION(struct app_settings, drain_ms, "SHUTDOWN_DRAIN_MS", .def = "25000", .min = 0,
                 .max = 600000,
                 .help = "How long requests in flight may take to finish after that"),
    CFG_STRING(struct app_settings, token_issuer, "TOKEN_ISSUER", .def = "http://127.0.0.1:8080",
               .min = 1, .max = 255,
               .help = "Who issues access tokens (claim iss): the public URL of the gateway"),
    CFG_STRING(struct app_settings, token_audience, "TOKEN_AUDIENCE", .def = "plankton", .min = 1,
               .max = 127, .help = "Whom access tokens are for (claim aud)"),
};
static const struct cfg_table general_table = CFG_TABLE("Every service", general);

static const struct cfg_setting database[] = {
    CFG_SECRET(struct app_settings, database_url, "DATABASE_URL", .required = true,
               .check = is_database_url,
               .help = "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"),
    CFG_INT(struct app_settings, db_max_open, "DB_MAX_OPEN", .def = "25", .min = 1, .max = 1000,
            .help = "Database connections at most"),
    CFG_INT(struct app_settings, db_max_idle, "DB_MAX_IDLE", .def = "10", .min = 1, .max = 1000,
            .help = "Database connections that are kept open while idle"),
    CFG_BOOL(struct app_settings, db_prepared_statements, "DB_PREPARED_STATEMENTS", .def = "true",
             .help = "Whether PostgreSQL prepares statements; false behind PgBouncer in "
                     "transaction mode"),
};
static const struct cfg_table database_table = CFG_TABLE("Services with a database", database);

static const struct cfg_setting bus[] = {
    CFG_URL(struct app_settings, nats_url, "NATS_URL", .def = "nats://127.0.0.1:4222", .list = true,
            .values = nats_schemes, .help = "NATS servers, separated by commas"),
    CFG_STRING(struct app_settings, nats_creds_file, "NATS_CREDS_FILE", .check = is_readable_file,
               .help = "User JWT and seed for NATS, as nsc writes them"),
    CFG_STRING(struct app_settings, nats_ca_file, "NATS_CA_FILE", .check = is_readable_file,
               .help =
                   "Who signs the certificates of the NATS servers; with it, TLS is used. Else, "
                   "for tls://, whom the system trusts"),
    CFG_STRING(struct app_settings, nats_cert_file, "NATS_CERT_FILE", .check = is_readable_file,
               .help = "The service's own certificate for NATS, with its chain"),
    CFG_STRING(struct app_settings, nats_key_file, "NATS_KEY_FILE", .check = is_readable_file,
               .help = "The key of NATS_CERT_FILE"),
    CFG_INT(struct app_settings, nats_stream_replicas, "NATS_STREAM_REPLICAS", .def = "0", .min = 0,
            .max = 5,
            .help = "Of each stream in a NATS cluster, odd; 0: as they are, and 1 of new ones"),
};
static const struct cfg_table bus_table = CFG_TABLE("Services on the message bus", bus);

static const struct cfg_setting verifier[] = {
    CFG_URL(struct app_settings, auth_jwks_url, "AUTH_JWKS_URL",
            .def = "http://127.0.0.1:8082/.well-known/jwks.json", .values = web_schemes,
            .help = "The keys that access tokens are signed with"),
};
static const struct cfg_table verifier_table =
    CFG_TABLE("Services that check access tokens", verifier);

const struct cfg_table *const app_settings_tables[] = {&general_table, &database_table, &bus_table,
                                                       &verifier_table, NULL};

/* --- of one app --- */

/* A table with other defaults; rows has room for it. */
static struct cfg_table with_default(const struct cfg_table *table, struct cfg_setting *rows,
                                     const char *name, const char *def)
{
    for (size_t i = 0; i < table->count; i++) {
        rows[i] = table->settings[i];
        if (def && str_equal(rows[i].name, name)) {
            rows[i].def = def;
            rows[i].required = false;
        }
    }
    return (struct cfg_table){table->title, rows, table->count};
}

static void bind(struct settings *settings, const struct cfg_table *table, void *object)
{
    settings->bindings[settings->binding_count++] = (struct cfg_binding){table, object};
}

struct err *app_settings_init(struct settings *settings, const struct app *app)
{
    _Static_assert(ARRAY_LEN(general) <= SETTINGS_ROWS_MAX, "SETTINGS_ROWS_MAX is too small");
    struct cfg_setting listen[SETTINGS_ROWS_MAX];
    struct cfg_table listening =
        with_default(&general_table, listen, "LISTEN_ADDR", app->listen_addr);
    settings->general =
        with_default(&listening, settings->general_rows, "ADMIN_ADDR", app->admin_addr);
    settings->database =
        with_default(&database_table, settings->database_rows, "DATABASE_URL", app->database_url);
    bind(settings, &settings->general, &settings->shared);
    if (app->needs & APP_DATABASE)
        bind(settings, &settings->database, &settings->shared);
    if (app->needs & APP_BUS)
        bind(settings, &bus_table, &settings->shared);
    if (app->needs & APP_VERIFIER)
        bind(settings, &verifier_table, &settings->shared);
    if (!app->settings)
        return NULL;
    settings->own = calloc(1, app->settings_size);
    if (!settings->own)
        return err_oom();
    bind(settings, app->settings, settings->own);
    return NULL;
}

struct err *app_settings_load(struct settings *settings, const struct app *app)
{
    TRY(cfg_load(settings->bindings, settings->binding_count, environ));
    const struct app_settings *shared = &settings->shared;
    if (!shared->nats_cert_file != !shared->nats_key_file)
        return err_new(&CFG_INVALID, "NATS_CERT_FILE, NATS_KEY_FILE: both must be set, or none");
    return app->check ? app->check(&settings->shared, settings->own) : NULL;
}

void app_settings_deinit(struct settings *settings)
{
    cfg_unload(settings->bindings, settings->binding_count);
    free(TAKE(settings->own));
}
