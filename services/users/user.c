#include "user.h"

#define X ERR_DEFINE_KIND
#include "kinds.def"
#undef X

const char *const user_roles[] = {"user", "admin", NULL};
const char *const user_statuses[] = {"active", "suspended", "pending", NULL};
/* Those that are seen from outside. */
static const char *const statuses[] = {"active", "suspended", NULL};
static const char *const sorts[] = {"created_at", "-created_at", "email", "-email",
                                    "name",       "-name",       NULL};

#define USER_FIELDS(statuses_)                                                                     \
    FIELD(struct user, id, UUID, .flags = READ_ONLY),                                              \
        FIELD(struct user, email, EMAIL, .flags = REQUIRED, .doc = "Login address, unique",        \
              .example = "\"ann@example.com\""),                                                   \
        FIELD(struct user, name, STRING, .flags = REQUIRED, .min = 1, .max = USER_NAME_MAX,        \
              .example = "\"Ann\""),                                                               \
        FIELD(struct user, role, ENUM, .flags = READ_ONLY, .values = user_roles),                  \
        FIELD(struct user, status, ENUM, .flags = READ_ONLY, .values = (statuses_)),               \
        FIELD(struct user, email_verified, BOOL, .flags = READ_ONLY),                              \
        FIELD(struct user, created_at_ms, TIME, .json = "created_at", .flags = READ_ONLY),         \
        FIELD(struct user, updated_at_ms, TIME, .json = "updated_at", .flags = READ_ONLY),         \
        FIELD(struct user, version, INT, .flags = COLUMN_ONLY),                                    \
        FIELD(struct user, email_key, STRING, .flags = COLUMN_ONLY)

static const struct field user_fields[] = {USER_FIELDS(statuses)};
const struct model user_model = MODEL(struct user, user_fields, "A person who can sign in");

static const struct field created_user_fields[] = {USER_FIELDS(user_statuses)};
const struct model created_user_model =
    MODEL(struct user, created_user_fields, "A user whose registration has begun",
          .schema = "created_user");

/* Of an import: no number of changes leads from here to where it would wrap. */
#define USER_VERSION_MAX ((int64_t)1 << 53)

static const struct field user_record_fields[] = {
    FIELD(struct user, id, UUID, .flags = REQUIRED),
    FIELD(struct user, email, EMAIL, .flags = REQUIRED),
    FIELD(struct user, name, STRING, .flags = REQUIRED, .min = 1, .max = USER_NAME_MAX),
    FIELD(struct user, role, ENUM, .flags = REQUIRED, .values = user_roles),
    FIELD(struct user, status, ENUM, .flags = REQUIRED, .values = statuses),
    FIELD(struct user, email_verified, BOOL, .flags = REQUIRED),
    FIELD(struct user, created_at_ms, TIME, .json = "created_at", .flags = REQUIRED),
    FIELD(struct user, updated_at_ms, TIME, .json = "updated_at", .flags = REQUIRED),
    FIELD(struct user, version, INT, .flags = REQUIRED, .min = 1, .max = USER_VERSION_MAX,
          .doc = "Goes up with each change"),
};
const struct model user_record_model =
    MODEL(struct user, user_record_fields, "A user, with the version that counts its changes",
          .schema = "user_record");

static const struct field deleted_user_fields[] = {
    FIELD(struct user, id, UUID, .flags = REQUIRED),
    FIELD(struct user, version, INT, .flags = REQUIRED, .doc = "One more than the last one"),
};
const struct model deleted_user_model = MODEL(
    struct user, deleted_user_fields, "A user who is not there any more", .schema = "deleted_user");

#define NEW_USER_FIELDS                                                                            \
    FIELD(struct new_user, email, EMAIL, .flags = REQUIRED, .doc = "Login address, unique",        \
          .example = "\"ann@example.com\""),                                                       \
        FIELD(struct new_user, name, STRING, .flags = REQUIRED, .min = 1, .max = USER_NAME_MAX,    \
              .example = "\"Ann\""),                                                               \
        FIELD(struct new_user, role, ENUM, .values = user_roles, .def = "\"user\"")

static const struct field new_user_fields[] = {NEW_USER_FIELDS};
const struct model new_user_model = MODEL(struct new_user, new_user_fields, "A user to be made");

static const struct field create_request_fields[] = {
    NEW_USER_FIELDS,
    FIELD(struct new_user, id, UUID,
          .doc = "Of the user; a request with the id of one who is there is a repetition"),
};
const struct model create_request_model =
    MODEL(struct new_user, create_request_fields, "A user to be made", .schema = "create_request");

/* The order is that of enum user_patch_bits. */
static const struct field user_patch_fields[] = {
    FIELD(struct user_patch, email, EMAIL, .doc = "A new address is not verified"),
    FIELD(struct user_patch, name, STRING, .min = 1, .max = USER_NAME_MAX),
    FIELD(struct user_patch, role, ENUM, .values = user_roles, .doc = "Admins only"),
    FIELD(struct user_patch, status, ENUM, .values = statuses, .doc = "Admins only"),
};
const struct model user_patch_model =
    MODEL_WITH_PRESENCE(struct user_patch, user_patch_fields, given, "What to change in a user");

static const struct field user_query_fields[] = {
    SQL_LIST_FIELDS(struct user_query, sorts, "created_at"),
    FIELD(struct user_query, email, STRING, .min = 1, .max = USER_TEXT_MAX,
          .doc = "Only the user with this address; letter case does not matter"),
    FIELD(struct user_query, status, ENUM, .values = statuses),
    FIELD(struct user_query, role, ENUM, .values = user_roles),
};
const struct model user_query_model =
    MODEL_WITH_PRESENCE(struct user_query, user_query_fields, given, "Which users to list");

static const struct field user_id_fields[] = {
    FIELD(struct user_id, id, UUID, .flags = REQUIRED),
};
const struct model user_id_model = MODEL(struct user_id, user_id_fields, "A user's id");

static const struct field user_email_fields[] = {
    FIELD(struct user_email, email, EMAIL, .flags = REQUIRED),
};
const struct model user_email_model = MODEL(struct user_email, user_email_fields, "An address");

static const struct field user_list_query_fields[] = {
    FIELD(struct user_list_query, limit, INT, .min = 1, .max = USER_LIST_MAX, .def = "200"),
    FIELD(struct user_list_query, cursor, UUID, .doc = "next_cursor of the page before"),
};
const struct model user_list_query_model =
    MODEL(struct user_list_query, user_list_query_fields, "Which page of all users");

static const struct field user_list_fields[] = {
    FIELD_ARRAY(struct user_list, items, count, OBJECT, .flags = REQUIRED,
                .model = &user_record_model),
    FIELD(struct user_list, next_cursor, UUID, .flags = NULLABLE),
};
const struct model user_list_model =
    MODEL(struct user_list, user_list_fields, "Users in the order of their ids");
