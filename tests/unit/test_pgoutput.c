/*
 * The decoder of pgoutput: each kind of message, as PostgreSQL 15 writes it, cut at every byte and with bytes behind it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/bytes.h"
#include "tools/pgfeed/pgoutput.h"

/* A message under construction. */
struct bytes {
	unsigned char at[512];
	size_t n;
};

static void put(struct bytes *b, uint64_t v, unsigned width)
{
	for (unsigned i = width; i-- > 0;)
		b->at[b->n++] = (unsigned char)(v >> (8 * i));
}

static void put_string(struct bytes *b, const char *s)
{
	memcpy(b->at + b->n, s, strlen(s) + 1);
	b->n += strlen(s) + 1;
}

/* A value: NULL is null, "~" unchanged. */
static void put_tuple(struct bytes *b, char kind, unsigned n, const char *const *values)
{
	put(b, (unsigned char)kind, 1);
	put(b, n, 2);
	for (unsigned i = 0; i < n; i++) {
		bool text = values[i] != NULL && strcmp(values[i], "~") != 0;

		put(b, text ? 't' : values[i] == NULL ? 'n' : 'u', 1);
		if (!text)
			continue;
		put(b, strlen(values[i]), 4);
		memcpy(b->at + b->n, values[i], strlen(values[i]));
		b->n += strlen(values[i]);
	}
}

/* It is taken whole, and refused with any other length. The bytes lie at the end of their memory, for the sanitizer. */
static struct pgoutput_message decode(const struct bytes *b, bool streamed, unsigned char **keep)
{
	struct pgoutput_message m;
	const char *why = NULL;

	for (size_t n = 0; n < b->n; n++) {
		unsigned char *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy + 1, b->at, n);
		assert_int_equal(pgoutput_decode(&m, copy + 1, n, streamed, &why), -1);
		assert_string_equal(why, "malformed message");
		free(copy);
	}
	*keep = malloc(b->n + 1);
	assert_non_null(*keep);
	memcpy(*keep, b->at, b->n);
	(*keep)[b->n] = 0;
	assert_int_equal(pgoutput_decode(&m, *keep, b->n + 1, streamed, &why), -1);
	assert_int_equal(pgoutput_decode(&m, *keep, b->n, streamed, &why), 0);
	assert_int_equal(m.type, b->at[0]);
	return m;
}

static void expect_tuple(const struct pgoutput_tuple *t, unsigned n, const char *const *values)
{
	size_t at = 0;

	assert_int_equal(t->n, n);
	for (unsigned i = 0; i < n; i++) {
		struct pgoutput_value v;

		pgoutput_next(t, &at, &v);
		if (values[i] == NULL) {
			assert_int_equal(v.kind, PGOUTPUT_NULL);
		} else if (strcmp(values[i], "~") == 0) {
			assert_int_equal(v.kind, PGOUTPUT_UNCHANGED);
		} else {
			assert_int_equal(v.kind, PGOUTPUT_TEXT);
			assert_int_equal(v.len, strlen(values[i]));
			assert_memory_equal(v.bytes, values[i], v.len);
		}
	}
	assert_int_equal(at, t->bytes);
}

static void transactions(void **state)
{
	struct bytes b = { .n = 0 };
	struct pgoutput_message m;
	unsigned char *keep;

	(void)state;
	put(&b, 'B', 1);
	put(&b, 0x1122334455667788, 8);
	put(&b, (uint64_t)-5, 8);
	put(&b, 77, 4);
	m = decode(&b, false, &keep);
	assert_true(m.lsn == 0x1122334455667788);
	assert_true(m.time_us == -5);
	assert_int_equal(m.xid, 77);
	free(keep);

	b.n = 0;
	put(&b, 'C', 1);
	put(&b, 0, 1);
	put(&b, 100, 8);
	put(&b, 148, 8);
	put(&b, 9, 8);
	m = decode(&b, false, &keep);
	assert_true(m.lsn == 100 && m.end_lsn == 148 && m.time_us == 9);
	free(keep);

	b.n = 0;
	put(&b, 'c', 1);
	put(&b, 5, 4);
	put(&b, 0, 1);
	put(&b, 100, 8);
	put(&b, 148, 8);
	put(&b, 9, 8);
	m = decode(&b, false, &keep);
	assert_true(m.xid == 5 && m.lsn == 100 && m.end_lsn == 148);
	free(keep);
}

static void streams(void **state)
{
	struct bytes b = { .n = 0 };
	struct pgoutput_message m;
	unsigned char *keep;

	(void)state;
	put(&b, 'S', 1);
	put(&b, 700, 4);
	put(&b, 1, 1);
	m = decode(&b, false, &keep);
	assert_int_equal(m.xid, 700);
	free(keep);
	b.n = 0;
	put(&b, 'E', 1);
	/* It has no body, within a stream and outside. */
	(void)decode(&b, true, &keep);
	free(keep);
	b.n = 0;
	put(&b, 'A', 1);
	put(&b, 700, 4);
	put(&b, 701, 4);
	m = decode(&b, false, &keep);
	assert_true(m.xid == 700 && m.subxid == 701);
	free(keep);
}

