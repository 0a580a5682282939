/*
 * test_client_e2e.c: the client library against the real server, which it starts itself.
 *
 * LEFTFOLD_BUILD (or the first argument) names the folder of leftfoldd; tests/run is given it by make.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/client/leftfold.h"

static struct lf_client_error error;

#define CHECK(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "%s:%d: %s\n(%s: %s / %s)\n", __FILE__, __LINE__, #x, \
				error.sqlstate, error.message, error.detail); \
			stop_server(); \
			exit(1); \
		} \
	} while (0)

enum { START_MS = 60000, ANSWER_MS = 60000 };

static pid_t server;
static char folder[] = "/tmp/leftfold-client-XXXXXX";
static char address[64];

static void stop_server(void)
{
	char command[128];
	int status = 0;

	if (server <= 0)
		return;
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	server = 0;
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "%s could not be removed\n", folder);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "leftfoldd ended with status %d\n", status);
		exit(1);
	}
}

static void start_server(const char *build)
{
	char program[512], port_file[128], data[128], text[64];
	ssize_t n = 0;

	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(program, sizeof(program), "%s/leftfoldd", build);
	(void)snprintf(port_file, sizeof(port_file), "%s/port", folder);
	(void)snprintf(data, sizeof(data), "%s/data", folder);
	server = fork();
	CHECK(server >= 0);
	if (server == 0) {
		execl(program, program, "--listen", "127.0.0.1:0", "--port-file", port_file,
			"--data", data, "--reactors", "2", "--projectors", "2", (char *)NULL);
		_exit(127);
	}
	for (int waited = 0; waited < START_MS && n <= 0; waited += 10) {
		int fd = open(port_file, O_RDONLY);

		if (fd >= 0) {
			n = read(fd, text, sizeof(text) - 1);
			close(fd);
		}
		if (n <= 0)
			usleep(10000);
	}
	CHECK(n > 0);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	(void)snprintf(address, sizeof(address), "127.0.0.1:%s",
		strrchr(text, ':') != NULL ? strrchr(text, ':') + 1 : text);
}

static struct lf_client *open_client(void)
{
	struct lf_client_options o = lf_client_options_default();
	struct lf_client *c;

	o.address = address;
	CHECK(lf_client_open(&c, &o, &error) == 0);
	return c;
}

static void run(struct lf_client *c, const char *text)
{
	CHECK(lf_client_query(c, text, SIZE_MAX, NULL, NULL, &error) == 0);
}

static int64_t one_int(struct lf_client *c, const char *text)
{
	struct lf_result *r = lf_result_new();
	struct lf_client_call own = { LF_ACK_VISIBLE, 10000, LF_EPOCH_OWN };
	int64_t v;

	CHECK(lf_client_query(c, text, SIZE_MAX, &own, r, &error) == 0);
	CHECK(lf_result_nrows(r) == 1 && lf_result_ncolumns(r) == 1);
	v = lf_result_int(r, 0, 0);
	lf_result_free(r);
	return v;
}

/* --- many requests --- */

struct tally {
	uint64_t answers, failed, count, batches;
};

static void on_result(void *arg, uint64_t request, const struct lf_result *r)
{
	struct tally *t = arg;

	CHECK(request != 0);
	t->answers++;
	t->failed += lf_result_error(r) != NULL;
	t->count += lf_result_count(r);
}

static void on_batch(void *arg, const struct lf_client_batch *b)
{
	struct tally *t = arg;

	t->batches++;
	t->answers += b->n;
	t->failed += b->failed;
	t->count += b->count;
}

static void test_pipelining(void)
{
	enum { MANY = 100000 };
	struct lf_client *c = open_client();
	struct lf_statement *insert, *select;
	struct lf_params *p, *key;
	struct tally t = { 0, 0, 0, 0 };

	run(c, "CREATE TABLE many (id bigint PRIMARY KEY, v int, note text)");
	CHECK(lf_client_prepare(&insert, c, "INSERT INTO many VALUES ($1, $2, $3)", SIZE_MAX, NULL,
		      0, &error) == 0);
	p = lf_params_new(insert);
	CHECK(lf_params_set_text(p, 2, "a note", SIZE_MAX) == 0);
	for (int64_t i = 0; i < MANY; i++) {
		int status;

		lf_params_set_int(p, 0, i);
		lf_params_set_int(p, 1, i % 1000);
		while ((status = lf_client_send(c, insert, p, NULL, on_result, &t, NULL, &error)) ==
			LF_WOULD_BLOCK)
			CHECK(lf_client_poll(c, ANSWER_MS, &error) > 0);
		CHECK(status == 0);
	}
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == MANY && t.failed == 0 && t.count == MANY);
	CHECK(one_int(c, "SELECT count(*) FROM many") == MANY);

	/* Point reads, in batches. */
	t = (struct tally){ 0, 0, 0, 0 };
	CHECK(lf_client_prepare(&select, c, "SELECT v, note FROM many WHERE id = $1", SIZE_MAX,
		      NULL, 0, &error) == 0);
	key = lf_params_new(select);
	for (int64_t i = 0; i < MANY;) {
		int status = lf_client_batch_begin(c, select, NULL, NULL, on_batch, &t, &error);
		int64_t begin = i;

		CHECK(status >= 0);
		while (status == 0 && i < MANY && i - begin < 500) {
			lf_params_set_int(key, 0, i);
			status = lf_client_batch_add(c, key, &error);
			CHECK(status >= 0);
			i += status == 0;
		}
		CHECK(lf_client_batch_end(c, NULL, &error) == 0 || status == LF_WOULD_BLOCK);
		CHECK(lf_client_poll(c, status == LF_WOULD_BLOCK ? ANSWER_MS : 0, &error) >= 0);
	}
	CHECK(lf_client_wait(c, ANSWER_MS, &error) == 0);
	CHECK(t.answers == MANY && t.failed == 0 && t.count == MANY);
	lf_params_free(p);
	lf_params_free(key);
	lf_statement_close(select);
	lf_client_close(c);
}

int main(int argc, char **argv)
{
	const char *build = getenv("LEFTFOLD_BUILD");

	if (argc > 1)
		build = argv[1];
	start_server(build != NULL ? build : "build");
	test_pipelining();
	stop_server();
	return 0;
}
