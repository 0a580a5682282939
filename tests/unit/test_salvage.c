/*
 * What --salvage brings back from a damaged directory: everything but what the damage took, with views that agree with
 * it; the files as they were are kept, and the next start is an ordinary one.
 */
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/log/format.h"
#include "tests/unit/data_fixture.h"

enum { ROWS = 40, GROUPS = 4 };

static const char SCHEMA[] =
	"CREATE TABLE other (id int PRIMARY KEY);"
	"CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, s text);"
	"CREATE MATERIALIZED VIEW per_n AS SELECT n, count(*) AS rows, sum(id) AS ids FROM t GROUP BY n;";

/* Every row in a block of its own. */
static void insert(struct bed *b, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		char sql[128];

		snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%u, %u, 'row %u')", i, i % GROUPS,
			i);
		command(&b->f, sql);
	}
}

static void make_filled(struct bed *b, unsigned projectors, uint64_t segment_bytes)
{
	make_bed_of(b, projectors, segment_bytes);
	run(&b->f, SCHEMA);
	command(&b->f, "INSERT INTO other VALUES (1), (2), (3)");
	insert(b, 0, ROWS);
}

static int64_t number(struct bed *b, const char *query)
{
	char text[TEXT_MAX] = "";

	if (lf_run(b->f.port, query, strlen(query), NULL, add_row, text, &b->f.error) != 0)
		fail_msg("%s: %s", query, b->f.error.message);
	return strtoll(text, NULL, 10);
}

/* The view is what the table says. Returns how many rows there are. */
static unsigned agree(struct bed *b)
{
	int64_t rows = number(b, "SELECT count(*) FROM t");

	assert_int_equal(number(b, "SELECT coalesce(sum(rows), 0) FROM per_n"), rows);
	assert_int_equal(number(b, "SELECT coalesce(sum(ids), 0) FROM per_n"),
		number(b, "SELECT coalesce(sum(id), 0) FROM t"));
	return (unsigned)rows;
}

static void refused(struct bed *b, unsigned projectors)
{
	b->salvage = false;
	assert_int_equal(try_open(b, projectors), -1);
	assert_string_equal(error_sqlstate(b->f.error.code), "58030");
}

static void salvage(struct bed *b, unsigned projectors)
{
	b->salvage = true;
	open_bed(b, projectors);
	b->salvage = false;
}

