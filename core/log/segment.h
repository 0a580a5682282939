/*
 * segment.h: reading the segments of a journal, block by block, with every check.
 *
 * Where a block is not whole there are two cases. Nothing that was written later follows: the last write did not end,
 * nobody was told of it, and the blocks before it are all there is (a torn tail). Or something does: then the medium
 * has lost what was acknowledged, and that is damage.
 */
#ifndef LF_LOG_SEGMENT_H
#define LF_LOG_SEGMENT_H

#include "core/log/disk.h"
#include "core/log/entry.h"

enum segment_kind { SEGMENT_JOURNAL, SEGMENT_CHECKPOINT };

/* A segment's file by its name. */
struct segment_name {
	enum segment_kind kind;
	uint32_t run;
	uint16_t shard;
	uint64_t number;
	uint64_t bytes; /* of the file */
};

void segment_name_write(
	char out[static SEGMENT_NAME_BYTES], uint32_t run, uint16_t shard, uint64_t number);
/* The same for either kind. */
void segment_file_name(char out[static SEGMENT_NAME_BYTES], const struct segment_name *s);
/* False: not a segment's name. */
bool segment_name_read(const char *text, struct segment_name *out);

/* What could not be done with a segment's file, and the system's reason (a negative errno). Returns -1. */
int segment_failed(const struct segment_name *s, const char *what, int status, struct error *e);
/* 58030, 53200. */
int segment_remove(const struct disk *d, const struct segment_name *s, struct error *e);

/* A directory's segments, by kind, run, shard and number. */
struct segment_list {
	struct segment_name *at;
	unsigned n, cap;
	bool failed;
};
/* 58030, 53200. Free with segment_list_free(), also after an error. */
int segment_list_read(struct segment_list *l, const struct disk *d, struct error *e);
void segment_list_free(struct segment_list *l);

/* Read n bytes at a place of a segment's file; fewer at its end. The number read, or -1: 58030. */
int64_t segment_peek(const struct disk *d, const struct segment_name *s, uint64_t offset, void *out,
	size_t n, struct error *e);
/* The header of a segment: 1; 0: none that is whole, so it is not used. -1: 58030. */
int segment_header_read(const struct disk *d, const struct segment_name *s,
	struct segment_header *out, struct error *e);

struct block {
	const struct block_header *header;
	const unsigned char *body;
	uint64_t bytes;  /* of the body */
	uint64_t offset; /* of the header, in the file */
	const struct segment_name *segment;
};

/* One shard's journal of one run: names[0, n) of it, in order. */
struct journal_reader {
	const struct disk *disk;
	const struct segment_name *names;
	unsigned n, at; /* names[at] is loaded */
	unsigned char *data;
	uint64_t bytes, cap;  /* loaded */
	unsigned char *plain; /* an unpacked body */
	uint64_t plain_cap;
	uint64_t offset;   /* where the next block begins */
	uint64_t sequence; /* that it must have; 0: any */
	uint64_t epoch;    /* of the block before it; 0: none */
	bool loaded, ended;
	bool unreadable; /* the system's error, which says nothing about what is there */
	/* Writes that were acknowledged before they were on the medium may be lost in any order when the machine
	 * stops: where the blocks say so and this is set, what follows a block that is not whole is torn too. */
	bool lenient;
	bool packed; /* packed bodies are given as they are */
	/* What is damaged or missing is dropped, and counted, instead of ending it; quiet: without a line in the log. */
	bool salvage, quiet;
	uint64_t dropped;
	/* A later run has begun; before that a torn tail was cut off, so one that is there now is damage. */
	bool followed;
	bool written; /* a block said that they were acknowledged so */
	/* Behind the last block: in names[used_at], which is used up to there; nothing is when that is 0. */
	unsigned used_at;
	uint64_t used_offset;
	/* Once it has ended: */
	bool closed; /* by a block that says so */
	/* … or where a torn tail begins, in names[torn_at]: bytes that are not zero follow. */
	bool torn;
	bool lost; /* whole blocks are behind it, too */
	unsigned torn_at;
	uint64_t torn_offset;
};

void journal_reader_open(struct journal_reader *r, const struct disk *d,
	const struct segment_name *names, unsigned n);
void journal_reader_close(struct journal_reader *r);
/* Count something dropped, and say it. */
void journal_reader_drop(struct journal_reader *r, const struct segment_name *s, const char *what);
/* The next block: 1; 0: the end; -1: damage (58030, message with file, offset and epoch), a version that is not ours
 * (55000), or the system's error. A block is valid until the next call. */
int journal_reader_next(struct journal_reader *r, struct block *out, struct error *e);

/* The entries of a block: walk with *at = 0 until 0 is returned; -1: it is not well-formed (58030). */
int block_entry(const struct block *b, uint64_t *at, struct entry *out, struct error *e);

#endif
