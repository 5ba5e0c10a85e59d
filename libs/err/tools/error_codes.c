/*
 * Prints docs/error-codes.md.
 *
 * Before that, every kind is checked: slugs are snake_case and unique over the whole tree, since
 * a client sees them all in one field; statuses are those of errors; each has a title and a help.
 */
#include <stdio.h>
#include <string.h>

#include <base/buf.h>
#include <base/map.h>
#include <base/str.h>
#include <err/err.h>

#define DOCUMENT_MAX ((size_t)1 << 20)
#define KINDS_MAX    4096

static const struct row {
    const char *owner;
    struct err_kind kind;
} rows[] = {
#define X(symbol, slug, status, title, retryable, help)                                            \
    {OWNER, {slug, status, title, retryable, help}},
#include KINDS_FILE
#undef X
};

static bool is_snake_case(const char *slug)
{
    char before = '_';
    for (; *slug; before = *slug++) {
        bool is_word = (*slug >= 'a' && *slug <= 'z') || (*slug >= '0' && *slug <= '9');
        if (!is_word && (*slug != '_' || before == '_'))
            return false;
    }
    return before != '_';
}

static bool may_share(const struct row *a, const struct row *b)
{
    return str_starts_with(a->owner, "services/") && str_starts_with(b->owner, "services/") &&
           !str_equal(a->owner, b->owner) && a->kind.status == b->kind.status &&
           a->kind.retryable == b->kind.retryable && str_equal(a->kind.title, b->kind.title) &&
           str_equal(a->kind.help, b->kind.help);
}

static int complain(const struct row *row, const char *mistake, const char *other)
{
    fprintf(stderr, "error-codes: %s: \"%s\" %s%s\n", row->owner, row->kind.slug, mistake, other);
    return 1;
}

static int count_mistakes(const struct row *row, struct map *slugs)
{
    const struct err_kind *kind = &row->kind;
    int mistakes = 0;
    if (!is_snake_case(kind->slug))
        mistakes += complain(row, "is not snake_case", "");
    if (kind->status < 400 || kind->status > 599)
        mistakes += complain(row, "has no status from 400 to 599", "");
    if (!*kind->title)
        mistakes += complain(row, "has no title", "");
    if (!*kind->help)
        mistakes += complain(row, "has no help", "");
    struct row *same_slug = map_get(slugs, kind->slug, strlen(kind->slug));
    if (same_slug && !may_share(row, same_slug))
        mistakes += complain(row, "is declared already, or otherwise, by ", same_slug->owner);
    void *value = (void *)(uintptr_t)row;
    if (map_put(slugs, kind->slug, strlen(kind->slug), value, NULL) > MAP_PUT_REPLACED)
        mistakes += complain(row, "is one too many for memory", "");
    return mistakes;
}

static bool all_are_right(void)
{
    _cleanup_(map_deinit) struct map slugs = MAP_INIT(KINDS_MAX);
    int mistakes = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        mistakes += count_mistakes(&rows[i], &slugs);
    return mistakes == 0;
}

static void append_cell(struct buf *out, const char *text)
{
    buf_append_str(out, " ");
    for (; *text; text++) {
        if (*text == '|')
            buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
    buf_append_str(out, " |");
}

static void append_document(struct buf *out)
{
    buf_append_str(
        out, "# Error codes\n\n"
             "<!-- Made from the kinds.def files by `./dev docs`; do not edit. -->\n\n"
             "Every error answer is a problem document (RFC 9457). Its `code` is one of these "
             "and never\nchanges its meaning; programs match on it, never on `title` or "
             "`detail`. *Retry* tells whether the\nsame request may succeed later.\n");
    const char *owner = "";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct err_kind *kind = &rows[i].kind;
        if (!str_equal(owner, rows[i].owner)) {
            owner = rows[i].owner;
            buf_printf(out,
                       "\n## %s\n\n| code | status | title | retry | meaning |\n"
                       "|---|---|---|---|---|\n",
                       str_equal(owner, "libs/err") ? "General" : owner);
        }
        buf_printf(out, "| `%s` | %d |", kind->slug, kind->status);
        append_cell(out, kind->title);
        append_cell(out, kind->retryable ? "yes" : "no");
        append_cell(out, kind->help);
        buf_append_char(out, '\n');
    }
}

int main(void)
{
    if (!all_are_right())
        return 1;
    _cleanup_(buf_deinit) struct buf document = BUF_INIT(DOCUMENT_MAX);
    append_document(&document);
    if (buf_status(&document) != BUF_OK) {
        fprintf(stderr, "error-codes: out of memory, or the document is larger than 1 MiB\n");
        return 1;
    }
    return fwrite(document.data, 1, document.len, stdout) == document.len ? 0 : 1;
}
