/*
 * Views against an independent engine: random commands go to Leftfold, in process and stepped, and what it
 * acknowledged to SQLite; at random epochs every row of the views must be what SQLite computes.
 *
 * An *episode* is one engine with 1 to 4 projectors, three writing ports and one reading port. Its seed
 * decides everything. Commands are under way while the projectors are stepped in random order; a pinned
 * epoch e is compared with the oracle after exactly those commands whose epoch is at most e. The order in
 * which the oracle gets them may differ from the engine's only between aggregates, whose commands commute.
 * While a command of many aggregates is under way (it may be half visible), the views are compared with
 * what the oracle computes from the tables as they are read at the same epoch.
 *
 *   --seed N     first episode (default 1)
 *   --rounds N   commands in all; a check follows about every third
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/sql/cast.h"
#include "tests/property/views.h"

enum {
	WRITERS = 3,
	VIEWS_MAX = 128,
	FLIGHT_MAX = 24,
	HISTORY = 40,
	EPISODE_ROUNDS = 200,
	DEFAULT_ROUNDS = 1200,
	TEXT_MAX = 8192,
	CHECKED_VIEWS = 8 /* a check, at random */
};

static unsigned long first_seed = 1, rounds_wanted = DEFAULT_ROUNDS;
static const char *program = "test_views";

struct flight {
	struct command command;
	struct statement *statement; /* NULL: a schema change, or refused when submitted */
	uint64_t number, epoch, count;
	bool answered;
	struct error error; /* code ERR_OK: done */
};

/* What a schema change does when it is answered. */
enum object_state { OBJECT_NONE, OBJECT_COMING, OBJECT_THERE, OBJECT_GOING };

struct world {
	unsigned long seed;
	unsigned round;
	struct random random;
	unsigned projectors;
	struct lf_engine *engine;
	struct lf_port *writers[WRITERS], *reader;
	struct oracle *oracle;
	struct flight *flight[FLIGHT_MAX]; /* by number */
	unsigned nflight;
	uint64_t next_number;
	bool many; /* a command of many aggregates is under way */
	enum object_state views[VIEWS_MAX], table_indexes[TABLES];
	/* SELECT *, prepared once: keys and indexes come and go under it. */
	struct statement *all_of_view[VIEWS_MAX], *all_of_table[TABLES];
	unsigned ddl_kind, ddl_object; /* the schema change under way; kind 0: none */
	bool ddl_answered;
	struct error ddl_error;
	char history[HISTORY][TEXT_MAX];
	unsigned nhistory;
	unsigned long checks, compared;
};

/* --- telling --- */

static void note(struct world *w, const char *what, const char *text)
{
	(void)snprintf(w->history[w->nhistory++ % HISTORY], TEXT_MAX, "round %u: %s%.*s", w->round,
		what, TEXT_MAX - 64, text);
}

__attribute__((format(printf, 2, 3), noreturn)) static void wrong(
	const struct world *w, const char *fmt, ...)
{
	unsigned n = w->nhistory < HISTORY ? w->nhistory : HISTORY;
	va_list ap;

	fprintf(stderr, "\nlast statements:\n");
	for (unsigned i = w->nhistory - n; i < w->nhistory; i++)
		fprintf(stderr, "  %s\n", w->history[i % HISTORY]);
	fprintf(stderr, "\nwrong in round %u with %u projectors: ", w->round, w->projectors);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nrepeat with: %s --seed %lu --rounds %d\n", program, w->seed,
		EPISODE_ROUNDS);
	/* Not exit(): what is still allocated is no leak. */
	_exit(1);
}

static void tell_difference(const struct rows *want, const struct rows *got)
{
	unsigned i = 0, k = 0, told = 0;

	while ((i < want->n || k < got->n) && told < 20) {
		int c = i == want->n ? 1 : k == got->n ? -1 : strcmp(want->row[i], got->row[k]);

		if (c != 0) {
			fprintf(stderr, "  %s %s\n", c < 0 ? "missing:" : "extra:  ",
				c < 0 ? want->row[i] : got->row[k]);
			told++;
		}
		i += c <= 0;
		k += c >= 0;
	}
}

