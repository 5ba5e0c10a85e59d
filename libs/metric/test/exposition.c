#include "exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/str.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS  "0123456789"

enum { NAME_MAX_LEN = 128, LABELS_MAX_LEN = 4096 };

struct sample {
    char name[NAME_MAX_LEN];
    char labels[LABELS_MAX_LEN]; /* without le */
    char le[64];                 /* "" when there is none */
    double value;
};

struct reader {
    char family[NAME_MAX_LEN];
    char type[16];
    bool has_help;
    struct sample last;
    double bucket; /* of the last sample, if it was one */
};

static bool take_name(const char **at, const char *first, char *out)
{
    size_t len = strspn(*at, LETTERS DIGITS ":");
    if (len == 0 || !strchr(first, **at) || !str_copy_n(out, NAME_MAX_LEN, *at, len))
        return false;
    *at += len;
    return true;
}

/* A quoted value, copied as it stands. */
static bool take_quoted(const char **at, char *out, size_t cap)
{
    const char *end = *at + 1;
    if (**at != '"')
        return false;
    for (; *end != '"'; end++) {
        if (*end == '\0' || *end == '\n')
            return false;
        if (*end == '\\' && !strchr("\\\"n", *++end))
            return false;
    }
    bool fits = str_copy_n(out, cap, *at + 1, (size_t)(end - *at - 1));
    *at = end + 1;
    return fits;
}

static bool take_labels(const char **at, struct sample *sample)
{
    if (**at != '{')
        return true;
    do {
        char name[NAME_MAX_LEN], value[LABELS_MAX_LEN];
        ++*at;
        if (!take_name(at, LETTERS, name) || *(*at)++ != '=' ||
            !take_quoted(at, value, sizeof(value)))
            return false;
        size_t len = strlen(sample->labels);
        if (strcmp(name, "le") == 0)
            str_copy(sample->le, sizeof(sample->le), value);
        else
            snprintf(sample->labels + len, sizeof(sample->labels) - len, "%s=\"%s\";", name, value);
    } while (**at == ',');
    return *(*at)++ == '}';
}

static bool take_value(const char **at, double *out)
{
    char *end;
    if (strspn(*at, DIGITS "+-.eENaIinf") == 0)
        return false;
    *out = strtod(*at, &end);
    bool moved = end != *at;
    *at = end;
    return moved;
}

static bool parse_sample(const char *at, struct sample *out)
{
    *out = (struct sample){0};
    return take_name(&at, LETTERS ":", out->name) && take_labels(&at, out) && *at++ == ' ' &&
           take_value(&at, &out->value) && *at == '\0';
}

static const char *read_comment(struct reader *reader, const char *line)
{
    char kind[8], name[NAME_MAX_LEN], type[16];
    if (sscanf(line, "# %7s %127s", kind, name) != 2)
        return "comment that is neither HELP nor TYPE";
    if (strcmp(kind, "HELP") == 0) {
        if (strcmp(name, reader->family) <= 0)
            return "families are not in order";
        *reader = (struct reader){.has_help = true};
        return str_copy(reader->family, NAME_MAX_LEN, name) ? NULL : "long name";
    }
    if (strcmp(kind, "TYPE") != 0 || sscanf(line, "# TYPE %*s %15s", type) != 1)
        return "wrong TYPE line";
    if (!reader->has_help || strcmp(name, reader->family) != 0 || reader->type[0])
        return "TYPE is not right behind HELP";
    if (strcmp(type, "counter") != 0 && strcmp(type, "gauge") != 0 &&
        strcmp(type, "histogram") != 0)
        return "unknown type";
    str_copy(reader->type, sizeof(reader->type), type);
    return NULL;
}

static const char *check_histogram(struct reader *reader, const struct sample *sample)
{
    const struct sample *last = &reader->last;
    const char *suffix = sample->name + strlen(reader->family);
    bool same_labels = strcmp(last->labels, sample->labels) == 0;
    if (strcmp(suffix, "_bucket") == 0) {
        if (!sample->le[0])
            return "bucket without le";
        bool is_first = !last->le[0];
        if (!is_first && (!same_labels || strtod(sample->le, NULL) <= strtod(last->le, NULL)))
            return "buckets are not ascending";
        if (!is_first && sample->value < last->value)
            return "buckets are not cumulative";
        reader->bucket = sample->value;
        return NULL;
    }
    if (!same_labels || sample->le[0])
        return "labels of sum or count";
    if (strcmp(suffix, "_sum") == 0)
        return strcmp(last->le, "+Inf") == 0 ? NULL : "the last bucket is not +Inf";
    if (strcmp(suffix, "_count") != 0 || !str_ends_with(last->name, "_sum"))
        return "count does not follow the sum";
    return sample->value == reader->bucket ? NULL : "count is not the last bucket";
}

static const char *read_sample(struct reader *reader, const char *line)
{
    struct sample sample;
    if (!parse_sample(line, &sample))
        return "malformed sample";
    if (!reader->type[0] || !str_starts_with(sample.name, reader->family))
        return "sample outside of its family";
    const char *fault = NULL;
    if (strcmp(reader->type, "histogram") == 0)
        fault = check_histogram(reader, &sample);
    else if (strcmp(sample.name, reader->family) != 0 || sample.le[0])
        fault = "sample of another name";
    else if (reader->last.name[0] && strcmp(sample.labels, reader->last.labels) <= 0)
        fault = "series are not in order";
    reader->last = sample;
    return fault;
}

const char *exposition_fault(const char *text)
{
    static char message[LABELS_MAX_LEN];
    struct reader reader = {0};
    if (!utf8_is_valid(text, strlen(text)))
        return "not UTF-8";
    while (*text) {
        char line[LABELS_MAX_LEN];
        size_t len = strcspn(text, "\n");
        if (text[len] != '\n' || !str_copy_n(line, sizeof(line), text, len))
            return "last line has no end";
        const char *fault = *line == '#' ? read_comment(&reader, line) : read_sample(&reader, line);
        if (fault) {
            snprintf(message, sizeof(message), "%s: %.1000s", fault, line);
            return message;
        }
        text += len + 1;
    }
    return NULL;
}

bool exposition_value(const char *text, const char *series, double *out_value)
{
    size_t len = strlen(series);
    for (; *text; text += strcspn(text, "\n") + 1) {
        if (strncmp(text, series, len) == 0 && text[len] == ' ') {
            *out_value = strtod(text + len, NULL);
            return true;
        }
    }
    return false;
}
