#include "number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/str.h>

void metric_number_format(double number, char out[static 32])
{
    if (!isfinite(number)) {
        str_copy(out, 32, isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}
