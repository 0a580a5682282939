/*
 * regex.c: see regex.h.
 *
 * Happy path: the cache of the thread has the pattern. Otherwise regex_parse.c writes it for PCRE2, which compiles it, and
 * it takes the place of the one not used for longest. A test runs PCRE2's backtracking matcher within limits; one that
 * meets them is tried again by the DFA matcher, which does not backtrack.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/sql/regex.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/sql/regex_parse.h"

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	char *pattern;
	size_t len;
	unsigned flags;
	uint64_t hash, used;
	struct regex_facts facts;
};

struct cache {
	struct regex items[LIMIT_REGEX_CACHED];
	pcre2_match_context *limits;
	uint64_t clock;
	int workspace[LIMIT_REGEX_WORKSPACE];
};

static pthread_key_t key;
static int key_status;

static void regex_drop(struct regex *r)
{
	pcre2_match_data_free(r->match);
	pcre2_code_free(r->code);
	free(r->pattern);
	memset(r, 0, sizeof(*r));
}

/* At the end of a thread. */
static void cache_free(void *arg)
{
	struct cache *c = arg;

	for (unsigned i = 0; i < LIMIT_REGEX_CACHED; i++)
		regex_drop(&c->items[i]);
	pcre2_match_context_free(c->limits);
	free(c);
}

/* Before anything else: the parser's library uses up the keys that a process may have, one for a thread and error. */
__attribute__((constructor)) static void key_make(void)
{
	key_status = pthread_key_create(&key, cache_free);
}

/* The thread's; NULL out of memory. */
static struct cache *cache_get(void)
{
	struct cache *c;

	if (key_status != 0)
		return NULL;
	c = pthread_getspecific(key);
	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->limits = pcre2_match_context_create(NULL);
	if (c->limits == NULL || pthread_setspecific(key, c) != 0) {
		pcre2_match_context_free(c->limits);
		free(c);
		return NULL;
	}
	pcre2_set_match_limit(c->limits, LIMIT_REGEX_STEPS);
	pcre2_set_depth_limit(c->limits, LIMIT_REGEX_STEPS);
	pcre2_set_heap_limit(c->limits, LIMIT_REGEX_HEAP_KIB);
	return c;
}

