/*
 * answers.h by itself: finding, other payloads, the horizon, walks while the table changes, failing memory, and records of
 * other numbers of shards.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/flow/answers.h"
#include "core/store/row.h"

enum { PER_CLIENT = 8 };

static const struct answers_limits LIMITS = {
	.per_client = PER_CLIENT, .clients_max = 1000, .bytes = MIB(1), .seconds = 1000
};

struct bed {
	struct heap *heap;
	struct answers *a;
	struct error e;
	uint64_t epoch;
};

static void open_bed(struct bed *b, unsigned shard, unsigned shards, const struct answers_limits *l)
{
	*b = (struct bed){ .heap = heap_new(NULL), .epoch = 1 };
	assert_non_null(b->heap);
	assert_int_equal(answers_new(&b->a, b->heap, shard, shards, l, &b->e), 0);
}

static void close_bed(struct bed *b)
{
	(void)answers_check(b->a);
	answers_free(b->a);
	assert_int_equal(heap_used(b->heap), 0);
	heap_free_all(b->heap);
}

/* 1 known, 0 executed now, -1 refused. */
static int execute(struct bed *b, uint64_t client, uint64_t request, uint64_t payload)
{
	struct answer_key key = { client, request, 0, false };
	struct answer_given given = { .count = request };
	const struct answer_record *known;
	int status = answers_look(b->a, &key, payload, &known, &b->e);
	struct answer *x;

	if (status > 0) {
		assert_int_equal(known->client, client);
		assert_int_equal(known->request, request);
		assert_int_equal(known->count, request);
	}
	if (status != 0)
		return status;
	x = answers_begin(b->a, &key, payload, hash_u64(request), &b->e);
	if (x == NULL)
		return -1;
	answers_done(b->a, x, b->epoch, (int64_t)b->epoch * 1000000, &given);
	return 0;
}

static void end_batch(struct bed *b)
{
	answers_written(b->a);
	answers_trim(b->a, (int64_t)b->epoch * 1000000);
	b->epoch++;
	(void)answers_check(b->a);
}

static void test_find(void **state)
{
	struct answers_stats stats;
	struct bed b;

	(void)state;
	open_bed(&b, 0, 1, &LIMITS);
	for (uint64_t client = 1; client <= 500; client++)
		for (uint64_t r = 1; r <= PER_CLIENT; r++)
			assert_int_equal(execute(&b, client, r, r), 0);
	end_batch(&b);
	for (uint64_t client = 1; client <= 500; client++)
		for (uint64_t r = 1; r <= PER_CLIENT; r++) {
			assert_int_equal(execute(&b, client, r, r), 1);
			assert_int_equal(execute(&b, client, r, r + 1), -1);
			assert_int_equal(b.e.code, ERR_ONCE_MISMATCH);
		}
	answers_stats(b.a, &stats);
	assert_int_equal(stats.answers, 500 * PER_CLIENT);
	assert_int_equal(stats.clients, 500);
	close_bed(&b);
}

static void test_horizon(void **state)
{
	struct bed b;

	(void)state;
	open_bed(&b, 0, 1, &LIMITS);
	/* Out of order, several in a batch: what is forgotten stays below what is told. */
	for (uint64_t r = 2; r <= 101; r++) {
		assert_int_equal(execute(&b, 1, r ^ 1, 5), 0);
		if (r % 5 == 0)
			end_batch(&b);
	}
	end_batch(&b);
	assert_int_equal(answers_check(b.a), PER_CLIENT);
	assert_int_equal(execute(&b, 1, 50, 5), -1);
	assert_int_equal(b.e.code, ERR_ONCE_EXPIRED);
	assert_int_equal(execute(&b, 1, 100, 5), 1);
	/* Age: others' commands push them out too. */
	b.epoch += 2000;
	assert_int_equal(execute(&b, 2, 1, 5), 0);
	end_batch(&b);
	assert_int_equal(answers_check(b.a), 1);
	assert_int_equal(execute(&b, 1, 100, 5), -1);
	assert_int_equal(execute(&b, 1, 102, 5), 0);
	close_bed(&b);
}

static void test_clients_max(void **state)
{
	struct answers_limits few = LIMITS;
	struct bed b;

	(void)state;
	few.clients_max = 3;
	open_bed(&b, 0, 1, &few);
	for (uint64_t client = 1; client <= 3; client++)
		assert_int_equal(execute(&b, client, 1, 1), 0);
	assert_int_equal(execute(&b, 4, 1, 1), -1);
	assert_int_equal(b.e.code, ERR_LIMIT);
	assert_int_equal(execute(&b, 3, 2, 1), 0);
	close_bed(&b);
}

