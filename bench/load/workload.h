/*
 * workload.h: what a workload is to the load generator: its schema, what it executes, how parameters are made,
 * and how the outcome is checked. A workload is one file with one `struct workload`, listed in main.c.
 *
 * The driver runs `drop` and `schema`, calls open(), bind() and load(), prepares the operations on every connection,
 * draws one of them by their weights for every frame, calls fill() for every execution, and verify() when all were
 * answered without an error.
 */
#ifndef LF_BENCH_WORKLOAD_H
#define LF_BENCH_WORKLOAD_H

#include <limits.h>

#include "bench/load/random.h"
#include "net/client/leftfold.h"

/* How many rows an execution changes is not known. */
#define CHANGES_ANY UINT_MAX

/* A statement that is executed again and again. */
struct operation {
	const char *name;
	const char *text;
	double weight;    /* of all operations' weights together; without meaning for `mixed_in` */
	bool mixed_in;    /* its share is what --reads says, and none without */
	unsigned changes; /* rows that a command's execution changes */
	/* Set all parameters of the next execution of operation `op`. Returns a note of it for check(). */
	uint64_t (*fill)(void *state, unsigned op, struct lf_params *p);
	/* Whether a query's answer is right; NULL: any but an error. */
	bool (*check)(void *state, uint64_t note, const struct lf_result *r);
};

struct workload {
	const char *name;
	const char *summary;                     /* one line, for --help */
	const char *rows_are;                    /* what --rows counts; NULL: there is no --rows */
	uint64_t rows;                           /* its default */
	const char *const *drop, *const *schema; /* statements, NULL-terminated */
	const struct operation *operations;
	unsigned noperations;

	/* NULL when out of memory. */
	void *(*open)(const struct workload *w, uint64_t rows, double skew, uint64_t seed);
	void (*close)(void *state);
	/* Look at the operations as the server has them; may be NULL. 0, or -1 with a message printed: the workload itself is
	 * wrong. */
	int (*bind)(void *state, struct lf_client *c);
	/* Fill the tables beforehand; may be NULL. 0, or -1 with *e. */
	int (*load)(void *state, struct lf_client *c, struct lf_client_error *e);
	/* Compare what is in the server with what was sent, at epoch `at_least` or later. 0 with what was
	 * found equal in `said`; 1 when it differs, likewise; -1 with *e. */
	int (*verify)(void *state, struct lf_client *c, uint64_t at_least, char *said, size_t cap,
		struct lf_client_error *e);
};

extern const struct workload WORKLOAD_KV, WORKLOAD_VOTE, WORKLOAD_ORDER, WORKLOAD_TPCH,
	WORKLOAD_ECHO;
/* What all custom workloads have in common: custom_workload() makes one of a file. */
extern const struct workload WORKLOAD_CUSTOM;

/* What verify() waits for `at_least` at most. */
enum { VERIFY_TIMEOUT_MS = 30000 };

/* Execute a command `rows` times in batches, each acknowledged as durable, with parameters by fill(state, op, …).
 * 0, or -1 with *e: the first error. */
int workload_load(struct lf_client *c, const char *text, uint64_t rows,
	uint64_t (*fill)(void *state, unsigned op, struct lf_params *p), void *state, unsigned op,
	struct lf_client_error *e);

/* Run a query whose answer is one row of `n` numbers without fraction digits lost: integers and numerics
 * (their coefficients). */
int workload_numbers(struct lf_client *c, const char *text, uint64_t at_least, int64_t *out,
	unsigned n, struct lf_client_error *e);

#endif
