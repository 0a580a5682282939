/*
 * sim_ledger.c: see sim_ledger.h.
 *
 * Here are the commands' texts and parameters, the choice among them, and the reading of tables; what becomes of one
 * aggregate is in sim_track.c.
 */
#include "tests/sim/sim_ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/row.h"
#include "tests/sim/sim_track.h"

enum {
	PARAMS_MAX = 16,
	TEXT_MAX = 256,
	MANY = 3,
	FIXED_TABLES = 5,
	TRIM_AT = 16,
	LOG_PARTS = 16 /* numbers of notes of one tag */
};

struct ledger {
	struct random *random;
	struct lf_engine *engine;
	bool numbers; /* said as metadata */
	uint64_t number, told, skipped, unknown;
	struct track aggregates[AGGREGATES];
	bool extra_there[EXTRAS], extra_usable[EXTRAS];
	bool procedures,
		calls; /* there are procedures for some commands; they are used in this life */
	struct statement *statements[KINDS][EXTRAS];
	struct statement *tables[FIXED_TABLES + EXTRAS];
};

/* --- statements --- */

/* What is told of each parameter: i the aggregate's number, x and y the two others', s a key's text, a b c d the
 * argument and the next numbers, n the command's number, z the argument as an entry's number, 0–3 an entry's number,
 * A–D its note, m X Y the names of accounts, p a key's note, u v w the notes of a tag's rows, j a key's account. */
static const struct {
	const char *text, *params;
	const char *call; /* the same by a procedure of sim_schema.c; NULL: there is none */
} TEMPLATES[KINDS] = {
	[OPEN] = { "INSERT INTO account VALUES ($1, $2, $3, $4)", "iman" },
	[MOVE] = { "UPDATE account SET balance = balance + $2, seq = $3 WHERE id = $1;"
		   " INSERT INTO entry VALUES ($1, $4, $2, $5)",
		"ian0A", "CALL move(id => $1, amount => $2, seq => $3, no => $4, note => $5)" },
	[ENTRIES2] = { "INSERT INTO entry VALUES ($1, $2, $3, $4), ($1, $5, $6, $7)", "i0aA1bB" },
	[ENTRIES4] = { "INSERT INTO entry VALUES ($1, $2, $3, $4), ($1, $5, $6, $7),"
		       " ($1, $8, $9, $10), ($1, $11, $12, $13)",
		"i0aA1bB2cC3dD" },
	[TRIM] = { "DELETE FROM entry WHERE account = $1 AND no < $2;"
		   " UPDATE account SET seq = $3 WHERE id = $1",
		"izn", "CALL shorten($1, $2, $3)" },
	[CLOSE] = { "DELETE FROM entry WHERE account = $1; DELETE FROM account WHERE id = $1",
		"i" },
	[CLOSE_ALONE] = { "DELETE FROM account WHERE id = $1", "i" },
	[OPEN_MANY] = { "INSERT INTO account VALUES ($1, $2, $3, $4), ($5, $6, $3, $4),"
			" ($7, $8, $3, $4)",
		"imanxXyY" },
	[BUMP_MANY] = { "UPDATE account SET balance = balance + $1, seq = $2 WHERE id IN ($3, $4, $5)",
		"anixy" },
	[PUT] = { "INSERT INTO kv VALUES ($1, $2, $3, $4, $5) ON CONFLICT (k) DO UPDATE SET"
		  " v = kv.v + excluded.v, seq = excluded.seq, pad = excluded.pad",
		"sjanp", "CALL put(key => $1, v => $3, account => $2, seq => $4, pad => $5)" },
	[KEY_MOVE] = { "UPDATE kv SET v = v + $2, seq = $3, pad = $4 WHERE k = $1", "sanp" },
	[KEY_DELETE] = { "DELETE FROM kv WHERE k = $1", "s" },
	[LOG_ADD] = { "INSERT INTO log VALUES ($1, 0, $2, $3), ($1, 1, $2, $4), ($1, 2, $2, $5)",
		"iauvw" },
	[LOG_CHANGE] = { "UPDATE log SET v = v + $2 WHERE tag = $1", "ia" },
	[LOG_DELETE] = { "DELETE FROM log WHERE tag = $1", "i" },
	[LOOSE_ADD] = { "INSERT INTO loose VALUES ($1, $2, $3)", "iau" },
	[LOOSE_CHANGE] = { "UPDATE loose SET v = v + $2 WHERE tag = $1", "ia" },
	[LOOSE_DELETE] = { "DELETE FROM loose WHERE tag = $1", "i" },
	[EXTRA_PUT] = { "INSERT INTO extra_%u VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET"
			" v = excluded.v",
		"ia" },
	[EXTRA_DELETE] = { "DELETE FROM extra_%u WHERE k = $1", "i" },
};

