/* Whether text is a URL or an address, strictly (RFC 3986, RFC 1123). Nothing is looked up. */
#ifndef CFG_NET_H
#define CFG_NET_H

#include <stdbool.h>
#include <stddef.h>

bool cfg_url_is_valid(const char *text, size_t len, const char *const *schemes);
bool cfg_address_is_valid(const char *text);

#endif
