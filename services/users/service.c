#include "service.h"

#include "handlers.h"
#include "store.h"
#include "user.h"

extern const struct sql_migrations users_migrations;

static const struct route routes[] = {
    {GET, "/api/v1/users/me", read_me, .summary = "Read your own user", .out = &user_model,
     .allow = SIGNED_IN, .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED)},
    {PATCH, "/api/v1/users/me", patch_me, .summary = "Change your own user",
     .in = &user_patch_model, .out = &user_model, .allow = SIGNED_IN,
     .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED, &EMAIL_TAKEN, &ERR_PRECONDITION_FAILED,
                    &USER_CHANGED)},
    {DELETE, "/api/v1/users/me", delete_me, .summary = "Delete your own user", .allow = SIGNED_IN,
     .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED, &ERR_PRECONDITION_FAILED, &USER_CHANGED)},
    {GET, "/api/v1/users", list_users, .summary = "List users", .query = &user_query_model,
     .out = &user_model, .list = true, .allow = ADMIN, .fails = KINDS(&ACCOUNT_SUSPENDED)},
    {POST, "/api/v1/users", invite_user, .summary = "Invite a user", .in = &new_user_model,
     .out = &user_model, .status = 201, .allow = ADMIN, .idempotent = true,
     .fails = KINDS(&EMAIL_TAKEN, &USER_NOT_FOUND, &ACCOUNT_SUSPENDED)},
    {GET, "/api/v1/users/{id}", read_user, .summary = "Read one user", .out = &user_model,
     .allow = SELF_OR_ADMIN, .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED)},
    {PATCH, "/api/v1/users/{id}", patch_user, .summary = "Change a user", .in = &user_patch_model,
     .out = &user_model, .allow = SELF_OR_ADMIN,
     .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED, &EMAIL_TAKEN, &ERR_PRECONDITION_FAILED,
                    &USER_CHANGED)},
    {DELETE, "/api/v1/users/{id}", delete_user, .summary = "Delete a user", .allow = SELF_OR_ADMIN,
     .fails = KINDS(&USER_NOT_FOUND, &ACCOUNT_SUSPENDED, &ERR_PRECONDITION_FAILED, &USER_CHANGED)},
};

static const struct bus_method methods[] = {
    {"users.v1.create", method_create, &create_request_model, &created_user_model,
     "First step of a registration: a pending user, seen by nobody; may be repeated with an id"},
    {"users.v1.activate", method_activate, &user_id_model, &user_record_model,
     "Last step of a registration; may be repeated"},
    {"users.v1.get", method_get, &user_id_model, &user_record_model, "One user by id"},
    {"users.v1.find_by_email", method_find_by_email, &user_email_model, &user_record_model,
     "One user by address, whatever the letter case"},
    {"users.v1.list", method_list, &user_list_query_model, &user_list_model,
     "All users, page by page: what a projection begins with"},
};

static const struct bus_event_type events[] = {
    {USER_CREATED, &user_record_model,
     "A user is there: registered or invited. Not told of before a registration is finished"},
    {USER_UPDATED, &user_record_model, "A user has changed; the whole of it"},
    {USER_DELETED, &deleted_user_model,
     "A user is not there any more, and the id never comes back"},
};

static const struct bus_stream streams[] = {
    {.name = "USERS", .subjects = "users.v1.events.>", .max_age_s = (int64_t)7 * 24 * 3600},
};

/* What is committed as the process ends is published by the next one, at the latest. */
#define FLUSH_MS 1000

static const struct app_command commands[] = {
    {"export", "[FILE]", "write all users as JSON lines, to standard output or a file",
     APP_DATABASE, export_users},
    {"import", "[FILE]", "take in what export has written; may be run again", APP_DATABASE,
     import_users},
};

static void end(struct service *service)
{
    ctx_cancel(&service->ctx);
    if (service->background)
        err_free(group_wait(service->background));
    outbox_stop(service->outbox, FLUSH_MS);
    ctx_deinit(&service->ctx);
    free(service);
}
DEFINE_CLEANUP(struct service *, end);

static struct err *start(struct app_runtime *runtime, void **out_state)
{
    _cleanup_(end) struct service *service = calloc(1, sizeof(*service));
    if (!service)
        return err_oom();
    ctx_init(&service->ctx, runtime->ctx, CTX_NO_TIMEOUT);
    service->db = runtime->db;
    service->settings = runtime->own_settings;
    const struct outbox_options outbox = {
        .db = runtime->db,
        .bus = runtime->bus,
        .source = "users",
        .metrics = runtime->metrics,
    };
    TRY(outbox_start(&outbox, &service->outbox));
    TRY(group_new(&service->ctx, 1, &service->background));
    TRY(group_go(service->background, remove_pending, service));
    *out_state = TAKE(service);
    return NULL;
}

static void stop(struct app_runtime *runtime)
{
    end(runtime->state);
}

/* All bodies are a few short texts. Whatever the gateway lets through, as many as HTTP_THREADS of them are
 * in memory at once, as trees of many times their size. */
static const struct http_server_options http_options = {.max_body = (size_t)16 << 10};

const struct app users_app = {
    .name = "users",
    .listen_addr = "127.0.0.1:8081",
    .admin_addr = "127.0.0.1:9091",
    .database_url = "sqlite:var/users.db",
    .needs = APP_DATABASE | APP_BUS | APP_VERIFIER,
    .routes = {routes, ARRAY_LEN(routes)},
    .http = &http_options,
    .migrations = &users_migrations,
    .methods = methods,
    .method_count = ARRAY_LEN(methods),
    .settings = &users_settings_table,
    .settings_size = sizeof(struct users_settings),
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .events = events,
    .event_count = ARRAY_LEN(events),
    .streams = streams,
    .stream_count = ARRAY_LEN(streams),
    .start = start,
    .stop = stop,
};