static bool is_text(char param)
{
	return strchr("smXYpuvwABCD", param) != NULL;
}

static struct statement *prepare(
	struct ledger *l, const char *text, const enum type_id *types, unsigned n)
{
	struct statement *s;
	struct error e;

	if (lf_prepare(&s, l->engine, text, strlen(text), types, n, &e) != 0)
		wrong("%s: %s %s", text, error_sqlstate(e.code), e.message);
	return s;
}

static struct statement *statement_for(struct ledger *l, enum kind kind, unsigned extra)
{
	struct statement **s = &l->statements[kind][extra];
	enum type_id types[PARAMS_MAX];
	const char *params = TEMPLATES[kind].params, *format = TEMPLATES[kind].text,
		   *hole = strstr(format, "%u");
	char text[TEXT_MAX];

	if (*s != NULL)
		return *s;
	if (l->calls && TEMPLATES[kind].call != NULL)
		format = TEMPLATES[kind].call;
	for (unsigned i = 0; params[i] != '\0'; i++)
		types[i] = is_text(params[i]) ? TYPE_TEXT : TYPE_INT8;
	if (hole == NULL)
		(void)snprintf(text, sizeof(text), "%s", format);
	else
		(void)snprintf(text, sizeof(text), "%.*s%u%s", (int)(hole - format), format, extra,
			hole + 2);
	return *s = prepare(l, text, types, (unsigned)strlen(params));
}

/* --- aggregates --- */

/* The number that the tables know it by. */
static int64_t id_of(unsigned g)
{
	if (g >= FIRST_EXTRA)
		return (g - FIRST_EXTRA) % EXTRA_KEYS;
	if (g >= FIRST_TAG)
		return g >= FIRST_LOOSE ? g - FIRST_LOOSE : g - FIRST_TAG;
	return g >= FIRST_KEY ? g - FIRST_KEY : g;
}

static unsigned extra_of(unsigned g)
{
	return g < FIRST_EXTRA ? 0 : (g - FIRST_EXTRA) / EXTRA_KEYS;
}

static unsigned port_of(unsigned g)
{
	return g % PORTS;
}

static unsigned key_text(int64_t id, char out[NOTE_MAX])
{
	return (unsigned)snprintf(out, NOTE_MAX, "key %" PRId64, id);
}

static int64_t key_account(int64_t id)
{
	return id * 7 % ACCOUNTS;
}

/* --- parameters --- */

static int64_t number_param(char param, const unsigned *g, const struct op *op)
{
	switch (param) {
	case 'i': return id_of(g[0]);
	case 'x': return id_of(g[1]);
	case 'y': return id_of(g[2]);
	case 'j': return key_account(id_of(g[0]));
	case 'n': return (int64_t)op->number;
	case 'z': return op->arg * NUMBERS_A_COMMAND;
	case 'a':
	case 'b':
	case 'c':
	case 'd': return op->arg + (param - 'a');
	default: return (int64_t)op->number * NUMBERS_A_COMMAND + (param - '0');
	}
}

static unsigned text_param(char param, const unsigned *g, const struct op *op, char out[NOTE_MAX])
{
	switch (param) {
	case 's': return key_text(id_of(g[0]), out);
	case 'm': return model_note(id_of(g[0]), out);
	case 'X': return model_note(id_of(g[1]), out);
	case 'Y': return model_note(id_of(g[2]), out);
	case 'p': return model_note((int64_t)op->number, out);
	case 'u':
	case 'v':
	case 'w': return model_note(id_of(g[0]) * LOG_PARTS + (param - 'u'), out);
	default: return model_note((int64_t)op->number * NUMBERS_A_COMMAND + (param - 'A'), out);
	}
}

