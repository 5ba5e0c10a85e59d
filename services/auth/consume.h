/* The directory's events (stream USERS), which feed the projection (projection.h). */
#ifndef AUTH_CONSUME_H
#define AUTH_CONSUME_H

#include <event/inbox.h>

#include "service.h"

struct err *consume_users(struct service *service, struct metrics *metrics,
                          struct inbox **out_inbox) MUST_CHECK;
/* Until every event that the stream has now took effect, in this process or another. */
struct err *consume_wait(struct service *service, struct ctx *ctx) MUST_CHECK;
/* The subcommand: handles events again that could not be handled. */
struct err *replay_events(struct app_runtime *runtime, const char *const *args);

#endif
