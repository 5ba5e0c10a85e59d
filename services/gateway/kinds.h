/* The kinds of error that only the gateway has. */
#ifndef GATEWAY_KINDS_H
#define GATEWAY_KINDS_H

#include <err/err.h>

#define X ERR_DECLARE_KIND
#include "kinds.def"
#undef X

#endif
