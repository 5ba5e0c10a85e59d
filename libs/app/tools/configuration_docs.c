/*
 * configuration-docs               prints docs/configuration.md
 * configuration-docs --check FILE  exits with 1 and a message when FILE differs from that
 */
#include <stdio.h>

#include <app/app.h>
#include <base/str.h>

#define DOCUMENT_MAX ((size_t)1 << 20)

#define X(table) extern const struct cfg_table table;
#include "service_tables.inc"
#undef X

static const struct cfg_table *const service_tables[] = {
#define X(table) &table,
#include "service_tables.inc"
#undef X
    NULL,
};

static const char introduction[] =
    "# Configuration\n\n"
    "<!-- Made from the tables of settings by `./dev docs`; do not edit. -->\n\n"
    "All settings come from the environment. For each NAME there may be NAME_FILE instead, with "
    "the\n"
    "path of a file whose content is the value (Kubernetes secrets). An empty value counts as not\n"
    "set. A wrong value stops the start with one message that lists every mistake (exit status "
    "2).\n"
    "`SERVICE config` shows what a service would run with and where each value comes from.\n\n"
    "Services have their own defaults of `LISTEN_ADDR` and `ADMIN_ADDR` (gateway 8080 and 9090, "
    "users\n8081 and 9091, auth 8082 and 9092 on 127.0.0.1) and of `DATABASE_URL` "
    "(`sqlite:var/SERVICE.db`). What `ROUTES_FILE`\nholds is in [routes.md](routes.md).\n";

static struct err *append_tables(const struct cfg_table *const *tables, struct buf *out)
{
    for (size_t i = 0; tables[i]; i++) {
        buf_append_char(out, '\n');
        TRY(cfg_markdown(tables[i], out));
    }
    return NULL;
}

static struct err *append_document(struct buf *out)
{
    buf_append_str(out, introduction);
    TRY(append_tables(app_settings_tables, out));
    return append_tables(service_tables, out);
}

/* What the file holds; empty when it cannot be read. */
static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    char *place = buf_reserve(out, DOCUMENT_MAX);
    if (place)
        buf_commit(out, fread(place, 1, DOCUMENT_MAX, file));
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 1 && (argc != 3 || !str_equal(argv[1], "--check"))) {
        fprintf(stderr, "usage: configuration-docs [--check FILE]\n");
        return 2;
    }
    _cleanup_(buf_deinit) struct buf document = BUF_INIT(DOCUMENT_MAX);
    _cleanup_(err_free) struct err *e = append_document(&document);
    if (e || buf_status(&document) != BUF_OK) {
        fprintf(stderr, "configuration-docs: %s\n", e ? err_detail(e) : "out of memory");
        return 1;
    }
    if (argc == 1)
        return fwrite(document.data, 1, document.len, stdout) == document.len ? 0 : 1;
    _cleanup_(buf_deinit) struct buf present = BUF_INIT(DOCUMENT_MAX);
    read_file(argv[2], &present);
    if (str_equal(buf_text(&present), document.data))
        return 0;
    fprintf(stderr, "configuration-docs: %s is stale: run ./dev docs and commit it\n", argv[2]);
    return 1;
}
