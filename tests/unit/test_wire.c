/*
 * test_wire.c: the bytes of the protocol, against vectors that were written down.
 *
 * Rows: each type's slot, drawn by hand from core/store/row.h. Frames: tests/golden/protocol.txt holds what a
 * client sends and exactly what the server answers; a session without sockets, whose epochs are repeatable,
 * must give those bytes. LEFTFOLD_GOLDEN=print prints what it gives instead.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/wire/wire.h"
#include "tests/unit/session_bed.h"

enum { BYTES_MAX = 1 << 16 };

/* Hexadecimal digits to bytes; blanks and | between them mean nothing. Returns how many. */
static size_t unhex(const char *text, unsigned char *out)
{
	size_t n = 0;

	for (; *text != '\0' && *text != '#'; text++) {
		unsigned byte;

		if (*text == ' ' || *text == '|' || *text == '\n' || *text == '\t')
			continue;
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		assert_true(n < BYTES_MAX);
		out[n++] = (unsigned char)byte;
		text++;
	}
	return n;
}

/* --- rows --- */

static const struct {
	const char *what;
	struct type type;
	struct value value;
	const char *hex;
} SLOTS[] = {
	{ "boolean", { TYPE_BOOL, 0, 0 }, { .i = 1, .type = TYPE_BOOL }, "08000000 00 01 0000" },
	{ "smallint", { TYPE_INT2, 0, 0 }, { .i = -2, .type = TYPE_INT2 }, "08000000 00 feff 00" },
	{ "integer", { TYPE_INT4, 0, 0 }, { .i = 0x01020304, .type = TYPE_INT4 },
		"10000000 00 04030201 00000000000000" },
	{ "bigint", { TYPE_INT8, 0, 0 }, { .i = -1, .type = TYPE_INT8 },
		"10000000 00 ffffffffffffffff 000000" },
	{ "real", { TYPE_FLOAT4, 0, 0 }, { .f = 1.5F, .type = TYPE_FLOAT4 },
		"10000000 00 0000c03f 00000000000000" },
	{ "double precision", { TYPE_FLOAT8, 0, 0 }, { .d = 1.5, .type = TYPE_FLOAT8 },
		"10000000 00 000000000000f83f 000000" },
	{ "numeric 12.34", { TYPE_NUMERIC, 0, 0 }, { .n = 1234, .scale = 2, .type = TYPE_NUMERIC },
		"18000000 00 d2040000000000000000000000000000 02 0000" },
	{ "numeric -0.5", { TYPE_NUMERIC, 0, 0 }, { .n = -5, .scale = 1, .type = TYPE_NUMERIC },
		"18000000 00 fbffffffffffffffffffffffffffffff 01 0000" },
	{ "numeric NaN", { TYPE_NUMERIC, 0, 0 }, { .flags = VALUE_NAN, .type = TYPE_NUMERIC },
		"18000000 00 00000000000000000000000000000000 ff 0000" },
	{ "text", { TYPE_TEXT, 0, 0 }, { .s = { "h\xc3\xa9", 3 }, .type = TYPE_TEXT },
		"10000000 00 0d000000 03000000 68c3a9" },
	{ "empty text", { TYPE_TEXT, 0, 0 }, { .s = { "", 0 }, .type = TYPE_TEXT },
		"10000000 00 0d000000 00000000 000000" },
	{ "varchar(3)", { TYPE_VARCHAR, 0, 3 }, { .s = { "abc", 3 }, .type = TYPE_VARCHAR },
		"10000000 00 0d000000 03000000 616263" },
	{ "char(5)", { TYPE_BPCHAR, 0, 5 }, { .s = { "ab", 2 }, .type = TYPE_BPCHAR },
		"10000000 00 0d000000 02000000 616200" },
	{ "bytea", { TYPE_BYTEA, 0, 0 }, { .s = { "\x00\xff", 2 }, .type = TYPE_BYTEA },
		"10000000 00 0d000000 02000000 00ff00" },
	{ "date 2000-01-02", { TYPE_DATE, 0, 0 }, { .i = 1, .type = TYPE_DATE },
		"10000000 00 01000000 00000000000000" },
	{ "timestamp 2000-01-01 00:00:01", { TYPE_TIMESTAMP, 0, 0 },
		{ .i = 1000000, .type = TYPE_TIMESTAMP }, "10000000 00 40420f0000000000 000000" },
	{ "timestamptz infinity", { TYPE_TIMESTAMPTZ, 0, 0 },
		{ .i = INT64_MAX, .type = TYPE_TIMESTAMPTZ },
		"10000000 00 ffffffffffffff7f 000000" },
	{ "uuid", { TYPE_UUID, 0, 0 },
		{ .uuid = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
			.type = TYPE_UUID },
		"18000000 00 000102030405060708090a0b0c0d0e0f 000000" },
	{ "interval", { TYPE_INTERVAL, 0, 0 },
		{ .iv = { .us = 1, .days = 2, .months = 3 }, .type = TYPE_INTERVAL },
		"18000000 00 0100000000000000 02000000 03000000 000000" },
	{ "NULL", { TYPE_INT8, 0, 0 }, { .flags = VALUE_NULL, .type = TYPE_INT8 },
		"10000000 01 0000000000000000 000000" },
};

