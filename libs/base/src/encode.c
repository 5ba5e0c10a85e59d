#include <base/encode.h>

#include <endian.h>
#include <stdint.h>
#include <string.h>

static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_digits[] = "0123456789abcdef";

size_t base64url_encode(char *out, const void *bytes, size_t count)
{
    const unsigned char *in = bytes;
    size_t len = 0;
    uint32_t bits = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < count; i++) {
        bits = bits << 8 | in[i];
        for (pending += 8; pending >= 6; pending -= 6)
            out[len++] = base64url_digits[bits >> (pending - 6) & 0x3f];
    }
    if (pending > 0)
        out[len++] = base64url_digits[bits << (6 - pending) & 0x3f];
    out[len] = '\0';
    return len;
}

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(void *out, size_t cap, const char *text, size_t count, size_t *out_len)
{
    /* Whole groups first: count * 3 could overflow. */
    if (count % 4 == 1 || count / 4 * 3 + count % 4 * 3 / 4 > cap)
        return false;
    unsigned char *bytes = out;
    size_t len = 0;
    uint32_t bits = 0;
    unsigned pending = 0;
    for (size_t i = 0; i < count; i++) {
        int value = base64url_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            bytes[len++] = (unsigned char)(bits >> pending);
        }
    }
    if ((bits & ((1U << pending) - 1)) != 0)
        return false;
    *out_len = len;
    return true;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The eight digits of four bytes, side by side in one word. */
static void hex_encode_four(char out[static 8], const unsigned char bytes[static 4])
{
    uint32_t four;
    memcpy(&four, bytes, sizeof(four));
    uint64_t wide = le32toh(four);
    wide = (wide | wide << 16) & UINT64_C(0x0000ffff0000ffff);
    wide = (wide | wide << 8) & UINT64_C(0x00ff00ff00ff00ff);
    uint64_t nibbles = (wide >> 4 | wide << 8) & EACH_BYTE(0x0f);
    uint64_t is_letter = (nibbles + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);
    uint64_t digits = htole64(nibbles + EACH_BYTE('0') + is_letter * ('a' - '9' - 1));
    memcpy(out, &digits, sizeof(digits));
}

void hex_encode(char *out, const void *bytes, size_t count)
{
    const unsigned char *in = bytes, *end = in + count;
    for (; end - in >= 4; in += 4, out += 8)
        hex_encode_four(out, in);
    for (; in < end; in++) {
        *out++ = hex_digits[*in >> 4];
        *out++ = hex_digits[*in & 0xf];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(void *out, size_t cap, const char *text, size_t count, size_t *out_len)
{
    if (count % 2 != 0 || count / 2 > cap)
        return false;
    unsigned char *bytes = out;
    for (size_t i = 0; i < count / 2; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    *out_len = count / 2;
    return true;
}
