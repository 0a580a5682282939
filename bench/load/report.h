/*
 * report.h: a run's result, for people and for programs.
 */
#ifndef LF_BENCH_REPORT_H
#define LF_BENCH_REPORT_H

#include <stdio.h>

#include "bench/load/load.h"

/* checked: what the check at the end found; "" when there was none. equal: it was as it should be. */
void report_text(FILE *out, const struct options *o, const struct load_result *r,
	const char *checked, bool equal);
/* One object on one line. Durations are named with their unit; `zipf` 0 is uniform. */
void report_json(FILE *out, const struct options *o, const struct load_result *r,
	const char *checked, bool equal);

#endif
