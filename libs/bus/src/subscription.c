#include "internal.h"

static void deliver(natsConnection *connection, natsSubscription *handle, natsMsg *message,
                    void *data)
{
    (void)connection;
    (void)handle;
    struct bus_subscription *subscription = data;
    subscription->deliver(subscription->data, message);
}

static void complete(void *data)
{
    struct bus_subscription *subscription = data;
    struct bus *bus = subscription->bus;
    pthread_mutex_lock(&bus->lock);
    subscription->is_live = false;
    pthread_cond_broadcast(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

static natsStatus subscribe(struct bus_subscription *subscription, natsConnection *connection)
{
    natsSubscription *handle = NULL;
    natsStatus status =
        subscription->queue
            ? natsConnection_QueueSubscribe(&handle, connection, subscription->subject,
                                            subscription->queue, deliver, subscription)
            : natsConnection_Subscribe(&handle, connection, subscription->subject, deliver,
                                       subscription);
    if (status != NATS_OK)
        return status;
    if (natsSubscription_SetOnCompleteCB(handle, complete, subscription) != NATS_OK) {
        natsSubscription_Destroy(handle);
        return NATS_CONNECTION_CLOSED;
    }
    subscription->handle = handle;
    subscription->is_live = true;
    return NATS_OK;
}

natsStatus bus_subscribe_all(struct bus *bus, natsConnection *connection)
{
    LIST_FOREACH (node, &bus->subscriptions) {
        struct bus_subscription *subscription = CONTAINER_OF(node, struct bus_subscription, node);
        if (subscription->handle)
            continue;
        natsStatus status = subscribe(subscription, connection);
        if (status != NATS_OK)
            return status;
    }
    return NATS_OK;
}

static void wait_until_dead(struct bus_subscription *subscription)
{
    while (subscription->is_live)
        pthread_cond_wait(&subscription->bus->changed, &subscription->bus->lock);
}

/* The connection is closed. */
void bus_forget_handles(struct bus *bus)
{
    struct list_node *node = bus->subscriptions.next;
    while (node != &bus->subscriptions) {
        struct bus_subscription *subscription = CONTAINER_OF(node, struct bus_subscription, node);
        if (subscription->is_live) {
            /* The list may change while the lock is given up. */
            pthread_cond_wait(&bus->changed, &bus->lock);
            node = bus->subscriptions.next;
            continue;
        }
        natsSubscription_Destroy(TAKE(subscription->handle));
        node = node->next;
        if (subscription->is_for_one_connection)
            list_remove(&subscription->node);
    }
}

struct err *bus_subscription_add(struct bus *bus, struct bus_subscription *subscription)
{
    pthread_mutex_lock(&bus->lock);
    subscription->bus = bus;
    list_push_back(&bus->subscriptions, &subscription->node);
    natsStatus status = bus->connection ? subscribe(subscription, bus->connection) : NATS_OK;
    if (status == NATS_CONNECTION_CLOSED)
        status = NATS_OK; /* it is made with the next connection */
    if (status != NATS_OK)
        list_remove(&subscription->node);
    pthread_mutex_unlock(&bus->lock);
    return bus_error(status, "subscribe to %s", subscription->subject);
}

void bus_subscription_remove(struct bus_subscription *subscription)
{
    struct bus *bus = subscription->bus;
    if (!bus)
        return;
    pthread_mutex_lock(&bus->lock);
    list_remove(&subscription->node);
    natsSubscription *handle = TAKE(subscription->handle);
    pthread_mutex_unlock(&bus->lock);
    natsSubscription_Destroy(handle);
    pthread_mutex_lock(&bus->lock);
    wait_until_dead(subscription);
    pthread_mutex_unlock(&bus->lock);
}

void bus_subscription_drain(struct bus_subscription *subscription, int64_t timeout_ms)
{
    pthread_mutex_lock(&subscription->bus->lock);
    list_remove(&subscription->node);
    if (subscription->handle &&
        natsSubscription_DrainTimeout(subscription->handle, timeout_ms) != NATS_OK)
        natsSubscription_Unsubscribe(subscription->handle); /* no thread to drain it: at once */
    pthread_mutex_unlock(&subscription->bus->lock);
}

void bus_subscription_end(struct bus_subscription *subscription, int64_t timeout_ms)
{
    bus_subscription_drain(subscription, timeout_ms);
    pthread_mutex_lock(&subscription->bus->lock);
    wait_until_dead(subscription);
    pthread_mutex_unlock(&subscription->bus->lock);
    bus_subscription_remove(subscription);
}
