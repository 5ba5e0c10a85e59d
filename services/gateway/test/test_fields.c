#include "check.h"

#include <stdio.h>

#include "fields.h"

static void headers_are_found_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int id, policy;
    } cases[] = {
        {"host", HEADER_HOST, HEADER_OWN | HEADER_SINGLE},
        {"HOST", HEADER_HOST, HEADER_OWN | HEADER_SINGLE},
        {"Content-Length", HEADER_CONTENT_LENGTH, HEADER_OWN | HEADER_SINGLE},
        {"tRaNsFeR-EnCoDiNg", HEADER_TRANSFER_ENCODING, HEADER_HOP | HEADER_SINGLE},
        {"TE", HEADER_TE, HEADER_HOP},
        {"Keep-Alive", HEADER_KEEP_ALIVE, HEADER_HOP},
        {"Upgrade", HEADER_UPGRADE, HEADER_HOP},
        {"X-Real-IP", HEADER_X_REAL_IP, HEADER_FORGED},
        {"Forwarded", HEADER_FORWARDED, HEADER_FORGED},
        {"X-Forwarded-For", HEADER_X_FORWARDED_FOR, HEADER_FORGED},
        {"X-Forwarded-Anything", HEADER_OTHER, HEADER_FORGED},
        {"x-user-id", HEADER_OTHER, HEADER_FORGED},
        {"X-USER-ROLE", HEADER_OTHER, HEADER_FORGED},
        {"X-Internal-Token", HEADER_OTHER, HEADER_FORGED},
        {"X-Users", HEADER_OTHER, 0},
        {"X-User", HEADER_OTHER, 0},
        {"hosts", HEADER_OTHER, 0},
        {"hos", HEADER_OTHER, 0},
        {"Accept", HEADER_OTHER, 0},
        {"x", HEADER_OTHER, 0},
        {"", HEADER_OTHER, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct header *header = header_find(cases[i].name, strlen(cases[i].name));
        CHECK_INT(cases[i].name, header->id, cases[i].id);
        CHECK_INT(cases[i].name, header->policy, cases[i].policy);
    }
}

static void every_known_header_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int id, policy;
    } all[] = {
#define X(id, name, first, last, policy) {name, id, policy},
#include "headers.def"
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CHECK_INT(all[i].name, header_find(all[i].name, strlen(all[i].name))->id, all[i].id);
        CHECK_INT(all[i].name, header_find(all[i].name, strlen(all[i].name))->policy,
                  all[i].policy);
        assert_in_range(all[i].id, 1, 63); /* a bit in struct fields */
    }
}

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *elements; /* joined with '|' */
    } cases[] = {
        {"", ""},
        {",", ""},
        {" , ,\t,", ""},
        {"a", "a|"},
        {"a,b", "a|b|"},
        {"a , b", "a|b|"},
        {" a\t,\tb ", "a|b|"},
        {",a,,b,", "a|b|"},
        {"a b, c", "a b|c|"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str list = {cases[i].list, strlen(cases[i].list)}, one;
        char got[64] = "";
        for (size_t cursor = 0; list_next(list, &cursor, &one);)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), STR_FORMAT "|", STR_ARGS(one));
        CHECK_STR(cases[i].list, got, cases[i].elements);
    }
}

/* Lines "Name: value", separated by '\n', as fields. */
static void read_fields(struct fields *fields, const char *lines)
{
    for (const char *at = lines; *at;) {
        size_t len = strcspn(at, "\n");
        assert_null(
            fields_add(fields, lines, (struct span){(uint16_t)(at - lines), (uint16_t)len}));
        at += len + (at[len] == '\n');
    }
}

static void connection_names_what_it_drops(void **state)
{
    (void)state;
    const char lines[] = "A: 1\nConnection: b, Close\nB: 2\nC: 3\nconnection: c\na: 4";
    struct fields fields = {0};
    bool is_close = false, is_keep_alive = true;
    read_fields(&fields, lines);
    assert_true(fields_apply_connection(&fields, lines, &is_close, &is_keep_alive));
    assert_true(is_close);
    assert_false(is_keep_alive);
    char kept[64] = "";
    for (unsigned i = 0; i < fields.count; i++)
        if (!(fields.at[i].policy & HEADER_HOP))
            strncat(kept, lines + fields.at[i].value.at, fields.at[i].value.len);
    assert_string_equal(kept, "14");
}

static void connection_failure_leaves_outputs(void **state)
{
    (void)state;
    const char lines[] = "Authorization: 1\nConnection: close, authorization";
    struct fields fields = {0};
    bool is_close = false, is_keep_alive = true;
    read_fields(&fields, lines);
    assert_false(fields_apply_connection(&fields, lines, &is_close, &is_keep_alive));
    assert_false(is_close);
    assert_true(is_keep_alive);
}

static void fields_are_found_by_id(void **state)
{
    (void)state;
    const char lines[] = "A: 1\nHost: h\nExpect: e";
    struct fields fields = {0};
    assert_null(fields_find(&fields, HEADER_HOST));
    read_fields(&fields, lines);
    const struct header_field *host = fields_find(&fields, HEADER_HOST);
    assert_non_null(host);
    assert_int_equal(lines[host->value.at], 'h');
    assert_null(fields_find(&fields, HEADER_DATE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(every_known_header_is_found),
        cmocka_unit_test(lists),
        cmocka_unit_test(connection_names_what_it_drops),
        cmocka_unit_test(connection_failure_leaves_outputs),
        cmocka_unit_test(fields_are_found_by_id),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
