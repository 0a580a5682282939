#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/store/row.h"

enum { COLUMNS = 15, ROW_MAX = 1024, ROUNDS = 3000 };

static const struct type TYPES[COLUMNS] = { { .id = TYPE_BOOL }, { .id = TYPE_INT2 },
	{ .id = TYPE_INT4 }, { .id = TYPE_INT8 }, { .id = TYPE_FLOAT4 }, { .id = TYPE_FLOAT8 },
	{ .id = TYPE_NUMERIC }, { .id = TYPE_TEXT }, { .id = TYPE_VARCHAR, .a = 20 },
	{ .id = TYPE_BPCHAR, .a = 20 }, { .id = TYPE_BYTEA }, { .id = TYPE_DATE },
	{ .id = TYPE_TIMESTAMP }, { .id = TYPE_TIMESTAMPTZ }, { .id = TYPE_UUID } };

struct fixture {
	struct arena arena;
	struct row_layout layout;
};

static void open_fixture(struct fixture *f)
{
	struct error e;

	arena_init(&f->arena, NULL);
	assert_int_equal(row_layout_init(&f->layout, TYPES, COLUMNS, &f->arena, &e), 0);
}

static uint64_t next(uint64_t *seed)
{
	return *seed = hash_u64(*seed);
}

/* A value of a column; small ranges, so that equal ones are met. */
static struct value random_value(enum type_id t, uint64_t *seed)
{
	static const char *const TEXTS[] = { "", "a", "ab", "\xc3\xa4\xc3\xb6", "0123456789" };
	struct value v = { .type = (uint8_t)t };
	uint64_t r = next(seed);
	const char *text = TEXTS[r % 5];

	if (r >> 32 & 1) {
		v.flags = VALUE_NULL;
		return v;
	}
	switch (t) {
	case TYPE_BOOL: v.i = r & 1; break;
	case TYPE_FLOAT4: v.f = (float)(r % 7) / 4; break;
	case TYPE_FLOAT8: v.d = (double)(r % 7) / -8; break;
	case TYPE_NUMERIC:
		v.n = (int128)(r % 9) - 4;
		v.scale = 2;
		if (r % 11 == 0) {
			v = (struct value){ .type = TYPE_NUMERIC, .flags = VALUE_NAN };
		}
		break;
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR:
	case TYPE_BYTEA:
		v.s.p = text;
		v.s.len = (uint32_t)strlen(text);
		break;
	case TYPE_UUID: memset(v.uuid, (int)(r % 5), sizeof(v.uuid)); break;
	default: v.i = (int64_t)(r % 9) - 4; break;
	}
	return v;
}

static void random_row(const struct fixture *f, uint64_t *seed, struct value *v, void *row)
{
	uint32_t size;

	for (unsigned c = 0; c < COLUMNS; c++)
		v[c] = random_value((enum type_id)TYPES[c].id, seed);
	size = row_encoded_size(&f->layout, v);
	assert_true(size <= ROW_MAX && size % 8 == 0);
	assert_int_equal(row_encode(&f->layout, v, row), size);
	assert_int_equal(row_size(row), size);
}

static bool same(const struct value *a, const struct value *b)
{
	if (value_is_null(a) || value_is_null(b))
		return value_is_null(a) && value_is_null(b);
	return value_compare(a, b) == 0;
}

/* What was written is read; hashes and comparisons of rows are those of their values. */
static void test_round_trip(void **state)
{
	static const uint16_t ALL[COLUMNS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
	struct value v[2][COLUMNS];
	uint64_t rows[2][ROW_MAX / 8], seed = 1;
	struct fixture f;
	struct error e;

	(void)state;
	open_fixture(&f);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned k = 0; k < 2; k++) {
			random_row(&f, &seed, v[k], rows[k]);
			assert_int_equal(
				row_validate(&f.layout, rows[k], row_size(rows[k]), &e), 0);
			assert_int_equal(row_hash(&f.layout, rows[k], ALL, COLUMNS),
				values_hash(v[k], COLUMNS));
		}
		for (uint16_t c = 0; c < COLUMNS; c++) {
			struct value got;

			row_get(&f.layout, rows[0], c, &got);
			assert_int_equal(got.type, TYPES[c].id);
			assert_int_equal(got.scale, value_is_null(&v[0][c]) ? 0 : v[0][c].scale);
			assert_true(same(&got, &v[0][c]));
			assert_int_equal(row_is_null(rows[0], c), value_is_null(&v[0][c]));
			assert_int_equal(
				row_equal(&f.layout, rows[0], &c, &f.layout, rows[1], &c, 1),
				same(&v[0][c], &v[1][c]));
		}
	}
	arena_free(&f.arena);
}

