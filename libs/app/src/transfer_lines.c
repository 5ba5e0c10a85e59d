#include "transfer_lines.h"

static const struct field header_fields[] = {
    FIELD(struct transfer_header, format, STRING, .flags = REQUIRED),
    FIELD(struct transfer_header, version, INT, .flags = REQUIRED),
};
const struct model app_transfer_header_model =
    MODEL(struct transfer_header, header_fields, "The first line of an export");

static const struct field end_fields[] = {
    FIELD(struct transfer_end, end, BOOL, .flags = REQUIRED),
    FIELD(struct transfer_end, count, INT, .flags = REQUIRED),
};
const struct model app_transfer_end_model =
    MODEL(struct transfer_end, end_fields, "The last line of an export");
