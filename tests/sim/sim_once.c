/*
 * sim_once.c: see sim_once.h.
 *
 * What each command does can be counted: rows of `once_sum` and `once_all` count the commands that added to them, `once_note`
 * has a row for each that wrote it, without a key that would refuse a second one, and a gate is as often open as the answers
 * say. So for each number there is a least (what was acknowledged) and a most (what was sent), which meet once all is
 * answered.
 */
#include "tests/sim/sim_once.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/row.h"

enum {
	REQUESTS_MAX = 600,
	OPEN_MAX = 12, /* without an answer, about */
	SUMS = 16,     /* the first half is for one aggregate, the others for several */
	SUM_PARTS = 3,
	ALL_ROWS = 8,
	GATES = 2,
	RECENT = 12,
	CLIENTS = 3,
	COPIES = 2 /* of a command under way */
};

enum once_kind {
	ADD,
	ADD_PARTS, /* of several aggregates */
	ADD_ALL,   /* in every shard */
	NOTE,      /* in any shard */
	OPEN_GATE, /* refused while it is open */
	CLOSE_GATE,
	ONCE_KINDS
};

static const char *const DEFS[] = {
	"CREATE TABLE once_sum (id bigint PRIMARY KEY, n bigint NOT NULL)",
	"CREATE TABLE once_all (id bigint PRIMARY KEY, n bigint NOT NULL)",
	"CREATE TABLE once_note (request bigint)",
	"CREATE TABLE once_gate (id bigint PRIMARY KEY)",
	"INSERT INTO once_all VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0)",
};

/* a the command's argument, b and c the ones behind it, r its request. */
static const struct {
	const char *text, *params;
} TEMPLATES[ONCE_KINDS] = {
	[ADD] = { "INSERT INTO once_sum VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = once_sum.n + 1"
		  " RETURNING n",
		"a" },
	[ADD_PARTS] = { "INSERT INTO once_sum VALUES ($1, 1), ($2, 1), ($3, 1)"
			" ON CONFLICT (id) DO UPDATE SET n = once_sum.n + 1",
		"abc" },
	[ADD_ALL] = { "UPDATE once_all SET n = n + 1", "" },
	[NOTE] = { "INSERT INTO once_note VALUES ($1)", "r" },
	[OPEN_GATE] = { "INSERT INTO once_gate VALUES ($1)", "a" },
	[CLOSE_GATE] = { "DELETE FROM once_gate WHERE id = $1", "a" },
};

static const char *const READS[] = { "SELECT id, n FROM once_sum", "SELECT id, n FROM once_all",
	"SELECT request, 1::bigint FROM once_note", "SELECT id, 1::bigint FROM once_gate" };
enum { READ_SUM, READ_ALL, READ_NOTE, READ_GATE, NREADS };

struct request {
	enum once_kind kind;
	int64_t arg;
	unsigned waiting; /* replies */
	bool answered;    /* in this life … */
	bool known;       /* … and it survives the end of it */
	bool gone;        /* expired, with parts done: no answer will come */
	/* the answer */
	enum error_code code;
	uint64_t epoch, count;
	int64_t value;
};

struct once {
	struct random random;
	struct lf_engine *engine;
	struct request requests[REQUESTS_MAX];
	unsigned n;
	uint64_t repeats;
	struct statement *statements[ONCE_KINDS], *reads[NREADS];
};

static struct statement *prepare(struct once *o, struct statement **s, const char *text, unsigned n)
{
	static const enum type_id types[] = { TYPE_INT8, TYPE_INT8, TYPE_INT8 };
	struct error e;

	if (*s == NULL && lf_prepare(s, o->engine, text, strlen(text), types, n, &e) != 0)
		wrong("%s: %s %s", text, error_sqlstate(e.code), e.message);
	return *s;
}

/* --- sending --- */

static bool is_open(const struct request *r)
{
	return !r->known && !r->gone;
}

