/*
 * sim_model.h: what a command does to an aggregate, in the few rules that the tables of the simulation have.
 */
#ifndef LF_TESTS_SIM_MODEL_H
#define LF_TESTS_SIM_MODEL_H

#include "core/base/error.h"
#include "tests/sim/sim_base.h"

enum { ROWS_MAX = 96, ARGS = 3, NUMBERS_A_COMMAND = 8 };

struct item {
	int64_t no, value;
};

/* An account (a: balance, b: number of the last command) with its entries; a key (a: value, b: the same); the rows of a
 * tag, or a loose one; a row of an extra table (a: value). */
struct state {
	bool exists;
	int64_t a, b;
	unsigned n;
	struct item rows[ROWS_MAX]; /* sorted */
};

enum kind {
	OPEN,
	MOVE,     /* two statements: change the account, add an entry */
	ENTRIES2, /* two entries by one INSERT */
	ENTRIES4,
	TRIM, /* remove old entries */
	CLOSE,
	CLOSE_ALONE, /* refused while there are entries */
	OPEN_MANY,   /* three accounts, three aggregates */
	BUMP_MANY,
	PUT, /* insert, or add to what is there */
	KEY_MOVE,
	KEY_DELETE,
	LOG_ADD, /* three rows of an aggregate in a table without a primary key */
	LOG_CHANGE,
	LOG_DELETE,
	LOOSE_ADD, /* one row, in any shard */
	LOOSE_CHANGE,
	LOOSE_DELETE,
	EXTRA_PUT,
	EXTRA_DELETE,
	KINDS
};

/* Do it: ERR_OK, or the error with which it must be refused, and nothing has changed. */
enum error_code model_apply(struct state *s, enum kind kind, int64_t number, int64_t arg);
uint64_t model_hash(const struct state *s);
bool model_equal(const struct state *a, const struct state *b);
void model_add_row(struct state *s, int64_t no, int64_t value);
void model_print(const struct state *s, char *out, size_t cap);

/* The text that goes with a number: any byte of it can be checked. */
enum { NOTE_MAX = 600 };
unsigned model_note(int64_t number, char out[NOTE_MAX]);

#endif
