/*
 * The chunked transfer coding (RFC 9112 section 7.1), decoded in place as bytes arrive.
 *
 *       ┌─────────────────────────────────────────────┐
 *       ▼                                             │
 *     SIZE ──';'──► EXTENSION ──CR──► SIZE_LF ──► DATA ──► DATA_CR ──► DATA_LF
 *       └───────────────CR──────────────▲ │
 *                                         └─ size 0 ─► TRAILER ──► ... ──► END
 *
 * Strict: no sign, no white space, at most 15 digits, CR LF everywhere, extensions and trailers of
 * at most CHUNK_EXTRA_MAX bytes in all. Extensions and trailers are checked and dropped.
 */
#ifndef GATEWAY_CHUNKED_H
#define GATEWAY_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#define CHUNK_EXTRA_MAX 4096

enum chunk_state {
    CHUNK_SIZE_FIRST, /* a digit must come */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST, /* of a trailer line, or the last empty line */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_END,
};

/* Zeroed before the first use. */
struct chunked {
    int64_t left; /* bytes of the present chunk */
    enum chunk_state state;
    uint8_t digits;
    uint16_t extra; /* bytes of extensions and trailers so far */
};

enum chunk_status { CHUNK_MORE, CHUNK_DONE, CHUNK_BAD };

/* Decodes bytes[0..len): afterwards *out_body bytes of content stand at its beginning. *out_used
 * bytes of input were used: all, unless the end came before them. */
enum chunk_status chunked_decode(struct chunked *chunked, char *bytes, size_t len, size_t *out_body,
                                 size_t *out_used);

/* The line before a chunk of size bytes (at least 1). Returns its length. */
#define CHUNK_LINE_MAX 18
size_t chunk_line(char out[static CHUNK_LINE_MAX], size_t size);

#endif
