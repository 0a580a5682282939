/*
 * percentile.h: percentile_cont(), percentile_disc() and mode() over a multiset of values in order. All of it is gone
 * through.
 *
 * descending: the order is the other way round. fraction: from 0 to 1, NaN: NULL.
 */
#ifndef LF_FLOW_PERCENTILE_H
#define LF_FLOW_PERCENTILE_H

#include "core/base/error.h"
#include "core/flow/ordered.h"

/* The value at a fraction of the way from the first to the last one, between two of them in proportion; of double precision
 * or intervals. NULL without values. 0, or -1: 22008. */
int percentile_continuous(const struct ordered *values, double fraction, bool descending,
	struct value *out, struct error *e);
/* The first value that has at least that fraction of all up to it. False: there is none. Its bytes are the multiset's. */
bool percentile_discrete(
	const struct ordered *values, double fraction, bool descending, struct value *out);
/* The most frequent value, of several the first one. False: there is none. Its bytes are the multiset's. */
bool most_frequent(const struct ordered *values, bool descending, struct value *out);

#endif