/* Columns of different layouts, and integers of different width, compare by value. */
static void test_across_layouts(void **state)
{
	static const struct type OTHER[] = { { .id = TYPE_TEXT }, { .id = TYPE_INT8 },
		{ .id = TYPE_INT2 } };
	static const uint16_t COL_INT4[] = { 2 }, COL_INT8[] = { 1 }, COL_INT2[] = { 2 };
	uint64_t a[ROW_MAX / 8], b[ROW_MAX / 8], seed = 3;
	struct row_layout other;
	struct fixture f;
	struct error e;

	(void)state;
	open_fixture(&f);
	assert_int_equal(row_layout_init(&other, OTHER, 3, &f.arena, &e), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct value v[COLUMNS], w[3];

		random_row(&f, &seed, v, a);
		for (unsigned c = 0; c < 3; c++)
			w[c] = random_value((enum type_id)OTHER[c].id, &seed);
		row_encode(&other, w, b);
		w[1].type = w[2].type = TYPE_INT4;
		assert_int_equal(row_equal(&f.layout, a, COL_INT4, &other, b, COL_INT8, 1),
			same(&v[2], &w[1]));
		assert_int_equal(row_equal(&other, b, COL_INT2, &f.layout, a, COL_INT4, 1),
			same(&v[2], &w[2]));
		if (same(&v[2], &w[1]))
			assert_int_equal(row_hash(&f.layout, a, COL_INT4, 1),
				row_hash(&other, b, COL_INT8, 1));
	}
	arena_free(&f.arena);
}

/* Bytes from outside: whatever row_validate() lets through can be read, and is canonical. */
static void test_damaged(void **state)
{
	struct value v[COLUMNS];
	uint64_t good[ROW_MAX / 8], seed = 7, accepted = 0;
	struct fixture f;
	struct error e;

	(void)state;
	open_fixture(&f);
	for (unsigned round = 0; round < ROUNDS * 4; round++) {
		uint32_t size, len;
		unsigned char *row;

		random_row(&f, &seed, v, good);
		size = row_size(good);
		/* Of exactly this many bytes, so that a sanitizer sees one read too far. */
		len = next(&seed) % 4 == 0 ? (uint32_t)(next(&seed) % (size + 1)) : size;
		row = malloc(len > 0 ? len : 1);
		assert_non_null(row);
		memcpy(row, good, len);
		for (unsigned k = 0; len > 0 && k <= next(&seed) % 3; k++)
			row[next(&seed) % len] ^= (unsigned char)(1u << next(&seed) % 8);
		if (row_validate(&f.layout, row, len, &e) == 0) {
			uint64_t again[ROW_MAX / 8];

			accepted++;
			for (unsigned c = 0; c < COLUMNS; c++)
				row_get(&f.layout, row, c, &v[c]);
			assert_int_equal(row_encode(&f.layout, v, again), len);
		}
		free(row);
	}
	assert_true(accepted > 0 && accepted < ROUNDS * 4);
	arena_free(&f.arena);
}

static void test_shards(void **state)
{
	unsigned counts[7] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 70000; i++) {
		unsigned s = shard_of(hash_u64(i), 7);

		assert_true(s < 7);
		counts[s]++;
	}
	for (unsigned s = 0; s < 7; s++)
		assert_in_range(counts[s], 9000, 11000);
	assert_int_equal(shard_of(UINT64_MAX, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_across_layouts),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
