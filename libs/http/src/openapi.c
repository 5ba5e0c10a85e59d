#include "openapi.h"

struct err *http_openapi_write(const struct http_server *server, struct buf *out)
{
    (void)server;
    (void)out;
    return NULL;
}