/* False: a queue is full. */
static bool submit(struct once *o, struct lf_port *port, unsigned i, enum lf_ack ack)
{
	struct request *r = &o->requests[i];
	const char *params = TEMPLATES[r->kind].params;
	const struct lf_command_options options = { .client = 1 + i % CLIENTS, .request = i + 1 };
	const struct statement *s = prepare(
		o, &o->statements[r->kind], TEMPLATES[r->kind].text, (unsigned)strlen(params));
	struct value values[3] = { { .type = TYPE_INT8 }, { .type = TYPE_INT8 },
		{ .type = TYPE_INT8 } };
	uint64_t row[8] = { 0 };
	struct error e;

	for (unsigned k = 0; params[k] != '\0'; k++)
		values[k].i = params[k] == 'r' ? (int64_t)i : r->arg + (params[k] - 'a');
	(void)row_encode(&s->param_layout, values, row);
	if (lf_submit_with(port, s, row, ONCE_TAG | i, ack, &options, &e) != 0) {
		if (e.code != ERR_OVERLOAD)
			wrong("submitting: %s %s: %s", error_sqlstate(e.code), e.message, s->text);
		return false;
	}
	r->waiting++;
	trace("once %u: kind %d arg %" PRId64 ", ack %d", i, (int)r->kind, r->arg, (int)ack);
	return true;
}

static void command_new(struct once *o, struct lf_port *port)
{
	struct request *r = &o->requests[o->n];

	*r = (struct request){ .kind = (enum once_kind)random_below(&o->random, ONCE_KINDS) };
	switch (r->kind) {
	case ADD: r->arg = random_below(&o->random, SUMS / 2); break;
	case ADD_PARTS:
		r->arg = SUMS / 2 + random_below(&o->random, SUMS / 2 - SUM_PARTS + 1);
		break;
	default: r->arg = random_below(&o->random, GATES); break;
	}
	if (submit(o, port, o->n, (enum lf_ack)random_below(&o->random, 3)))
		o->n++;
}

/* One of the last, nearly always: these are what a crash may take. */
static unsigned repeated(struct once *o)
{
	unsigned back = random_below(&o->random, random_one_in(&o->random, 8) ? o->n : RECENT);

	return back < o->n ? o->n - 1 - back : 0;
}

void once_submit(struct once *o, struct lf_port *port)
{
	unsigned open = 0, chosen = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (is_open(&o->requests[i]) && o->requests[i].waiting < COPIES &&
			random_below(&o->random, ++open) == 0)
			chosen = i;
	if (o->n < REQUESTS_MAX && open < OPEN_MAX && !random_one_in(&o->random, 3))
		command_new(o, port);
	else if (open > 0 && !random_one_in(&o->random, 3))
		(void)submit(o, port, chosen, (enum lf_ack)random_below(&o->random, 3));
	else if (o->n > 0)
		(void)submit(o, port, repeated(o), LF_DURABLE);
}

unsigned once_submit_all(struct once *o, struct lf_port *port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (is_open(&o->requests[i])) {
			(void)submit(o, port, i, LF_VISIBLE);
			n++;
		}
	return n;
}

/* --- answers --- */

static bool is_same(
	const struct request *r, const struct lf_reply *reply, enum error_code code, int64_t value)
{
	return r->code == code && r->epoch == reply->epoch && r->count == reply->count &&
		r->value == value;
}

/* It may be sent again: the disk was the reason. */
static bool is_of_the_moment(enum error_code code)
{
	return code == ERR_DISK_FULL || code == ERR_IO || code == ERR_OUTCOME_UNKNOWN;
}

