#include "check.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/buf.h>

#include "address.h"
#include "settings.h"

static struct str text(const char *string)
{
    return (struct str){string, strlen(string)};
}

static void ips(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown; /* NULL: is none */
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::1", "::1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::ffff:10.1.2.3", "10.1.2.3"},
        {"", NULL},
        {"127.0.0", NULL},
        {"127.0.0.1:80", NULL},
        {"[::1]", NULL},
        {"localhost", NULL},
        {"256.0.0.1", NULL},
        {"1.2.3.4 ", NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        union address address = {.v4 = {.sin_port = 7}};
        char shown[ADDRESS_TEXT];
        bool is_ip = address_parse_ip(text(cases[i].text), &address);
        CHECK_INT(cases[i].text, is_ip, cases[i].shown != NULL);
        if (!is_ip) {
            CHECK_INT(cases[i].text, address.v4.sin_port, 7);
            continue;
        }
        address_format(&address, shown);
        CHECK_STR(cases[i].text, shown, cases[i].shown);
    }
}

static void host_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: malformed */
        unsigned port;
    } cases[] = {
        {"a:1", "a", 1},         {":8080", "", 8080},
        {"[::1]:80", "::1", 80}, {"a.b:65535", "a.b", 65535},
        {"a:0", "a", 0},         {"a", NULL, 0},
        {"a:", NULL, 0},         {"a:65536", NULL, 0},
        {"a:x", NULL, 0},        {"::1:80", NULL, 0},
        {"[::1:80", NULL, 0},    {"[]:80", NULL, 0},
        {"", NULL, 0},           {"0123456789abcdef:1", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char host[16] = "before";
        uint16_t port = 9;
        bool is_split = address_split(cases[i].text, host, sizeof(host), &port);
        CHECK_INT(cases[i].text, is_split, cases[i].host != NULL);
        CHECK_STR(cases[i].text, host, cases[i].host ? cases[i].host : "before");
        CHECK_INT(cases[i].text, port, cases[i].host ? cases[i].port : 9);
    }
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *network, *ip;
        int has; /* -1: malformed */
    } cases[] = {
        {"10.0.0.0/8", "10.1.2.3", 1},
        {"10.0.0.0/8", "11.0.0.0", 0},
        {"10.0.0.0/9", "10.127.0.1", 1},
        {"10.0.0.0/9", "10.128.0.1", 0},
        {"10.1.2.3", "10.1.2.3", 1},
        {"10.1.2.3", "10.1.2.4", 0},
        {"10.1.2.3/32", "10.1.2.3", 1},
        {"0.0.0.0/0", "1.2.3.4", 1},
        {"10.0.0.0/8", "::ffff:10.1.1.1", 1},
        {"10.0.0.0/8", "::1", 0},
        {"fd00::/8", "fd12::1", 1},
        {"fd00::/8", "fe00::1", 0},
        {"::1", "::1", 1},
        {"::/0", "::2", 1},
        {"::/0", "1.2.3.4", 0},
        {"10.0.0.0/33", "::", -1},
        {"10.0.0.0/", "::", -1},
        {"10.0.0.0/x", "::", -1},
        {"/8", "::", -1},
        {"a", "::", -1},
        {"::/129", "::", -1},
        {"10.0.0.0/-1", "::", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct network network = {.prefix_bits = 77};
        union address address;
        assert_true(address_parse_ip(text(cases[i].ip), &address));
        bool is_network = network_parse(text(cases[i].network), &network);
        CHECK_INT(cases[i].network, is_network, cases[i].has >= 0);
        if (is_network)
            CHECK_INT(cases[i].network, network_has(&network, &address), cases[i].has);
        else
            CHECK_INT(cases[i].network, network.prefix_bits, 77);
    }
}

