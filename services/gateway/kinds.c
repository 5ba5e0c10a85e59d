#include "kinds.h"

#define X ERR_DEFINE_KIND
#include "kinds.def"
#undef X
