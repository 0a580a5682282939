/*
 * regex_parse.h: from PostgreSQL's regular expressions to PCRE2's; for regex.c only.
 */
#ifndef LF_SQL_REGEX_PARSE_H
#define LF_SQL_REGEX_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/mem.h"

struct regex_facts {
	unsigned groups; /* that have numbers */
	bool shortest;   /* of the matches at one place the shortest is meant */
	bool references; /* has back references */
	bool ambiguous;  /* PCRE2 may divide a match among the groups otherwise */
};

/* Parse and write anew, for PCRE2_UTF with PCRE2_DOTALL. flags: REGEX_…. *out, *out_len: in the arena. 0, or -1: 2201B,
 * 0A000, 54001, 53200. */
int regex_parse(const char *pattern, size_t len, unsigned flags, char **out, size_t *out_len,
	struct regex_facts *facts, struct arena *a, struct error *e);

#endif
