/*
 * entry.h: the entries of a block's body, and the commands among them (format.h draws both). Also what an EVENTS frame
 * of the protocol carries, so nothing here is trusted, and libc is all that is needed.
 *
 *     event_walk_open(&w, body, bytes);
 *     while (event_walk_next(&w, &event, &e) > 0)
 *             for (uint64_t at = 0; event_change(&event, &at, &change);)
 *                     … change.row, of event_walk_table(&w, change.table) …
 *     event_walk_close(&w);
 */
#ifndef LF_LOG_ENTRY_H
#define LF_LOG_ENTRY_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/log/format.h"
#include "core/store/value.h"

struct entry {
	uint32_t relation;
	enum entry_kind kind;
	uint16_t form;
	const unsigned char *data; /* the row, the text, or what the form says */
	uint32_t bytes;
};
/* The entry at p, of which `left` bytes are there. Returns what it takes; 0: it is not well-formed. */
uint64_t entry_read(const unsigned char *p, uint64_t left, struct entry *out);

/* A table as a block says that its rows are. */
struct event_table {
	uint32_t id;
	const unsigned char *entry; /* where it stands, header included … */
	uint32_t bytes;             /* … and what it takes */
	uint16_t ncols;
	int16_t partition; /* -1: none */
	const char *name;  /* not zero-terminated */
	uint16_t name_bytes;
};
/* Its columns by number: the form and the name. */
struct event_column {
	struct type type;
	uint16_t flags; /* enum column_flags */
	const char *name;
	uint16_t name_bytes;
};
/* column < ncols. Walks the ones before it. */
void event_table_column(const struct event_table *t, unsigned column, struct event_column *out);

struct event_statement {
	const unsigned char *entry;
	uint32_t bytes;
	const char *text;
	uint32_t text_bytes;
	uint16_t nparams;
	const unsigned char *params; /* nparams times struct type */
};

/* A command that changed something. All points into the bytes that are walked. */
struct event {
	const struct event_statement *statement; /* until the walk goes on */
	struct command_form_head head;
	const unsigned char *key, *params, *meta;
	const unsigned char *entries; /* the command's, and its changes */
	uint64_t bytes;
};

enum event_kind { EVENT_INSERT, EVENT_UPDATE, EVENT_DELETE };

struct event_change {
	enum event_kind kind;
	uint32_t table;
	const unsigned char
		*row; /* as it is afterwards, of a delete as it was; its size has been checked */
	uint32_t bytes;
};

/* What stands before an event's entries where it has left its block: the tables and the statement that it needs, unless
 * they stand before already, the command, its changes. */
struct event_head {
	uint64_t epoch;
	uint32_t shard, number;
	uint32_t attempt; /* a consumer's: how manieth delivery it is, from 1; else 0 */
	uint32_t bytes;   /* of the entries; a multiple of 8 */
};
_Static_assert(sizeof(struct event_head) == 24, "drawn in PROTOCOL.md");

struct event_walk {
	const unsigned char *p;
	uint64_t bytes, at;
	struct event_statement *statements;
	unsigned nstatements, statements_cap;
	struct event_table *tables;
	unsigned ntables, tables_cap;
};

/* Entries that begin at p and live as long as the walk is used. A walk that is {0} may be opened, and one that has been
 * open may be again. */
void event_walk_open(struct event_walk *w, const unsigned char *p, uint64_t bytes);
/* Go on with other bytes, what the former ones said of tables and statements being valid still. */
void event_walk_more(struct event_walk *w, const unsigned char *p, uint64_t bytes);
void event_walk_close(struct event_walk *w);
/* The next command with its changes: 1; 0: there is none; -1: 58030 not well-formed, 53200. Changes without a command are
 * passed over. */
int event_walk_next(struct event_walk *w, struct event *out, struct error *e);
/* NULL: there was none of that id. Of an event's changes all are there, until the walk goes on. */
const struct event_table *event_walk_table(const struct event_walk *w, uint32_t id);

/* The change at *at (from 0), which moves on. False: there are no more. */
bool event_change(const struct event *ev, uint64_t *at, struct event_change *out);

#endif