static int submit(struct ledger *l, struct lf_port *port, const unsigned *g, const struct op *op)
{
	static char texts[PARAMS_MAX][NOTE_MAX];
	static uint64_t row[(PARAMS_MAX * (NOTE_MAX + 64)) / 8];
	const struct statement *s = statement_for(l, op->kind, extra_of(g[0]));
	const char *params = TEMPLATES[op->kind].params;
	struct value values[PARAMS_MAX];
	struct lf_command_options options = { .meta = l->numbers ? &op->number : NULL,
		.meta_bytes = l->numbers ? sizeof(op->number) : 0 };
	struct error e;

	memset(values, 0, sizeof(values));
	for (unsigned i = 0; params[i] != '\0'; i++) {
		struct value *v = &values[i];

		v->type = is_text(params[i]) ? TYPE_TEXT : TYPE_INT8;
		if (is_text(params[i])) {
			v->s.p = texts[i];
			v->s.len = text_param(params[i], g, op, texts[i]);
		} else {
			v->i = number_param(params[i], g, op);
		}
	}
	memset(row, 0, sizeof(row));
	(void)row_encode(&s->param_layout, values, row);
	if (lf_submit_with(port, s, row, op->number, op->ack, l->numbers ? &options : NULL, &e) ==
		0)
		return 0;
	if (e.code != ERR_OVERLOAD)
		wrong("submitting: %s %s: %s", error_sqlstate(e.code), e.message, s->text);
	return -1;
}

/* --- choosing --- */

static enum kind kind_for(struct ledger *l, unsigned g, const struct state *s)
{
	static const enum kind ACCOUNT[] = { MOVE, MOVE, MOVE, MOVE, ENTRIES2, ENTRIES4, BUMP_MANY,
		OPEN, CLOSE_ALONE, TRIM, CLOSE };
	static const enum kind KEY[] = { PUT, PUT, KEY_MOVE, KEY_MOVE, KEY_DELETE };

	if (g >= FIRST_EXTRA)
		return random_one_in(l->random, 4) ? EXTRA_DELETE : EXTRA_PUT;
	if (g >= FIRST_LOOSE && s->n == 0)
		return LOOSE_ADD;
	if (g >= FIRST_LOOSE)
		return s->n > 1 || random_one_in(l->random, 3) ? LOOSE_DELETE : LOOSE_CHANGE;
	if (g >= FIRST_TAG && s->n == 0)
		return LOG_ADD;
	if (g >= FIRST_TAG)
		return random_one_in(l->random, 3) ? LOG_DELETE : LOG_CHANGE;
	if (g >= FIRST_KEY)
		return KEY[random_below(l->random, 5)];
	if (s->n >= TRIM_AT)
		return random_one_in(l->random, 6) ? CLOSE : TRIM;
	if (!s->exists && !random_one_in(l->random, 8))
		return random_one_in(l->random, 3) ? OPEN_MANY : OPEN;
	return ACCOUNT[random_below(l->random, 11)];
}

static int64_t arg_for(struct ledger *l, enum kind kind, const struct state *s)
{
	switch (kind) {
	case TRIM: return s->n == 0 ? 0 : s->rows[s->n * 2 / 3].no / NUMBERS_A_COMMAND;
	case OPEN:
	case OPEN_MANY:
	case BUMP_MANY: return random_below(l->random, 100);
	default: return (int64_t)random_below(l->random, 60) - 30;
	}
}

static bool open_for(const struct ledger *l, unsigned g)
{
	const struct track *a = &l->aggregates[g];

	/* Another loose row may be in another shard, so its order is not kept. */
	if (g >= FIRST_LOOSE && g < FIRST_EXTRA && track_coming(a).n == 0 && a->n > 0)
		return false;
	return a->n < OPS_MAX && (g < FIRST_EXTRA || l->extra_usable[extra_of(g)]);
}

/* Three accounts of one port, by turns from the first. */
static bool many_choose(const struct ledger *l, unsigned *g)
{
	for (unsigned i = 1; i < MANY; i++) {
		g[i] = (g[i - 1] + PORTS) % ACCOUNTS;
		if (!open_for(l, g[i]))
			return false;
	}
	return true;
}

