/* The lines of an export that are no items, and what items must be. */
#ifndef APP_TRANSFER_LINES_H
#define APP_TRANSFER_LINES_H

#include <app/transfer.h>

#define TRANSFER_FORMAT_MAX 64
struct transfer_header {
    char format[TRANSFER_FORMAT_MAX];
    int64_t version;
};
struct transfer_end {
    bool end;
    int64_t count;
};
extern const struct model app_transfer_header_model, app_transfer_end_model;

/* That what is written can be read again, and is the whole item. */
struct err *app_transfer_check(const struct app_transfer *transfer) MUST_CHECK;

#endif
