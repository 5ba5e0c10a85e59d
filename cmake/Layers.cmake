# The layer table of docs/architecture.md, kept by the configure step.
#
#   plankton_library(NAME LAYER n PREFIXES p... [DEPENDS lib...] [THIRD_PARTY tp...])
#   plankton_service(NAME [DEPENDS lib...] [THIRD_PARTY tp...])
#
# - A library may depend on lower layers only. Every link is read back at the end of the configure
#   step (plankton_check_layers), so a plain target_link_libraries() cannot get round the table.
# - A third-party library has one owner (PLANKTON_OWNER_<tp> below), which links it PRIVATE. Every
#   other target sees a header of the same name that is an #error.
# - Exported symbols begin with one of the PREFIXES (tests/repo checks that with nm).

set(PLANKTON_OWNER_cjson model)
set(PLANKTON_OWNER_civetweb http)
set(PLANKTON_OWNER_libpq sql)
set(PLANKTON_OWNER_sqlite3 sql)
set(PLANKTON_OWNER_nats bus)
set(PLANKTON_OWNER_crypto jose)
set(PLANKTON_OWNER_ssl http)
set(PLANKTON_OWNER_sodium auth)

set(PLANKTON_HEADERS_cjson cjson/cJSON.h cJSON.h)
set(PLANKTON_HEADERS_civetweb civetweb.h)
set(PLANKTON_HEADERS_libpq libpq-fe.h postgresql/libpq-fe.h)
set(PLANKTON_HEADERS_sqlite3 sqlite3.h)
set(PLANKTON_HEADERS_nats nats.h nats/nats.h)
set(PLANKTON_HEADERS_crypto openssl/evp.h openssl/ec.h openssl/rsa.h openssl/core_names.h
  openssl/param_build.h openssl/bn.h openssl/ecdsa.h openssl/pem.h openssl/hmac.h openssl/sha.h)
set(PLANKTON_HEADERS_ssl openssl/ssl.h)
set(PLANKTON_HEADERS_sodium sodium.h)
set(PLANKTON_THIRD_PARTY cjson civetweb libpq sqlite3 nats crypto ssl sodium)

set(PLANKTON_LINK_cjson cjson)
set(PLANKTON_LINK_civetweb civetweb)
set(PLANKTON_LINK_libpq pq)
set(PLANKTON_LINK_sqlite3 sqlite3)
set(PLANKTON_LINK_nats nats)
set(PLANKTON_LINK_crypto crypto)
set(PLANKTON_LINK_ssl ssl crypto)
set(PLANKTON_LINK_sodium sodium)

set(PLANKTON_SERVICE_LAYER 5)

find_library(PLANKTON_CMOCKA cmocka REQUIRED)
