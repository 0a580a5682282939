/*
 * custom.h: the file of a custom workload: a schema, statements that load it, weighted transactions with generated
 * parameters, and queries that judge what came of it. custom.md says how it is written.
 */
#ifndef LF_BENCH_CUSTOM_H
#define LF_BENCH_CUSTOM_H

#include "bench/load/generator.h"
#include "bench/load/workload.h"

enum { CUSTOM_PARAMS_MAX = 256, CUSTOM_NAME_MAX = 32, CUSTOM_MESSAGE_MAX = 256 };

/* Statements that are executed once. */
struct custom_script {
	const char **texts; /* ends with NULL; NULL when there are none */
	unsigned *lines;    /* where each begins */
	unsigned n;
};

/* A statement with parameters that is executed again and again. */
struct custom_step {
	char name[CUSTOM_NAME_MAX];
	char *text;
	unsigned line;   /* of its section */
	double weight;   /* of a transaction */
	uint64_t times;  /* of a load */
	uint64_t filled; /* executions whose parameters have been made */
	struct generator *generators;
	unsigned *lines; /* of the generators */
	unsigned nparams;
};

struct custom_steps {
	struct custom_step *p;
	unsigned n;
};

struct custom {
	struct custom_script drop, schema, verify;
	struct custom_steps loads, transactions;
};

struct custom_error {
	unsigned line; /* from 1 */
	char message[CUSTOM_MESSAGE_MAX];
};

/* Read the text of a file. NULL with what is wrong first. Running out of memory ends the program. */
struct custom *custom_parse(const char *text, struct custom_error *e);
void custom_free(struct custom *c);
/* The text of a query with each {NAME} replaced by the executions of the load or transaction of that name; the caller's
 * to free(). NULL: there is none of a name, which `name` (CUSTOM_NAME_MAX bytes) begins with. */
char *custom_expand(const struct custom *c, const char *text, char *name);

/* --- as a workload --- */

/* Made of the file at `path`. NULL with "PATH:LINE: …" printed. The statements' parameters are compared with the
 * generators when it is bound. */
struct workload *custom_workload(const char *path);
void custom_workload_free(struct workload *w);

#endif