static void answer(struct once *o, unsigned i, const struct lf_reply *reply, enum error_code code)
{
	struct request *r = &o->requests[i];
	int64_t value = -1;

	if (code != ERR_OK && (code != ERR_UNIQUE || r->kind != OPEN_GATE))
		wrong("request %u was answered %s %s", i + 1, error_sqlstate(code),
			reply->error->message);
	if ((r->kind == ADD) != (reply->nrows == 1))
		wrong("request %u was answered with %u rows", i + 1, reply->nrows);
	if (reply->nrows == 1) {
		struct value v;

		row_get(&o->statements[ADD]->result_layout, reply->rows[0], 0, &v);
		value = v.i;
	}
	if (r->answered && !is_same(r, reply, code, value))
		wrong("request %u was answered %s in %" PRIu64 ", %" PRIu64
		      " rows, and then %s in %" PRIu64 ", %" PRIu64 " rows",
			i + 1, error_sqlstate(r->code), r->epoch, r->count, error_sqlstate(code),
			reply->epoch, reply->count);
	o->repeats += r->answered;
	r->answered = true;
	r->known |= reply->ack != LF_ACCEPTED;
	r->code = code;
	r->epoch = reply->epoch;
	r->count = reply->count;
	r->value = value;
}

void once_reply(struct once *o, const struct lf_reply *reply, bool disk_bad)
{
	enum error_code code = reply->error == NULL ? ERR_OK : reply->error->code;
	unsigned i = (unsigned)(reply->tag & ~ONCE_TAG);
	struct request *r = &o->requests[i];

	trace("once %u: answered %s epoch %" PRIu64 " count %" PRIu64, i, error_sqlstate(code),
		reply->epoch, reply->count);
	if (i >= o->n || r->waiting == 0)
		wrong("a reply to request %u, which nobody waits for", i + 1);
	r->waiting--;
	if (is_of_the_moment(code)) {
		if (!disk_bad)
			wrong("request %u was answered %s with a disk that works", i + 1,
				error_sqlstate(code));
		/* Whether it was known before is not undone by that. */
		return;
	}
	if (code == ERR_ONCE_EXPIRED && r->kind == ADD_ALL && !r->known) {
		r->gone = true;
		return;
	}
	answer(o, i, reply, code);
}

/* --- what is there --- */

struct counts {
	int64_t least, most, found;
};

struct tables {
	struct counts sum[SUMS], all[ALL_ROWS], note[REQUESTS_MAX], gate[GATES];
};

static void count_add(struct counts *c, bool done, bool sent)
{
	c->least += done;
	c->most += sent;
}

/* What the answers say; epoch: that is read. */
static void tables_expect(const struct once *o, struct tables *t, uint64_t epoch)
{
	for (unsigned i = 0; i < o->n; i++) {
		const struct request *r = &o->requests[i];
		bool done = r->known && r->epoch <= epoch;

		if (r->kind == ADD)
			count_add(&t->sum[r->arg], done, true);
		for (unsigned k = 0; r->kind == ADD_PARTS && k < SUM_PARTS; k++)
			count_add(&t->sum[r->arg + k], done, true);
		for (unsigned k = 0; r->kind == ADD_ALL && k < ALL_ROWS; k++)
			count_add(&t->all[k], done, true);
		if (r->kind == NOTE)
			count_add(&t->note[i], done, true);
	}
}

static struct counts *place_of(struct tables *t, unsigned read, int64_t id)
{
	struct counts *const of[] = { t->sum, t->all, t->note, t->gate };
	static const unsigned N[] = { SUMS, ALL_ROWS, REQUESTS_MAX, GATES };

	if (id < 0 || id >= N[read])
		wrong("a row of %" PRId64 " that nobody wrote: %s", id, READS[read]);
	return &of[read][id];
}

struct load {
	struct tables *tables;
	const struct row_layout *layout;
	unsigned read;
};

static int on_row(void *arg, const void *row, uint32_t size)
{
	struct load *load = arg;
	struct value id, n;

	(void)size;
	row_get(load->layout, row, 0, &id);
	row_get(load->layout, row, 1, &n);
	place_of(load->tables, load->read, id.i)->found += n.i;
	return 0;
}

