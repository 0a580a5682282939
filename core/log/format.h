/*
 * format.h: the bytes of a journal and of a checkpoint, which is written in the same way; FORMAT.md draws them. Everything is little-endian.
 */
#ifndef LF_LOG_FORMAT_H
#define LF_LOG_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum {
	JOURNAL_VERSION = 1,
	JOURNAL_VERSION_EVENTS = 2, /* of a run that journals its commands, too: ENTRY_COMMAND */
	SCHEMA_SHARD = 0xffff,      /* the journal of schema changes */
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
	ENTRY_PUT = 1,     /* a packed row follows: it replaces the one of its key */
	ENTRY_DELETE = 2,  /* a packed row follows: as it was */
	ENTRY_SCHEMA = 3,  /* a statement's text follows */
	ENTRY_COMMAND = 4, /* of the event log: see enum command_form */
	ENTRY_ANSWER = 5   /* struct answer_record follows */
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

/* What `form` says of an ENTRY_COMMAND. Tables and statements stand in a block before the first command that needs them,
 * once a block: so each block can be understood without any other. */
enum command_form {
	FORM_TABLE = 0,     /* struct table_form */
	FORM_STATEMENT = 1, /* struct statement_form */
	FORM_COMMAND = 2    /* struct command_form_head; its changes are the entries behind it */
};
enum { CHANGE_REPLACES = 1 /* `form` of a put in the event log: there was a row of the key */ };

/* A row follows (its size is its own first field); of a schema change `bytes` of text, then zeros up to 8. */
struct entry_header {
	/* Its id; of a schema change: the id that the catalog gave next; of a statement or a command: the statement's
	 * number in the block, from 0. */
	uint32_t relation;
	uint16_t kind;
	uint16_t form;
};
_Static_assert(sizeof(struct entry_header) == 8, "rows are 8-aligned");

struct schema_text {
	uint32_t bytes;
	uint32_t pad;
};

/* Each of these says first how many bytes it has, itself and what follows included: a multiple of 8. */

/* A table as its rows are now: ncols times struct column_form; then the names: its own, then the columns'. */
struct table_form {
	uint32_t bytes;
	uint16_t ncols;
	int16_t partition; /* the column that says which aggregate a row is of */
	uint16_t name_bytes;
	uint16_t pad[3];
};
_Static_assert(sizeof(struct table_form) == 16, "no holes");

struct column_form {
	uint8_t type, scale; /* as struct type */
	uint16_t modifier;
	uint16_t flags; /* enum column_flags */
	uint16_t name_bytes;
};
_Static_assert(sizeof(struct column_form) == 8, "no holes");

enum column_flags { COLUMN_HIDDEN = 1, COLUMN_KEY = 2 };

/* nparams times 4 bytes of a type; then the text. */
struct statement_form {
	uint32_t bytes;
	uint32_t text_bytes;
	uint16_t nparams;
	uint16_t pad[3];
};
_Static_assert(sizeof(struct statement_form) == 16, "no holes");

/* The key, a packed row of one column; the parameters, a packed row; the client's metadata. */
struct command_form_head {
	uint32_t bytes;
	uint32_t changes; /* puts and deletes that follow */
	int64_t time_us;  /* since 2000-01-01 UTC */
	uint64_t hash;    /* value_hash() of the key */
	uint8_t key_type, key_scale;
	uint16_t key_modifier;
	uint32_t key_bytes;    /* 0: it changed several aggregates */
	uint32_t params_bytes; /* 0: they are not kept */
	uint32_t meta_bytes;
};
_Static_assert(sizeof(struct command_form_head) == 40, "no holes");

#endif