static void must_equal(struct world *w, const char *what, const char *text, const struct rows *want,
	const struct rows *got)
{
	bool equal = want->n == got->n;
	char plan[TEXT_MAX];

	for (unsigned i = 0; equal && i < want->n; i++)
		equal = strcmp(want->row[i], got->row[i]) == 0;
	w->compared++;
	if (equal)
		return;
	fprintf(stderr, "\n%s\n", text);
	if (view_named(what) != NULL && lf_explain(w->engine, what, plan, sizeof(plan)) > 0)
		fprintf(stderr, "%s", plan);
	tell_difference(want, got);
	wrong(w, "%s is not what the oracle says", what);
}

/* --- reading --- */

struct reading {
	const struct statement *s;
	struct rows *out;
};

static int on_row(void *arg, const void *row, uint32_t size)
{
	struct reading *r = arg;
	const struct row_layout *l = &r->s->result_layout;
	char text[TEXT_MAX];
	size_t n = 0;

	(void)size;
	for (unsigned c = 0; c < l->ncols; c++) {
		struct value v;

		if (c > 0)
			text[n++] = '|';
		row_get(l, row, c, &v);
		if (value_is_null(&v)) {
			memcpy(text + n, "\\N", 2);
			n += 2;
		} else {
			n += value_format(&v, l->types[c], text + n, sizeof(text) - n - 1);
		}
		assert_true(n + 1 < sizeof(text));
	}
	text[n] = '\0';
	rows_add(r->out, text);
	return 0;
}

static struct statement *prepare(struct world *w, const char *sql)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, w->engine, sql, strlen(sql), NULL, 0, &e) != 0)
		wrong(w, "%s: %s %s", sql, error_sqlstate(e.code), e.message);
	return s;
}

/* Run a query at the epoch pinned by the reader. */
static void query_rows(struct world *w, const struct statement *s, struct rows *out)
{
	struct reading r = { s, out };
	uint64_t none[2] = { 0 };
	struct error e;

	row_encode(&s->param_layout, NULL, none);
	if (lf_query(w->reader, s, none, on_row, &r, &e) != 0)
		wrong(w, "%s: %s %s", s->text, error_sqlstate(e.code), e.message);
}

static void read_rows(struct world *w, const char *sql, struct rows *out)
{
	struct statement *s = prepare(w, sql);

	query_rows(w, s, out);
	lf_release(w->engine, s);
}

static struct statement *all_of(struct world *w, struct statement **kept, const char *name)
{
	char sql[TEXT_MAX];

	(void)snprintf(sql, sizeof(sql), "SELECT * FROM %s", name);
	if (*kept == NULL)
		*kept = prepare(w, sql);
	return *kept;
}

static void forget(struct world *w, struct statement **kept)
{
	lf_release(w->engine, *kept);
	*kept = NULL;
}

/* --- commands under way --- */

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct world *w = arg;

	if (reply->tag == 0) {
		w->ddl_answered = true;
		w->ddl_error.code = ERR_OK;
		if (reply->error != NULL)
			w->ddl_error = *reply->error;
		return;
	}
	for (unsigned i = 0; i < w->nflight; i++) {
		struct flight *f = w->flight[i];

		if (f->number != reply->tag)
			continue;
		f->answered = true;
		f->epoch = reply->epoch;
		f->count = reply->count;
		if (reply->error != NULL)
			f->error = *reply->error;
		return;
	}
	wrong(w, "a reply to nothing");
}

static void poll_all(struct world *w)
{
	for (unsigned i = 0; i < WRITERS; i++)
		while (lf_poll(w->writers[i], on_reply, w) > 0)
			;
}

static void settle(struct world *w)
{
	do {
		lf_settle(w->engine);
		poll_all(w);
	} while (!lf_port_idle(w->writers[0]) || !lf_port_idle(w->writers[1]) ||
		!lf_port_idle(w->writers[2]));
}

