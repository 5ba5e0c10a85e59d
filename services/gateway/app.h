/* The gateway as a process (libs/app). */
#ifndef GATEWAY_APP_H
#define GATEWAY_APP_H

#include <app/app.h>

extern const struct app gateway_app;

#endif
