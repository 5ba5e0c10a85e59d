/* JSON strings on the hot path of logs and answers: runs of bytes that need no escape are copied
 * whole, found eight bytes at a time. */
#include <string.h>

#include <base/buf.h>
#include <base/str.h>

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGH_BITS       EACH_BYTE(0x80)
#define REPLACEMENT     "\xef\xbf\xbd" /* U+FFFD */

/* High bit set in each byte of word that is zero (and perhaps in bytes above a zero one, which does
 * not matter to a caller that only asks for "any"). */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - EACH_BYTE(1)) & ~word & HIGH_BITS;
}

/* Eight printable ASCII bytes without quote and backslash. */
static bool is_plain_word(uint64_t word)
{
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t quote = zero_bytes(word ^ EACH_BYTE('"'));
    uint64_t backslash = zero_bytes(word ^ EACH_BYTE('\\'));
    return ((word | control | quote | backslash) & HIGH_BITS) == 0;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* The length of the longest prefix that can stand in a JSON string as it is. */
static size_t clean_prefix(const char *bytes, size_t count)
{
    size_t at = 0;
    while (at < count) {
        uint64_t word;
        if (count - at >= sizeof(word)) {
            memcpy(&word, bytes + at, sizeof(word));
            if (is_plain_word(word)) {
                at += sizeof(word);
                continue;
            }
        }
        unsigned char byte = (unsigned char)bytes[at];
        uint32_t code_point;
        size_t length = is_plain(byte) ? 1
                        : byte >= 0x80 ? utf8_decode(bytes + at, count - at, &code_point)
                                       : 0;
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

static void append_escaped(struct buf *buf, unsigned char byte)
{
    static const char short_escapes[] = "btn\0fr"; /* for 0x08 to 0x0d */
    if (byte >= 0x80) {
        buf_append(buf, REPLACEMENT, sizeof(REPLACEMENT) - 1);
    } else if (byte == '"' || byte == '\\') {
        buf_append(buf, (char[]){'\\', (char)byte}, 2);
    } else if (byte >= '\b' && byte <= '\r' && byte != '\v') {
        buf_append(buf, (char[]){'\\', short_escapes[byte - '\b']}, 2);
    } else {
        char escape[] = "\\u0000";
        escape[4] = (char)('0' + (byte >> 4));
        escape[5] = "0123456789abcdef"[byte & 0xf];
        buf_append(buf, escape, sizeof(escape) - 1);
    }
}

bool buf_append_json(struct buf *buf, const char *bytes, size_t count)
{
    size_t start = buf->len;
    /* No byte becomes less than one byte, so this refuses nothing that would have fitted. */
    char *place = buf_reserve(buf, count + 2);
    if (!place)
        return false;
    size_t run = clean_prefix(bytes, count);
    place[0] = '"';
    if (run > 0)
        memcpy(place + 1, bytes, run);
    if (run == count) {
        place[count + 1] = '"';
        buf_commit(buf, count + 2);
        return true;
    }
    buf_commit(buf, run + 1);
    for (size_t at = run; at < count;) {
        append_escaped(buf, (unsigned char)bytes[at++]);
        run = clean_prefix(bytes + at, count - at);
        buf_append(buf, bytes + at, run);
        at += run;
    }
    if (!buf_append_char(buf, '"'))
        buf_truncate(buf, start);
    return buf->status == BUF_OK;
}
