#include "fake_directory.h"

#include <stdio.h>

#include <base/clock.h>
#include <base/str.h>

#include "kinds.h"

#define PATIENCE_MS 20000

static struct fake_user *find_by_id(struct fake_directory *directory, const char *id)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (str_equal(directory->users[i].user.id, id))
            return &directory->users[i];
    }
    return NULL;
}

static struct fake_user *find_by_email(struct fake_directory *directory, const char *email)
{
    for (size_t i = 0; i < directory->count; i++) {
        if (str_equal_nocase(directory->users[i].user.email, email))
            return &directory->users[i];
    }
    return NULL;
}

static void remove_user(struct fake_directory *directory, struct fake_user *user)
{
    *user = directory->users[--directory->count];
}

/* NULL: the address is taken. */
static struct fake_user *add_user(struct fake_directory *directory, const char *email,
                                  const char *name, int role)
{
    struct fake_user *other = find_by_email(directory, email);
    if (other && !other->is_pending)
        return NULL;
    if (other)
        remove_user(directory, other);
    assert_true(directory->count < FAKE_USERS_MAX);
    struct fake_user *user = &directory->users[directory->count++];
    *user = (struct fake_user){.user = {.role = role, .version = 1}};
    uuid_new(user->user.id);
    str_copy(user->user.email, sizeof(user->user.email), email);
    str_copy(user->user.name, sizeof(user->user.name), name);
    user->user.created_at_ms = user->user.updated_at_ms = clock_now_ms();
    return user;
}

/* --- what it tells --- */

void fake_directory_tell(struct fake_directory *directory, const char *type, const char *about,
                         const char *data)
{
    char subject[64], id[UUID_TEXT];
    snprintf(subject, sizeof(subject), "users.v1.events.%s", type);
    uuid_new(id);
    _cleanup_(buf_deinit) struct buf event = BUF_INIT(8192);
    buf_printf(&event,
               "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"users\",\"type\":\"%s\","
               "\"subject\":\"%s\",\"time\":\"2026-11-24T01:02:03.004Z\",\"data\":%s}",
               id, subject, about, data);
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, PATIENCE_MS);
    expect_ok(bus_publish(directory->bus, &ctx, subject, id, event.data, event.len));
}

static void tell(struct fake_directory *directory, const char *type, const struct user *user)
{
    if (!directory->bus || directory->is_silent)
        return;
    _cleanup_(buf_deinit) struct buf data = BUF_INIT(4096);
    struct json_writer writer = JSON_WRITER(&data);
    model_write(str_equal(type, "deleted") ? &deleted_user_model : &told_user_model, user, &writer);
    fake_directory_tell(directory, type, user->id, buf_text(&data));
}

/* --- what it answers --- */

struct question {
    char id[UUID_TEXT];
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(USER_NAME_MAX)];
    int role;
};
static const struct field question_fields[] = {
    FIELD(struct question, id, UUID),
    FIELD(struct question, email, EMAIL),
    FIELD(struct question, name, STRING),
    FIELD(struct question, role, ENUM, .values = user_roles),
};
static const struct model question_model = MODEL(struct question, question_fields, "Any request");

static struct err *create(struct fake_directory *directory, const struct question *in,
                          struct user *out)
{
    struct fake_user *user = in->id[0] ? find_by_id(directory, in->id) : NULL;
    if (user && !user->is_pending) {
        *out = user->user;
        return NULL;
    }
    user = add_user(directory, in->email, in->name, in->role);
    if (!user)
        return err_new(&DIRECTORY_EMAIL_TAKEN, "taken");
    if (in->id[0] && !directory->is_old)
        str_copy(user->user.id, UUID_TEXT, in->id);
    user->is_pending = true;
    *out = user->user;
    return NULL;
}

static struct err *activate(struct fake_directory *directory, const struct question *in,
                            struct user *out)
{
    struct fake_user *user = find_by_id(directory, in->id);
    if (!user)
        return err_new(&DIRECTORY_NO_USER, "gone");
    if (user->is_pending) {
        user->is_pending = false;
        user->user.version++;
        tell(directory, "created", &user->user);
    }
    *out = user->user;
    return NULL;
}