bool ledger_submit(struct ledger *l, struct lf_port *port, unsigned number)
{
	unsigned g[MANY] = { 0 }, n = 1;
	struct state s;
	struct op op = { .number = l->number + 1, .ack = (enum lf_ack)random_below(l->random, 3) };

	do
		g[0] = random_below(l->random, AGGREGATES);
	while (port_of(g[0]) != number);
	if (!open_for(l, g[0]))
		return false;
	s = track_coming(&l->aggregates[g[0]]);
	op.kind = kind_for(l, g[0], &s);
	op.arg = arg_for(l, op.kind, &s);
	if (op.kind == OPEN_MANY || op.kind == BUMP_MANY) {
		if (!many_choose(l, g))
			return false;
		n = MANY;
		op.many = true;
	}
	if (op.kind == LOOSE_CHANGE || op.kind == LOOSE_DELETE)
		op.many = true;
	if (submit(l, port, g, &op) != 0)
		return false;
	l->number++;
	for (unsigned i = 0; i < n; i++) {
		struct track *a = &l->aggregates[g[i]];

		a->ops[a->n++] = op;
	}
	trace("%" PRIu64 ": kind %d arg %" PRId64 " on %u, ack %d", op.number, (int)op.kind, op.arg,
		g[0], (int)op.ack);
	return true;
}

/* --- replies --- */

static void op_answer(struct ledger *l, struct op *op, enum error_code code, bool disk_bad)
{
	op->code = code;
	op->durable = op->ack != LF_ACCEPTED;
	switch (code) {
	case ERR_OK: op->status = DONE; return;
	case ERR_OUTCOME_UNKNOWN: op->status = PENDING; break;
	case ERR_UNIQUE:
	case ERR_CHECK:
	case ERR_FOREIGN_KEY:
		/* Of several parts the first error is told: another may have had none or the disk's. */
		op->status = !op->many ? REFUSED : disk_bad ? DONE_OR_SKIPPED : DONE_OR_REFUSED;
		return;
	case ERR_DISK_FULL:
	case ERR_IO:
		op->status = op->many ? DONE_OR_SKIPPED : SKIPPED;
		l->skipped++;
		break;
	default: wrong("command %" PRIu64 " was answered %s", op->number, error_sqlstate(code));
	}
	if (!disk_bad)
		wrong("command %" PRIu64 " was answered %s with a disk that works", op->number,
			error_sqlstate(code));
}

void ledger_reply(struct ledger *l, const struct lf_reply *reply, bool disk_bad)
{
	enum error_code code = reply->error == NULL ? ERR_OK : reply->error->code;
	bool found = false;

	l->unknown += code == ERR_OUTCOME_UNKNOWN;
	trace("%" PRIu64 ": answered %s epoch %" PRIu64 " count %" PRIu64, reply->tag,
		error_sqlstate(code), reply->epoch, reply->count);
	if (reply->epoch > l->told)
		l->told = reply->epoch;
	for (unsigned g = 0; g < AGGREGATES; g++) {
		struct track *a = &l->aggregates[g];

		for (unsigned i = 0; i < a->n; i++)
			if (a->ops[i].number == reply->tag) {
				a->ops[i].epoch = reply->epoch;
				op_answer(l, &a->ops[i], code, disk_bad);
				found = true;
			}
		track_fold(a, lf_visible(l->engine));
	}
	if (!found)
		wrong("a reply to %" PRIu64 ", which nobody waits for", reply->tag);
}

bool ledger_crowded(const struct ledger *l)
{
	unsigned full = 0;

	for (unsigned g = 0; g < AGGREGATES; g++)
		full += l->aggregates[g].n >= OPS_MAX / 2;
	return full > AGGREGATES / 6;
}

/* --- what is there --- */

struct load {
	struct ledger *l;
	struct state *states;
	const struct row_layout *layout;
	void (*row)(struct load *load, const struct value *v);
	unsigned extra;
};

static void must_be(const struct value *v, unsigned len, const char *text, const char *what)
{
	if (value_is_null(v) || v->s.len != len || memcmp(v->s.p, text, len) != 0)
		wrong("a text of %s is not what was written", what);
}

static void must_be_note(const struct value *v, int64_t number, const char *what)
{
	char text[NOTE_MAX];
	unsigned n = model_note(number, text);

	must_be(v, n, text, what);
}

