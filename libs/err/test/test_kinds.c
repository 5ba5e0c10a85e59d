#include "check.h"

#include <err/err.h>

static const struct err_kind USER_NOT_FOUND = {"user_not_found", 404, "User not found", false, ""};
static const struct err_kind OWN_CONFLICT = {"conflict", 409, "Own conflict", false, ""};
static const struct err_kind *const own_kinds[] = {&USER_NOT_FOUND, &OWN_CONFLICT, NULL};

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *slug;
        const struct err_kind *const *kinds;
        const struct err_kind *found;
    } rows[] = {
        {"internal", NULL, &ERR_INTERNAL},
        {"malformed_json", NULL, &ERR_MALFORMED_JSON},
        {"http_version_not_supported", NULL, &ERR_VERSION_NOT_SUPPORTED},
        {"internal", own_kinds, &ERR_INTERNAL},
        {"user_not_found", own_kinds, &USER_NOT_FOUND},
        {"user_not_found", NULL, NULL},
        {"conflict", own_kinds, &OWN_CONFLICT},
        {"conflict", NULL, &ERR_CONFLICT},
        {"", own_kinds, NULL},
        {"INTERNAL", NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK(rows[i].slug, err_kind_find(rows[i].kinds, rows[i].slug) == rows[i].found);
}

/* The general codes of the HTTP contract. */
static void test_statuses_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        const char *slug;
        int status;
    } rows[] = {
        {"malformed_json", 400},      {"invalid_request", 422}, {"unauthenticated", 401},
        {"forbidden", 403},           {"route_not_found", 404}, {"method_not_allowed", 405},
        {"precondition_failed", 412}, {"body_too_large", 413},  {"unsupported_media_type", 415},
        {"headers_too_large", 431},   {"rate_limited", 429},    {"upstream_unavailable", 503},
        {"upstream_timeout", 504},    {"internal", 500},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct err_kind *kind = err_kind_find(NULL, rows[i].slug);
        CHECK(rows[i].slug, kind != NULL);
        CHECK_INT(rows[i].slug, kind->status, rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_statuses_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
