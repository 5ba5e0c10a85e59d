/* The subcommand `replay`, the same in every service that has an inbox. */
#include <event/inbox.h>

#include <inttypes.h>
#include <stdio.h>

#include <base/clock.h>

struct replaying {
    enum inbox_replay what;
    int failed;
};

/* Whoever wrote the event has not to do with the terminal of who looks at it. */
static void show_text(const char *text)
{
    for (const char *c = *text ? text : "-"; *c; c++)
        putchar((unsigned char)*c < ' ' || *c == 0x7f ? '?' : *c);
    putchar(' ');
}

static void show_letter(const struct inbox_letter *letter, const struct err *e, void *data)
{
    struct replaying *replaying = data;
    char time[CLOCK_TEXT];
    char line[ERR_LINE];
    clock_format(letter->time_ms, time);
    err_format(e, line, sizeof(line));
    printf("%s seq:%" PRIu64 " ", time, letter->sequence);
    show_text(letter->id);
    show_text(letter->type);
    if (replaying->what == INBOX_LIST) {
        show_text(letter->error);
        show_text(letter->detail);
        printf("(%" PRId64 " deliveries)\n", letter->deliveries);
        return;
    }
    puts(e ? line : replaying->what == INBOX_DISCARD ? "discarded" : "handled");
    replaying->failed += e != NULL;
}

static struct err *read_what(const char *const *args, enum inbox_replay *out_what)
{
    bool is_list = args[0] != NULL;
    bool is_discard = args[1] != NULL;
    if (is_discard && (is_list || !args[2]))
        return err_new(&ERR_INVALID_REQUEST, "replay --discard takes the one to be discarded: its "
                                             "id, or seq:N as --list shows it");
    *out_what = is_list ? INBOX_LIST : is_discard ? INBOX_DISCARD : INBOX_HANDLE;
    return NULL;
}

struct err *inbox_replay_command(const struct inbox_options *options, struct ctx *ctx,
                                 const char *const *args)
{
    struct replaying replaying = {0};
    TRY(read_what(args, &replaying.what));
    TRY(inbox_replay(options, ctx, args[2], replaying.what, show_letter, &replaying));
    if (replaying.failed == 0)
        return NULL;
    return err_new(&ERR_INTERNAL, "%d events %s", replaying.failed,
                   replaying.what == INBOX_DISCARD ? "are still there" : "failed again");
}
