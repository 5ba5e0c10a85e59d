#include "quantity.h"

#include <string.h>

#include <base/str.h>

/* With nine digits after the point, and no unit above 10^9.9 of the smallest, fractions fit. */
#define FRACTION_DIGITS 9

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"bytes", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
};

static int64_t find_factor(const struct unit *units, const char *name)
{
    while (units->name && !str_equal(units->name, name))
        units++;
    return units->factor;
}

/* The part after the point, times factor; false if that is not whole. */
static bool parse_fraction(const char *digits, size_t count, int64_t factor, int64_t *out_part)
{
    if (count == 0 || count > FRACTION_DIGITS)
        return false;
    int64_t number = 0;
    int64_t divisor = 1;
    for (size_t i = 0; i < count; i++) {
        number = number * 10 + (digits[i] - '0');
        divisor *= 10;
    }
    if (number * factor % divisor != 0)
        return false;
    *out_part = number * factor / divisor;
    return true;
}

static bool parse(const char *text, const struct unit *units, const char *unit, int64_t *out_number)
{
    static const char digits[] = "0123456789";
    size_t whole_len = strspn(text, digits);
    const char *fraction = text[whole_len] == '.' ? text + whole_len + 1 : NULL;
    size_t fraction_len = fraction ? strspn(fraction, digits) : 0;
    const char *own_unit = fraction ? fraction + fraction_len : text + whole_len;

    int64_t factor = find_factor(units, *own_unit ? own_unit : unit);
    int64_t whole;
    int64_t part = 0;
    if (factor == 0 || !parse_i64_n(text, whole_len, 0, INT64_MAX, &whole))
        return false;
    if (fraction && !parse_fraction(fraction, fraction_len, factor, &part))
        return false;
    if (__builtin_mul_overflow(whole, factor, &whole) ||
        __builtin_add_overflow(whole, part, &whole))
        return false;
    int64_t wanted = find_factor(units, unit);
    if (whole % wanted != 0)
        return false;
    *out_number = whole / wanted;
    return true;
}

bool cfg_quantity_parse_duration(const char *text, const char *unit, int64_t *out_number)
{
    return parse(text, time_units, unit, out_number);
}

bool cfg_quantity_parse_size(const char *text, const char *unit, int64_t *out_number)
{
    return parse(text, size_units, unit, out_number);
}
