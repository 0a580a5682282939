/*
 * server.h: a leftfoldd of our own for the time of a run, and the processor time of any.
 */
#ifndef LF_BENCH_SERVER_H
#define LF_BENCH_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server;

/* Start `path` on a free loopback port with `flags` (separated by spaces; may be ""), on processor `cpu` only unless
 * that is negative, and wait until it is ready. It ends with this process. NULL with a message printed. */
struct server *server_start(const char *path, const char *flags, int cpu);
/* "127.0.0.1:PORT". */
const char *server_address(const struct server *s);
pid_t server_pid(const struct server *s);
/* SIGTERM, wait, free. 0 when it ended by itself with exit code 0; NULL is allowed. */
int server_stop(struct server *s);

enum { CPU_THREADS_MAX = 160, CPU_NAME_MAX = 16 };

/* Processor seconds used so far. */
struct cpu_usage {
	double user, system; /* of the whole process */
	unsigned nthreads;
	struct cpu_thread {
		char name[CPU_NAME_MAX];
		pid_t id;
		double user, system;
	} threads[CPU_THREADS_MAX]; /* of those alive, at most so many */
};
/* False: there is no such process. */
bool cpu_usage_read(struct cpu_usage *u, pid_t pid);
/* *u becomes what was used since `before`. */
void cpu_usage_since(struct cpu_usage *u, const struct cpu_usage *before);

/* The i-th processor that this process may use; -1: there are fewer. */
int cpu_allowed(unsigned i);
/* Have the calling thread, and what it starts, run there only. 0, or -1 with errno. */
int cpu_pin(int cpu);

#endif
