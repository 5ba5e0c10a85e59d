#include "relay.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432"
#define PAIRS_MAX   64

/* A client and its connection to the server. */
struct pair {
    int client, server;
    bool is_waiting;    /* the client has spoken last */
    bool is_cut_answer; /* it does not hear the answer */
};

struct relay {
    char directory[URL_MAX / 4], server[URL_MAX / 4];
    pthread_t thread;
    int listener, wake_fd;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t noticed;
    enum relay_mode mode, mode_in_effect;
    bool is_ending;
    int64_t round_trips;
    int hold_ms;

    struct pair pairs[PAIRS_MAX]; /* the thread's own */
    size_t count;
};

static int open_socket(const char *directory, bool is_listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" SOCKET_NAME, directory);
    assert_in_range(length, 1, sizeof(address.sun_path) - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (is_listener) {
        unlink(address.sun_path);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, PAIRS_MAX), 0);
    } else if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void end_pair(struct relay *relay, size_t i)
{
    close(relay->pairs[i].client);
    close(relay->pairs[i].server);
    relay->pairs[i] = relay->pairs[--relay->count];
}

static void accept_client(struct relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int server = client >= 0 && relay->count < PAIRS_MAX ? open_socket(relay->server, false) : -1;
    if (server >= 0)
        relay->pairs[relay->count++] = (struct pair){.client = client, .server = server};
    else if (client >= 0)
        close(client);
}

/* The mode that counts for a word of a client: those that cut are for one word. */
static enum relay_mode take_mode(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    enum relay_mode mode = relay->mode;
    if (mode == RELAY_CUT || mode == RELAY_CUT_ANSWER)
        relay->mode = relay->mode_in_effect = RELAY_PASS;
    pthread_mutex_unlock(&relay->lock);
    return mode;
}

static bool pass(int from, int to)
{
    char bytes[16384];
    ssize_t len = read(from, bytes, sizeof(bytes));
    for (ssize_t sent = 0; sent < len;) {
        ssize_t step = send(to, bytes + sent, (size_t)(len - sent), MSG_NOSIGNAL);
        if (step < 0)
            return false;
        sent += step;
    }
    return len > 0;
}

static bool pass_from_client(struct relay *relay, struct pair *pair)
{
    enum relay_mode mode = take_mode(relay);
    if (mode == RELAY_CUT)
        return false;
    pair->is_cut_answer |= mode == RELAY_CUT_ANSWER;
    pair->is_waiting = true;
    return pass(pair->client, pair->server);
}

static bool pass_from_server(struct relay *relay, struct pair *pair)
{
    if (pair->is_cut_answer)
        return false;
    struct pollfd client = {.fd = pair->client, .events = POLLIN};
    pthread_mutex_lock(&relay->lock);
    int hold_ms = pair->is_waiting ? relay->hold_ms : 0;
    pthread_mutex_unlock(&relay->lock);
    if (hold_ms > 0 && poll(&client, 1, hold_ms) > 0)
        return true; /* it speaks first */
    pthread_mutex_lock(&relay->lock);
    relay->round_trips += pair->is_waiting;
    pthread_mutex_unlock(&relay->lock);
    pair->is_waiting = false;
    return pass(pair->server, pair->client);
}

/* Puts a new mode into effect; false: the end. */
static bool follow_mode(struct relay *relay, enum relay_mode *out_mode)
{
    uint64_t wakes;
    (void)!read(relay->wake_fd, &wakes, sizeof(wakes));
    pthread_mutex_lock(&relay->lock);
    bool refuses = relay->mode == RELAY_REFUSE || relay->is_ending;
    while (refuses && relay->count > 0)
        end_pair(relay, 0);
    if (refuses && relay->listener >= 0) {
        close(relay->listener);
        relay->listener = -1;
    } else if (!refuses && relay->listener < 0) {
        relay->listener = open_socket(relay->directory, true);
    }
    *out_mode = relay->mode_in_effect = relay->mode;
    pthread_cond_signal(&relay->noticed);
    bool goes_on = !relay->is_ending;
    pthread_mutex_unlock(&relay->lock);
    return goes_on;
}

static void *run_relay(void *data)
{
    struct relay *relay = data;
    enum relay_mode mode;
    while (follow_mode(relay, &mode)) {
        struct pollfd fds[2 + 2 * PAIRS_MAX] = {
            {.fd = relay->wake_fd, .events = POLLIN},
            {.fd = mode == RELAY_SILENT ? -1 : relay->listener, .events = POLLIN},
        };
        size_t pairs = mode == RELAY_SILENT ? 0 : relay->count;
        for (size_t i = 0; i < pairs; i++) {
            fds[2 + 2 * i] = (struct pollfd){.fd = relay->pairs[i].client, .events = POLLIN};
            fds[3 + 2 * i] = (struct pollfd){.fd = relay->pairs[i].server, .events = POLLIN};
        }
        poll(fds, 2 + 2 * pairs, -1);
        if (fds[0].revents)
            continue;
        for (size_t i = pairs; i-- > 0;) /* from the end: who goes is replaced by the last one */
            if ((fds[2 + 2 * i].revents && !pass_from_client(relay, &relay->pairs[i])) ||
                (fds[3 + 2 * i].revents && !pass_from_server(relay, &relay->pairs[i])))
                end_pair(relay, i);
        if (fds[1].revents)
            accept_client(relay);
    }
    return NULL;
}

static void wake(struct relay *relay)
{
    const uint64_t one = 1;
    assert_int_equal(write(relay->wake_fd, &one, sizeof(one)), sizeof(one));
}

struct relay *relay_new(void)
{
    static int relays;
    struct relay *relay = calloc(1, sizeof(*relay));
    assert_non_null(relay);
    snprintf(relay->server, sizeof(relay->server), "%s/pg", test_directory());
    snprintf(relay->directory, sizeof(relay->directory), "%s/r%d", test_directory(), relays++);
    assert_int_equal(mkdir(relay->directory, 0755), 0);
    relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    relay->listener = open_socket(relay->directory, true);
    pthread_mutex_init(&relay->lock, NULL);
    pthread_cond_init(&relay->noticed, NULL);
    assert_int_equal(pthread_create(&relay->thread, NULL, run_relay, relay), 0);
    return relay;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    pthread_mutex_lock(&relay->lock);
    relay->is_ending = true;
    pthread_mutex_unlock(&relay->lock);
    wake(relay);
    pthread_join(relay->thread, NULL);
    close(relay->wake_fd);
    pthread_cond_destroy(&relay->noticed);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

void relay_set(struct relay *relay, enum relay_mode mode)
{
    pthread_mutex_lock(&relay->lock);
    relay->mode = mode;
    wake(relay);
    while (relay->mode_in_effect != mode)
        pthread_cond_wait(&relay->noticed, &relay->lock);
    pthread_mutex_unlock(&relay->lock);
}

void relay_url(const struct relay *relay, const char *parameters, char out[static URL_MAX])
{
    const char *url = database_url();
    const char *place = strstr(url, relay->server);
    assert_non_null(place);
    int length = snprintf(out, URL_MAX, "%.*s%s%s%s", (int)(place - url), url, relay->directory,
                          place + strlen(relay->server), parameters);
    assert_in_range(length, 1, URL_MAX - 1);
}

void relay_hold(struct relay *relay, int hold_ms)
{
    pthread_mutex_lock(&relay->lock);
    relay->hold_ms = hold_ms;
    pthread_mutex_unlock(&relay->lock);
}

int64_t relay_round_trips(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    int64_t round_trips = relay->round_trips;
    pthread_mutex_unlock(&relay->lock);
    return round_trips;
}
