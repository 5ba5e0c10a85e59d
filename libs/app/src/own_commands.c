#include "commands.h"

#include <stdio.h>
#include <string.h>

#include <base/str.h>

#define CONNECT_MS 5000

const struct app_command *app_find_own_command(const struct app *app, const char *name)
{
    for (size_t i = 0; i < app->command_count; i++) {
        if (str_equal(name, app->commands[i].name))
            return &app->commands[i];
    }
    return NULL;
}

void app_write_own_help(const struct app *app, struct buf *out)
{
    for (size_t i = 0; i < app->command_count; i++) {
        const struct app_command *command = &app->commands[i];
        buf_printf(out, "  %-11s %-15s %s\n", command->name,
                   command->arguments ? command->arguments : "", command->help);
    }
}

/* --- arguments --- */

/* A word of .arguments, without its brackets. */
struct parameter {
    struct str word;
    bool is_optional, is_flag;
};

static size_t list_parameters(const struct app_command *command,
                              struct parameter out[static APP_ARGS_MAX])
{
    size_t count = 0;
    const char *at = command->arguments ? command->arguments : "";
    while (*at && count < APP_ARGS_MAX) {
        struct str word = {at, strcspn(at, " ")};
        at += word.len + strspn(at + word.len, " ");
        bool is_optional = word.data[0] == '[';
        if (is_optional)
            word = (struct str){word.data + 1, word.len - 2};
        out[count++] = (struct parameter){
            .word = word,
            .is_optional = is_optional,
            .is_flag = str_starts_with(word.data, "--"),
        };
    }
    return count;
}

/* Where the word goes: its flag, or the first place that is still free. */
static const char **find_place(const struct parameter *parameters, size_t count, const char *word,
                               const char **args)
{
    bool is_flag = str_starts_with(word, "--");
    for (size_t i = 0; i < count; i++) {
        const struct parameter *parameter = &parameters[i];
        if (args[i] || parameter->is_flag != is_flag)
            continue;
        if (!is_flag || (strlen(word) == parameter->word.len &&
                         memcmp(word, parameter->word.data, parameter->word.len) == 0))
            return &args[i];
    }
    return NULL;
}

static bool refuse(const struct app *app, const struct app_command *command, const char *what,
                   struct str word)
{
    fprintf(stderr, "%s %s: %s \"" STR_FORMAT "\"\nUsage: %s %s%s%s\n", app->name, command->name,
            what, STR_ARGS(word), app->name, command->name, command->arguments ? " " : "",
            command->arguments ? command->arguments : "");
    return false;
}

bool app_read_own_args(const struct app *app, const struct app_command *command, char *const *words,
                       const char **out_args)
{
    struct parameter parameters[APP_ARGS_MAX];
    size_t count = list_parameters(command, parameters);
    for (; *words; words++) {
        const char **place = find_place(parameters, count, *words, out_args);
        if (!place)
            return refuse(app, command, "it does not take", (struct str){*words, strlen(*words)});
        *place = *words;
    }
    for (size_t i = 0; i < count; i++) {
        if (!out_args[i] && !parameters[i].is_optional)
            return refuse(app, command, "it needs", parameters[i].word);
    }
    return true;
}

/* --- running --- */

static struct err *open_parts(struct process *process, unsigned needs)
{
    if (needs & APP_DATABASE) {
        TRY(app_open_database(process));
        TRY(app_migrate_database(process));
    }
    if (!(needs & APP_BUS))
        return NULL;
    TRY(app_open_bus(process));
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, &process->ctx, CONNECT_MS);
    struct err *e = bus_wait(process->runtime.bus, &ctx);
    return err_wrap(e, "connect to NATS_URL");
}

int app_run_own_command(struct process *process, const struct app_command *command,
                        const char *const *args)
{
    struct err *e = open_parts(process, command->needs);
    if (!e)
        e = command->run(&process->runtime, args);
    app_close_parts(process);
    return e ? app_fail(process, e) : 0;
}
