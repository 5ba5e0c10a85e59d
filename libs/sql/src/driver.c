#include "driver.h"

#include <base/str.h>

struct err *sql_driver_find(const char *url, const struct driver **out_driver)
{
    if (!url || !*url)
        return err_new(&SQL_FAILED, "there is no database URL");
    if (str_starts_with(url, "sqlite:")) {
        *out_driver = &sql_driver_sqlite;
        return NULL;
    }
    if (str_starts_with(url, "postgres://") || str_starts_with(url, "postgresql://")) {
        *out_driver = &sql_driver_postgres;
        return NULL;
    }
    /* A URL may hold a password: nothing of it is shown. */
    return err_new(&SQL_FAILED, "a database URL begins with sqlite: or postgres://");
}