static void trusted_lists(void **state)
{
    (void)state;
    struct network networks[TRUSTED_MAX];
    _cleanup_(buf_deinit) struct buf many = BUF_INIT(TRUSTED_MAX * 8 + 16);
    size_t count = 99;
    assert_false(trusted_parse("10.0.0.0/8, x", networks, &count));
    assert_int_equal(count, 99);
    assert_true(trusted_parse(" 10.0.0.0/8 ,::1,", networks, &count));
    assert_int_equal(count, 2);
    for (int i = 0; i < TRUSTED_MAX; i++)
        buf_append_str(&many, "1.1.1.1,");
    assert_true(trusted_parse(buf_text(&many), networks, &count));
    buf_append_str(&many, "1.1.1.1");
    assert_false(trusted_parse(buf_text(&many), networks, &count));
}

static void resolving(void **state)
{
    (void)state;
    union address found[4];
    size_t count = 0;
    assert_null(address_resolve("127.0.0.1:80", true, found, 4, &count));
    assert_int_equal(count, 1);
    assert_null(address_resolve("[::1]:80", true, found, 4, &count));
    assert_null(address_resolve("localhost:80", false, found, 4, &count));
    assert_in_range(count, 1, 4);

    static const char *const none[] = {"localhost:80", "127.0.0.1", ":80"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        count = 99;
        _cleanup_(err_free) struct err *e = address_resolve(none[i], true, found, 4, &count);
        CHECK(none[i], e);
        CHECK_INT(none[i], count, 99);
    }
}

static void addresses_are_compared_with_their_ports(void **state)
{
    (void)state;
    union address a, b, c, d;
    size_t count;
    assert_null(address_resolve("127.0.0.1:80", true, &a, 1, &count));
    assert_null(address_resolve("127.0.0.1:80", true, &b, 1, &count));
    assert_null(address_resolve("127.0.0.1:81", true, &c, 1, &count));
    assert_null(address_resolve("[::1]:80", true, &d, 1, &count));
    assert_true(address_equal(&a, &b));
    assert_false(address_equal(&a, &c));
    assert_false(address_equal(&a, &d));
    char shown[ADDRESS_PORT_TEXT];
    address_format_port(&c, shown);
    assert_string_equal(shown, "127.0.0.1:81");
    address_format_port(&d, shown);
    assert_string_equal(shown, "[::1]:80");
}

static void listening(void **state)
{
    (void)state;
    static const char *const fine[] = {"127.0.0.1:0", ":0", "localhost:0"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        int fd = -1;
        assert_null(address_listen(fine[i], &fd));
        CHECK(fine[i], fd >= 0);
        close(fd);
    }
    static const char *const wrong[] = {"127.0.0.1", "192.0.2.1:0", "no.such.host.invalid:0"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int fd = -7;
        _cleanup_(err_free) struct err *e = address_listen(wrong[i], &fd);
        CHECK(wrong[i], e);
        CHECK_INT(wrong[i], fd, -7);
    }
}

/* A network with one IPv4 address, as many a container has. */
static bool enter_ipv4_network(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    struct sockaddr_in ip = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    memcpy(&lo.ifr_addr, &ip, sizeof(ip));
    int fd = -1;
    bool is_done = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 &&
                   (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0 &&
                   ioctl(fd, SIOCSIFADDR, &lo) == 0;
    if (fd >= 0)
        close(fd);
    return is_done;
}

/* Workers after the first listen on the address that ":port" has become. */
static void listening_without_ipv6(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        if (!enter_ipv4_network())
            _exit(77); /* not allowed here */
        int fd = -1;
        struct err *e = address_listen("[::]:0", &fd);
        err_free(e);
        _exit(e || fd < 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ips),       cmocka_unit_test(host_and_port),
        cmocka_unit_test(networks),  cmocka_unit_test(trusted_lists),
        cmocka_unit_test(resolving), cmocka_unit_test(addresses_are_compared_with_their_ports),
        cmocka_unit_test(listening), cmocka_unit_test(listening_without_ipv6),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
