#include "number.h"

#include <math.h>

void metric_number_format(double number, char out[static F64_TEXT])
{
    if (!isfinite(number)) {
        str_copy(out, F64_TEXT, isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf");
        return;
    }
    f64_format(number, out);
}
