/*
 * options.h: the command line of leftfold-bench.
 */
#ifndef LF_BENCH_OPTIONS_H
#define LF_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/load/workload.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	const struct workload *workload;
	const char *file;           /* of the custom workload; else NULL */
	struct workload *custom;    /* made of it */
	const char *connect;        /* address of a running server */
	const char *server;         /* program to start instead; NULL: none */
	const char *server_flags;   /* "" by default */
	pid_t server_pid;           /* whose processor time to count; 0: unknown */
	int server_cpu, client_cpu; /* -1: anywhere */
	unsigned connections, depth, batch;
	enum lf_client_ack ack;
	double seconds, warm_up;
	double rate;       /* executions a second, sent when due; 0: a closed loop */
	double reads;      /* percent of the executions that are the workload's read */
	uint64_t requests; /* measured; 0: as many as `seconds` allow */
	uint64_t rows, seed;
	double skew;
	const char *perf_control; /* the FIFO of perf record --control; NULL: none */
	const char *hgrm;         /* prefix of the files for percentile distributions; NULL: none */
	bool json, quiet, keep;
};

/* Exits 2 with a message for what is wrong, also in the custom workload's file; 0 for --help and --version. */
void options_parse(struct options *o, int argc, char **argv);
/* What they allocated. */
void options_free(struct options *o);
const char *ack_name(enum lf_client_ack ack);

#endif
