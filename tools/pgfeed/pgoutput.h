/*
 * pgoutput.h: the messages of PostgreSQL's logical replication, as its plugin pgoutput writes them (protocol versions 1 and 2;
 * "Logical Replication Message Formats" in PostgreSQL's manual). Bytes in, fields out; nothing is copied or allocated.
 */
#ifndef LF_TOOLS_PGFEED_PGOUTPUT_H
#define LF_TOOLS_PGFEED_PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The letters of the protocol. */
enum pgoutput_type {
	PGOUTPUT_BEGIN = 'B',
	PGOUTPUT_COMMIT = 'C',
	PGOUTPUT_ORIGIN = 'O',
	PGOUTPUT_RELATION = 'R',
	PGOUTPUT_TYPE = 'Y',
	PGOUTPUT_INSERT = 'I',
	PGOUTPUT_UPDATE = 'U',
	PGOUTPUT_DELETE = 'D',
	PGOUTPUT_TRUNCATE = 'T',
	PGOUTPUT_LOGICAL = 'M',
	PGOUTPUT_STREAM_START = 'S',
	PGOUTPUT_STREAM_STOP = 'E',
	PGOUTPUT_STREAM_COMMIT = 'c',
	PGOUTPUT_STREAM_ABORT = 'A'
};

/* What a value of a tuple is. */
enum pgoutput_kind {
	PGOUTPUT_NULL = 'n',
	PGOUTPUT_UNCHANGED =
		'u', /* a value kept elsewhere (TOAST) that is as it was, and not sent */
	PGOUTPUT_TEXT = 't'
};

struct pgoutput_value {
	enum pgoutput_kind kind;
	uint32_t len;
	const char *bytes; /* not ended with a zero */
};

/* A row: pgoutput_next() goes through its values. */
struct pgoutput_tuple {
	uint16_t n;       /* values */
	const uint8_t *p; /* of the values */
	size_t bytes;     /* that they take */
};

/* A column of a RELATION; pgoutput_column() goes through them. */
struct pgoutput_column {
	bool key; /* belongs to the replica identity */
	const char *name;
	uint32_t type; /* oid */
	int32_t modifier;
};

struct pgoutput_message {
	enum pgoutput_type type;
	uint32_t
		xid; /* within a stream: of the (sub)transaction; BEGIN, STREAM_…: of the transaction */
	uint32_t subxid;    /* STREAM_ABORT */
	uint64_t lsn;       /* BEGIN, COMMIT, STREAM_COMMIT: where the commit's record begins */
	uint64_t end_lsn;   /* COMMIT, STREAM_COMMIT: where it ends */
	int64_t time_us;    /* of the commit, since 2000-01-01 */
	uint32_t relation;  /* oid; RELATION, INSERT, UPDATE, DELETE */
	const char *schema; /* RELATION */
	const char *name;
	char identity;       /* RELATION: d, n, f or i, as in pg_class.relreplident */
	uint16_t n;          /* RELATION: columns */
	uint32_t ntables;    /* TRUNCATE */
	const uint8_t *list; /* RELATION: its columns; TRUNCATE: its oids */
	char old_kind; /* UPDATE, DELETE: K the key of the row before, O all of it; 0: there is none */
	struct pgoutput_tuple old, new;
};

/* Take a message apart. streamed: it stands between STREAM_START and STREAM_STOP. 0; or -1: it is not one, and *why says in
 * what (a constant text). All of it is checked, so that what goes through its parts need not. */
int pgoutput_decode(
	struct pgoutput_message *m, const void *bytes, size_t n, bool streamed, const char **why);

/* The next value, which is there as long as fewer than t->n were taken. at: 0 at first. */
void pgoutput_next(const struct pgoutput_tuple *t, size_t *at, struct pgoutput_value *v);
/* The next column, which is there as long as fewer than m->n were taken. */
void pgoutput_column(const struct pgoutput_message *m, size_t *at, struct pgoutput_column *c);
/* The i-th oid of TRUNCATE. */
uint32_t pgoutput_truncated(const struct pgoutput_message *m, uint32_t i);

#endif
