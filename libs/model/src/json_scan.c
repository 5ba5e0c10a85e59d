/* A recursive descent, which may recurse because JSON_DEPTH_MAX is small. */
#include "json_scan.h"

#include <string.h>

#include <base/str.h>

#include "json_keys.h"

struct scan {
    const char *text, *at, *end;
    const char *expected;         /* what should stand at `at`; NULL as long as all is well */
    char *skeleton, *next_number; /* NULL without a split */
    size_t values, values_max;
    unsigned depth;
    bool no_memory;
    struct json_keys keys;
};

static bool fail(struct scan *scan, const char *expected)
{
    scan->expected = expected;
    return false;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes of ASCII that stand for themselves in a string: none is below a space, a quote or a
 * backslash. Subtracting borrows into the high bit of the first byte that is; whether a borrow
 * marks further bytes too does not matter. */
static bool is_plain_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    uint64_t control = word - EACH_BYTE(0x20);
    uint64_t quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t backslash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    return ((word | control | quote | backslash) & EACH_BYTE(0x80)) == 0;
}

enum byte_class { SPACE = 1, DIGIT = 2, PLAIN = 4 };

static const unsigned char classes[256] = {
    ['\t'] = SPACE,
    ['\n'] = SPACE,
    ['\r'] = SPACE,
    [' '] = SPACE | PLAIN,
    ['!'] = PLAIN,
    ['#' ... '/'] = PLAIN,
    ['0' ... '9'] = DIGIT | PLAIN,
    [':' ... '['] = PLAIN,
    [']' ... 0x7f] = PLAIN,
};

static bool next_is(const struct scan *scan, enum byte_class class)
{
    return scan->at < scan->end && classes[(unsigned char)*scan->at] & class;
}

static bool next_is_char(const struct scan *scan, char c)
{
    return scan->at < scan->end && *scan->at == c;
}

static bool skip_char(struct scan *scan, char c)
{
    if (!next_is_char(scan, c))
        return false;
    scan->at++;
    return true;
}

static void skip_spaces(struct scan *scan)
{
    while (next_is(scan, SPACE))
        scan->at++;
}

static void skip_plain(struct scan *scan)
{
    while (scan->end - scan->at >= 8 && is_plain_word(scan->at))
        scan->at += 8;
    while (next_is(scan, PLAIN))
        scan->at++;
}

/* From the opening quote to behind the closing one. */
static bool scan_string(struct scan *scan, bool *out_escaped)
{
    bool escaped = false;
    scan->at++;
    for (;;) {
        skip_plain(scan);
        if (scan->at == scan->end)
            return fail(scan, "expected the string's closing quote");
        uint32_t code_point;
        size_t length;
        if (*scan->at == '"') {
            break;
        } else if (*scan->at == '\\') {
            escaped = true;
            length = json_unescape(scan->at, scan->end, &code_point);
            if (length == 0)
                return fail(scan, "expected a valid escape, other than \\u0000");
        } else if ((unsigned char)*scan->at < 0x20) {
            return fail(scan, "expected the control character to be escaped");
        } else {
            length = utf8_decode(scan->at, (size_t)(scan->end - scan->at), &code_point);
            if (length == 0)
                return fail(scan, "expected valid UTF-8");
        }
        scan->at += length;
    }
    scan->at++;
    *out_escaped = escaped;
    return true;
}

static bool skip_digits(struct scan *scan)
{
    if (!next_is(scan, DIGIT))
        return fail(scan, "expected a digit");
    while (next_is(scan, DIGIT))
        scan->at++;
    return true;
}

static bool scan_number(struct scan *scan)
{
    skip_char(scan, '-');
    if (!skip_char(scan, '0') && !skip_digits(scan))
        return false;
    if (skip_char(scan, '.') && !skip_digits(scan))
        return false;
    if (skip_char(scan, 'e') || skip_char(scan, 'E')) {
        if (!skip_char(scan, '+'))
            skip_char(scan, '-');
        return skip_digits(scan);
    }
    return true;
}

/* Takes the number that was just passed out of the skeleton. */
static void move_number(struct scan *scan, const char *number)
{
    size_t len = (size_t)(scan->at - number);
    char *place = scan->skeleton + (number - scan->text);
    memset(place, ' ', len);
    *place = '0';
    memcpy(scan->next_number, number, len);
    scan->next_number[len] = '\0';
    scan->next_number += len + 1;
}