/* Give an answered command to the oracle: it must take it or refuse it as Leftfold did. */
static void apply(struct world *w, struct flight *f)
{
	const struct command *c = &f->command;
	const char *state = error_sqlstate(f->error.code);
	bool refused = f->error.code != ERR_OK;
	uint64_t count = 0;

	if (c->probe[0] != '\0' && oracle_number(w->oracle, c->probe) > 0) {
		if (!refused || strcmp(state, c->sqlstate) != 0)
			wrong(w, "answered %s instead of %s: %s", state, c->sqlstate, c->text);
	} else if (refused && strncmp(state, "23", 2) != 0) {
		wrong(w, "refused with %s %s: %s", state, f->error.message, c->text);
	} else {
		bool broken = false;

		if (refused) {
			oracle_borrow_begin(w->oracle);
			broken = oracle_run(w->oracle, c->oracle, &count) != 0;
			oracle_borrow_end(w->oracle);
		} else {
			broken = oracle_run(w->oracle, c->oracle, &count) != 0;
		}
		if (broken != refused)
			wrong(w, "%s, which the oracle does not (%s %s): %s",
				refused ? "refused" : "taken", state, f->error.message, c->text);
		if (!refused && c->count_known && count != f->count)
			wrong(w, "counted %llu, not %llu rows: %s", (unsigned long long)f->count,
				(unsigned long long)count, c->text);
	}
}

static void flight_free(struct world *w, struct flight *f)
{
	lf_release(w->engine, f->statement);
	free(f);
}

/* Apply what has happened up to the epoch: a command waits for those before it on its aggregate. */
static void apply_until(struct world *w, uint64_t epoch)
{
	unsigned left = 0;

	for (unsigned i = 0; i < w->nflight; i++) {
		struct flight *f = w->flight[i];
		bool waits = !f->answered || f->epoch > epoch;

		for (unsigned k = 0; !waits && k < left; k++)
			waits = f->command.aggregate != AGGREGATE_NONE &&
				w->flight[k]->command.aggregate == f->command.aggregate;
		if (waits) {
			w->flight[left++] = f;
			continue;
		}
		if (f->command.aggregate == AGGREGATE_MANY)
			w->many = false;
		apply(w, f);
		flight_free(w, f);
	}
	w->nflight = left;
}

static void submit(struct world *w)
{
	struct flight *f = calloc(1, sizeof(*f));
	struct lf_port *port;
	uint64_t none[2] = { 0 };
	struct error e;

	assert_non_null(f);
	command_random(&w->random, w->nflight == 0, &f->command);
	note(w, "", f->command.text);
	f->number = ++w->next_number;
	w->flight[w->nflight++] = f;
	f->statement = prepare(w, f->command.text);
	w->many = f->command.aggregate == AGGREGATE_MANY;
	port = w->writers[f->command.aggregate < 0 ? random_below(&w->random, WRITERS)
						   : (unsigned)f->command.aggregate % WRITERS];
	row_encode(&f->statement->param_layout, NULL, none);
	if (lf_submit(port, f->statement, none, f->number, (enum lf_ack)random_below(&w->random, 3),
		    &e) != 0) {
		f->answered = true;
		f->error = e;
	}
	if (!random_one_in(&w->random, 4))
		lf_flush(port);
}

/* --- schema changes --- */

enum { DDL_VIEW = 1, DDL_TABLE_INDEX };

static void ddl_text(struct world *w, char *text, size_t cap, bool make)
{
	if (w->ddl_kind == DDL_TABLE_INDEX) {
		const struct table_def *t = &TABLE_DEFS[w->ddl_object];

		const char *name = strstr(t->index, t->name);

		if (make)
			(void)snprintf(text, cap, "%s", t->index);
		else
			(void)snprintf(text, cap, "DROP INDEX %.*s", (int)strcspn(name, " "), name);
		return;
	}
	(void)snprintf(text, cap,
		make ? "CREATE MATERIALIZED VIEW %s AS %s" : "DROP MATERIALIZED VIEW %s",
		VIEW_DEFS[w->ddl_object].name, VIEW_DEFS[w->ddl_object].select);
}

static enum object_state *ddl_state(struct world *w)
{
	return w->ddl_kind == DDL_VIEW ? &w->views[w->ddl_object]
				       : &w->table_indexes[w->ddl_object];
}

