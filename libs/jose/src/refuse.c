#include "refuse.h"

#define X ERR_DEFINE_KIND
#include <jose/kinds.def>
#undef X

struct err *jose_refuse(struct err *cause, const struct err_kind *kind, const char *detail)
{
    if (err_is(cause, &ERR_OUT_OF_MEMORY))
        return cause;
    return err_wrap_as(cause, kind, "%s", detail);
}

struct err *jose_buf_error(const struct buf *buf)
{
    if (buf_status(buf) == BUF_NO_MEMORY)
        return err_oom();
    return err_new(&ERR_INTERNAL, "the result is longer than %zu bytes", buf->max);
}
