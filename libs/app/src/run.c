#include "commands.h"

#include <signal.h>
#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>
#include <jose/jose.h>
#include <slog/slog.h>

#define TEXT_MAX ((size_t)1024 * 1024)

const char *app_version(void)
{
    return PLANKTON_VERSION;
}

/* --- commands that need no right settings --- */

static int print_version(struct process *process)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "%s %s\n", process->app->name, app_version());
    return app_print(process, &text);
}

static int fail_settings(const struct process *process, struct err *e)
{
    if (!err_is(e, &CFG_INVALID))
        return app_fail(process, e);
    fprintf(stderr, "%s: wrong settings\n%s\n", process->app->name, err_detail(e));
    err_free(e);
    return APP_EXIT_WRONG;
}

static int print_config(struct process *process)
{
    struct settings *settings = &process->settings;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    struct err *e = cfg_describe(settings->bindings, settings->binding_count, environ, &text);
    if (e)
        return app_fail(process, e);
    int status = app_print(process, &text);
    e = app_settings_load(settings, process->app);
    return e ? fail_settings(process, e) : status;
}

/* --- the table of commands --- */

static int print_help(struct process *process);

static const struct command {
    const char *name;
    const char *option; /* which must be there; "[WORD]": what may be; NULL: takes none */
    int (*run)(struct process *process);
    bool needs_settings;
    unsigned needs; /* enum app_needs: only apps with these have the command */
    const char *help;
} commands[] = {
    {"serve", NULL, app_serve, true, 0, "serve until SIGTERM or SIGINT (the default)"},
    {"migrate", NULL, app_migrate, true, APP_DATABASE,
     "bring the database up to date, waiting until it is there"},
    {"migrate", "--status", app_migrate_status, true, APP_DATABASE,
     "list the migrations, applied and pending"},
    {"config", NULL, print_config, false, 0, "show every setting, its value, source and meaning"},
    {"healthcheck", "[URL]", app_healthcheck, true, 0,
     "ask the running process, or URL, whether it is ready; exit status 0 or 1"},
    {"openapi", NULL, app_openapi, true, 0, "print the OpenAPI document"},
    {"asyncapi", NULL, app_asyncapi, false, APP_BUS,
     "print the AsyncAPI document: requests and events on NATS"},
    {"version", NULL, print_version, false, 0, "print the version"},
    {"help", NULL, print_help, false, 0, "this text"},
};

static bool has_command(const struct app *app, const struct command *command)
{
    return (app->needs & command->needs) == command->needs;
}

static void write_usage(const struct app *app, struct buf *out)
{
    buf_printf(out, "Usage: %s [COMMAND]\n\n", app->name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *option = commands[i].option ? commands[i].option : "";
        if (has_command(app, &commands[i]))
            buf_printf(out, "  %-11s %-15s %s\n", commands[i].name, option, commands[i].help);
    }
    app_write_own_help(app, out);
    buf_append_str(out, "\nSettings come from the environment; \"config\" lists them.\n");
}

static int print_help(struct process *process)
{
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    write_usage(process->app, &text);
    return app_print(process, &text);
}

static bool is_called(const struct command *command, int argc, char **argv)
{
    if (argc < 2)
        return command->run == app_serve;
    const char *name = str_starts_with(argv[1], "--") ? argv[1] + 2 : argv[1];
    const char *option = command->option ? command->option : "";
    bool may_have_any = option[0] == '[';
    return argc <= 3 && str_equal(name, command->name) &&
           (may_have_any || str_equal(argc > 2 ? argv[2] : "", option));
}

static const struct command *find_command(const struct app *app, int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (has_command(app, &commands[i]) && is_called(&commands[i], argc, argv))
            return &commands[i];
    }
    return NULL;
}

static int reject_command(const struct app *app)
{
    _cleanup_(buf_deinit) struct buf usage = BUF_INIT(TEXT_MAX);
    write_usage(app, &usage);
    fputs(buf_text(&usage), stderr);
    return APP_EXIT_WRONG;
}

/* --- the process --- */

static void init_process(struct process *process, const struct app *app)
{
    process->app = app;
    process->began_ms = clock_mono_ms();
    pthread_mutex_init(&process->lock, NULL);
    ctx_init(&process->ctx, NULL, CTX_NO_TIMEOUT);
    process->runtime.ctx = &process->ctx;
    process->runtime.settings = &process->settings.shared;
}

static void deinit_process(struct process *process)
{
    app_settings_deinit(&process->settings);
    ctx_deinit(&process->ctx);
    pthread_mutex_destroy(&process->lock);
}
DEFINE_CLEANUP_VALUE(struct process, deinit_process);

static struct err *load(struct process *process)
{
    TRY(app_settings_load(&process->settings, process->app));
    slog_init(&(struct slog_options){
        .service = process->app->name,
        .level = (enum slog_level)process->settings.shared.log_level,
        .format = (enum slog_format)process->settings.shared.log_format,
    });
    return NULL;
}

/* Threads that libraries start (nats.c: five) would have 8 MiB, which a kernel that makes huge pages
 * of everything backs with 2 MiB each. */
#define LIBRARY_STACK ((size_t)1024 * 1024)

static void limit_stacks(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, LIBRARY_STACK);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

int app_run(int argc, char **argv, const struct app *app)
{
    const char *args[APP_ARGS_MAX] = {0};
    const struct command *command = find_command(app, argc, argv);
    const struct app_command *own = command ? NULL : app_find_own_command(app, argv[1]);
    if (!command && !own)
        return reject_command(app);
    if (own && !app_read_own_args(app, own, argv + 2, args))
        return APP_EXIT_WRONG;
    signal(SIGPIPE, SIG_IGN);
    limit_stacks();
    jose_keep_openssl();
    _cleanup_(deinit_process) struct process process = {0};
    init_process(&process, app);
    process.argument = argc > 2 ? argv[2] : NULL;
    struct err *e = app_settings_init(&process.settings, app);
    process.runtime.own_settings = process.settings.own;
    if (!e && (own || command->needs_settings))
        e = load(&process);
    if (e)
        return fail_settings(&process, e);
    return own ? app_run_own_command(&process, own, args) : command->run(&process);
}