static void ddl_submit(struct world *w)
{
	char text[TEXT_MAX];
	struct lf_port *port = w->writers[random_below(&w->random, WRITERS)];
	struct statement *s;
	uint64_t none[2] = { 0 };
	bool make;
	struct error e;

	if (w->ddl_kind != 0)
		return;
	w->ddl_kind = random_one_in(&w->random, 6) ? DDL_TABLE_INDEX : DDL_VIEW;
	w->ddl_object = random_below(&w->random, w->ddl_kind == DDL_VIEW ? VIEW_COUNT : TABLES);
	make = *ddl_state(w) == OBJECT_NONE;
	ddl_text(w, text, sizeof(text), make);
	note(w, "", text);
	*ddl_state(w) = make ? OBJECT_COMING : OBJECT_GOING;
	if (!make && w->ddl_kind == DDL_VIEW)
		forget(w, &w->all_of_view[w->ddl_object]);
	w->ddl_answered = false;
	s = prepare(w, text);
	if (lf_submit(port, s, none, 0, LF_VISIBLE, &e) != 0)
		wrong(w, "%s: %s %s", text, error_sqlstate(e.code), e.message);
	lf_release(w->engine, s);
	lf_flush(port);
}

static void run(struct world *w, const char *text)
{
	struct error e;

	note(w, "", text);
	if (lf_run(w->reader, text, strlen(text), NULL, NULL, NULL, &e) != 0)
		wrong(w, "%s: %s %s", text, error_sqlstate(e.code), e.message);
}

/* A view has come: give it its indexes, most of the time. */
static void view_indexes(struct world *w, const struct view_def *v)
{
	char text[TEXT_MAX];

	if (v->index != NULL && random_one_in(&w->random, 2)) {
		(void)snprintf(text, sizeof(text), "CREATE INDEX %s_index ON %s USING %s (%s)",
			v->name, v->name, random_one_in(&w->random, 2) ? "hash" : "btree",
			v->index);
		run(w, text);
	}
	if (v->key != NULL && !random_one_in(&w->random, 5)) {
		(void)snprintf(text, sizeof(text), "CREATE UNIQUE INDEX %s_key ON %s (%s)", v->name,
			v->name, v->key);
		run(w, text);
		if (random_one_in(&w->random, 20)) {
			(void)snprintf(text, sizeof(text), "DROP INDEX %s_key", v->name);
			run(w, text);
		}
	}
}

static void ddl_finish(struct world *w)
{
	enum object_state *state;

	if (w->ddl_kind == 0 || !w->ddl_answered)
		return;
	state = ddl_state(w);
	if (w->ddl_error.code != ERR_OK)
		wrong(w, "schema change: %s %s", error_sqlstate(w->ddl_error.code),
			w->ddl_error.message);
	*state = *state == OBJECT_COMING ? OBJECT_THERE : OBJECT_NONE;
	if (w->ddl_kind == DDL_VIEW && *state == OBJECT_THERE)
		view_indexes(w, &VIEW_DEFS[w->ddl_object]);
	w->ddl_kind = 0;
}

/* --- checking --- */

static void check_view(struct world *w, const struct view_def *v)
{
	struct rows want = { 0 }, got = { 0 };

	oracle_rows(w->oracle, view_oracle(v), v->format, &want);
	query_rows(w, all_of(w, &w->all_of_view[v - VIEW_DEFS], v->name), &got);
	rows_sort(&want);
	rows_sort(&got);
	must_equal(w, v->name, v->select, &want, &got);
	rows_free(&want);
	rows_free(&got);
}

/* The names of a comma-separated list, by turns. */
static bool next_name(const char **list, char *name)
{
	size_t n = strcspn(*list, ", ");

	if (n == 0)
		return false;
	memcpy(name, *list, n);
	name[n] = '\0';
	*list += n;
	*list += strspn(*list, ", ");
	return true;
}

static int view_column(struct world *w, const struct view_def *v, const char *name)
{
	const struct statement *s = all_of(w, &w->all_of_view[v - VIEW_DEFS], v->name);
	int at = -1;

	for (unsigned i = 0; i < s->nresults; i++)
		if (strcmp(s->results[i].name, name) == 0)
			at = (int)i;
	assert_true(at >= 0);
	return at;
}

