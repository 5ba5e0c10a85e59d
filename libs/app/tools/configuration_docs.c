/* Prints docs/configuration.md. */
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

int main(void)
{
    _cleanup_(buf_deinit) struct buf document = BUF_INIT(DOCUMENT_MAX);
    _cleanup_(err_free) struct err *e = append_document(&document);
    if (e || buf_status(&document) != BUF_OK) {
        fprintf(stderr, "configuration-docs: %s\n", e ? err_detail(e) : "out of memory");
        return 1;
    }
    return fwrite(document.data, 1, document.len, stdout) == document.len ? 0 : 1;
}