static void relation(void **state)
{
	struct bytes b = { .n = 0 };
	struct pgoutput_column c;
	struct pgoutput_message m;
	unsigned char *keep;
	size_t at = 0;

	(void)state;
	put(&b, 'R', 1);
	put(&b, 701, 4);
	put(&b, 16384, 4);
	put_string(&b, "public");
	put_string(&b, "Größe");
	put(&b, 'f', 1);
	put(&b, 2, 2);
	put(&b, 1, 1);
	put_string(&b, "id");
	put(&b, 20, 4);
	put(&b, (uint32_t)-1, 4);
	put(&b, 0, 1);
	put_string(&b, "");
	put(&b, 1043, 4);
	put(&b, 14, 4);
	m = decode(&b, true, &keep);
	assert_int_equal(m.xid, 701);
	assert_int_equal(m.relation, 16384);
	assert_string_equal(m.schema, "public");
	assert_string_equal(m.name, "Größe");
	assert_int_equal(m.identity, 'f');
	assert_int_equal(m.n, 2);
	pgoutput_column(&m, &at, &c);
	assert_true(c.key && c.type == 20 && c.modifier == -1);
	assert_string_equal(c.name, "id");
	pgoutput_column(&m, &at, &c);
	assert_true(!c.key && c.type == 1043 && c.modifier == 14);
	assert_string_equal(c.name, "");
	free(keep);
}

static void rows(void **state)
{
	static const char *const KEY[] = { "7", NULL, NULL };
	static const char *const OLD[] = { "7", "before", NULL };
	static const char *const NEW[] = { "8", "~", "" };
	struct bytes b = { .n = 0 };
	struct pgoutput_message m;
	unsigned char *keep;

	(void)state;
	put(&b, 'I', 1);
	put(&b, 3, 4);
	put_tuple(&b, 'N', 3, NEW);
	m = decode(&b, false, &keep);
	assert_int_equal(m.old_kind, 0);
	expect_tuple(&m.new, 3, NEW);
	free(keep);

	for (unsigned i = 0; i < 3; i++) {
		b.n = 0;
		put(&b, 'U', 1);
		put(&b, 701, 4);
		put(&b, 3, 4);
		if (i > 0)
			put_tuple(&b, i == 1 ? 'K' : 'O', 3, i == 1 ? KEY : OLD);
		put_tuple(&b, 'N', 3, NEW);
		m = decode(&b, true, &keep);
		assert_int_equal(m.old_kind, i == 0 ? 0 : i == 1 ? 'K' : 'O');
		if (i > 0)
			expect_tuple(&m.old, 3, i == 1 ? KEY : OLD);
		expect_tuple(&m.new, 3, NEW);
		assert_true(m.xid == 701 && m.relation == 3);
		free(keep);
	}

	b.n = 0;
	put(&b, 'D', 1);
	put(&b, 3, 4);
	put_tuple(&b, 'K', 3, KEY);
	m = decode(&b, false, &keep);
	expect_tuple(&m.old, 3, KEY);
	free(keep);
}

static void others(void **state)
{
	struct bytes b = { .n = 0 };
	struct pgoutput_message m;
	unsigned char *keep;

	(void)state;
	put(&b, 'T', 1);
	put(&b, 2, 4);
	put(&b, 1, 1);
	put(&b, 16384, 4);
	put(&b, 16390, 4);
	m = decode(&b, false, &keep);
	assert_int_equal(m.ntables, 2);
	assert_int_equal(pgoutput_truncated(&m, 1), 16390);
	free(keep);

	b.n = 0;
	put(&b, 'O', 1);
	put(&b, 5, 8);
	put_string(&b, "elsewhere");
	(void)decode(&b, false, &keep);
	free(keep);

	b.n = 0;
	put(&b, 'Y', 1);
	put(&b, 5, 4);
	put_string(&b, "public");
	put_string(&b, "mood");
	(void)decode(&b, false, &keep);
	free(keep);

	b.n = 0;
	put(&b, 'M', 1);
	put(&b, 0, 1);
	put(&b, 5, 8);
	put_string(&b, "prefix");
	put(&b, 3, 4);
	put(&b, 0x616263, 3);
	(void)decode(&b, false, &keep);
	free(keep);
}

static void refused(void **state)
{
	static const char *const NEW[] = { "8" };
	struct pgoutput_message m;
	struct bytes b = { .n = 0 };
	const char *why;

	(void)state;
	put(&b, 'Z', 1);
	assert_int_equal(pgoutput_decode(&m, b.at, b.n, false, &why), -1);
	assert_string_equal(why, "unknown type of message");
	/* An INSERT with a row before, a DELETE with one after, a value in a format that was not asked for. */
	b.n = 0;
	put(&b, 'I', 1);
	put(&b, 3, 4);
	put_tuple(&b, 'K', 1, NEW);
	assert_int_equal(pgoutput_decode(&m, b.at, b.n, false, &why), -1);
	b.n = 0;
	put(&b, 'D', 1);
	put(&b, 3, 4);
	put_tuple(&b, 'N', 1, NEW);
	assert_int_equal(pgoutput_decode(&m, b.at, b.n, false, &why), -1);
	b.n = 0;
	put(&b, 'I', 1);
	put(&b, 3, 4);
	put(&b, 'N', 1);
	put(&b, 1, 2);
	put(&b, 'b', 1);
	put(&b, 0, 4);
	assert_int_equal(pgoutput_decode(&m, b.at, b.n, false, &why), -1);
	/* More tables than bytes. */
	b.n = 0;
	put(&b, 'T', 1);
	put(&b, UINT32_MAX, 4);
	put(&b, 0, 1);
	put(&b, 16384, 4);
	assert_int_equal(pgoutput_decode(&m, b.at, b.n, false, &why), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transactions),
		cmocka_unit_test(streams),
		cmocka_unit_test(relation),
		cmocka_unit_test(rows),
		cmocka_unit_test(others),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
