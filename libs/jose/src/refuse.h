/* Turning a lower error into one of ours. */
#ifndef JOSE_REFUSE_H
#define JOSE_REFUSE_H

#include <jose/jose.h>

/* cause as kind, with this detail; but running out of memory says nothing about the input, and
 * stays what it is. Takes cause, which is not NULL. */
struct err *jose_refuse(struct err *cause, const struct err_kind *kind, const char *detail)
    MUST_CHECK;
/* Why the buffer failed. */
struct err *jose_buf_error(const struct buf *buf) MUST_CHECK;

#endif