static void quote(char *out, size_t cap, const char *text)
{
	size_t n = 0;

	out[n++] = '\'';
	for (; *text != '\0' && n + 3 < cap; text++) {
		if (*text == '\'')
			out[n++] = '\'';
		out[n++] = *text;
	}
	out[n++] = '\'';
	out[n] = '\0';
}

/* Look rows up by the columns of a key or an index, with the values of one of the oracle's rows. */
static void check_lookup(struct world *w, const struct view_def *v, const char *columns)
{
	struct rows all = { 0 }, want = { 0 }, got = { 0 };
	char sql[TEXT_MAX], name[64];
	const char *list = columns;
	bool null = false;
	size_t n;

	oracle_rows(w->oracle, view_oracle(v), v->format, &all);
	if (all.n > 0) {
		const char *row = all.row[random_below(&w->random, all.n)];
		int at[8];
		unsigned nat = 0;

		n = (size_t)snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE ", v->name);
		while (next_name(&list, name)) {
			const char *value;
			char quoted[TEXT_MAX / 2];

			at[nat] = view_column(w, v, name);
			value = row_column(row, (unsigned)at[nat]);
			null |= strcmp(value, "\\N") == 0;
			quote(quoted, sizeof(quoted), value);
			n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%s%s = %s",
				nat > 0 ? " AND " : "", name, quoted);
			nat++;
		}
		for (unsigned i = 0; !null && i < all.n; i++) {
			bool equal = true;

			for (unsigned k = 0; k < nat; k++)
				equal &= strcmp(row_column(all.row[i], (unsigned)at[k]),
						 row_column(row, (unsigned)at[k])) == 0;
			if (equal)
				rows_add(&want, all.row[i]);
		}
		if (!null) {
			read_rows(w, sql, &got);
			rows_sort(&want);
			rows_sort(&got);
			must_equal(w, v->name, sql, &want, &got);
		}
	}
	rows_free(&all);
	rows_free(&want);
	rows_free(&got);
}

static void check_query(struct world *w, const struct query_def *q)
{
	const struct view_def *v = view_named(q->from);
	struct rows want = { 0 }, got = { 0 };
	char sql[TEXT_MAX];
	const char *hole = strstr(q->oracle, "%s");

	if (v != NULL && w->views[v - VIEW_DEFS] != OBJECT_THERE)
		return;
	if (hole != NULL)
		(void)snprintf(sql, sizeof(sql), "%.*s%s%s", (int)(hole - q->oracle), q->oracle,
			view_oracle(v), hole + 2);
	else
		(void)snprintf(sql, sizeof(sql), "%s", q->oracle);
	oracle_rows(w->oracle, sql, q->format, &want);
	read_rows(w, q->query, &got);
	must_equal(w, q->from, q->query, &want, &got);
	rows_free(&want);
	rows_free(&got);
}

static void check_tables(struct world *w, bool borrow)
{
	for (unsigned i = 0; i < TABLES; i++) {
		struct rows want = { 0 }, got = { 0 };
		struct statement *s = all_of(w, &w->all_of_table[i], TABLE_DEFS[i].name);

		query_rows(w, s, &got);
		if (borrow) {
			oracle_borrow(w->oracle, i, &got);
		} else {
			oracle_rows(w->oracle, s->text, TABLE_DEFS[i].format, &want);
			rows_sort(&want);
			rows_sort(&got);
			must_equal(w, TABLE_DEFS[i].name, s->text, &want, &got);
		}
		rows_free(&want);
		rows_free(&got);
	}
}

/* Pin an epoch and compare. all: every view, otherwise a few. */
static void check(struct world *w, bool all)
{
	unsigned start = random_below(&w->random, VIEW_COUNT), n = 0;
	bool borrow;
	uint64_t epoch;
	struct error e;

	if (lf_read_begin(w->reader, 0, &epoch, &e) != 0)
		wrong(w, "read_begin: %s", e.message);
	poll_all(w);
	apply_until(w, epoch);
	borrow = w->many;
	if (borrow)
		oracle_borrow_begin(w->oracle);
	check_tables(w, borrow);
	for (unsigned i = 0; i < VIEW_COUNT && (all || n < CHECKED_VIEWS); i++) {
		unsigned k = (start + i) % VIEW_COUNT;
		const struct view_def *v = &VIEW_DEFS[k];

		if (w->views[k] != OBJECT_THERE)
			continue;
		check_view(w, v);
		if (v->key != NULL && random_one_in(&w->random, 3))
			check_lookup(w, v, v->key);
		if (v->index != NULL && random_one_in(&w->random, 3))
			check_lookup(w, v, v->index);
		n++;
	}
	for (unsigned i = 0; i < (all ? QUERY_COUNT : 3); i++)
		check_query(w, &QUERY_DEFS[all ? i : random_below(&w->random, QUERY_COUNT)]);
	if (borrow)
		oracle_borrow_end(w->oracle);
	lf_read_end(w->reader);
	w->checks++;
}

