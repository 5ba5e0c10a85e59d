#include "forwarded.h"

bool forwarded_is_trusted(const struct worker_options *options, const union address *address)
{
    for (size_t i = 0; i < options->trusted_count; i++)
        if (network_has(&options->trusted[i], address))
            return true;
    return false;
}

/* Goes through all fields of one id that a trusted proxy has sent. */
static bool next_trusted(const struct exchange *ex, enum header_id id, unsigned *cursor,
                         struct str *out_value)
{
    const struct fields *fields = &ex->request.fields;
    if (!ex->client->is_trusted || !fields_have(fields, id))
        return false;
    while (*cursor < fields->count) {
        const struct header_field *field = &fields->at[(*cursor)++];
        if (field->id == id) {
            *out_value = span_str(ex->client->in->data, field->value);
            return true;
        }
    }
    return false;
}

void forwarded_client(const struct exchange *ex, char out[static ADDRESS_TEXT])
{
    str_copy(out, ADDRESS_TEXT, ex->client->address);
    struct str list, one;
    unsigned at = 0;
    while (next_trusted(ex, HEADER_X_FORWARDED_FOR, &at, &list)) {
        for (size_t cursor = 0; list_next(list, &cursor, &one);) {
            union address address;
            if (!address_parse_ip(one, &address))
                str_copy(out, ADDRESS_TEXT, ex->client->address);
            else if (!forwarded_is_trusted(ex->worker->options, &address))
                address_format(&address, out);
        }
    }
}

static struct str trusted_value(const struct exchange *ex, enum header_id id)
{
    struct str value = {0};
    unsigned at = 0;
    next_trusted(ex, id, &at, &value);
    return value;
}

void forwarded_write(const struct exchange *ex, struct writer *w)
{
    struct str list;
    WRITE_LITERAL(w, "X-Forwarded-For: ");
    for (unsigned at = 0; next_trusted(ex, HEADER_X_FORWARDED_FOR, &at, &list);) {
        write_str(w, list);
        WRITE_LITERAL(w, ", ");
    }
    write_text(w, ex->client->address);
    struct str proto = trusted_value(ex, HEADER_X_FORWARDED_PROTO);
    if (str_is(proto, STR("https")))
        WRITE_LITERAL(w, "\r\nX-Forwarded-Proto: https\r\n");
    else
        WRITE_LITERAL(w, "\r\nX-Forwarded-Proto: http\r\n");
    struct str host = trusted_value(ex, HEADER_X_FORWARDED_HOST);
    if (!host_is_valid(host))
        host = span_str(ex->client->in->data, ex->request.host);
    if (host.len > 0)
        write_field(w, STR("X-Forwarded-Host"), host);
}