static void path_of(const struct bed *b, const char *name, char path[static 256])
{
	snprintf(path, 256, "%s/%s", b->path, name);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* The offset of the n-th block of a file, by its magic number. */
static off_t block_offset(const char *path, unsigned n)
{
	int fd = open(path, O_RDONLY);
	uint32_t magic;

	assert_true(fd >= 0);
	for (off_t at = SEGMENT_HEADER_BYTES; pread(fd, &magic, 4, at) == 4; at += 8)
		if (magic == BLOCK_MAGIC && n-- == 0) {
			close(fd);
			return at;
		}
	fail_msg("%s has no such block", path);
	return 0;
}

static void test_blocks(void **state)
{
	struct bed b;
	char path[256];

	(void)state;
	make_filled(&b, 1, KIB(512));
	close_fixture(&b.f);
	path_of(&b, "00000001-00000-00000001.journal", path);
	/* The first has the three rows of `other`; then one row each. */
	flip_at(path, block_offset(path, 5) + (off_t)sizeof(struct block_header) + 8);
	flip_at(path, block_offset(path, 20) + 16);
	flip_at(path, block_offset(path, 21) + 16);
	refused(&b, 1);
	salvage(&b, 2);
	assert_int_equal(agree(&b), ROWS - 3);
	expect(&b.f, "SELECT id FROM t WHERE id IN (3, 4, 5)", "3\n5");
	expect(&b.f, "SELECT count(*) FROM other", "3");
	assert_true(files(&b, ".journal.salvaged", NULL) >= 2);
	/* What was lost can be given again. */
	insert(&b, 4, 5);
	again(&b, 3);
	assert_int_equal(agree(&b), ROWS - 2);
	close_fixture(&b.f);
	/* The damaged file is as it was. */
	strcat(path, ".salvaged");
	flip_at(path, block_offset(path, 20) + 16);
	burn_bed(&b);
}

static void test_header(void **state)
{
	struct bed b;
	char path[256];

	(void)state;
	make_filled(&b, 1, KIB(512));
	close_fixture(&b.f);
	path_of(&b, "00000001-00000-00000001.journal", path);
	flip_at(path, 16);
	refused(&b, 1);
	salvage(&b, 1);
	assert_int_equal(agree(&b), ROWS);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Rows of 8 KiB, so that there are several segments. */
static void insert_large(struct bed *b, unsigned n)
{
	char *sql = malloc(10000);

	assert_non_null(sql);
	for (unsigned i = 0; i < n; i++) {
		int len = snprintf(sql, 100, "INSERT INTO t VALUES (%u, 7, '", 1000 + i);

		memset(sql + len, 'x', 8192);
		strcpy(sql + len + 8192, "')");
		command(&b->f, sql);
	}
	free(sql);
}

static void test_segments(void **state)
{
	struct bed b;
	char path[256];
	unsigned rows;

	(void)state;
	make_filled(&b, 1, LIMIT_SEGMENT_BYTES_MIN);
	insert_large(&b, 30);
	close_fixture(&b.f);
	path_of(&b, "00000001-00000-00000004.journal", path);
	remove_file(path);
	refused(&b, 1);
	salvage(&b, 1);
	rows = agree(&b);
	assert_in_range(rows, ROWS + 20, ROWS + 29);
	expect(&b.f, "SELECT count(*) FROM t WHERE id < 40", "40");
	expect(&b.f, "SELECT count(*) FROM t WHERE id = 1029", "1");
	again(&b, 1);
	assert_int_equal(agree(&b), rows);
	close_fixture(&b.f);
	burn_bed(&b);
	/* The first one: with it the rows before. */
	make_filled(&b, 1, LIMIT_SEGMENT_BYTES_MIN);
	insert_large(&b, 30);
	close_fixture(&b.f);
	path_of(&b, "00000001-00000-00000001.journal", path);
	remove_file(path);
	refused(&b, 1);
	salvage(&b, 1);
	assert_in_range(agree(&b), 20, ROWS + 29);
	expect(&b.f, "SELECT count(*) FROM t WHERE id = 1029", "1");
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_checkpoints(void **state)
{
	struct bed b;
	char path[256];

	(void)state;
	make_filled(&b, 2, KIB(512));
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	insert(&b, ROWS, ROWS + 10);
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	command(&b.f, "DELETE FROM t WHERE id = 0");
	insert(&b, ROWS + 10, ROWS + 20);
	close_fixture(&b.f);
	(void)files(&b, "-00001-00000001.checkpoint", damage);
	/* The journals since the beginning are there: so is everything. */
	salvage(&b, 2);
	assert_int_equal(agree(&b), ROWS + 19);
	expect(&b.f, "SELECT count(*) FROM t WHERE id = 0", "0");
	again(&b, 1);
	assert_int_equal(agree(&b), ROWS + 19);
	close_fixture(&b.f);
	burn_bed(&b);
	/* Without them what is sound in the checkpoints is left. */
	make_filled(&b, 2, KIB(512));
	assert_int_equal(lf_checkpoint(b.f.engine, &b.f.error), 0);
	close_fixture(&b.f);
	(void)files(&b, ".journal", remove_file);
	path_of(&b, "00000001-00001-00000001.checkpoint", path);
	flip_at(path, block_offset(path, 0) + 100);
	refused(&b, 1);
	salvage(&b, 3);
	assert_in_range(agree(&b), 1, ROWS - 1);
	again(&b, 1);
	assert_in_range(agree(&b), 1, ROWS - 1);
	close_fixture(&b.f);
	burn_bed(&b);
}

static void test_schema(void **state)
{
	struct bed b;
	char path[256];

	(void)state;
	make_filled(&b, 2, KIB(512));
	close_fixture(&b.f);
	path_of(&b, "00000001-65535-00000001.journal", path);
	/* The run's beginning, then the first table: its rows have no name any more. */
	flip_at(path, block_offset(path, 1) + (off_t)sizeof(struct block_header) + 30);
	refused(&b, 2);
	salvage(&b, 2);
	assert_int_equal(agree(&b), ROWS);
	expect_error(&b.f, "SELECT * FROM other", ERR_UNDEFINED_TABLE);
	/* A new table gets none of them. */
	run(&b.f, "CREATE TABLE other (id int PRIMARY KEY)");
	again(&b, 1);
	expect(&b.f, "SELECT count(*) FROM other", "0");
	assert_int_equal(agree(&b), ROWS);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Where nothing is damaged it changes nothing. */
static void test_sound(void **state)
{
	struct bed b;

	(void)state;
	make_filled(&b, 2, KIB(512));
	close_fixture(&b.f);
	salvage(&b, 2);
	assert_int_equal(agree(&b), ROWS);
	assert_int_equal(files(&b, ".salvaged", NULL), 0);
	assert_int_equal(files(&b, ".checkpoint", NULL), 0);
	close_fixture(&b.f);
	burn_bed(&b);
}

/* Whatever byte is flipped: it opens, one row is lost at most, and never the view's agreement. */
static void test_any_byte(void **state)
{
	enum { SOME = 6 };
	static const char *const NAMES[] = { "00000001-00000-00000001.journal",
		"00000001-65535-00000001.journal" };
	static const char *const COPIES[] = { "rows", "schema" };
	struct bed b;
	char paths[2][256], copies[2][256];
	off_t size;

	(void)state;
	make_bed(&b, 1);
	run(&b.f, SCHEMA);
	insert(&b, 0, SOME);
	again(&b, 1); /* which cuts off what is behind the last block */
	close_fixture(&b.f);
	(void)files(&b, "00000002-00000-00000001.journal", remove_file);
	(void)files(&b, "00000002-65535-00000001.journal", remove_file);
	for (unsigned i = 0; i < 2; i++) {
		path_of(&b, NAMES[i], paths[i]);
		path_of(&b, COPIES[i], copies[i]);
		file_copy(paths[i], copies[i]);
	}
	size = size_of(paths[0]);
	for (off_t at = 0; at < size; at = at % 4096 < 160 ? at + 11 : (at / 4096 + 1) * 4096) {
		flip_at(paths[0], at);
		salvage(&b, 1);
		if (agree(&b) < SOME - 1)
			fail_msg("offset %ld: %u rows", (long)at, agree(&b));
		close_fixture(&b.f);
		(void)files(&b, ".checkpoint", remove_file);
		(void)files(&b, ".salvaged", remove_file);
		(void)files(&b, ".journal", remove_file);
		for (unsigned i = 0; i < 2; i++)
			file_copy(copies[i], paths[i]);
	}
	burn_bed(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_checkpoints),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_any_byte),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
