/*
 * main.c: leftfold-bench, the load generator: flags, a server if one is wanted, the workload's tables, the
 * load, the check at the end, the report.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/load/report.h"

enum { CHECKED_MAX = 512, RETRY_MS = 50 };

static void say(const char *what, const struct lf_client_error *e)
{
	fprintf(stderr, "leftfold-bench: %s: %s: %s%s%s\n", what, e->sqlstate, e->message,
		e->detail[0] != '\0' ? "; " : "", e->detail);
}

static int run_all(struct lf_client *c, const char *const *statements)
{
	struct lf_client_error e;

	for (; *statements != NULL; statements++)
		if (lf_client_query(c, *statements, SIZE_MAX, NULL, NULL, &e) != 0) {
			say(*statements, &e);
			return -1;
		}
	return 0;
}

/* What was merely accepted may still be under way: then ask again until it is there. */
static int verify(const struct options *o, struct lf_client *c, void *state, uint64_t epoch,
	char *said, bool *equal)
{
	struct timespec pause = { 0, RETRY_MS * 1000000 };
	struct lf_client_error e;
	int status = 0;

	for (unsigned waited = 0; waited < VERIFY_TIMEOUT_MS; waited += RETRY_MS) {
		status = o->workload->verify(state, c, epoch, said, CHECKED_MAX, &e);
		if (status <= 0 || o->ack != LF_ACK_ACCEPTED)
			break;
		(void)nanosleep(&pause, NULL);
	}
	*equal = status == 0;
	if (status < 0)
		say("check", &e);
	return status == 0 ? 0 : -1;
}

static int load_and_report(const struct options *o, struct lf_client *c, const char *address,
	pid_t server_pid, void *state)
{
	struct load_result r;
	struct lf_client_error e;
	char checked[CHECKED_MAX] = "";
	bool equal = false;
	unsigned n = o->workload->noperations;
	int status = load_run(&r, o, address, server_pid, state, &e);

	if (status != 0) {
		say("load", &e);
	} else {
		if (r.errors > 0 || r.wrong > 0)
			status = -1;
		if (r.errors == 0 && r.wrong == 0 &&
			verify(o, c, state, r.epoch, checked, &equal) != 0)
			status = -1;
		if (o->json)
			report_json(stdout, o, &r, checked, equal);
		else
			report_text(stdout, o, &r, checked, equal);
		if (o->hgrm != NULL && report_hgrm(o->hgrm, o->workload, &r) != 0)
			status = -1;
	}
	load_result_free(&r, n);
	return status;
}

/* Returns the exit code. */
static int run(const struct options *o, const char *address, pid_t server_pid)
{
	const struct workload *w = o->workload;
	struct lf_client_options co = lf_client_options_default();
	struct lf_client_error e;
	struct lf_client *c;
	bool usable = true;
	void *state;
	int status;

	co.address = address;
	if (lf_client_open(&c, &co, &e) != 0) {
		say(address, &e);
		return EXIT_FAILED;
	}
	state = w->open(w, o->rows, o->skew, o->seed);
	status = state == NULL ? -1 : run_all(c, w->drop);
	if (status == 0)
		status = run_all(c, w->schema);
	if (status == 0)
		usable = w->bind == NULL || w->bind(state, c) == 0;
	if (status == 0 && usable && w->load != NULL) {
		status = w->load(state, c, &e);
		if (status != 0)
			say("loading", &e);
	}
	if (status == 0 && usable)
		status = load_and_report(o, c, address, server_pid, state);
	/* A server of our own goes with its tables. */
	if (!o->keep && o->server == NULL && lf_client_connected(c) && run_all(c, w->drop) != 0)
		status = -1;
	if (state != NULL)
		w->close(state);
	lf_client_close(c);
	return !usable ? EXIT_USAGE : status != 0 ? EXIT_FAILED : EXIT_SUCCESS;
}

/* With the server that is asked for, if one is. Returns the exit code. */
static int serve(const struct options *o)
{
	struct server *server = NULL;
	int status;

	if (o->server != NULL) {
		server = server_start(o->server, o->server_flags, o->server_cpu);
		if (server == NULL)
			return EXIT_FAILED;
	}
	if (o->client_cpu >= 0 && cpu_pin(o->client_cpu) != 0) {
		fprintf(stderr, "leftfold-bench: --pin: processor %d: %m\n", o->client_cpu);
		(void)server_stop(server);
		return EXIT_FAILED;
	}
	status = server != NULL ? run(o, server_address(server), server_pid(server))
				: run(o, o->connect, o->server_pid);
	if (server_stop(server) != 0) {
		fprintf(stderr, "leftfold-bench: the server did not end well\n");
		return EXIT_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status;

	options_parse(&o, argc, argv);
	status = serve(&o);
	options_free(&o);
	return status;
}
