/* Texts mutated by a generator with a fixed seed: nothing crashes (ASan), and whatever is accepted
 * means the same after it was written and read again. */
#include "check.h"

#include <string.h>

#include "thing.h"

#define ROUNDS 40000

static const char *const seeds[] = {
    "{\"id\":\"0190163d-8694-739b-aea5-966c26f8ad91\",\"n\":-12.5e+3,\"tags\":[\"a\",\"\\u00e9\"]}",
    "[1,2,[3,[4,{\"a\":{\"b\":{\"c\":null}}}]],true,false,\"\\ud83d\\ude00 \xc3\xa9\"]",
    "{\"a\":1,\"\\u0062\":2,\"c\":{\"a\":1,\"b\":2},\"d\":[{},{},[]],\"e\":\"\\\\\\\"\\/\"}",
    "  {  \"k\"  :  [ 0 , -0 , 0.0 , 1e5 , 123456789012345678901234567890 ]  }  ",
};

static uint32_t draw(uint64_t *seed, size_t bound)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((*seed >> 33) % bound);
}

/* Bytes that matter to a JSON reader come up more often than others. */
static char draw_byte(uint64_t *seed)
{
    static const char likely[] =
        "{}[],:\"\\0123456789-+.eEtrufalsn \n\t/bdDcC8\xc3\xa9\xed\xf0\x9f\xff";
    return draw(seed, 8) == 0 ? (char)draw(seed, 256) : likely[draw(seed, sizeof(likely) - 1)];
}

static void mutate(uint64_t *seed, struct buf *text)
{
    if (text->len == 0)
        return;
    size_t at = draw(seed, text->len);
    size_t run = draw(seed, text->len - at + 1) % 12;
    switch (draw(seed, 4)) {
    case 0:
        text->data[at] = draw_byte(seed);
        break;
    case 1: /* cut a run out */
        memmove(text->data + at, text->data + at + run, text->len - at - run);
        buf_truncate(text, text->len - run);
        break;
    case 2: /* repeat a run */
        if (buf_reserve(text, run)) {
            memmove(text->data + at + run, text->data + at, text->len - at);
            buf_commit(text, run);
        }
        break;
    default: /* copy a run elsewhere */
        memmove(text->data + draw(seed, text->len - run + 1), text->data + at, run);
        break;
    }
}

static void write_again(const char *text, size_t len, struct buf *out)
{
    _cleanup_(json_free) struct json_doc *doc = NULL;
    _cleanup_(err_free) struct err *e = json_parse(text, len, &doc);
    if (e)
        fail_msg("%.*s: %s", (int)len, text, err_detail(e));
    json_write_value(&JSON_WRITER(out), json_root(doc));
    assert_int_equal(buf_status(out), BUF_OK);
}

static void test_mutations(void **state)
{
    (void)state;
    uint64_t seed = 20260102;
    size_t accepted = 0;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    _cleanup_(buf_deinit) struct buf once = BUF_INIT(65536);
    _cleanup_(buf_deinit) struct buf twice = BUF_INIT(65536);
    for (int round = 0; round < ROUNDS; round++) {
        buf_reset(&text);
        buf_append_str(&text, seeds[draw(&seed, ARRAY_LEN(seeds))]);
        for (size_t times = draw(&seed, 4) + 1; times > 0; times--)
            mutate(&seed, &text);
        _cleanup_(err_free) struct err *verdict = json_check(text.data, text.len);
        if (verdict) {
            struct json_doc *doc = NULL;
            _cleanup_(err_free) struct err *e = json_parse(text.data, text.len, &doc);
            assert_string_equal(err_detail(e), err_detail(verdict));
            assert_null(doc);
            continue;
        }
        accepted++;
        buf_reset(&once);
        buf_reset(&twice);
        write_again(text.data, text.len, &once);
        write_again(once.data, once.len, &twice);
        assert_string_equal(buf_text(&once), buf_text(&twice));
    }
    /* Neither branch is left untried. */
    assert_in_range(accepted, ROUNDS / 50, ROUNDS - ROUNDS / 50);
}

/* A struct that was read is valid and can be written, whatever the text was. */
static void test_mutations_of_a_whole_struct(void **state)
{
    (void)state;
    uint64_t seed = 20260103;
    size_t accepted = 0;
    _cleanup_(buf_deinit) struct buf text = BUF_INIT(4096);
    _cleanup_(buf_deinit) struct buf out = BUF_INIT(65536);
    _cleanup_(arena_deinit) struct arena arena = ARENA_INIT(1 << 20);
    for (int round = 0; round < ROUNDS / 10; round++) {
        buf_reset(&text);
        buf_append_str(&text, full_thing);
        for (size_t times = draw(&seed, 3) + 1; times > 0; times--)
            mutate(&seed, &text);
        struct thing thing;
        arena_reset(&arena);
        _cleanup_(err_free) struct err *e =
            model_read(&thing_model, MODEL_READ_TRUSTED, text.data, text.len, &arena, &thing);
        if (e)
            continue;
        accepted++;
        _cleanup_(err_free) struct err *invalid = model_validate(&thing_model, &thing);
        if (invalid)
            fail_msg("%.*s: %s", (int)text.len, text.data, field_codes(invalid));
        buf_reset(&out);
        model_write(&thing_model, &thing, &JSON_WRITER(&out));
        assert_null(json_check(out.data, out.len));
    }
    assert_in_range(accepted, ROUNDS / 1000, ROUNDS / 10 - ROUNDS / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_mutations_of_a_whole_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
