/*
 * instructions.c: the server's work for a command or a read without the kernel's: frames into a session, the engine in
 * steps, frames out, all in this thread, 64 at a time. Made to be counted by valgrind (bench/instructions/check): two runs
 * with different numbers of operations give the instructions of one.
 *
 *   instructions WORKLOAD OPERATIONS
 *
 * kv: point reads of 10,000 rows; vote: a row and a view; order: three rows and three views.
 */
#include <stdio.h>

#include "tests/unit/session_bed.h"

#include "core/base/hash.h"
#include "core/store/row.h"
#include "net/wire/wire.h"

enum { GROUP = 64, ROWS = 10000, HANDLE = 0 };

struct workload {
	const char *name;
	const char *schema;
	const char *text;
	void (*fill)(uint64_t i, struct value *v);
	uint8_t answer; /* enum wire_type */
};

static void fill_kv_insert(uint64_t i, struct value *v)
{
	v[0].i = (int64_t)i;
}

static void fill_kv(uint64_t i, struct value *v)
{
	v[0].i = (int64_t)(hash_u64(i) % ROWS);
}

static void fill_vote(uint64_t i, struct value *v)
{
	v[0].i = (int64_t)i;
	v[1].i = (int64_t)(hash_u64(i) % ROWS);
}

static void fill_order(uint64_t i, struct value *v)
{
	uint64_t h = hash_u64(i);

	v[0].i = (int64_t)i;
	v[1].i = (int64_t)(h % ROWS);
	v[2].i = (int64_t)(h >> 32) % 365;
	for (unsigned k = 0; k < 2; k++) {
		v[3 + 2 * k].i = (int64_t)(h >> (16 + 8 * k)) % 4 + 1;
		v[4 + 2 * k].n = (int64_t)(h >> (8 + 4 * k)) % 10000;
		v[4 + 2 * k].scale = 2;
	}
}

static const struct workload LOAD_KV = { "kv", NULL,
	"INSERT INTO kv VALUES ($1, 'thirty-two letters of a value...')", fill_kv_insert,
	WIRE_DONE };
static const struct workload WORKLOADS[] = {
	{ "kv", "CREATE TABLE kv (id bigint PRIMARY KEY, value text NOT NULL)",
		"SELECT value FROM kv WHERE id = $1", fill_kv, WIRE_ROWS },
	{ "vote",
		"CREATE TABLE vote (id bigint PRIMARY KEY, article bigint NOT NULL);"
		"CREATE MATERIALIZED VIEW counts AS SELECT article, count(*) AS votes FROM vote GROUP BY article;"
		"CREATE UNIQUE INDEX counts_key ON counts (article)",
		"INSERT INTO vote VALUES ($1, $2)", fill_vote, WIRE_DONE },
	{ "order",
		"CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, day date NOT NULL);"
		"CREATE TABLE item (order_id bigint, line int, qty int NOT NULL CHECK (qty > 0),"
		"  price numeric(12,2) NOT NULL, PRIMARY KEY (order_id, line));"
		"CREATE MATERIALIZED VIEW summary AS SELECT o.id AS order_id, sum(i.qty * i.price) AS total,"
		"  count(*) AS items FROM orders o JOIN item i ON i.order_id = o.id GROUP BY o.id;"
		"CREATE UNIQUE INDEX summary_key ON summary (order_id);"
		"CREATE MATERIALIZED VIEW customers AS SELECT customer_id, count(*) AS orders FROM orders"
		"  GROUP BY customer_id;"
		"CREATE UNIQUE INDEX customers_key ON customers (customer_id);"
		"CREATE MATERIALIZED VIEW days AS SELECT day, count(*) AS orders FROM orders GROUP BY day;"
		"CREATE UNIQUE INDEX days_key ON days (day)",
		"INSERT INTO orders VALUES ($1, $2, $3);"
		"INSERT INTO item VALUES ($1, 1, $4, $5), ($1, 2, $6, $7)",
		fill_order, WIRE_DONE },
};

static void die(const char *what)
{
	fprintf(stderr, "instructions: %s\n", what);
	exit(1);
}

