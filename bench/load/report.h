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
/* PREFIX.hgrm: the percentile distribution of the latencies, in milliseconds, for HdrHistogram's plotter; and of each of
 * several operations that were executed PREFIX.NAME.hgrm. 0; -1 with a message printed: a file cannot be written. */
int report_hgrm(const char *prefix, const struct workload *w, const struct load_result *r);

#endif
