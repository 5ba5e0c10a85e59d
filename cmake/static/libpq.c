/*
 * What Debian's libpq.a refers to and no static library has: 12 functions of GSSAPI and 12 of
 * LDAP. Here each says that it is not available, so that a static program links. libpq then goes
 * on as with a server that has no Kerberos (gssencmode=prefer, its default, falls back to TLS),
 * and refuses gssencmode=require and an ldap:// line in a service file. Passwords (SCRAM), TLS
 * and client certificates do not pass through here.
 *
 * Neither library's headers are at hand; parameters are never looked at, so that functions without
 * any are as good as the real ones under the calling conventions of Linux.
 */
#include <stddef.h>

#define GSS_UNAVAILABLE  (16U << 16) /* RFC 2744: GSS_S_UNAVAILABLE */
#define LDAP_UNAVAILABLE 0x34        /* RFC 4511: unavailable */

#define GSS(name)                                                                                  \
    unsigned name(void);                                                                           \
    unsigned name(void)                                                                            \
    {                                                                                              \
        return GSS_UNAVAILABLE;                                                                    \
    }
#define LDAP_STATUS(name)                                                                          \
    int name(void);                                                                                \
    int name(void)                                                                                 \
    {                                                                                              \
        return LDAP_UNAVAILABLE;                                                                   \
    }
#define LDAP_NOTHING(name)                                                                         \
    void *name(void);                                                                              \
    void *name(void)                                                                               \
    {                                                                                              \
        return NULL;                                                                               \
    }

extern void *GSS_C_NT_HOSTBASED_SERVICE;
void *GSS_C_NT_HOSTBASED_SERVICE;

GSS(gss_acquire_cred)
GSS(gss_delete_sec_context)
GSS(gss_display_status)
GSS(gss_import_name)
GSS(gss_init_sec_context)
GSS(gss_release_buffer)
GSS(gss_release_cred)
GSS(gss_release_name)
GSS(gss_unwrap)
GSS(gss_wrap)
GSS(gss_wrap_size_limit)

LDAP_NOTHING(ldap_init) /* first of all: what it gives is what the others take */
LDAP_NOTHING(ldap_first_entry)
LDAP_NOTHING(ldap_get_values_len)
LDAP_STATUS(ldap_count_entries)
LDAP_STATUS(ldap_msgfree)
LDAP_STATUS(ldap_result)
LDAP_STATUS(ldap_search_st)
LDAP_STATUS(ldap_set_option)
LDAP_STATUS(ldap_simple_bind)
LDAP_STATUS(ldap_unbind)
LDAP_NOTHING(ldap_value_free_len)

const char *ldap_err2string(void);
const char *ldap_err2string(void)
{
    return "LDAP is not available in a static program";
}
