/*
 * Errors on the wire: RFC 9457 problem documents, for HTTP answers and NATS error replies.
 *
 *     {"type":"https://plankton.dev/errors/user_not_found","title":"User not found","status":404,
 *      "detail":"there is no user 42","code":"user_not_found","request_id":"...","errors":[]}
 *
 * Only what err.h lets a client see is written.
 */
#ifndef MODEL_PROBLEM_H
#define MODEL_PROBLEM_H

#include <base/buf.h>
#include <err/err.h>
#include <model/json.h>

#define PROBLEM_MEDIA_TYPE "application/problem+json"

void problem_write(const struct err *e, const char *request_id, struct buf *out);
/* The error that a problem document tells of: its kind is the one of kinds (NULL-ended, may be
 * NULL) or of the general ones with its code; an unknown code becomes ERR_INTERNAL. A text that is
 * no problem document becomes ERR_INTERNAL too. Never NULL. */
struct err *problem_read(const char *text, size_t len, const struct err_kind *const *kinds)
    MUST_CHECK;

#endif
