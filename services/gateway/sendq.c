#include "sendq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <base/macros.h>

#define COPY_MAX 1024 /* below it a copy costs less than another piece for the kernel */

static void add_part(struct sendq *q, const char *bytes, size_t count)
{
    if (q->has_scratch && q->count == 1 && count <= MIN(q->room, COPY_MAX)) {
        memcpy((char *)q->parts[0].iov_base + q->parts[0].iov_len, bytes, count);
        q->parts[0].iov_len += count;
        q->room -= count;
        return;
    }
    assert(q->count < SENDQ_PARTS);
    /* sendmsg() does not write to it. */
    q->parts[q->count++] = (struct iovec){(void *)(uintptr_t)bytes, count};
}

void sendq_add_scratch(struct sendq *q, char *bytes, size_t count, size_t room)
{
    assert(q->count == 0);
    q->parts[q->count++] = (struct iovec){bytes, count};
    q->has_scratch = true;
    q->room = room;
}

void sendq_add(struct sendq *q, const char *bytes, size_t count)
{
    if (count > 0)
        add_part(q, bytes, count);
}

void sendq_add_chunk(struct sendq *q, const char *bytes, size_t count, bool is_last)
{
    static const char end[] = "\r\n0\r\n\r\n";
    if (count > 0) {
        add_part(q, q->line, chunk_line(q->line, count));
        add_part(q, bytes, count);
        add_part(q, end, is_last ? sizeof(end) - 1 : 2);
    } else if (is_last) {
        add_part(q, end + 2, sizeof(end) - 3);
    }
}

void sendq_clear(struct sendq *q, struct slab_pool *slabs)
{
    slab_give(slabs, q->kept);
    q->kept = NULL;
    q->first = q->count = 0;
    q->has_scratch = false;
}

static void advance(struct sendq *q, size_t sent)
{
    while (!sendq_is_empty(q) && sent >= q->parts[q->first].iov_len)
        sent -= q->parts[q->first++].iov_len;
    if (sendq_is_empty(q))
        return;
    q->parts[q->first].iov_base = (char *)q->parts[q->first].iov_base + sent;
    q->parts[q->first].iov_len -= sent;
}

/* The scratch memory is about to serve others: moves what is left of it. */
static bool keep_scratch(struct sendq *q, struct slab_pool *slabs)
{
    if (!q->has_scratch || q->first > 0)
        return true;
    q->has_scratch = false;
    assert(q->parts[0].iov_len <= SLAB_BYTES);
    q->kept = slab_take(slabs);
    if (!q->kept)
        return false;
    memcpy(q->kept->data, q->parts[0].iov_base, q->parts[0].iov_len);
    q->parts[0].iov_base = q->kept->data;
    return true;
}

static ssize_t send_parts(const struct sendq *q, int fd)
{
    const struct iovec *first = &q->parts[q->first];
    size_t count = (size_t)(q->count - q->first);
    if (count == 1)
        return send(fd, first->iov_base, first->iov_len, MSG_NOSIGNAL);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)first, .msg_iovlen = count};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

enum send_status sendq_flush(struct sendq *q, int fd, struct slab_pool *slabs, size_t *out_sent)
{
    size_t total = 0;
    enum send_status status = SEND_DONE;
    while (!sendq_is_empty(q)) {
        ssize_t sent = send_parts(q, fd);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            status = errno == EAGAIN && keep_scratch(q, slabs) ? SEND_BLOCKED : SEND_FAILED;
            break;
        }
        total += (size_t)sent;
        advance(q, (size_t)sent);
    }
    if (status == SEND_DONE)
        sendq_clear(q, slabs);
    *out_sent = total;
    return status;
}
