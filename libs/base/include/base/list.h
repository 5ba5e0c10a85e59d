/*
 * Intrusive doubly linked list. The head is a list_node linked to itself when empty; a node that is
 * in no list is linked to itself too (list_node_init) so that list_remove() is always safe.
 * Threads: the owner's lock, if shared.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include <base/macros.h>

struct list_node {
    struct list_node *prev, *next;
};

static inline void list_node_init(struct list_node *node)
{
    node->prev = node->next = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list_node *node, struct list_node *prev,
                                       struct list_node *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

static inline void list_push_back(struct list_node *head, struct list_node *node)
{
    list_insert_between(node, head->prev, head);
}

static inline void list_push_front(struct list_node *head, struct list_node *node)
{
    list_insert_between(node, head, head->next);
}

static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_node_init(node);
}

/* The first node, taken out; NULL when empty. */
static inline struct list_node *list_pop_front(struct list_node *head)
{
    if (list_is_empty(head))
        return NULL;
    struct list_node *node = head->next;
    list_remove(node);
    return node;
}

/* The loop body may remove the current node, and no other. */
#define LIST_FOREACH(node, head)                                                                   \
    for (struct list_node *node = (head)->next, *node##_next_ = node->next; node != (head);        \
         node = node##_next_, node##_next_ = node->next)

#endif