static int no_memory(struct error *e)
{
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static int too_complex(struct error *e)
{
	return error_set(e, ERR_TOO_COMPLEX, 0, "regular expression is too complex");
}

static int compile_failed(int code, struct error *e)
{
	switch (code) {
	case PCRE2_ERROR_HEAP_FAILED: return no_memory(e);
	case PCRE2_ERROR_PATTERN_TOO_LARGE:
	case PCRE2_ERROR_PATTERN_TOO_COMPLICATED:
	case PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP: return too_complex(e);
	default: return error_set(e, ERR_FEATURE, 0, "this regular expression is not supported");
	}
}

static int regex_compile(struct regex *r, const char *text, size_t len, struct error *e)
{
	/* A quantifier at the end that PCRE2 makes possessive would have no shortest match. */
	uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
		PCRE2_NEVER_BACKSLASH_C | (r->facts.shortest ? PCRE2_NO_AUTO_POSSESS : 0);
	PCRE2_SIZE at;
	int code;

	r->code = pcre2_compile((PCRE2_SPTR)text, len, options, &code, &at, NULL);
	if (r->code == NULL)
		return compile_failed(code, e);
	r->match = pcre2_match_data_create_from_pattern(r->code, NULL);
	return r->match == NULL ? no_memory(e) : 0;
}

static int regex_make(
	struct regex *r, const char *pattern, size_t len, unsigned flags, struct error *e)
{
	struct arena a;
	char *text;
	size_t n;
	int status;

	arena_init(&a, NULL);
	status = regex_parse(pattern, len, flags, &text, &n, &r->facts, &a, e);
	if (status == 0)
		status = regex_compile(r, text, n, e);
	arena_free(&a);
	if (status == 0) {
		r->pattern = malloc(len + 1);
		if (r->pattern == NULL)
			status = no_memory(e);
	}
	if (status != 0) {
		regex_drop(r);
		return -1;
	}
	memcpy(r->pattern, pattern, len);
	r->len = len;
	r->flags = flags;
	return 0;
}

const struct regex *regex_get(const char *pattern, size_t len, unsigned flags, struct error *e)
{
	struct cache *c = cache_get();
	uint64_t hash = hash_bytes(pattern, len, flags);
	struct regex *oldest;

	if (c == NULL) {
		no_memory(e);
		return NULL;
	}
	oldest = &c->items[0];
	for (unsigned i = 0; i < LIMIT_REGEX_CACHED; i++) {
		struct regex *r = &c->items[i];

		if (r->code != NULL && r->hash == hash && r->len == len && r->flags == flags &&
			memcmp(r->pattern, pattern, len) == 0) {
			r->used = ++c->clock;
			return r;
		}
		if (r->used < oldest->used)
			oldest = r;
	}
	if (len > LIMIT_REGEX_BYTES) {
		too_complex(e);
		return NULL;
	}
	regex_drop(oldest);
	if (regex_make(oldest, pattern, len, flags, e) != 0)
		return NULL;
	oldest->hash = hash;
	oldest->used = ++c->clock;
	return oldest;
}

unsigned regex_groups(const struct regex *r)
{
	return r->facts.groups;
}

static int outcome(int rc, struct error *e)
{
	if (rc >= 0)
		return 1;
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return rc == PCRE2_ERROR_NOMEMORY ? no_memory(e) : too_complex(e);
}

static int dfa(const struct regex *r, const char *s, size_t len, size_t from, uint32_t options,
	struct cache *c)
{
	return pcre2_dfa_match(r->code, (PCRE2_SPTR)s, len, from, options | PCRE2_NO_UTF_CHECK,
		r->match, c->limits, c->workspace, LIMIT_REGEX_WORKSPACE);
}

int regex_test(const struct regex *r, const char *s, size_t len, struct error *e)
{
	struct cache *c = pthread_getspecific(key);
	int rc = pcre2_match(
		r->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_UTF_CHECK, r->match, c->limits);

	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH && !r->facts.references)
		rc = dfa(r, s, len, 0, PCRE2_DFA_SHORTEST, c);
	return outcome(rc, e);
}

/* The groups of a match whose place is known. */
static int find_groups(
	const struct regex *r, const char *s, struct regex_span *spans, unsigned n, struct error *e)
{
	struct cache *c = pthread_getspecific(key);
	const PCRE2_SIZE *at;
	int rc;

	if (r->facts.ambiguous)
		return error_set(e, ERR_FEATURE, 0,
			"groups of a regular expression with alternatives, repeated groups or conditions are not supported");
	rc = pcre2_match(r->code, (PCRE2_SPTR)s, spans[0].to, spans[0].from,
		PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED | PCRE2_ENDANCHORED, r->match, c->limits);
	if (rc <= 0)
		return outcome(rc == PCRE2_ERROR_NOMATCH ? PCRE2_ERROR_MATCHLIMIT : rc, e);
	at = pcre2_get_ovector_pointer(r->match);
	for (unsigned i = 1; i < n; i++) {
		spans[i] = (struct regex_span){ SIZE_MAX, SIZE_MAX };
		if (i < (unsigned)rc && at[2 * (size_t)i] != PCRE2_UNSET)
			spans[i] = (struct regex_span){ at[2 * (size_t)i], at[2 * (size_t)i + 1] };
	}
	return 1;
}

int regex_find(const struct regex *r, const char *s, size_t len, size_t from,
	struct regex_span *spans, unsigned n, struct error *e)
{
	struct cache *c = pthread_getspecific(key);
	const PCRE2_SIZE *at;
	int found;

	if (r->facts.references)
		return error_set(e, ERR_FEATURE, 0,
			"the place of a match with back references is not supported");
	found = outcome(dfa(r, s, len, from, r->facts.shortest ? PCRE2_DFA_SHORTEST : 0, c), e);
	if (found <= 0)
		return found;
	at = pcre2_get_ovector_pointer(r->match);
	spans[0] = (struct regex_span){ at[0], at[1] };
	return n > 1 ? find_groups(r, s, spans, n, e) : 1;
}
