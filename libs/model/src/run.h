/* One reading or validation: its mode, its memory, and the errors it finds with their places. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include <model/model.h>

struct model_run {
    enum model_mode mode;
    struct arena *arena; /* NULL when validating */
    struct err **errors;
};

/* Kept on the stack, a link per level, and made into text only when there is an error. */
struct model_place {
    const struct model_place *up; /* NULL: the whole text, which has no name */
    const char *name;             /* NULL: an element of an array */
    size_t index;
};

/* Both add an error and return false, so that a check can end with them. */
bool model_fail(const struct model_run *run, const struct model_place *place, const char *code,
                const char *format, ...) PRINTF_LIKE(4, 5);
bool model_fail_memory(const struct model_run *run);
/* Runs the model's own check, if there is one, and adds what it finds under the place. */
bool model_run_check(const struct model_run *run, const struct model_place *place,
                     const struct model *model, const void *object);

/* Whether a value that was stored is within the limits of its row; nested values are not looked at.
 */
bool model_check_limits(const struct model_run *run, const struct model_place *place,
                        const struct field *field, const void *object);
bool model_check_count(const struct model_run *run, const struct model_place *place,
                       const struct field *array, size_t count);
bool model_check_integer(const struct model_run *run, const struct model_place *place,
                         const struct field *field, int64_t number);

/* Fails with the limit that a number is below or above. */
bool model_fail_range(const struct model_run *run, const struct model_place *place,
                      const struct field *field, bool is_below);

/* Store a value into the member of object, converted from JSON or text. They check what the storage
 * needs, not the limits of the row. */
bool model_take_text(const struct model_run *run, const struct model_place *place,
                     const struct field *field, const char *text, void *object);
bool model_take_number(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const char *number, void *object);
bool model_take_bool(const struct model_run *run, const struct model_place *place,
                     const struct field *field, bool truth, void *object);
/* Fails with wrong_type and says what the row wants. */
bool model_fail_type(const struct model_run *run, const struct model_place *place,
                     const struct field *field);

/* A member of a whole or partial object: whatever its type, limits and nested values included. */
bool model_read_member(const struct model_run *run, const struct model_place *place,
                       const struct field *field, const struct json_value *value, void *object);
/* What the absence of a row means in MODEL_READ: its default, an error, or nothing. */
bool model_read_absent(const struct model_run *run, const struct model_place *place,
                       const struct field *field, void *object);

#endif