static void check_row(const struct row_layout *l, const struct value *values, const char *hex)
{
	unsigned char want[256], got[256];
	size_t n = unhex(hex, want);
	struct error e;

	assert_int_equal(row_encoded_size(l, values), n);
	assert_int_equal(row_encode(l, values, got), n);
	assert_memory_equal(got, want, n);
	assert_int_equal(row_validate(l, got, n, &e), 0);
	for (unsigned c = 0; c < l->ncols; c++) {
		struct value v;

		row_get(l, got, c, &v);
		assert_int_equal(value_is_null(&v), value_is_null(&values[c]));
		if (!value_is_null(&v))
			assert_int_equal(value_compare(&v, &values[c]), 0);
	}
}

static void row_of_each_type(void **state)
{
	struct arena a;
	struct error e;

	(void)state;
	arena_init(&a, NULL);
	for (size_t i = 0; i < sizeof(SLOTS) / sizeof(*SLOTS); i++) {
		struct row_layout l;

		assert_int_equal(row_layout_init(&l, &SLOTS[i].type, 1, &a, &e), 0);
		check_row(&l, &SLOTS[i].value, SLOTS[i].hex);
	}
	arena_free(&a);
}

static void rows_of_columns(void **state)
{
	static const struct type types[] = { { TYPE_INT8, 0, 0 }, { TYPE_TEXT, 0, 0 },
		{ TYPE_INT2, 0, 0 }, { TYPE_TEXT, 0, 0 }, { TYPE_BOOL, 0, 0 }, { TYPE_BOOL, 0, 0 },
		{ TYPE_BOOL, 0, 0 }, { TYPE_BOOL, 0, 0 }, { TYPE_INT4, 0, 0 } };
	struct value v[9] = { { .i = 7, .type = TYPE_INT8 },
		{ .s = { "ab", 2 }, .type = TYPE_TEXT }, { .flags = VALUE_NULL, .type = TYPE_INT2 },
		{ .s = { "c", 1 }, .type = TYPE_TEXT }, { .i = 1, .type = TYPE_BOOL },
		{ .i = 0, .type = TYPE_BOOL }, { .flags = VALUE_NULL, .type = TYPE_BOOL },
		{ .i = 1, .type = TYPE_BOOL }, { .flags = VALUE_NULL, .type = TYPE_INT4 } };
	struct arena a;
	struct row_layout l;
	struct error e;

	(void)state;
	arena_init(&a, NULL);
	assert_int_equal(row_layout_init(&l, types, 9, &a, &e), 0);
	/* Bits 2 and 6 of the first byte, bit 0 of the second; the texts follow one another in the tail. */
	check_row(&l, v,
		"30000000 4401 | 0700000000000000 | 28000000 02000000 | 0000 | 2a000000 01000000 |"
		"01 00 00 01 | 00000000 | 6162 63 0000000000");
	assert_int_equal(row_layout_init(&l, types, 0, &a, &e), 0);
	check_row(&l, v, "08000000 00000000");
	arena_free(&a);
}

