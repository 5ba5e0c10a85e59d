/*
 * Key material as the bytes that a JWK has, to and from OpenSSL.
 */
#ifndef JOSE_MATERIAL_H
#define JOSE_MATERIAL_H

#include "alg.h"
#include "crypto.h"

/* Part i is that of the algorithm's table. */
struct jose_material {
    bool is_private; /* else the private parts are empty */
    struct {
        size_t len;
        unsigned char bytes[JOSE_PART_MAX];
    } part[JOSE_PARTS_MAX];
};

void jose_material_wipe(struct jose_material *material);
DEFINE_CLEANUP_VALUE(struct jose_material, jose_material_wipe);

/* JOSE_INVALID_KEY when the parts are no key. Whether the private parts belong to the public ones
 * is not checked here. */
struct err *jose_material_import(const struct jose_alg_info *info,
                                 const struct jose_material *material, EVP_PKEY **out_pkey)
    MUST_CHECK;
struct err *jose_material_export(const struct jose_alg_info *info, const EVP_PKEY *pkey,
                                 bool with_private, struct jose_material *out_material) MUST_CHECK;

#endif
