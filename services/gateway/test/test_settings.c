#include "check.h"

#include <stdlib.h>

#include <base/macros.h>

#include "alloc_fail.h"
#include "service.h"

static struct err *load(const char *setting, struct gateway_settings *out)
{
    const struct cfg_binding binding = {&gateway_settings_table, out};
    char *copy = setting ? strdup(setting) : NULL;
    char *env[] = {copy, NULL};
    struct err *e = cfg_load(&binding, 1, env);
    free(copy);
    return e;
}

static void unload(struct gateway_settings *settings)
{
    const struct cfg_binding binding = {&gateway_settings_table, settings};
    cfg_unload(&binding, 1);
}

static void defaults(void **state)
{
    (void)state;
    struct gateway_settings settings = {0};
    assert_null(load(NULL, &settings));
    assert_null(settings.routes_file);
    assert_null(settings.trusted_proxies);
    assert_int_equal(settings.workers, 0);
    assert_int_equal(settings.header_timeout_ms, 10000);
    unload(&settings);
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        bool is_right;
    } cases[] = {
        {"WORKERS=4", true},
        {"WORKERS=257", false},
        {"WORKERS=-1", false},
        {"MAX_CONNECTIONS=0", false},
        {"CLIENT_HEADER_TIMEOUT_MS=5s", true},
        {"CLIENT_HEADER_TIMEOUT_MS=0", false},
        {"TRUSTED_PROXIES=10.0.0.0/8, ::1", true},
        {"TRUSTED_PROXIES=example.com", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gateway_settings settings = {0};
        _cleanup_(err_free) struct err *e = load(cases[i].setting, &settings);
        CHECK_INT(cases[i].setting, !e, cases[i].is_right);
        unload(&settings);
    }
}

static void a_gateway_is_made_or_an_error(void **state)
{
    (void)state;
    struct gateway_settings settings = {.workers = 2, .max_connections = 10};
    for (size_t successes = 0;; successes++) {
        struct gateway *gateway = NULL;
        struct metrics *metrics = NULL;
        assert_null(metrics_new(&metrics));
        const struct gateway_options options = {
            .settings = &settings, .listen_addr = "127.0.0.1:0", .metrics = metrics};
        alloc_fail_after(successes);
        struct err *e = gateway_new(&options, &gateway);
        bool has_failed = alloc_fail_stop();
        assert_true(has_failed || !e);
        /* Metrics do without memory: a gateway may come of it all the same. */
        assert_true((e == NULL) == (gateway != NULL));
        err_free(e);
        gateway_free(gateway);
        metrics_free(metrics);
        if (!has_failed)
            return;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(a_gateway_is_made_or_an_error),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