static void rows_out_of_range(void **state)
{
	static const struct {
		struct type type;
		const char *hex;
		enum error_code code;
	} ROWS[] = {
		{ { TYPE_BOOL, 0, 0 }, "08000000 00 02 0000", ERR_INVALID_BINARY },
		{ { TYPE_NUMERIC, 2, 4 }, "18000000 00 10270000000000000000000000000000 02 0000",
			ERR_INVALID_BINARY },
		{ { TYPE_NUMERIC, 2, 4 }, "18000000 00 01000000000000000000000000000000 01 0000",
			ERR_INVALID_BINARY },
		{ { TYPE_NUMERIC, 0, 0 }, "18000000 00 01000000000000000000000000000000 27 0000",
			ERR_INVALID_BINARY },
		{ { TYPE_NUMERIC, 0, 0 }, "18000000 00 01000000000000000000000000000000 ff 0000",
			ERR_INVALID_BINARY },
		{ { TYPE_VARCHAR, 0, 2 }, "10000000 00 0d000000 03000000 616263",
			ERR_INVALID_BINARY },
		{ { TYPE_TEXT, 0, 0 }, "10000000 00 0d000000 01000000 000000", ERR_BYTE_SEQUENCE },
		{ { TYPE_TEXT, 0, 0 }, "10000000 00 0d000000 02000000 c3a9c3", ERR_INVALID_BINARY },
		{ { TYPE_DATE, 0, 0 }, "10000000 00 a697daff 00000000000000",
			ERR_DATETIME_OVERFLOW }, /* -2451546 */
		{ { TYPE_DATE, 0, 0 }, "10000000 00 feffff7f 00000000000000",
			ERR_DATETIME_OVERFLOW },
		{ { TYPE_TIMESTAMP, 0, 0 }, "10000000 00 feffffffffffff7f 000000",
			ERR_DATETIME_OVERFLOW },
		{ { TYPE_TIMESTAMPTZ, 0, 0 }, "10000000 00 0100000000000080 000000",
			ERR_DATETIME_OVERFLOW },
	};
	unsigned char row[256];
	struct arena a;
	struct error e;

	(void)state;
	arena_init(&a, NULL);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(*ROWS); i++) {
		struct row_layout l;
		size_t n = unhex(ROWS[i].hex, row);

		assert_int_equal(row_layout_init(&l, &ROWS[i].type, 1, &a, &e), 0);
		assert_int_equal(row_validate(&l, row, n, &e), -1);
		assert_int_equal(e.code, ROWS[i].code);
	}
	arena_free(&a);
}

/* --- frames --- */

static void directory_remove(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	assert_int_equal(rmdir(path), 0);
}

static void print_frames(const unsigned char *p, size_t n)
{
	while (n >= sizeof(struct wire_header)) {
		struct wire_header h;

		memcpy(&h, p, sizeof(h));
		printf("S ");
		for (size_t i = 0; i < sizeof(h) + h.length; i++)
			printf("%s%02x",
				i == 4 || i == 5 || i == 6 || i == 8 ? " "
					: i == 16                    ? " | "
								     : "",
				p[i]);
		printf("\n");
		p += sizeof(h) + h.length;
		n -= sizeof(h) + h.length;
	}
}

static void golden_frames(void **state)
{
	static unsigned char bytes[BYTES_MAX];
	bool print = getenv("LEFTFOLD_GOLDEN") != NULL;
	const char *path = getenv("LEFTFOLD_GOLDEN_FILE");
	FILE *f = fopen(path != NULL ? path : "tests/golden/protocol.txt", "r");
	struct lf_engine *engine = bed_engine(1);
	char data[] = "/tmp/leftfold-wire-XXXXXX";
	char *line = NULL;
	size_t cap = 0, frames = 0;
	struct bed b;
	ssize_t len;

	(void)state;
	assert_non_null(f);
	bed_open(&b, engine, 1);
	while ((len = getline(&line, &cap, f)) > 0) {
		size_t n;

		if (print && line[0] != 'S')
			printf("%s", line);
		if (strncmp(line, "new", 3) == 0) {
			/* All that was answered has been expected, and the connection is as it should be. */
			assert_true(print || buffer_length(&b.c.out) == 0);
			bed_close(&b);
			lf_engine_close(engine);
			engine = strncmp(line, "new events", 10) == 0
				? bed_engine_in(1, mkdtemp(data))
				: bed_engine(1);
			bed_open(&b, engine, 1);
		} else if (strncmp(line, "closed", 6) == 0) {
			assert_true(b.c.closing);
		} else if (line[0] == 'C') {
			assert_true(print || buffer_length(&b.c.out) == 0);
			n = unhex(line + 1, bytes);
			bed_input(&b, bytes, n);
			if (print) {
				print_frames(b.c.out.data + b.c.out.head, buffer_length(&b.c.out));
				buffer_consume(&b.c.out, buffer_length(&b.c.out));
				b.c.batch_open = false;
			}
		} else if (line[0] == 'S' && !print) {
			n = unhex(line + 1, bytes);
			if (buffer_length(&b.c.out) < n ||
				memcmp(b.c.out.data + b.c.out.head, bytes, n) != 0) {
				printf("expected %sbut got:\n", line);
				print_frames(b.c.out.data + b.c.out.head, buffer_length(&b.c.out));
				fail();
			}
			buffer_consume(&b.c.out, n);
			b.c.batch_open = false;
			frames++;
		}
	}
	assert_int_equal(buffer_length(&b.c.out), 0);
	assert_true(print || frames > 20);
	bed_close(&b);
	lf_engine_close(engine);
	directory_remove(data);
	free(line);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_of_each_type),
		cmocka_unit_test(rows_of_columns),
		cmocka_unit_test(rows_out_of_range),
		cmocka_unit_test(golden_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