static struct state *state_of(struct load *load, unsigned first, unsigned n, int64_t id)
{
	if (id < 0 || id >= n)
		wrong("a row of %" PRId64 ", which nobody wrote", id);
	return &load->states[first + (unsigned)id];
}

static void account_row(struct load *load, const struct value *v)
{
	struct state *s = state_of(load, 0, ACCOUNTS, v[0].i);

	must_be_note(&v[1], v[0].i, "account");
	if (s->exists)
		wrong("account %" PRId64 " is there twice", v[0].i);
	s->exists = true;
	s->a = v[2].i;
	s->b = v[3].i;
}

static void entry_row(struct load *load, const struct value *v)
{
	must_be_note(&v[3], v[1].i, "entry");
	model_add_row(state_of(load, 0, ACCOUNTS, v[0].i), v[1].i, v[2].i);
}

static void key_row(struct load *load, const struct value *v)
{
	char text[NOTE_MAX];
	int64_t id = 0;

	while (id < KEYS &&
		!(key_text(id, text) == v[0].s.len && memcmp(text, v[0].s.p, v[0].s.len) == 0))
		id++;
	struct state *s = state_of(load, FIRST_KEY, KEYS, id);

	must_be_note(&v[4], v[3].i, "kv");
	if (s->exists || v[1].i != key_account(id))
		wrong("key %" PRId64 " is there twice, or not as it was written", id);
	s->exists = true;
	s->a = v[2].i;
	s->b = v[3].i;
}

static void log_row(struct load *load, const struct value *v)
{
	must_be_note(&v[3], v[0].i * LOG_PARTS + v[1].i, "log");
	model_add_row(state_of(load, FIRST_TAG, TAGS, v[0].i), v[1].i, v[2].i);
}

static void loose_row(struct load *load, const struct value *v)
{
	must_be_note(&v[2], v[0].i * LOG_PARTS, "loose");
	model_add_row(state_of(load, FIRST_LOOSE, LOOSE, v[0].i), 0, v[1].i);
}

static void extra_row(struct load *load, const struct value *v)
{
	struct state *s = state_of(
		load, FIRST_EXTRA + load->extra * EXTRA_KEYS, EXTRA_KEYS, v[0].i);

	if (s->exists)
		wrong("a row of an extra table is there twice");
	s->exists = true;
	s->a = v[1].i;
}

static int on_row(void *arg, const void *row, uint32_t size)
{
	struct load *load = arg;
	struct value v[8];

	(void)size;
	for (unsigned c = 0; c < load->layout->ncols; c++)
		row_get(load->layout, row, c, &v[c]);
	load->row(load, v);
	return 0;
}

static void table_load(struct load *load, struct lf_port *reader, struct statement **s,
	const char *text, void (*row)(struct load *load, const struct value *v))
{
	uint64_t none[2] = { 0 };
	struct error e;

	if (*s == NULL)
		*s = prepare(load->l, text, NULL, 0);
	load->layout = &(*s)->result_layout;
	load->row = row;
	row_encode(&(*s)->param_layout, NULL, none);
	if (lf_query(reader, *s, none, on_row, load, &e) != 0)
		wrong("%s: %s %s", text, error_sqlstate(e.code), e.message);
}

static void tables_load(struct ledger *l, struct lf_port *reader, struct state *states)
{
	struct load load = { .l = l, .states = states };

	table_load(&load, reader, &l->tables[0], "SELECT id, name, balance, seq FROM account",
		account_row);
	table_load(&load, reader, &l->tables[1], "SELECT account, no, amount, note FROM entry",
		entry_row);
	table_load(&load, reader, &l->tables[2], "SELECT k, account, v, seq, pad FROM kv", key_row);
	table_load(&load, reader, &l->tables[3], "SELECT tag, part, v, note FROM log", log_row);
	table_load(&load, reader, &l->tables[4], "SELECT tag, v, note FROM loose", loose_row);
	for (load.extra = 0; load.extra < EXTRAS; load.extra++) {
		char text[TEXT_MAX];

		(void)snprintf(text, sizeof(text), "SELECT * FROM extra_%u", load.extra);
		if (l->extra_there[load.extra] && l->extra_usable[load.extra])
			table_load(&load, reader, &l->tables[FIXED_TABLES + load.extra], text,
				extra_row);
	}
}

