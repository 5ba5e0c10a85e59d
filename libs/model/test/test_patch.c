/* RFC 7396 on structs: what is absent stays, at every level. */
#include "alloc_fail.h"
#include "check.h"

#include <string.h>

#include "cjson_memory.h"
#include "thing.h"

#define DOOR  "\"door\":{\"label\":\"oak\",\"weight\":3,\"color\":\"red\"}"
#define PLACE "{\"city\":\"Rome\",\"street\":\"Via\",\"floor\":2," DOOR "}"

/* A struct of places, so that objects can be patched inside objects. */
struct pair {
    struct place first;
    struct place second; /* may be null */
    struct part *parts;
    size_t part_count;
    int64_t *numbers;
    size_t number_count;
    struct model_presence given;
};

static const struct field pair_rows[] = {
    FIELD(struct pair, first, OBJECT, .model = &place_model, .flags = REQUIRED),
    FIELD(struct pair, second, OBJECT, .model = &place_model, .flags = NULLABLE),
    FIELD_ARRAY(struct pair, parts, part_count, OBJECT, .model = &part_model, .flags = OMIT_EMPTY),
    FIELD_ARRAY(struct pair, numbers, number_count, INT, .flags = NULLABLE | READ_ONLY),
};
static const struct model pair_model = MODEL_WITH_PRESENCE(struct pair, pair_rows, given, NULL);

static const struct {
    const char *before, *patch, *errors, *after;
} cases[] = {
    {PLACE, "{}", "", PLACE},
    {PLACE, "{\"city\":\"Oslo\"}", "",
     "{\"city\":\"Oslo\",\"street\":\"Via\",\"floor\":2," DOOR "}"},
    {PLACE, "{\"street\":null}", "", "{\"city\":\"Rome\",\"street\":null,\"floor\":2," DOOR "}"},
    {PLACE, "{\"floor\":null,\"street\":\"\"}", "",
     "{\"city\":\"Rome\",\"street\":\"\",\"floor\":null," DOOR "}"},
    {"{\"city\":\"Rome\",\"street\":null,\"floor\":null," DOOR "}", "{\"floor\":0}", "",
     "{\"city\":\"Rome\",\"street\":null,\"floor\":0," DOOR "}"},
    {PLACE, "{\"door\":{\"color\":\"blue\"}}", "",
     "{\"city\":\"Rome\",\"street\":\"Via\",\"floor\":2,"
     "\"door\":{\"label\":\"oak\",\"weight\":3,\"color\":\"blue\"}}"},
    {PLACE, "{\"door\":{}}", "", PLACE},
    {PLACE, "{\"door\":null}", "door:null", NULL},
    {PLACE, "{\"city\":null}", "city:null", NULL},
    {PLACE, "{\"door\":\"oak\"}", "door:wrong_type", NULL},
    {PLACE, "{\"door\":{\"weight\":1001,\"size\":1},\"floor\":-4,\"x\":1,\"city\":\"Oslo\"}",
     "floor:too_small door/weight:too_large door/size:unknown x:unknown", NULL},
    {PLACE, "{\"city\":\"Nowhere\"}", "street:no_such_street", NULL},
    {PLACE, "{\"city\":\"Nowhere\",\"street\":null}", "",
     "{\"city\":\"Nowhere\",\"street\":null,\"floor\":2," DOOR "}"},
    {PLACE, "[]", ":wrong_type", NULL},
    {PLACE, "null", ":wrong_type", NULL},
    {PLACE, "{\"city\":\"Oslo\"", "malformed_json", NULL},
};

#define PAIR(second, rest) "{\"first\":" PLACE ",\"second\":" second rest "}"
#define PARTS(label)                                                                               \
    ",\"parts\":[{\"label\":\"" label "\",\"weight\":7,\"color\":\"green\"}],\"numbers\":[1]"

