/* Calls from other threads: a ring under a lock and an eventfd that ends the wait. */
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

struct err *loop_posts_init(struct loop *loop)
{
    struct posted *ring = malloc(LOOP_POSTS_MAX * sizeof(*ring));
    if (!ring)
        return err_oom();
    pthread_mutex_init(&loop->posts.lock, NULL);
    loop->posts.ring = ring;
    return NULL;
}

void loop_posts_deinit(struct loop *loop)
{
    if (!loop->posts.ring)
        return;
    pthread_mutex_destroy(&loop->posts.lock);
    free(loop->posts.ring);
}

void loop_wake(struct loop *loop)
{
    const uint64_t one = 1;
    /* Fails only when the counter is full, and then the loop is woken already. */
    ssize_t written = write(loop->wakeup, &one, sizeof(one));
    (void)written;
}

struct err *loop_post(struct loop *loop, void (*run)(void *data), void *data)
{
    struct post_queue *posts = &loop->posts;
    pthread_mutex_lock(&posts->lock);
    bool is_full = posts->count == LOOP_POSTS_MAX;
    if (!is_full) {
        posts->ring[(posts->first + posts->count) % LOOP_POSTS_MAX] = (struct posted){run, data};
        posts->count++;
    }
    pthread_mutex_unlock(&posts->lock);
    if (is_full)
        return err_new(&ERR_OVERLOADED, "%d calls wait for the loop already", LOOP_POSTS_MAX);
    loop_wake(loop);
    return NULL;
}

static bool take_first(struct post_queue *posts, struct posted *out_posted)
{
    pthread_mutex_lock(&posts->lock);
    bool is_empty = posts->count == 0;
    if (!is_empty) {
        *out_posted = posts->ring[posts->first];
        posts->first = (posts->first + 1) % LOOP_POSTS_MAX;
        posts->count--;
    }
    pthread_mutex_unlock(&posts->lock);
    return !is_empty;
}

void loop_posts_run(struct loop *loop)
{
    struct posted posted;
    /* Bounded, so that calls that post again cannot keep the loop from its sources. */
    for (int i = 0; i < LOOP_POSTS_MAX && take_first(&loop->posts, &posted); i++)
        posted.run(posted.data);
}