static struct err *get(struct fake_directory *directory, const struct question *in,
                       struct user *out)
{
    struct fake_user *user =
        in->id[0] ? find_by_id(directory, in->id) : find_by_email(directory, in->email);
    if (!user || user->is_pending)
        return err_new(&DIRECTORY_NO_USER, "gone");
    *out = user->user;
    return NULL;
}

static struct err *take_fault(struct fake_directory *directory, const char *method, bool after,
                              const char *id)
{
    struct fault *fault = &directory->fault;
    if (!fault->method || !str_ends_with(method, fault->method) || fault->after != after ||
        fault->times == 0 || (directory->fault_id && !str_equal(directory->fault_id, id)))
        return NULL;
    fault->times--;
    return err_new(fault->kind, "to order");
}

typedef void pause_fn(void *data);

/* What to run before the answer; NULL: nothing. */
static pause_fn *take_pause(struct fake_directory *directory, const char *method)
{
    if (!directory->pause_at || !str_ends_with(method, directory->pause_at))
        return NULL;
    directory->pause_at = NULL;
    return directory->pause;
}

static struct err *answer(struct bus_call *call,
                          struct err *(*run)(struct fake_directory *directory,
                                             const struct question *in, struct user *out))
{
    struct fake_directory *directory = call->state;
    const struct question *in = call->in;
    struct user out = {0};
    pthread_mutex_lock(&directory->lock);
    struct err *e = take_fault(directory, call->subject, false, in->id);
    if (!e)
        e = run(directory, in, &out);
    if (!e)
        e = take_fault(directory, call->subject, true, in->id);
    pause_fn *pause = take_pause(directory, call->subject);
    pthread_mutex_unlock(&directory->lock);
    if (pause)
        pause(directory->pause_data);
    if (!e)
        *(struct user *)call->out = out;
    return e;
}

static struct err *answer_create(struct bus_call *call)
{
    return answer(call, create);
}

static struct err *answer_activate(struct bus_call *call)
{
    return answer(call, activate);
}

static struct err *answer_get(struct bus_call *call)
{
    return answer(call, get);
}

#define PAGE 3

struct list_question {
    char cursor[UUID_TEXT];
};
static const struct field list_question_fields[] = {FIELD(struct list_question, cursor, UUID)};
static const struct model list_question_model =
    MODEL(struct list_question, list_question_fields, "Which page");

static const struct field page_fields[] = {
    FIELD_ARRAY(struct user_page, items, count, OBJECT, .model = &told_user_model),
    FIELD(struct user_page, next_cursor, UUID, .flags = NULLABLE),
};
static const struct model page_model = MODEL(struct user_page, page_fields, "A page");

/* The first user behind the cursor. */
static const struct fake_user *find_next(struct fake_directory *directory, const char *cursor)
{
    const struct fake_user *next = NULL;
    for (size_t i = 0; i < directory->count; i++) {
        const struct fake_user *user = &directory->users[i];
        if (!user->is_pending && strcmp(user->user.id, cursor) > 0 &&
            (!next || strcmp(user->user.id, next->user.id) < 0))
            next = user;
    }
    return next;
}

static struct err *answer_list(struct bus_call *call)
{
    struct fake_directory *directory = call->state;
    const struct list_question *in = call->in;
    struct user_page *out = call->out;
    struct user *users = arena_calloc(call->arena, PAGE, sizeof(*users));
    pthread_mutex_lock(&directory->lock);
    struct err *e = take_fault(directory, call->subject, false, NULL);
    const struct fake_user *user = find_next(directory, in->cursor);
    for (; user && out->count < PAGE; user = find_next(directory, user->user.id))
        users[out->count++] = user->user;
    out->items = users;
    out->next_cursor = user ? users[PAGE - 1].id : NULL;
    pause_fn *pause = take_pause(directory, call->subject);
    pthread_mutex_unlock(&directory->lock);
    if (pause)
        pause(directory->pause_data);
    return e;
}

static const struct bus_method methods[] = {
    {"users.v1.create", answer_create, &question_model, &told_user_model, ""},
    {"users.v1.activate", answer_activate, &question_model, &told_user_model, ""},
    {"users.v1.list", answer_list, &list_question_model, &page_model, ""},
    {"users.v1.get", answer_get, &question_model, &told_user_model, ""},
    {"users.v1.find_by_email", answer_get, &question_model, &told_user_model, ""},
};

