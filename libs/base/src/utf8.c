#include <string.h>

#include <base/str.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t utf8_decode(const char *bytes, size_t count, uint32_t *out_code_point)
{
    /* The first code point that needs this many bytes: anything below is an overlong form. */
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (count == 0)
        return 0;
    unsigned char first = (unsigned char)bytes[0];
    size_t length = first < 0x80             ? 1
                    : (first & 0xe0) == 0xc0 ? 2
                    : (first & 0xf0) == 0xe0 ? 3
                    : (first & 0xf8) == 0xf0 ? 4
                                             : 0;
    if (length == 0 || length > count)
        return 0;
    uint32_t code_point = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
        code_point = code_point << 6 | ((unsigned char)bytes[i] & 0x3f);
    }
    bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    if (code_point < smallest[length] || code_point > 0x10ffff || is_surrogate)
        return 0;
    *out_code_point = code_point;
    return length;
}

size_t utf8_encode(uint32_t code_point, char *out)
{
    if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff))
        return 0;
    size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[length] | code_point);
    return length;
}

bool utf8_is_valid(const char *bytes, size_t count)
{
    size_t at = 0;
    while (at < count) {
        uint64_t word;
        if (count - at >= sizeof(word)) {
            memcpy(&word, bytes + at, sizeof(word));
            if ((word & HIGH_BITS) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        uint32_t code_point;
        size_t length = utf8_decode(bytes + at, count - at, &code_point);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t utf8_length(const char *bytes, size_t count)
{
    size_t code_points = 0;
    for (size_t i = 0; i < count; i++)
        code_points += !is_continuation(bytes[i]);
    return code_points;
}
