/*
 * libpq, loaded when the first postgres:// URL is opened.
 *
 * Debian's libpq brings some 25 further libraries with it (LDAP, Kerberos, GnuTLS): 4 MB in every
 * process, the gateway's and those on SQLite included. So nothing is linked to it, and its
 * functions are called through a table: sql_pq.PQfinish(conn). A fully static build, which has no
 * dynamic loader, defines SQL_STATIC_LIBPQ and has the table filled by the linker.
 */
#ifndef SQL_LIBPQ_H
#define SQL_LIBPQ_H

#include <postgresql/libpq-fe.h>

#include <err/err.h>

#define SQL_LIBPQ_FUNCTIONS(X)                                                                     \
    X(PQcancel)                                                                                    \
    X(PQclear)                                                                                     \
    X(PQcmdStatus)                                                                                 \
    X(PQcmdTuples)                                                                                 \
    X(PQconnectPoll)                                                                               \
    X(PQconnectStartParams)                                                                        \
    X(PQconninfoFree)                                                                              \
    X(PQconninfoParse)                                                                             \
    X(PQconsumeInput)                                                                              \
    X(PQenterPipelineMode)                                                                         \
    X(PQerrorMessage)                                                                              \
    X(PQexitPipelineMode)                                                                          \
    X(PQfinish)                                                                                    \
    X(PQflush)                                                                                     \
    X(PQfname)                                                                                     \
    X(PQfreeCancel)                                                                                \
    X(PQfreemem)                                                                                   \
    X(PQftype)                                                                                     \
    X(PQgetCancel)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetResult)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQpipelineSync)                                                                              \
    X(PQresultErrorField)                                                                          \
    X(PQresultStatus)                                                                              \
    X(PQsendPrepare)                                                                               \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryParams)                                                                           \
    X(PQsendQueryPrepared)                                                                         \
    X(PQsetErrorVerbosity)                                                                         \
    X(PQsetnonblocking)                                                                            \
    X(PQsetNoticeReceiver)                                                                         \
    X(PQsetSingleRowMode)                                                                          \
    X(PQsocket)                                                                                    \
    X(PQstatus)                                                                                    \
    X(PQtransactionStatus)                                                                         \
    X(PQunescapeBytea)

#define X(name) __typeof__(&(name)) name;
struct sql_libpq {
    SQL_LIBPQ_FUNCTIONS(X)
};
#undef X

/* Constant after sql_libpq_load(). */
extern struct sql_libpq sql_pq;

/* Once per process, whoever comes first; blocks for the file system. SQL_FAILED when libpq is not
 * there or too old. */
struct err *sql_libpq_load(void) MUST_CHECK;

#endif
