/*
 * load.h: the loop: many connections of one thread, each with so many executions under way (a closed loop), or so many a
 * second over all of them (an open one).
 */
#ifndef LF_BENCH_LOAD_H
#define LF_BENCH_LOAD_H

#include "bench/load/histogram.h"
#include "bench/load/options.h"
#include "bench/load/server.h"

/* What happened between the end of the warm-up and the end of the measurement; errors: in the whole run. */
struct load_result {
	uint64_t operations; /* answered */
	double seconds;
	/* Of each of the workload's operations, ns from sending to the answer; of batches, the frame's last. */
	struct histogram **latency;
	struct histogram *all_latency; /* together, without those that --reads mixes in */
	uint64_t unsent; /* of an open loop: due, but every connection was full at the end */
	uint64_t errors; /* answers with an error, and accepted commands refused afterwards */
	uint64_t wrong;  /* answers that are not what they should be */
	struct lf_client_error error; /* the first */
	uint64_t epoch;               /* the newest of any acknowledgement */
	bool server_known;
	struct cpu_usage server, client;
};

/* Run the workload's operations against `address`, whose process is server_pid (0: unknown). `state` is the
 * workload's. 0; or -1 with *e when the load could not be kept up: no connection, a connection lost, no answers any
 * more. In both cases the result is to be freed. */
int load_run(struct load_result *out, const struct options *o, const char *address,
	pid_t server_pid, void *state, struct lf_client_error *e);
/* What load_run() allocated; noperations: the workload's. */
void load_result_free(struct load_result *r, unsigned noperations);

#endif