static void frame(struct buffer *b, enum wire_type type, uint64_t request, const void *head,
	uint32_t nhead, const void *body, uint32_t nbody)
{
	struct wire_header h = {
		.length = nhead + nbody, .type = (uint8_t)type, .request = request
	};
	unsigned char *p = buffer_room(b, sizeof(h) + h.length);

	if (p == NULL)
		die("out of memory");
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), head, nhead);
	if (nbody > 0)
		memcpy(p + sizeof(h) + nhead, body, nbody);
	b->used += sizeof(h) + h.length;
}

/* Give what is in `b` to the session; the answers are as many as expected, without an error. */
static void exchange(struct bed *bed, struct buffer *b, unsigned n, uint8_t type)
{
	struct buffer *out = &bed->c.out;
	unsigned found = 0;

	bed_input(bed, b->data, b->used);
	b->used = 0;
	for (size_t at = out->head; at < out->used;) {
		struct wire_header h;

		memcpy(&h, out->data + at, sizeof(h));
		at += sizeof(h) + h.length;
		if (h.type == WIRE_DONE_BATCH && type == WIRE_DONE)
			found += h.length / sizeof(struct wire_done_item);
		else if (h.type == type)
			found++;
		else
			die("another answer than expected");
	}
	if (found != n)
		die("fewer answers than expected");
	out->head = out->used = 0;
	bed->c.batch_open = false;
}

static void run(struct bed *bed, const struct workload *w, uint64_t operations)
{
	struct wire_execute how = { .handle = HANDLE, .ack = LF_VISIBLE, .count = 1 };
	struct wire_prepare prepare = { .text_length = (uint32_t)strlen(w->text) };
	struct buffer b = { 0 };
	struct statement *s;
	struct error e;
	uint64_t row[64];
	struct value v[8];

	frame(&b, WIRE_PREPARE, 1, &prepare, sizeof(prepare), w->text, prepare.text_length);
	exchange(bed, &b, 1, WIRE_PREPARED);
	if (lf_prepare(&s, bed->host.engine, w->text, strlen(w->text), NULL, 0, &e) != 0)
		die(e.message);
	memset(v, 0, sizeof(v));
	for (unsigned k = 0; k < s->nparams; k++)
		v[k].type = s->params[k].id;
	for (uint64_t i = 0; i < operations; i++) {
		w->fill(i, v);
		row_encode(&s->param_layout, v, row);
		frame(&b, WIRE_EXECUTE, i + 2, &how, sizeof(how), row, row_size(row));
		if ((i + 1) % GROUP == 0 || i + 1 == operations)
			exchange(bed, &b, (unsigned)(i % GROUP) + 1, w->answer);
	}
	lf_release(bed->host.engine, s);
	frame(&b, WIRE_CLOSE, operations + 2, &how.handle, sizeof(how.handle), NULL, 0);
	exchange(bed, &b, 1, WIRE_CLOSED);
	buffer_free(&b);
}

int main(int argc, char **argv)
{
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };
	const struct workload *w = NULL;
	struct buffer b = { 0 };
	struct bed bed;
	struct error e;

	for (unsigned i = 0; argc == 3 && i < sizeof(WORKLOADS) / sizeof(WORKLOADS[0]); i++)
		if (strcmp(WORKLOADS[i].name, argv[1]) == 0)
			w = &WORKLOADS[i];
	if (w == NULL) {
		fputs("usage: instructions kv|vote|order OPERATIONS\n", stderr);
		return 2;
	}
	bed_open(&bed, bed_engine(1), 1);
	if (lf_run_script(bed.host.port, w->schema, strlen(w->schema), &e) != 0)
		die(e.message);
	frame(&b, WIRE_HELLO, 0, &hello, sizeof(hello), NULL, 0);
	exchange(&bed, &b, 1, WIRE_HELLO_OK);
	buffer_free(&b);
	if (w == &WORKLOADS[0])
		run(&bed, &LOAD_KV, ROWS);
	run(&bed, w, strtoull(argv[2], NULL, 10));
	bed_close(&bed);
	/* The engine is not closed: what it takes to free all rows is not part of an operation. */
	return 0;
}