static void tables_load(struct once *o, struct lf_port *reader, struct tables *t)
{
	for (unsigned i = 0; i < NREADS; i++) {
		const struct statement *s = prepare(o, &o->reads[i], READS[i], 0);
		struct load load = { t, &s->result_layout, i };
		uint64_t none[2] = { 0 };
		struct error e;

		row_encode(&s->param_layout, NULL, none);
		if (lf_query(reader, s, none, on_row, &load, &e) != 0)
			wrong("%s: %s %s", READS[i], error_sqlstate(e.code), e.message);
	}
}

static void must_count(const struct counts *c, unsigned n, const char *what, bool all)
{
	for (unsigned i = 0; i < n; i++)
		if (c[i].found < c[i].least || c[i].found > c[i].most ||
			(all && c[i].found != c[i].most))
			wrong("%s %u was counted %" PRId64 " times, of %" PRId64 " to %" PRId64
			      "%s",
				what, i, c[i].found, c[i].least, c[i].most,
				all ? ", and all is answered" : "");
}

/* A gate is open as often as it was opened and not closed. */
static void gates_compare(const struct once *o, const struct tables *t)
{
	for (unsigned g = 0; g < GATES; g++) {
		int64_t open = 0;

		for (unsigned i = 0; i < o->n; i++) {
			const struct request *r = &o->requests[i];

			if (r->kind == OPEN_GATE && r->arg == g)
				open += r->code == ERR_OK;
			if (r->kind == CLOSE_GATE && r->arg == g)
				open -= (int64_t)r->count;
		}
		if (t->gate[g].found != open)
			wrong("gate %u is there %" PRId64 " times, and was opened %" PRId64
			      " times more than closed",
				g, t->gate[g].found, open);
	}
}

void once_compare(struct once *o, struct lf_port *reader, uint64_t epoch, bool all)
{
	static struct tables t;
	bool gone = false;

	memset(&t, 0, sizeof(t));
	for (unsigned i = 0; i < o->n; i++) {
		all &= !is_open(&o->requests[i]) && o->requests[i].waiting == 0;
		gone |= o->requests[i].gone;
	}
	tables_expect(o, &t, epoch);
	tables_load(o, reader, &t);
	must_count(t.sum, SUMS, "sum", all);
	must_count(t.all, ALL_ROWS, "row of all", all && !gone);
	must_count(t.note, REQUESTS_MAX, "note", all);
	if (all)
		gates_compare(o, &t);
}

/* --- the rest --- */

void once_create(struct once *o, struct lf_port *port)
{
	(void)o;
	for (unsigned i = 0; i < sizeof(DEFS) / sizeof(DEFS[0]); i++) {
		struct error e;

		if (lf_run(port, DEFS[i], strlen(DEFS[i]), NULL, NULL, NULL, &e) != 0)
			wrong("%s: %s %s", DEFS[i], error_sqlstate(e.code), e.message);
	}
}

struct once *once_new(uint64_t seed)
{
	struct once *o = calloc(1, sizeof(*o));

	if (o == NULL)
		abort();
	o->random.state = seed * 0x9e3779b97f4a7c15u + 7;
	return o;
}

void once_free(struct once *o)
{
	free(o);
}

void once_attach(struct once *o, struct lf_engine *engine)
{
	o->engine = engine;
}

void once_detach(struct once *o)
{
	for (unsigned k = 0; k < ONCE_KINDS; k++)
		lf_release(o->engine, o->statements[k]);
	for (unsigned i = 0; i < NREADS; i++)
		lf_release(o->engine, o->reads[i]);
	memset(o->statements, 0, sizeof(o->statements));
	memset(o->reads, 0, sizeof(o->reads));
	o->engine = NULL;
	for (unsigned i = 0; i < o->n; i++) {
		o->requests[i].waiting = 0;
		o->requests[i].answered &= o->requests[i].known;
	}
}

void once_adopt(struct once *o)
{
	for (unsigned i = 0; i < o->n; i++)
		o->requests[i].answered = o->requests[i].known = false;
}

uint64_t once_commands(const struct once *o)
{
	return o->n;
}

uint64_t once_repeats(const struct once *o)
{
	return o->repeats;
}