/* Whichever allocation fails, it is refused before anything is done, or not remembered. */
static void test_no_memory(void **state)
{
	struct error why;
	struct bed b;
	unsigned failed = 0, fine = 0;

	(void)state;
	error_set(&why, ERR_CHECK, 3, "no");
	open_bed(&b, 0, 1, &LIMITS);
	for (uint64_t r = 1; fine < 3000; r++) {
		struct answer_key key = { r % 300 + 1, r, 0, false };
		const struct answer_record *known;
		struct answer *x;
		int status = -1;

		heap_fail_after(b.heap, 1 + r % 5);
		x = answers_begin(b.a, &key, 1, 1, &b.e);
		if (x != NULL)
			status = answers_refused(b.a, x, b.epoch, (int64_t)b.epoch, &why);
		heap_fail_after(b.heap, 0);
		failed += status != 0;
		fine += status == 0;
		assert_int_equal(answers_look(b.a, &key, 1, &known, &b.e), status == 0);
		if (status == 0) {
			struct error told;

			answer_error(known, &told);
			assert_int_equal(told.code, ERR_CHECK);
			assert_int_equal(told.position, 3);
			assert_string_equal(told.message, "no");
		}
		end_batch(&b);
	}
	assert_true(failed > 500);
	close_bed(&b);
}

/* --- records, as files have them --- */

struct records {
	unsigned char *bytes;
	size_t n;
	unsigned entries;
};

static void walk(struct bed *b, uint64_t epoch, struct records *out, bool busy)
{
	static unsigned char slice[LIMIT_ONCE_ENTRY_BYTES];
	struct answers_walk w;
	uint32_t entries;
	uint64_t r = 1000;
	size_t n;

	*out = (struct records){ NULL, 0, 0 };
	answers_walk_begin(b->a, &w, epoch);
	while ((n = answers_walk_next(b->a, &w, slice, sizeof(slice), &entries)) > 0) {
		out->bytes = realloc(out->bytes, out->n + n);
		assert_non_null(out->bytes);
		memcpy(out->bytes + out->n, slice, n);
		out->n += n;
		out->entries += entries;
		for (int i = 0; busy && i < 1500; i++) {
			assert_int_equal(execute(b, 1 + (uint64_t)i, r++, 1), 0);
			if (i % 100 == 0)
				end_batch(b);
		}
		if (busy)
			end_batch(b);
	}
}

static void restore_all(struct bed *b, const struct records *from, bool same)
{
	for (size_t at = 0; at < from->n;) {
		const unsigned char *p = from->bytes + at + sizeof(struct entry_header);

		assert_true(answer_valid(p, row_size(p)));
		assert_false(answer_valid(p, row_size(p) - 8));
		assert_int_equal(
			answers_restore(b->a, (const struct answer_record *)p, same, &b->e), 0);
		at += sizeof(struct entry_header) + row_size(p);
	}
}

/* While the table changes: what was there at the epoch and still is comes once, what was forgotten is expired. */
static void test_walk(void **state)
{
	struct answers_limits wide = LIMITS;
	struct bed b, c;
	struct records all;

	(void)state;
	wide.clients_max = 10000;
	open_bed(&b, 0, 1, &wide);
	for (uint64_t client = 1; client <= 2000; client++)
		for (uint64_t r = 1; r <= 4; r++)
			assert_int_equal(execute(&b, client, r, r), 0);
	end_batch(&b);
	assert_true(answers_check(b.a) > 5000);
	walk(&b, b.epoch - 1, &all, true);
	open_bed(&c, 0, 1, &wide);
	restore_all(&c, &all, true);
	assert_int_equal(answers_restored(c.a, 0, &c.e), 0);
	for (uint64_t client = 1; client <= 2000; client++)
		for (uint64_t r = 1; r <= 4; r++) {
			int status = execute(&c, client, r, r);

			assert_true(status == 1 || status == -1);
		}
	/* Nothing later than the epoch has come. */
	assert_int_equal(execute(&c, 1999, 4, 4), 1);
	assert_int_equal(execute(&c, 2000, 1000, 1), 0);
	free(all.bytes);
	close_bed(&b);
	close_bed(&c);
}

