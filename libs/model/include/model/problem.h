/*
 * Errors on the wire: RFC 9457 problem documents, for HTTP answers and NATS error replies.
 *
 *     {"type":"urn:plankton:error:invalid_request","title":"Invalid request","status":422,
 *      "detail":"1 field is wrong","code":"invalid_request","request_id":"0190163d-8694-...",
 *      "errors":[{"field":"email","code":"required","detail":"is required"}]}
 *
 * Only what err.h lets a client see is written: kind, title and field errors; of the messages, the
 * one given where the kind was set, and for a status of 500 or more not even that: detail is then
 * the help (or title) of the kind, which is the same for every client.
 *
 * Threads: an error belongs to one thread at a time. Nothing blocks.
 */
#ifndef MODEL_PROBLEM_H
#define MODEL_PROBLEM_H

#include <base/buf.h>
#include <err/err.h>
#include <model/json.h>

#define PROBLEM_MEDIA_TYPE "application/problem+json"

/* Appends the document to out, which keeps a failure. request_id is left out when NULL, errors when
 * there is no field error. e is not NULL and stays the caller's. */
void problem_write(const struct err *e, const char *request_id, struct buf *out);

/* The error that a problem document tells of, with its detail and field errors. Its kind is the one
 * of kinds (NULL-ended, may be NULL) or of the general ones that has its code. An unknown code and
 * a text that is no problem document become ERR_INTERNAL. Never NULL. */
struct err *problem_read(const char *text, size_t len, const struct err_kind *const *kinds)
    MUST_CHECK;

#endif
