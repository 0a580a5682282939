/*
 * Records put aside, in memory and in a file, read in order and from anywhere; the map of keys, against a plain array.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/keymap.h"
#include "tools/pgfeed/spool.h"

enum { RECORDS = 3000, LONGEST = 5000, LARGE = 700000, KEYS = 20000 };

static size_t length_of(unsigned i)
{
	return i == 1234 ? LARGE : i * 7919u % LONGEST;
}

static unsigned char byte_of(unsigned i, size_t k)
{
	return (unsigned char)(i * 31 + k);
}

static void add(struct spool *s, unsigned i, uint64_t *at)
{
	size_t n = length_of(i);
	unsigned char *bytes = malloc(n + 1);

	assert_non_null(bytes);
	for (size_t k = 0; k < n; k++)
		bytes[k] = byte_of(i, k);
	assert_int_equal(spool_add(s, bytes, n, at), 0);
	free(bytes);
}

static void is(unsigned i, const void *bytes, size_t n)
{
	assert_int_equal(n, length_of(i));
	for (size_t k = 0; k < n; k++)
		assert_int_equal(((const unsigned char *)bytes)[k], byte_of(i, k));
}

/* What is read while more comes, then all in order, then here and there. */
static void spool_of(size_t memory)
{
	struct spool *s = spool_new("/tmp", memory);
	static uint64_t places[RECORDS];
	uint64_t at = 0;
	const void *bytes;
	size_t n;

	assert_non_null(s);
	assert_int_equal(spool_read(s, &at, &bytes, &n), 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t before = spool_end(s), back;

		add(s, i, &places[i]);
		assert_true(places[i] == before);
		back = places[i / 2];
		assert_int_equal(spool_read(s, &back, &bytes, &n), 1);
		is(i / 2, bytes, n);
	}
	for (unsigned i = 0; i < RECORDS; i++) {
		assert_true(at == places[i]);
		assert_int_equal(spool_read(s, &at, &bytes, &n), 1);
		is(i, bytes, n);
	}
	assert_int_equal(spool_read(s, &at, &bytes, &n), 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		unsigned k = i * 1013u % RECORDS;

		at = places[k];
		assert_int_equal(spool_read(s, &at, &bytes, &n), 1);
		is(k, bytes, n);
	}
	spool_free(s);
}

static void spools(void **state)
{
	(void)state;
	spool_of(0);
	spool_of(100000);
	spool_of((size_t)1 << 30);
}

static void no_directory(void **state)
{
	struct spool *s = spool_new("/nonexistent", 0);
	uint64_t at;

	(void)state;
	assert_non_null(s);
	assert_int_equal(spool_add(s, "a", 1, &at), 0);
	/* What is in memory must go, and cannot. */
	assert_int_equal(spool_add(s, "b", 1, &at), -1);
	assert_int_equal(errno, ENOENT);
	spool_free(s);
}

static struct keyhash hash_of(unsigned i)
{
	struct keyhash h = keyhash_begin(i % 3);
	char text[16];

	memset(text, 'x', sizeof(text));
	memcpy(text, &i, sizeof(i));
	keyhash_add(&h, text, sizeof(i) + i % 9);
	return h;
}

static void keymaps(void **state)
{
	struct keymap *m = keymap_new();
	uint64_t before;

	(void)state;
	assert_non_null(m);
	for (unsigned i = 0; i < KEYS; i++) {
		assert_true(keymap_get(m, hash_of(i)) == UINT64_MAX);
		assert_int_equal(keymap_set(m, hash_of(i), i, &before), 0);
		assert_true(before == UINT64_MAX);
	}
	for (unsigned i = 0; i < KEYS; i += 2) {
		assert_int_equal(keymap_set(m, hash_of(i), i + 1, &before), 0);
		assert_true(before == i);
	}
	for (unsigned i = 0; i < KEYS; i++)
		assert_true(keymap_get(m, hash_of(i)) == i + (i % 2 == 0));
	assert_int_equal(keymap_count(m), KEYS);
	keymap_free(m);
}

/* Where one value ends and the next begins is part of it. */
static void hashes(void **state)
{
	static const char *const PARTS[][2] = { { "ab", "c" }, { "a", "bc" }, { "abc", "" },
		{ "", "abc" } };
	struct keyhash h[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		h[i] = keyhash_begin(1);
		keyhash_add(&h[i], PARTS[i][0], strlen(PARTS[i][0]));
		keyhash_add(&h[i], PARTS[i][1], strlen(PARTS[i][1]));
		for (unsigned k = 0; k < i; k++)
			assert_true(h[i].a != h[k].a && h[i].b != h[k].b);
	}
	assert_true(keyhash_begin(1).a != keyhash_begin(2).a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spools),
		cmocka_unit_test(no_directory),
		cmocka_unit_test(keymaps),
		cmocka_unit_test(hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
