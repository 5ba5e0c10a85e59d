/* In place of libs/sql/src/driver.c in a service without a database, so that its image has neither
 * SQLite nor libpq, which libs/app would open if it were asked to. */
#include "driver.h"

struct err *sql_driver_find(const char *url, const struct driver **out_driver)
{
    (void)url;
    (void)out_driver;
    return err_new(&SQL_FAILED, "this program was built without databases");
}
