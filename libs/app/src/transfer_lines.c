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

static const struct field *find_one_way(const struct model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct field *field = &model->fields[i];
        if (field->flags & (READ_ONLY | WRITE_ONLY | COLUMN_ONLY))
            return field;
        const struct field *inner = field->model ? find_one_way(field->model) : NULL;
        if (inner)
            return inner;
    }
    return NULL;
}

struct err *app_transfer_check(const struct app_transfer *transfer)
{
    const struct field *field = find_one_way(transfer->model);
    if (!field)
        return NULL;
    return err_new(&ERR_INTERNAL,
                   "%s: the model of an export must not have \"%s\" as READ_ONLY (which import "
                   "refuses), WRITE_ONLY or COLUMN_ONLY (which are not written)",
                   transfer->format, field->name);
}