static bool scan_word(struct scan *scan, const char *word, size_t len)
{
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return fail(scan, "expected a value");
    scan->at += len;
    return true;
}

static bool scan_value(struct scan *scan);

/* At the opening bracket, which is passed. */
static bool enter(struct scan *scan)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return fail(scan, "expected fewer arrays and objects inside each other");
    scan->depth++;
    scan->at++;
    skip_spaces(scan);
    return true;
}

static bool scan_array(struct scan *scan)
{
    if (!enter(scan))
        return false;
    if (!next_is_char(scan, ']')) {
        do {
            if (!scan_value(scan))
                return false;
            skip_spaces(scan);
        } while (skip_char(scan, ','));
    }
    if (!skip_char(scan, ']'))
        return fail(scan, "expected ',' or ']'");
    scan->depth--;
    return true;
}

static bool scan_member(struct scan *scan)
{
    skip_spaces(scan);
    if (!next_is_char(scan, '"'))
        return fail(scan, "expected a name in quotes");
    struct json_key key = {.text = scan->at + 1};
    if (!scan_string(scan, &key.escaped))
        return false;
    key.len = (size_t)(scan->at - 1 - key.text);
    if (!json_keys_push(&scan->keys, key)) {
        scan->no_memory = true;
        return false;
    }
    skip_spaces(scan);
    if (!skip_char(scan, ':'))
        return fail(scan, "expected ':'");
    return scan_value(scan);
}

static bool scan_object(struct scan *scan)
{
    size_t first_key = scan->keys.count;
    if (!enter(scan))
        return false;
    if (!next_is_char(scan, '}')) {
        do {
            if (!scan_member(scan))
                return false;
            skip_spaces(scan);
        } while (skip_char(scan, ','));
    }
    if (!skip_char(scan, '}'))
        return fail(scan, "expected ',' or '}'");
    const char *duplicate = json_keys_end_object(&scan->keys, first_key);
    if (duplicate) {
        scan->at = duplicate;
        return fail(scan, "expected a name that the object does not have yet");
    }
    scan->depth--;
    return true;
}

static bool scan_value(struct scan *scan)
{
    skip_spaces(scan);
    if (scan->at == scan->end)
        return fail(scan, "expected a value");
    if (scan->values++ == scan->values_max)
        return fail(scan, "expected fewer values");
    const char *start = scan->at;
    bool escaped;
    switch (*start) {
    case '"':
        return scan_string(scan, &escaped);
    case '{':
        return scan_object(scan);
    case '[':
        return scan_array(scan);
    case 't':
        return scan_word(scan, "true", 4);
    case 'f':
        return scan_word(scan, "false", 5);
    case 'n':
        return scan_word(scan, "null", 4);
    default:
        break;
    }
    if (*start != '-' && !next_is(scan, DIGIT))
        return fail(scan, "expected a value");
    if (!scan_number(scan))
        return false;
    if (scan->skeleton)
        move_number(scan, start);
    return true;
}

static bool scan_text(struct scan *scan)
{
    if (!scan_value(scan))
        return false;
    skip_spaces(scan);
    return scan->at == scan->end || fail(scan, "expected the end of the text");
}

struct err *json_scan(const char *text, size_t len, size_t values_max,
                      const struct json_split *split)
{
    struct scan scan = {.text = text, .at = text, .end = text + len, .values_max = values_max};
    if (split) {
        scan.skeleton = split->skeleton;
        scan.next_number = split->numbers;
    }
    json_keys_init(&scan.keys);
    bool ok = scan_text(&scan);
    json_keys_deinit(&scan.keys);
    if (ok)
        return NULL;
    if (scan.no_memory)
        return err_oom();
    return err_new(&ERR_MALFORMED_JSON, "byte %zu: %s", (size_t)(scan.at - text), scan.expected);
}

struct err *json_check(const char *text, size_t len)
{
    return json_scan(text, len, JSON_VALUES_MAX, NULL);
}

bool json_is_number(const char *text, size_t len)
{
    struct scan scan = {.text = text, .at = text, .end = text + len};
    return scan_number(&scan) && scan.at == scan.end;
}
