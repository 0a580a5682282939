/*
 * format.h: the bytes of a journal and of a checkpoint, which is written in the same way; FORMAT.md draws them. Everything is little-endian.
 */
#ifndef LF_LOG_FORMAT_H
#define LF_LOG_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum {
	JOURNAL_VERSION = 1,
	SCHEMA_SHARD = 0xffff, /* the journal of schema changes */
	SEGMENT_HEADER_BYTES = 4096,
	SEGMENT_NAME_BYTES = 40
};

#define JOURNAL_MAGIC "LFOLDSEG"
#define JOURNAL_SUFFIX ".journal"
#define CHECKPOINT_MAGIC "LFOLDCKP"
#define CHECKPOINT_SUFFIX ".checkpoint"
#define BLOCK_MAGIC 0x4b42464cu /* "LFBK" */

/* The first bytes of a segment, which is written together with its first block. Zeros: not used yet. */
struct segment_header {
	char magic[8];
	uint32_t version;
	uint32_t crc; /* of all other fields, this one being 0 */
	uint32_t run; /* of a checkpoint: its number */
	uint16_t shard;
	uint16_t shards;   /* of that run */
	uint64_t number;   /* in the run and shard, from 1 */
	uint64_t sequence; /* of its first block */
	uint32_t mode;     /* enum disk_mode: how its writes were acknowledged */
	uint32_t pad;
	uint64_t first_epoch; /* of its first block: no earlier segment has a later one */
};
_Static_assert(sizeof(struct segment_header) == 56, "no holes");

enum block_flags {
	BLOCK_LAST_OF_WRITE = 1, /* the next block begins at the next multiple of DISK_BLOCK */
	BLOCK_END = 2,           /* the run was closed in order: nothing follows */
	BLOCK_PACKED = 4,        /* the body is a zstd frame of packed_bytes, and zeros */
	BLOCK_WRITTEN = 8        /* the run's writes were acknowledged as by DISK_WRITTEN */
};

/* Before the entries of one epoch; body_bytes of them follow. */
struct block_header {
	uint32_t magic;
	uint32_t crc; /* of the other fields, this one being 0 */
	uint32_t run;
	uint16_t shard;
	uint16_t flags;
	uint64_t sequence; /* one more than the block before it, over all segments */
	uint64_t epoch;
	uint64_t write_offset; /* where the write that brought it began */
	uint32_t body_bytes;   /* a multiple of 8 */
	uint32_t body_crc;
	uint32_t entries;
	uint32_t packed_bytes;
	uint32_t raw_bytes; /* of the entries in a packed body */
	uint32_t pad;
};
_Static_assert(sizeof(struct block_header) == 64, "no holes");

enum entry_kind {
	ENTRY_PUT = 1,    /* a packed row follows: it replaces the one of its key */
	ENTRY_DELETE = 2, /* a packed row follows: as it was */
	ENTRY_SCHEMA = 3, /* a statement's text follows */
	ENTRY_ANSWER = 5  /* struct answer_record follows */
};

enum answer_kind {
	ANSWER_DONE = 1,
	ANSWER_REFUSED = 2,
	ANSWER_FORGOTTEN = 3 /* the client's requests up to this one may have been forgotten */
};

enum answer_flags {
	ANSWER_EVERY_SHARD = 1, /* a command that goes to every shard: `part` is the shard */
	ANSWER_ROWS_LOST = 2    /* its rows were not kept */
};

/* What a command with a request id was answered. Rows follow, packed, or a refusal's struct answer_text, and zeros. */
struct answer_record {
	uint32_t size; /* of all of it, a multiple of 8 */
	uint8_t kind;
	uint8_t flags;
	uint16_t shards; /* EVERY_SHARD: how many there were */
	uint64_t client, request;
	uint64_t payload; /* hash of the statement's text and the parameters */
	uint64_t hash;    /* of the partition value: says whose answer it is */
	uint64_t epoch;
	uint64_t count;
	int64_t time_us; /* since 2000-01-01 UTC */
	uint32_t part;   /* the first row of VALUES that it is for */
	uint32_t rows;
	uint32_t columns; /* hash of the types of the rows' columns */
	uint32_t pad;
};
_Static_assert(sizeof(struct answer_record) == 80, "no holes");

/* message, detail and hint follow. */
struct answer_text {
	char sqlstate[5];
	uint8_t pad;
	uint16_t message, detail, hint; /* bytes */
	int32_t position;
};
_Static_assert(sizeof(struct answer_text) == 16, "no holes");

/* A row follows (its size is its own first field); of a schema change `bytes` of text, then zeros up to 8. */
struct entry_header {
	uint32_t relation; /* its id; of a schema change: the id that the catalog gave next */
	uint16_t kind;
	uint16_t pad;
};
_Static_assert(sizeof(struct entry_header) == 8, "rows are 8-aligned");

struct schema_text {
	uint32_t bytes;
	uint32_t pad;
};

#endif
