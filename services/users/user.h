/*
 * A user of the directory, and what may be asked of it: the models behind the HTTP and NATS
 * contracts of this service.
 */
#ifndef USERS_USER_H
#define USERS_USER_H

#include <model/model.h>
#include <sql/table.h>

#define X ERR_DECLARE_KIND
#include "kinds.def"
#undef X

#define USER_NAME_MAX 100
#define USER_TEXT_MAX 254 /* characters of a name, or of an address to look for */

enum user_role { ROLE_USER, ROLE_ADMIN };
extern const char *const user_roles[];

/* Pending is a user between users.v1.create and users.v1.activate, whom nobody else sees. */
enum user_status { STATUS_ACTIVE, STATUS_SUSPENDED, STATUS_PENDING };
extern const char *const user_statuses[];

struct user {
    char id[UUID_TEXT];
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(USER_NAME_MAX)];
    int role;
    int status;
    bool email_verified;
    int64_t created_at_ms;
    int64_t updated_at_ms;
    int64_t version;            /* in the ETag, not in the document */
    char email_key[EMAIL_TEXT]; /* the address in lower case; in lists alone, which sort by it */
};
extern const struct model user_model;
/* The same, who may be pending. */
extern const struct model created_user_model;
/* The same, not pending, with the version: what other services and exports get. */
extern const struct model user_record_model;
/* Id and version: all that is told of a user who was deleted. */
extern const struct model deleted_user_model;

/* An invitation, and users.v1.create, whose caller may say the id. */
struct new_user {
    char id[UUID_TEXT]; /* "": a new one */
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(USER_NAME_MAX)];
    int role;
};
extern const struct model new_user_model;
extern const struct model create_request_model;

struct user_patch {
    char email[EMAIL_TEXT];
    char name[MODEL_TEXT(USER_NAME_MAX)];
    int role;
    int status;
    struct model_presence given;
};
extern const struct model user_patch_model;
/* Bits of user_patch.given.present. */
enum user_patch_bits { PATCH_EMAIL = 1, PATCH_NAME = 2, PATCH_ROLE = 4, PATCH_STATUS = 8 };

struct user_query {
    SQL_LIST_MEMBERS;
    const char *email; /* NULL: any */
    int status;
    int role;
    struct model_presence given;
};
extern const struct model user_query_model;

/* users.v1.activate and users.v1.get; users.v1.find_by_email. */
struct user_id {
    char id[UUID_TEXT];
};
extern const struct model user_id_model;

/* users.v1.list: a page by id. */
#define USER_LIST_MAX 500
struct user_list_query {
    int64_t limit;
    const char *cursor; /* NULL: the first page */
};
extern const struct model user_list_query_model;
struct user_list {
    struct user *items;
    size_t count;
    const char *next_cursor; /* NULL: the last page */
};
extern const struct model user_list_model;

struct user_email {
    char email[EMAIL_TEXT];
};
extern const struct model user_email_model;

#endif