/* --- comparing --- */

void ledger_compare(struct ledger *l, struct lf_port *reader, enum ledger_check check, bool gaps)
{
	static struct state states[AGGREGATES];

	memset(states, 0, sizeof(states));
	tables_load(l, reader, states);
	for (unsigned g = 0; g < AGGREGATES; g++) {
		struct track *a = &l->aggregates[g];
		bool scattered;

		if (g >= FIRST_EXTRA && !l->extra_usable[extra_of(g)])
			continue;
		/* Adopted rows of one loose aggregate may be in several shards: nothing orders what they see. */
		scattered = g >= FIRST_LOOSE && g < FIRST_EXTRA && a->base.n > 1;
		if (scattered && check == CHECK_LIVE)
			continue;
		if (scattered || check == CHECK_ADOPT) {
			track_remember(a, a->n, gaps);
			if (!a->vague && !scattered && !(g >= FIRST_LOOSE && g < FIRST_EXTRA))
				track_must_have_been(a, g, &states[g]);
			a->base = states[g];
			a->n = 0;
		} else {
			track_compare(a, g, &states[g], check, gaps);
		}
		if (check == CHECK_CRASH || check == CHECK_ADOPT)
			track_begin(a);
	}
}

/* --- the rest --- */

bool ledger_extra_quiet(struct ledger *l, unsigned extra)
{
	for (unsigned k = 0; k < EXTRA_KEYS; k++)
		if (l->aggregates[FIRST_EXTRA + extra * EXTRA_KEYS + k].n > 0)
			return false;
	return true;
}

void ledger_extra_set(struct ledger *l, unsigned extra, bool there, bool usable)
{
	if (!there || !usable) {
		lf_release(l->engine, l->statements[EXTRA_PUT][extra]);
		lf_release(l->engine, l->statements[EXTRA_DELETE][extra]);
		lf_release(l->engine, l->tables[FIXED_TABLES + extra]);
		l->statements[EXTRA_PUT][extra] = l->statements[EXTRA_DELETE][extra] = NULL;
		l->tables[FIXED_TABLES + extra] = NULL;
	}
	for (unsigned k = 0; !there && k < EXTRA_KEYS; k++) {
		struct track *a = &l->aggregates[FIRST_EXTRA + extra * EXTRA_KEYS + k];

		memset(&a->base, 0, sizeof(a->base));
		a->n = 0;
		track_begin(a);
	}
	l->extra_there[extra] = there;
	l->extra_usable[extra] = there && usable;
}

struct ledger *ledger_new(struct random *random)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l == NULL)
		abort();
	l->random = random;
	for (unsigned g = 0; g < AGGREGATES; g++)
		track_begin(&l->aggregates[g]);
	return l;
}

void ledger_free(struct ledger *l)
{
	for (unsigned g = 0; g < AGGREGATES; g++)
		free(l->aggregates[g].history);
	free(l);
}

void ledger_has_procedures(struct ledger *l)
{
	l->procedures = true;
}

void ledger_say_numbers(struct ledger *l)
{
	l->numbers = true;
}

void ledger_attach(struct ledger *l, struct lf_engine *engine)
{
	l->calls = l->procedures && !l->calls;
	l->engine = engine;
}

void ledger_detach(struct ledger *l)
{
	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned x = 0; x < EXTRAS; x++)
			lf_release(l->engine, l->statements[k][x]);
	for (unsigned t = 0; t < FIXED_TABLES + EXTRAS; t++)
		lf_release(l->engine, l->tables[t]);
	memset(l->statements, 0, sizeof(l->statements));
	memset(l->tables, 0, sizeof(l->tables));
	l->engine = NULL;
}

uint64_t ledger_told(const struct ledger *l)
{
	return l->told;
}

void ledger_tell(struct ledger *l, uint64_t epoch)
{
	if (epoch > l->told)
		l->told = epoch;
}

void ledger_forget_told(struct ledger *l)
{
	l->told = 0;
}

uint64_t ledger_skipped(const struct ledger *l)
{
	return l->skipped;
}

uint64_t ledger_unknown(const struct ledger *l)
{
	return l->unknown;
}

uint64_t ledger_commands(const struct ledger *l)
{
	return l->number;
}