static const struct {
    const char *before, *patch, *errors, *after;
} pairs[] = {
    {PAIR(PLACE, PARTS("a")), "{}", "", PAIR(PLACE, PARTS("a"))},
    {PAIR(PLACE, PARTS("a")), "{\"second\":{\"door\":{\"weight\":9}}}", "",
     PAIR("{\"city\":\"Rome\",\"street\":\"Via\",\"floor\":2,"
          "\"door\":{\"label\":\"oak\",\"weight\":9,\"color\":\"red\"}}",
          PARTS("a"))},
    {PAIR(PLACE, PARTS("a")), "{\"second\":null}", "", PAIR("null", PARTS("a"))},
    /* What was null is read whole: required fields and defaults are back. */
    {PAIR("null", PARTS("a")), "{\"second\":{\"floor\":1}}", "second/city:required", NULL},
    {PAIR("null", PARTS("a")), "{\"second\":{\"city\":\"Bern\",\"street\":\"\",\"floor\":1}}", "",
     PAIR("{\"city\":\"Bern\",\"street\":\"\",\"floor\":1,"
          "\"door\":{\"label\":\"door\",\"weight\":7,\"color\":\"green\"}}",
          PARTS("a"))},
    /* Arrays are replaced whole, and their items read whole. */
    {PAIR(PLACE, PARTS("a")), "{\"parts\":[{\"label\":\"b\"}]}", "", PAIR(PLACE, PARTS("b"))},
    {PAIR(PLACE, PARTS("a")), "{\"parts\":[{\"weight\":1}]}", "parts/0/label:required", NULL},
    {PAIR(PLACE, PARTS("a")), "{\"parts\":[]}", "", PAIR(PLACE, ",\"numbers\":[1]")},
    {PAIR(PLACE, PARTS("a")), "{\"parts\":null}", "parts:null", NULL},
    {PAIR(PLACE, PARTS("a")), "{\"numbers\":[2]}", "numbers:read_only", NULL},
    {PAIR(PLACE, PARTS("a")), "{\"numbers\":null}", "numbers:read_only", NULL},
    {PAIR(PLACE, PARTS("a")), "{\"first\":null}", "first:null", NULL},
};

static void assert_patch(const struct model *model, const char *before, const char *patch,
                         const char *errors, const char *after)
{
    static unsigned char object[sizeof(struct pair)], copy[sizeof(struct pair)];
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_null(model_read(model, MODEL_READ_TRUSTED, before, strlen(before), &arena, object));
    assert_string_equal(written(model, object), before);
    memcpy(copy, object, sizeof(copy));
    _cleanup_(err_free) struct err *e =
        model_read(model, MODEL_PATCH, patch, strlen(patch), &arena, object);
    if (strcmp(field_codes(e), errors) != 0)
        fail_msg("%s with %s: errors '%s'", before, patch, field_codes(e));
    if (e)
        assert_memory_equal(object, copy, sizeof(copy));
    else if (strcmp(written(model, object), after) != 0)
        fail_msg("%s with %s: %s", before, patch, written(model, object));
}

static void test_patches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_patch(&place_model, cases[i].before, cases[i].patch, cases[i].errors,
                     cases[i].after);
}

static void test_patches_of_objects_and_arrays(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_patch(&pair_model, pairs[i].before, pairs[i].patch, pairs[i].errors, pairs[i].after);
}

static struct err *patch_pair(const char *text, struct arena *arena, struct pair *pair)
{
    return model_read(&pair_model, MODEL_PATCH, text, strlen(text), arena, pair);
}

/* Into a struct of zeroes, the bits say exactly what the patch named, nested objects included. */
static void test_presence_is_what_the_patch_named(void **state)
{
    (void)state;
    struct pair pair = {0};
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    assert_null(patch_pair("{\"first\":{\"street\":null,\"floor\":1}}", &arena, &pair));
    assert_int_equal(pair.given.present, 1);
    assert_int_equal(pair.given.null, 0);
    assert_int_equal(pair.first.given.present, 2 | 4);
    assert_int_equal(pair.first.given.null, 2);
    assert_int_equal(pair.second.given.present, 0);
    /* The bits of before stay; a value takes the place of null. */
    assert_null(patch_pair("{\"first\":{\"street\":\"x\"},\"second\":null}", &arena, &pair));
    assert_int_equal(pair.given.present, 1 | 2);
    assert_int_equal(pair.given.null, 2);
    assert_int_equal(pair.first.given.present, 2 | 4);
    assert_int_equal(pair.first.given.null, 0);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t successes = 0; failed; successes++) {
        struct pair pair = {.first.floor = 4711};
        _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
        alloc_fail_after(successes);
        struct err *e = patch_pair("{\"first\":{\"street\":\"x\",\"floor\":1}}", &arena, &pair);
        failed = alloc_fail_stop();
        assert_ptr_equal(e, failed ? err_oom() : NULL);
        assert_int_equal(pair.first.floor, failed ? 4711 : 1);
    }
}

int main(void)
{
    cjson_memory_can_fail();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patches),
        cmocka_unit_test(test_patches_of_objects_and_arrays),
        cmocka_unit_test(test_presence_is_what_the_patch_named),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
