#include <base/clock.h>

#include <string.h>
#include <time.h>

#define DAY_MS  INT64_C(86400000)
#define MIN_MS  INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define MAX_MS  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define ERA     146097                   /* days in 400 years */
#define TO_1970 719468                   /* days from 0000-03-01 to 1970-01-01 */

static int64_t read_clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now_ms(void)
{
    return read_clock_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_mono_ms(void)
{
    return read_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_mono_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

struct date {
    int year, month, day;
};

/* The proleptic Gregorian calendar, in years that begin in March so that the leap day comes last
 * and the months' lengths follow (153 * m + 2) / 5. One era of 400 years is added against negative
 * remainders. */
static struct date date_from_days(int64_t days_since_1970)
{
    int64_t days = days_since_1970 + TO_1970 + ERA;
    int64_t era = days / ERA;
    int64_t day_of_era = days % ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA - 1)) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    int day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    return (struct date){(int)(year_of_era + (era - 1) * 400) + (month <= 2), month, day};
}

static int64_t days_from_date(struct date date)
{
    int64_t year = date.year - (date.month <= 2) + 400;
    int64_t era = year / 400;
    int64_t year_of_era = year % 400;
    int64_t march_month = date.month > 2 ? date.month - 3 : date.month + 9;
    int64_t day_of_year = (153 * march_month + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (era - 1) * ERA + day_of_era - TO_1970;
}

static void write_digits(char *out, int count, int number)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

void clock_format(int64_t time_ms, char out[static CLOCK_TEXT])
{
    out[0] = '\0';
    if (time_ms < MIN_MS || time_ms > MAX_MS)
        return;
    int64_t since_min = time_ms - MIN_MS;
    struct date date = date_from_days(since_min / DAY_MS + MIN_MS / DAY_MS);
    int ms = (int)(since_min % DAY_MS);
    memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_TEXT);
    write_digits(out, 4, date.year);
    write_digits(out + 5, 2, date.month);
    write_digits(out + 8, 2, date.day);
    write_digits(out + 11, 2, ms / 3600000);
    write_digits(out + 14, 2, ms / 60000 % 60);
    write_digits(out + 17, 2, ms / 1000 % 60);
    write_digits(out + 20, 3, ms % 1000);
}

/* A reader that stays failed, so that a grammar can be written down in a row. */
struct reader {
    const char *at, *end;
    bool failed;
};

static bool next_is_digit(const struct reader *reader)
{
    return reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9';
}

static int read_number(struct reader *reader, int digits, int min, int max)
{
    int number = 0;
    for (int i = 0; i < digits; i++) {
        if (!next_is_digit(reader)) {
            reader->failed = true;
            return min;
        }
        number = number * 10 + (*reader->at++ - '0');
    }
    if (number < min || number > max)
        reader->failed = true;
    return number;
}

/* One byte out of choices; '\0' when there is another or none. */
static char read_one_of(struct reader *reader, const char *choices)
{
    char c = reader->at < reader->end ? *reader->at : '\0';
    if (c == '\0' || !strchr(choices, c)) {
        reader->failed = true;
        return '\0';
    }
    reader->at++;
    return c;
}

static int read_fraction_ms(struct reader *reader)
{
    if (reader->at == reader->end || *reader->at != '.')
        return 0;
    reader->at++;
    if (!next_is_digit(reader))
        reader->failed = true;
    int ms = 0;
    for (int weight = 100; next_is_digit(reader); weight /= 10)
        ms += weight * (*reader->at++ - '0');
    return ms;
}

static int64_t read_offset_ms(struct reader *reader)
{
    char sign = read_one_of(reader, "Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    int64_t hours = read_number(reader, 2, 0, 23);
    read_one_of(reader, ":");
    int64_t minutes = hours * 60 + read_number(reader, 2, 0, 59);
    return (sign == '-' ? -minutes : minutes) * 60000;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* RFC 3339, 5.7: a leap second is the last of a UTC June or December. time_ms is the second after.
 */
static bool is_after_leap_second(int64_t time_ms)
{
    int64_t since_min = time_ms - MIN_MS;
    struct date date = date_from_days(since_min / DAY_MS + MIN_MS / DAY_MS);
    return since_min % DAY_MS < 1000 && date.day == 1 && (date.month == 1 || date.month == 7);
}

bool clock_parse(const char *text, size_t count, int64_t *out_ms)
{
    struct reader reader = {.at = text, .end = text + count};
    struct date date;
    date.year = read_number(&reader, 4, 0, 9999);
    read_one_of(&reader, "-");
    date.month = read_number(&reader, 2, 1, 12);
    if (reader.failed)
        return false;
    read_one_of(&reader, "-");
    date.day = read_number(&reader, 2, 1, days_in_month(date.year, date.month));
    read_one_of(&reader, "Tt");
    int64_t time_ms = days_from_date(date) * DAY_MS;
    time_ms += read_number(&reader, 2, 0, 23) * INT64_C(3600000);
    read_one_of(&reader, ":");
    time_ms += read_number(&reader, 2, 0, 59) * 60000;
    read_one_of(&reader, ":");
    int second = read_number(&reader, 2, 0, 60);
    time_ms += second * 1000 + read_fraction_ms(&reader);
    time_ms -= read_offset_ms(&reader);
    if (reader.failed || reader.at != reader.end || time_ms < MIN_MS || time_ms > MAX_MS ||
        (second == 60 && !is_after_leap_second(time_ms)))
        return false;
    *out_ms = time_ms;
    return true;
}
