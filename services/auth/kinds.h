/* The kinds of error that auth answers with; kinds.def has them. */
#ifndef AUTH_KINDS_H
#define AUTH_KINDS_H

#include <err/err.h>

#define X ERR_DECLARE_KIND
#include "kinds.def"
#undef X

#endif
