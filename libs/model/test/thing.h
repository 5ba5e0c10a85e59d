/* A struct that has a field of every type and with every flag. */
#ifndef MODEL_TEST_THING_H
#define MODEL_TEST_THING_H

#include <model/model.h>

enum color { RED, GREEN, BLUE };
extern const char *const colors[];

struct part {
    char label[MODEL_TEXT(5)];
    int64_t weight;
    enum color color;
};
extern const struct model part_model;

struct place {
    char city[MODEL_TEXT(20)];
    const char *street; /* may be NULL */
    int floor;          /* may be null */
    struct part door;
    struct model_presence given;
};
extern const struct model place_model;

struct thing {
    char id[UUID_TEXT];
    char name[MODEL_TEXT(10)];
    const char *note; /* may be NULL */
    int small;
    int64_t big;
    double ratio;
    bool on;
    int color;
    int64_t made_ms;
    char mail[EMAIL_TEXT];
    const char *site;
    struct place place;
    struct place spare; /* may be null */
    struct part *parts;
    size_t part_count;
    const char **tags;
    size_t tag_count;
    int64_t *numbers;
    size_t number_count;
    const char *raw;
    char password[MODEL_TEXT(20)];
    int64_t version;
    struct model_presence given;
};
extern const struct model thing_model;

/* A document that fills it all. */
extern const char full_thing[];

/* "a/b:code c:code", in their order; "" for no error; the slug for errors without fields. Kept
 * until the next call. */
const char *field_codes(const struct err *e);
/* What model_write() writes. Kept until the next call. */
const char *written(const struct model *model, const void *object);

#endif
