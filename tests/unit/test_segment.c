/*
 * Reading a journal: names, torn tails at every byte, every byte flipped, what is missing; never a wrong entry.
 */
#include "core/base/crc32c.h"
#include "tests/unit/journal_bed.h"

enum { BLOCKS = 6 };

static const char NAME[] = "00000001-00000-00000001.journal";

static void test_names(void **state)
{
	static const char *const WRONG[] = { "lock", "1-0-1.journal",
		"00000001-00000-00000001.journal.new", "00000001-99999-00000001.journal",
		"00000001-00000-00000001", "x0000001-00000-00000001.journal" };
	struct segment_name s;
	char name[SEGMENT_NAME_BYTES];

	(void)state;
	segment_name_write(name, 7, SCHEMA_SHARD, 12);
	assert_string_equal(name, "00000007-65535-00000012.journal");
	assert_true(segment_name_read(name, &s));
	assert_true(s.kind == SEGMENT_JOURNAL && s.run == 7 && s.shard == SCHEMA_SHARD &&
		s.number == 12);
	assert_true(segment_name_read("00000003-00001-00000001.checkpoint", &s));
	assert_true(s.kind == SEGMENT_CHECKPOINT && s.run == 3 && s.shard == 1);
	for (unsigned i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
		assert_false(segment_name_read(WRONG[i], &s));
}

struct reading {
	unsigned blocks;
	int status; /* of the last call */
	struct journal_reader r;
};

/* Blocks are numbered by their entry's relation; anything else is a failure. */
static void read_journal(struct journal_bed *b, struct reading *x, bool lenient, bool followed)
{
	struct segment_list l;
	struct block block;

	memset(x, 0, sizeof(*x));
	assert_int_equal(segment_list_read(&l, &b->disk, &b->error), 0);
	journal_reader_open(&x->r, &b->disk, l.at, l.n);
	x->r.lenient = lenient;
	x->r.followed = followed;
	while ((x->status = journal_reader_next(&x->r, &block, &b->error)) > 0) {
		struct entry e;
		uint64_t at = 0;

		if (block.header->flags & BLOCK_END)
			continue;
		assert_int_equal(block_entry(&block, &at, &e, &b->error), 1);
		assert_int_equal(e.relation, ++x->blocks);
		assert_int_equal(e.bytes, 64);
		for (unsigned i = 4; i < e.bytes; i++)
			assert_int_equal(e.data[i], x->blocks);
	}
	journal_reader_close(&x->r);
	segment_list_free(&l);
}

static void make_journal(struct journal_bed *b, enum disk_mode mode, bool end)
{
	struct journal_options o = bed_options(b);

	o.mode = mode;
	if (journal_open(&b->journal, &o, &b->error) != 0)
		fail_msg("%s", b->error.message);
	for (unsigned i = 1; i <= BLOCKS; i++) {
		add_row(b->journal, i, i, 64, (int)i);
		/* The last two blocks are one write. */
		if (i != BLOCKS - 1)
			assert_int_equal(journal_sync(b->journal), 0);
	}
	if (end)
		assert_int_equal(journal_end(b->journal, BLOCKS + 1), 0);
	journal_close(b->journal);
	b->journal = NULL;
}

/* Where block i (from 0) begins: a page each, but the last, which stands behind the one before. */
static size_t begin_of(unsigned i)
{
	return i < BLOCKS - 1 ? SEGMENT_HEADER_BYTES + (size_t)i * DISK_BLOCK
			      : begin_of(BLOCKS - 2) + sizeof(struct block_header) +
			sizeof(struct entry_header) + 64;
}

static void test_torn_tail(void **state)
{
	struct journal_bed b;
	struct reading x;
	unsigned char *whole, *torn;
	size_t n, from = begin_of(BLOCKS - 2), used = begin_of(BLOCKS - 1) + 136;

	(void)state;
	bed_make(&b);
	make_journal(&b, DISK_SYNCED, false);
	whole = file_read(&b, NAME, &n);
	torn = malloc(n);
	for (size_t cut = from; cut <= used; cut++) {
		unsigned wanted = cut >= used         ? BLOCKS
			: cut >= begin_of(BLOCKS - 1) ? BLOCKS - 1
						      : BLOCKS - 2;

		for (unsigned how = 0; how < 3; how++) {
			memcpy(torn, whole, cut);
			/* Cut off, zeros, or anything. */
			memset(torn + cut, how == 1 ? 0 : 0xa5, n - cut);
			file_write(&b, NAME, torn, how == 0 ? cut : n);
			read_journal(&b, &x, false, false);
			assert_int_equal(x.status, 0);
			/* Zeros may be what was there. */
			assert_true(x.blocks == wanted || (how == 1 && x.blocks == wanted + 1));
			assert_true(how != 2 || x.r.torn);
			/* In a run that others followed it is damage. */
			read_journal(&b, &x, false, true);
			assert_true(how != 2 || x.status == -1);
		}
	}
	free(whole);
	free(torn);
	bed_burn(&b);
}

static void test_flipped(void **state)
{
	struct journal_bed b;
	struct reading x;
	unsigned char *whole;
	size_t n, used;
	unsigned refused = 0;

	(void)state;
	bed_make(&b);
	make_journal(&b, DISK_SYNCED, true);
	whole = file_read(&b, NAME, &n);
	used = begin_of(BLOCKS - 2) + 2 * (size_t)DISK_BLOCK;
	for (size_t i = 0; i < used; i++) {
		/* Filling is not looked at; some of it is enough. */
		if (whole[i] == 0 && i % 64 != 0 && whole[i - 1] == 0)
			continue;
		whole[i] ^= 0x10;
		file_write(&b, NAME, whole, n);
		whole[i] ^= 0x10;
		read_journal(&b, &x, false, false);
		if (x.status < 0) {
			refused++;
			assert_non_null(strstr(b.error.message, NAME));
		} else {
			/* Only the end block, which says nothing of rows, may be missing unnoticed. */
			assert_int_equal(x.blocks, BLOCKS);
		}
	}
	assert_true(refused > 100);
	free(whole);
	bed_burn(&b);
}

static void test_lenient(void **state)
{
	struct journal_bed b;
	struct reading x;
	unsigned char *data;
	size_t n;

	(void)state;
	for (unsigned mode = DISK_WRITTEN; mode <= DISK_SYNCED; mode++) {
		bed_make(&b);
		make_journal(&b, (enum disk_mode)mode, false);
		data = file_read(&b, NAME, &n);
		data[begin_of(2) + 70] ^= 1;
		file_write(&b, NAME, data, n);
		free(data);
		read_journal(&b, &x, true, false);
		assert_int_equal(x.status, mode == DISK_WRITTEN ? 0 : -1);
		assert_int_equal(x.blocks, 2);
		assert_int_equal(x.r.torn && x.r.lost, mode == DISK_WRITTEN);
		read_journal(&b, &x, false, false);
		assert_int_equal(x.status, -1);
		bed_burn(&b);
	}
}

static void header_change(struct journal_bed *b, void (*change)(struct segment_header *h))
{
	size_t n;
	unsigned char *data = file_read(b, NAME, &n);
	struct segment_header h;

	memcpy(&h, data, sizeof(h));
	change(&h);
	h.crc = 0;
	h.crc = crc32c(0, &h, sizeof(h));
	memcpy(data, &h, sizeof(h));
	file_write(b, NAME, data, n);
	free(data);
}

static void newer(struct segment_header *h)
{
	h->version = JOURNAL_VERSION_EVENTS + 1;
}

static void other_run(struct segment_header *h)
{
	h->run++;
}

static void test_headers(void **state)
{
	struct journal_bed b;
	struct reading x;

	(void)state;
	bed_make(&b);
	make_journal(&b, DISK_SYNCED, true);
	header_change(&b, newer);
	read_journal(&b, &x, false, false);
	assert_int_equal(x.status, -1);
	assert_int_equal(b.error.code, ERR_OBJECT_STATE);
	bed_burn(&b);
	bed_make(&b);
	make_journal(&b, DISK_SYNCED, true);
	header_change(&b, other_run);
	read_journal(&b, &x, false, false);
	assert_int_equal(x.status, -1);
	assert_int_equal(b.error.code, ERR_IO);
	bed_burn(&b);
}

static void test_missing_segment(void **state)
{
	struct journal_bed b;
	struct journal_options o;
	struct segment_list l;
	struct journal_reader r;
	struct block block;
	int status;

	(void)state;
	bed_make(&b);
	o = bed_options(&b);
	assert_int_equal(journal_open(&b.journal, &o, &b.error), 0);
	for (unsigned i = 1; i <= 40; i++) {
		add_row(b.journal, i, i, 8000, 1);
		assert_int_equal(journal_sync(b.journal), 0);
	}
	assert_int_equal(b.disk.ops->remove(b.disk.impl, "00000001-00000-00000003.journal"), 0);
	assert_int_equal(segment_list_read(&l, &b.disk, &b.error), 0);
	journal_reader_open(&r, &b.disk, l.at, l.n);
	while ((status = journal_reader_next(&r, &block, &b.error)) > 0)
		assert_true(block.segment->number < 3);
	assert_int_equal(status, -1);
	journal_reader_close(&r);
	segment_list_free(&l);
	bed_burn(&b);
}

/* Entries are looked at before they are believed, whatever the checksums say. */
static void test_malformed_entries(void **state)
{
	struct {
		struct entry_header h;
		uint32_t size, more[5];
	} body;
	const struct segment_name segment = { .run = 1, .number = 1 };
	struct block_header header = { .body_bytes = sizeof(body) };
	struct block b = { &header, (const unsigned char *)&body, sizeof(body), 0, &segment };
	struct entry e;
	struct error error;

	(void)state;
	for (unsigned kind = 0; kind < 6; kind++) {
		static const uint32_t SIZES[] = { 0, 1, 4, 12, 20, 25, 32, 1u << 31, UINT32_MAX };

		for (unsigned i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
			uint64_t at = 0;

			memset(&body, 0, sizeof(body));
			body.h.kind = (uint16_t)kind;
			body.size = SIZES[i];
			if (kind == ENTRY_SCHEMA && SIZES[i] <= 16)
				continue; /* a text of that length */
			assert_int_equal(block_entry(&b, &at, &e, &error), -1);
			assert_int_equal(error.code, ERR_IO);
		}
	}
	{
		uint64_t at = 0;

		b.bytes = 8;
		assert_int_equal(block_entry(&b, &at, &e, &error), -1);
		b.bytes = 0;
		assert_int_equal(block_entry(&b, &at, &e, &error), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_torn_tail),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_missing_segment),
		cmocka_unit_test(test_malformed_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