/* --- an episode --- */

static void open_world(struct world *w, unsigned long seed)
{
	struct lf_options o = lf_options_default();
	struct error e;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->random.state = seed * 0x2545f4914f6cdd1du;
	w->projectors = o.projectors = 1 + (unsigned)(seed % 4);
	o.stepped = true;
	o.ports_max = WRITERS + 1;
	o.ring_bytes = 1 << 17;
	o.reply_ring_bytes = 1 << 17;
	o.batch_max = 1 + random_below(&w->random, 6);
	o.build_at_once = random_below(&w->random, 40);
	o.build_slice = 1 + random_below(&w->random, 8);
	assert_int_equal(lf_engine_open(&w->engine, &o, &e), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(lf_port_open(&w->writers[i], w->engine, NULL, NULL, &e), 0);
	assert_int_equal(lf_port_open(&w->reader, w->engine, NULL, NULL, &e), 0);
	w->oracle = oracle_open();
	for (unsigned i = 0; i < TABLES; i++)
		run(w, TABLE_DEFS[i].create);
}

static void close_world(struct world *w)
{
	settle(w);
	ddl_finish(w);
	check(w, true);
	assert_int_equal(w->nflight, 0);
	for (unsigned i = 0; i < VIEW_COUNT; i++)
		forget(w, &w->all_of_view[i]);
	for (unsigned i = 0; i < TABLES; i++)
		forget(w, &w->all_of_table[i]);
	for (unsigned i = 0; i < WRITERS; i++)
		lf_port_close(w->writers[i]);
	lf_port_close(w->reader);
	lf_engine_close(w->engine);
	oracle_close(w->oracle);
}

static void one_round(struct world *w)
{
	unsigned steps = random_below(&w->random, 8);

	if (w->nflight < FLIGHT_MAX && !w->many)
		submit(w);
	if (random_one_in(&w->random, 3))
		ddl_submit(w);
	for (unsigned i = 0; i < steps; i++)
		(void)lf_step(w->engine, random_below(&w->random, w->projectors + 1));
	if (random_one_in(&w->random, 3))
		for (unsigned i = 0; i < WRITERS; i++)
			lf_flush(w->writers[i]);
	if (random_one_in(&w->random, 4) || w->nflight == FLIGHT_MAX) {
		for (unsigned i = 0; i < WRITERS; i++)
			lf_flush(w->writers[i]);
		settle(w);
	}
	poll_all(w);
	ddl_finish(w);
	if (random_one_in(&w->random, 3))
		check(w, random_one_in(&w->random, 12));
}

static void test_random_commands(void **state)
{
	unsigned long done = 0, episodes = 0, checks = 0, compared = 0;
	static struct world w;

	(void)state;
	assert_true(VIEW_COUNT >= 40 && VIEW_COUNT <= VIEWS_MAX);
	while (done < rounds_wanted) {
		open_world(&w, first_seed + episodes);
		for (w.round = 1; w.round <= EPISODE_ROUNDS; w.round++) {
			one_round(&w);
			done++;
		}
		for (unsigned i = 0; i < WRITERS; i++)
			lf_flush(w.writers[i]);
		close_world(&w);
		episodes++;
		checks += w.checks;
		compared += w.compared;
	}
	print_message(
		"%lu commands in %lu episodes from seed %lu, %u views, %lu checks, %lu results equal\n",
		done, episodes, first_seed, VIEW_COUNT, checks, compared);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_commands) };

	program = argv[0];
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0)
			first_seed = strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds_wanted = strtoul(argv[i + 1], NULL, 10);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
