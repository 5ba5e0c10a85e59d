#include "handlers.h"

struct err *read_jwks(struct http_req *req, struct http_res *res)
{
    const struct service *service = http_state(req);
    _cleanup_(buf_deinit) struct buf json = BUF_INIT(64 << 10);
    TRY(jose_keys_write(service->keys.all, &json));
    TRY(http_set_header(res, "Cache-Control", "public, max-age=300"));
    return http_reply_bytes(res, 200, "application/json", json.data, json.len);
}
