/*
 * regex.h: what tests that ask a server cannot see: the cache of a thread, places of matches, limits, threads that end.
 * The semantics are compared with PostgreSQL (tests/e2e/semantics/regex.txt).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/limits.h"
#include "core/sql/regex.h"

static const struct regex *get(const char *pattern, unsigned flags)
{
	struct error e;
	const struct regex *r = regex_get(pattern, strlen(pattern), flags, &e);

	if (r == NULL)
		fail_msg("%s: %s", pattern, e.message);
	return r;
}

static int match(const char *pattern, const char *s)
{
	struct error e;

	return regex_test(get(pattern, 0), s, strlen(s), &e);
}

static void test_cache(void **unused)
{
	const struct regex *first = get("a+", 0);
	char pattern[16];

	(void)unused;
	assert_ptr_equal(get("a+", 0), first);
	assert_ptr_not_equal(get("a+", REGEX_FOLD), first);
	/* Those used last are kept, the others make room. */
	for (unsigned i = 0; i < 3 * LIMIT_REGEX_CACHED; i++) {
		(void)snprintf(pattern, sizeof(pattern), "^x%u$", i);
		assert_int_equal(match(pattern, pattern + 1), 0);
		assert_ptr_equal(get("a+", 0), first);
	}
	assert_int_equal(match("^x0$", "x0"), 1);
}

static void test_places(void **unused)
{
	struct regex_span spans[3];
	struct error e;

	(void)unused;
	/* The leftmost, and of those the longest. */
	assert_int_equal(regex_find(get("b|bc|bcd", 0), "abcde", 5, 0, spans, 1, &e), 1);
	assert_int_equal(spans[0].from, 1);
	assert_int_equal(spans[0].to, 4);
	assert_int_equal(regex_find(get("b|bc|bcd", 0), "abcde", 5, 2, spans, 1, &e), 0);
	/* Shortest. */
	assert_int_equal(regex_find(get("b.*?", 0), "abcde", 5, 0, spans, 1, &e), 1);
	assert_int_equal(spans[0].to, 2);
	assert_int_equal(regex_groups(get("(b)(c)", 0)), 2);
	assert_int_equal(regex_find(get("(b+)(c*)", 0), "abbd", 4, 0, spans, 3, &e), 1);
	assert_int_equal(spans[1].from, 1);
	assert_int_equal(spans[1].to, 3);
	assert_int_equal(spans[2].from, 3);
	assert_int_equal(spans[2].to, 3);
	/* Which way a group goes may be another's choice. */
	assert_int_equal(regex_find(get("(b|bc)c*", 0), "bcc", 3, 0, spans, 2, &e), -1);
	assert_int_equal(e.code, ERR_FEATURE);
}

static void refused(const char *pattern, size_t len, enum error_code code)
{
	struct error e;

	assert_null(regex_get(pattern, len, 0, &e));
	assert_int_equal(e.code, code);
}

static void test_limits(void **unused)
{
	static char text[LIMIT_REGEX_BYTES + 1];
	struct error e;

	(void)unused;
	memset(text, 'a', sizeof(text));
	refused(text, sizeof(text), ERR_TOO_COMPLEX);
	memset(text, '(', 2 * LIMIT_REGEX_DEPTH);
	refused(text, 2 * LIMIT_REGEX_DEPTH, ERR_TOO_COMPLEX);
	refused("a{255}{2}", 9, ERR_INVALID_REGEX);
	refused("((a{255}){255}){255}", 20, ERR_TOO_COMPLEX);
	/* One that would be tried for ages, and cannot be matched otherwise. */
	memset(text, 'a', 60);
	text[60] = 'b';
	assert_int_equal(regex_test(get("^(a|aa)+\\1+$", 0), text, 61, &e), -1);
	assert_int_equal(e.code, ERR_TOO_COMPLEX);
	/* … and one that can. */
	assert_int_equal(regex_test(get("^(a|aa)+$", 0), text, 61, &e), 0);
	assert_int_equal(regex_test(get("^(a|aa)+$", 0), text, 60, &e), 1);
}

static void *use(void *arg)
{
	*(int *)arg = match("^th(r|x)ead$", "thread");
	return NULL;
}

/* A thread's patterns go with it: the leak sanitizer looks. */
static void test_threads(void **unused)
{
	pthread_t t;
	int found = 0;

	(void)unused;
	assert_int_equal(pthread_create(&t, NULL, use, &found), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