/* A command for every shard, executed by `did` of three, then two shards start. */
static void every_shard(unsigned did, const char *expected)
{
	struct error refused;
	struct records all[3];
	struct bed b[3];

	error_set(&refused, ERR_CHECK, 0, "refused");
	for (unsigned s = 0; s < 3; s++) {
		struct answer_key key = { 1, 1, s, true };
		struct answer_given given = { .count = 10 + s };
		struct answer *x;

		open_bed(&b[s], s, 3, &LIMITS);
		if (s < did) {
			x = answers_begin(b[s].a, &key, 7, 0, &b[s].e);
			answers_done(b[s].a, x, 1, 1, &given);
		}
		/* And one that only a single shard refused. */
		key.request = 2;
		x = answers_begin(b[s].a, &key, 7, 0, &b[s].e);
		if (s == 2)
			assert_int_equal(answers_refused(b[s].a, x, 1, 1, &refused), 0);
		else
			answers_done(b[s].a, x, 1, 1, &given);
		end_batch(&b[s]);
		walk(&b[s], 1, &all[s], false);
		close_bed(&b[s]);
	}
	for (unsigned s = 0; s < 2; s++) {
		struct answer_key key = { 1, 1, s, true };
		const struct answer_record *known;

		open_bed(&b[s], s, 2, &LIMITS);
		for (unsigned from = 0; from < 3; from++)
			restore_all(&b[s], &all[from], false);
		assert_int_equal(answers_restored(b[s].a, 2, &b[s].e), 0);
		assert_int_equal(answers_look(b[s].a, &key, 7, &known, &b[s].e), did > 0);
		if (did == 3) {
			assert_int_equal(known->kind, ANSWER_DONE);
			assert_int_equal(known->count, s == 0 ? 10 + 12 : 11);
		} else if (did > 0) {
			struct error e;

			assert_int_equal(known->kind, ANSWER_REFUSED);
			answer_error(known, &e);
			assert_string_equal(error_sqlstate(e.code), expected);
		}
		key.request = 2;
		assert_int_equal(answers_look(b[s].a, &key, 7, &known, &b[s].e), 1);
		assert_int_equal(known->kind, s == 0 ? ANSWER_REFUSED : ANSWER_DONE);
		close_bed(&b[s]);
	}
	for (unsigned s = 0; s < 3; s++)
		free(all[s].bytes);
}

static void test_every_shard(void **state)
{
	(void)state;
	every_shard(3, "");
	every_shard(2, "LF006");
	every_shard(1, "LF006");
	every_shard(0, "");
}

/* Each goes to the shard that its rows go to, in the order of the epochs. */
static void test_other_shards(void **state)
{
	struct answers_limits wide = LIMITS;
	struct records all[2];
	struct bed b[3];
	uint64_t n = 0;

	(void)state;
	wide.per_client = 100;
	for (unsigned s = 0; s < 2; s++) {
		open_bed(&b[s], s, 2, &wide);
		for (uint64_t r = 1; r <= 90; r++) {
			if (shard_of(hash_u64(r), 2) == s)
				assert_int_equal(execute(&b[s], 1, r, 1), 0);
			end_batch(&b[s]);
		}
		walk(&b[s], UINT64_MAX, &all[s], false);
		close_bed(&b[s]);
	}
	wide.per_client = 20;
	for (unsigned s = 0; s < 3; s++) {
		open_bed(&b[s], s, 3, &wide);
		restore_all(&b[s], &all[1], false);
		restore_all(&b[s], &all[0], false);
		assert_int_equal(answers_restored(b[s].a, 2, &b[s].e), 0);
		for (uint64_t r = 90, own = 0; r >= 1; r--) {
			struct answer_key key = { 1, r, 0, false };
			const struct answer_record *known;

			if (shard_of(hash_u64(r), 3) != s)
				continue;
			/* The newest twenty. */
			assert_int_equal(
				answers_look(b[s].a, &key, 1, &known, &b[s].e), own < 20 ? 1 : -1);
			n += own++ < 20;
		}
		close_bed(&b[s]);
	}
	assert_true(n > 50);
	free(all[0].bytes);
	free(all[1].bytes);
}

static void test_malformed(void **state)
{
	struct {
		struct answer_record r;
		unsigned char more[64];
	} x = { .r = { .size = 80, .kind = ANSWER_DONE, .client = 1, .request = 1 } };
	struct answer_text text = { .sqlstate = "23505", .message = 20 };

	(void)state;
	assert_true(answer_valid(&x, 80));
	assert_false(answer_valid(&x, 72));
	assert_false(answer_valid(&x, 88));
	x.r.kind = 4;
	assert_false(answer_valid(&x, 80));
	x.r.kind = ANSWER_REFUSED;
	assert_false(answer_valid(&x, 80));
	x.r.size = 80 + 40;
	memcpy(x.more, &text, sizeof(text));
	assert_true(answer_valid(&x, 120));
	memcpy(text.sqlstate, "00000", 5);
	memcpy(x.more, &text, sizeof(text));
	assert_false(answer_valid(&x, 120));
	memcpy(text.sqlstate, "23505", 5);
	text.detail = 100;
	memcpy(x.more, &text, sizeof(text));
	assert_false(answer_valid(&x, 120));
	x.r.kind = ANSWER_DONE;
	x.r.rows = 5;
	x.r.size = 96;
	memset(x.more, 0, sizeof(x.more));
	x.more[0] = x.more[8] = 8;
	assert_false(answer_valid(&x, 96));
	x.r.rows = 2;
	assert_true(answer_valid(&x, 96));
	x.r.client = 0;
	assert_false(answer_valid(&x, 96));
	x.r.client = 1;
	x.r.flags = ANSWER_EVERY_SHARD;
	x.r.shards = 65;
	assert_false(answer_valid(&x, 96));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_horizon),
		cmocka_unit_test(test_clients_max),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_every_shard),
		cmocka_unit_test(test_other_shards),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
