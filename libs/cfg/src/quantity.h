/* Numbers with a unit. Exact: what is not whole in the wanted unit, or does not fit, is refused. */
#ifndef CFG_QUANTITY_H
#define CFG_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* A number is in the wanted unit unless it names its own. unit: "ms" or "s"; "bytes" or "KiB". */
bool cfg_quantity_parse_duration(const char *text, const char *unit, int64_t *out_number);
bool cfg_quantity_parse_size(const char *text, const char *unit, int64_t *out_number);

#endif
