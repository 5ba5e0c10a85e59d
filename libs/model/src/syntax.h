/* The shape of addresses, as <model/model.h> documents them. */
#ifndef MODEL_SYNTAX_H
#define MODEL_SYNTAX_H

#include <base/str.h>

#define MODEL_EMAIL_MAX 254
#define MODEL_URL_MAX   2048

bool model_is_email(struct str text);
bool model_is_url(struct str text);

#endif