/* --- for the tests --- */

void fake_directory_start(struct fake_directory *directory, const char *nats_url, struct bus *asker)
{
    expect_ok(bus_open(&(struct bus_options){.url = nats_url, .name = "users"}, &directory->bus));
    _cleanup_(ctx_deinit) struct ctx ctx;
    ctx_init(&ctx, NULL, PATIENCE_MS);
    expect_ok(bus_wait(directory->bus, &ctx));
    static const struct bus_stream stream = {.name = "USERS", .subjects = "users.v1.events.>"};
    expect_ok(bus_ensure_stream(directory->bus, &ctx, &stream));
    expect_ok(bus_serve(directory->bus, methods, ARRAY_LEN(methods), directory));
    expect_ok(bus_wait(asker, &ctx));
    for (;;) {
        struct user user;
        struct err *e = directory_find_by_email(asker, &ctx, "is-it-there@example.com", &user);
        bool is_there = err_is(e, &DIRECTORY_NO_USER);
        err_free(e);
        if (is_there)
            return;
        expect_ok(ctx_sleep(&ctx, 1));
    }
}

void fake_directory_stop(struct fake_directory *directory)
{
    bus_close(directory->bus);
    directory->bus = NULL;
}

void fake_directory_clear(struct fake_directory *directory)
{
    pthread_mutex_lock(&directory->lock);
    directory->count = 0;
    directory->fault = (struct fault){0};
    directory->fault_id = NULL;
    directory->is_silent = directory->is_old = false;
    directory->pause_at = NULL;
    pthread_mutex_unlock(&directory->lock);
}

void fake_directory_order_for(struct fake_directory *directory, const char *id, struct fault fault)
{
    pthread_mutex_lock(&directory->lock);
    directory->fault = fault;
    directory->fault_id = id;
    pthread_mutex_unlock(&directory->lock);
}

void fake_directory_order(struct fake_directory *directory, struct fault fault)
{
    fake_directory_order_for(directory, NULL, fault);
}

void fake_directory_silence(struct fake_directory *directory)
{
    pthread_mutex_lock(&directory->lock);
    directory->is_silent = true;
    pthread_mutex_unlock(&directory->lock);
}

void fake_directory_pause(struct fake_directory *directory, const char *method,
                          void (*pause)(void *data), void *data)
{
    pthread_mutex_lock(&directory->lock);
    directory->pause_at = method;
    directory->pause = pause;
    directory->pause_data = data;
    pthread_mutex_unlock(&directory->lock);
}

struct user fake_directory_add(struct fake_directory *directory, const char *email, int role,
                               int status)
{
    pthread_mutex_lock(&directory->lock);
    struct fake_user *user = add_user(directory, email, "Added", role);
    assert_non_null(user);
    user->user.status = status;
    struct user copy = user->user;
    tell(directory, "created", &copy);
    pthread_mutex_unlock(&directory->lock);
    return copy;
}

void fake_directory_change(struct fake_directory *directory, const char *id, const char *email,
                           int role, int status)
{
    pthread_mutex_lock(&directory->lock);
    struct fake_user *user = find_by_id(directory, id);
    assert_non_null(user);
    str_copy(user->user.email, sizeof(user->user.email), email);
    user->user.role = role;
    user->user.status = status;
    user->user.updated_at_ms++;
    user->user.version++;
    tell(directory, "updated", &user->user);
    pthread_mutex_unlock(&directory->lock);
}

void fake_directory_remove(struct fake_directory *directory, const char *id)
{
    pthread_mutex_lock(&directory->lock);
    struct fake_user *user = find_by_id(directory, id);
    assert_non_null(user);
    user->user.version++;
    tell(directory, "deleted", &user->user);
    remove_user(directory, user);
    pthread_mutex_unlock(&directory->lock);
}

size_t fake_directory_count(struct fake_directory *directory, const char *email)
{
    size_t count = 0;
    pthread_mutex_lock(&directory->lock);
    for (size_t i = 0; i < directory->count; i++) {
        const struct fake_user *user = &directory->users[i];
        count += !user->is_pending && str_equal_nocase(user->user.email, email);
    }
    pthread_mutex_unlock(&directory->lock);
    return count;
}
