/*
 * event_log.c: streams of the event log, and consumers, who acknowledge.
 *
 * A stream is a request whose answer has many frames; each is taken apart when it is there, its events are given to the
 * callback, and nothing is kept but the shapes of tables, which are the same from frame to frame as a rule. What a getter
 * follows has been checked by then, as of any answer.
 */
#include "net/client/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/log/entry.h"

struct known_shape {
	struct shape *shape;
	unsigned char
		*entry; /* a copy of the table's or the statement's bytes that it was made of */
	uint32_t bytes;
	uint8_t what;
};

enum { SHAPE_TABLE, SHAPE_PARAMS, SHAPE_KEY, SHAPES_MAX = 64 };

struct event_stream {
	lf_client_on_event fn;
	lf_client_on_event_end end;
	void *arg;
	struct lf_event_position reached;
	struct event_walk walk;
	struct known_shape shapes[SHAPES_MAX];
	unsigned nshapes, next_shape;
	/* of the event that is given */
	struct lf_event_change *changes;
	struct lf_result *rows; /* the changes', then the key, then the parameters */
	size_t rows_cap;
	char *names; /* of tables, zero-terminated */
	size_t names_cap;
};

/* --- shapes --- */

static void shape_forget(struct known_shape *k)
{
	shape_release(k->shape);
	free(k->entry);
}

static int shape_column(struct shape *s, struct type *types, unsigned i, struct type t,
	const char *name, size_t len)
{
	types[i] = t;
	s->names[i] = arena_strdup(&s->arena, name, len);
	if (s->names[i] == NULL)
		return -1;
	if (type_is_bytes((enum type_id)t.id) || t.id == TYPE_NUMERIC)
		s->checked[s->nchecked++] = (uint16_t)i;
	return 0;
}

/* One of ncols columns, to be told by shape_column(); *types are these. */
static struct shape *shape_new(unsigned ncols, struct type **types)
{
	struct shape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->references = 1;
	s->kind = LF_STATEMENT_QUERY;
	s->tag = s->notice = "";
	arena_init(&s->arena, NULL);
	*types = arena_zalloc(&s->arena, (ncols + 1) * sizeof(**types));
	s->names = arena_zalloc(&s->arena, (ncols + 1) * sizeof(*s->names));
	s->checked = arena_zalloc(&s->arena, (ncols + 1) * sizeof(*s->checked));
	if (*types == NULL || s->names == NULL || s->checked == NULL) {
		shape_release(s);
		return NULL;
	}
	return s;
}

static struct shape *shape_done(struct shape *s, const struct type *types, unsigned n, int status)
{
	struct error e;

	if (status == 0)
		status = row_layout_init(&s->columns, types, n, &s->arena, &e);
	if (status != 0) {
		shape_release(s);
		return NULL;
	}
	return s;
}

/* Hidden columns have no name. */
static struct shape *shape_of_table(const struct event_table *t)
{
	struct type *types;
	struct shape *s = shape_new(t->ncols, &types);
	int status = 0;

	for (unsigned c = 0; s != NULL && status == 0 && c < t->ncols; c++) {
		struct event_column column;

		event_table_column(t, c, &column);
		status = shape_column(s, types, c, column.type, column.name,
			column.flags & COLUMN_HIDDEN ? 0 : column.name_bytes);
	}
	return s == NULL ? NULL : shape_done(s, types, t->ncols, status);
}

/* $1, $2, …; NULL also when a type does not exist. */
static struct shape *shape_of_types(const unsigned char *types_at, unsigned n, const char *name)
{
	struct type *types;
	struct shape *s = n > ROW_COLS_MAX ? NULL : shape_new(n, &types);
	int status = 0;

	for (unsigned i = 0; s != NULL && status == 0 && i < n; i++) {
		char numbered[16];
		struct type t;

		memcpy(&t, types_at + i * sizeof(t), sizeof(t));
		if (t.id == TYPE_UNKNOWN || !type_exists(t.id))
			status = -1;
		(void)snprintf(numbered, sizeof(numbered), "$%u", i + 1);
		if (status == 0)
			status = shape_column(s, types, i, t, name != NULL ? name : numbered,
				strlen(name != NULL ? name : numbered));
	}
	return s == NULL ? NULL : shape_done(s, types, n, status);
}

static struct shape *shape_make(const void *of, uint8_t what)
{
	const struct event_statement *statement = of;

	switch (what) {
	case SHAPE_TABLE: return shape_of_table(of);
	case SHAPE_PARAMS: return shape_of_types(statement->params, statement->nparams, NULL);
	default: return shape_of_types(of, 1, "key");
	}
}

/* The shape of what these bytes say. NULL: no memory, or they say nothing sound. */
static struct shape *shape_find(struct event_stream *x, const void *of, uint8_t what,
	const unsigned char *entry, uint32_t bytes)
{
	struct known_shape *k;
	struct shape *shape;
	unsigned char *copy;

	for (unsigned i = 0; i < x->nshapes; i++)
		if (x->shapes[i].what == what && x->shapes[i].bytes == bytes &&
			memcmp(x->shapes[i].entry, entry, bytes) == 0)
			return x->shapes[i].shape;
	shape = shape_make(of, what);
	copy = malloc(bytes);
	if (shape == NULL || copy == NULL) {
		shape_release(shape);
		free(copy);
		return NULL;
	}
	memcpy(copy, entry, bytes);
	if (x->nshapes < SHAPES_MAX) {
		k = &x->shapes[x->nshapes++];
	} else {
		k = &x->shapes[x->next_shape++ % SHAPES_MAX];
		shape_forget(k);
	}
	*k = (struct known_shape){ shape, copy, bytes, what };
	return shape;
}

/* --- events --- */

/* A row as a result of its own, which holds the shape: others may take its place among the known ones. 0; -1 malformed;
 * -2 no memory. */
static int row_take(
	struct lf_result *r, struct shape *shape, const unsigned char *row, uint32_t bytes)
{
	struct wire_reader in = { row, bytes, false };

	if (shape == NULL)
		return -2;
	result_reset(r);
	r->shape = shape_hold(shape);
	r->shape_held = true;
	return result_add_rows(r, &in, 1, false);
}

static int rows_room(struct event_stream *x, size_t n)
{
	struct lf_result *rows;
	struct lf_event_change *changes;

	if (n <= x->rows_cap)
		return 0;
	changes = realloc(x->changes, n * sizeof(*changes));
	if (changes == NULL)
		return -2;
	x->changes = changes;
	rows = realloc(x->rows, n * sizeof(*rows));
	if (rows == NULL)
		return -2;
	memset(rows + x->rows_cap, 0, (n - x->rows_cap) * sizeof(*rows));
	x->rows = rows;
	x->rows_cap = n;
	return 0;
}

/* The names of the changes' tables are behind one another; their bytes. */
static size_t names_bytes(const struct event_stream *x, const struct event *ev)
{
	struct event_change change;
	size_t n = 1;

	for (uint64_t at = 0; event_change(ev, &at, &change);)
		n += event_walk_table(&x->walk, change.table)->name_bytes + (size_t)1;
	return n;
}

static int changes_take(struct event_stream *x, const struct event *ev)
{
	size_t need = names_bytes(x, ev), i = 0;
	struct event_change change;
	char *name;

	if (need > x->names_cap) {
		name = realloc(x->names, need);
		if (name == NULL)
			return -2;
		x->names = name;
		x->names_cap = need;
	}
	name = x->names;
	for (uint64_t at = 0; event_change(ev, &at, &change); i++) {
		const struct event_table *t = event_walk_table(&x->walk, change.table);
		int status = row_take(&x->rows[i],
			shape_find(x, t, SHAPE_TABLE, t->entry, t->bytes), change.row,
			change.bytes);

		if (status != 0)
			return status;
		memcpy(name, t->name, t->name_bytes);
		name[t->name_bytes] = '\0';
		x->changes[i] = (struct lf_event_change){ (enum lf_event_kind)change.kind, name,
			&x->rows[i] };
		name += t->name_bytes + 1;
	}
	return 0;
}

static int event_give(struct event_stream *x, const struct event_head *head, const struct event *ev)
{
	const struct command_form_head *h = &ev->head;
	struct lf_event out = { .position = { head->epoch, head->shard, head->number },
		.attempt = head->attempt,
		.time_us = h->time_us,
		.key_hash = h->hash,
		.statement = ev->statement->text,
		.statement_length = ev->statement->text_bytes,
		.meta = h->meta_bytes > 0 ? ev->meta : NULL,
		.meta_bytes = h->meta_bytes,
		.nchanges = h->changes };
	int status = rows_room(x, (size_t)h->changes + 2);

	if (status == 0)
		status = changes_take(x, ev);
	if (status == 0 && ev->key != NULL) {
		struct lf_result *key = &x->rows[h->changes];
		const unsigned char *type = (const unsigned char *)&h->key_type;

		status = row_take(key, shape_find(x, type, SHAPE_KEY, type, sizeof(struct type)),
			ev->key, h->key_bytes);
		out.key = key;
	}
	if (status == 0 && ev->params != NULL) {
		struct lf_result *params = &x->rows[h->changes + 1];
		const struct event_statement *s = ev->statement;

		status = row_take(params, shape_find(x, s, SHAPE_PARAMS, s->entry, s->bytes),
			ev->params, h->params_bytes);
		out.params = params;
	}
	if (status != 0)
		return status;
	out.changes = x->changes;
	x->fn(x->arg, &out);
	return 0;
}

/* The events of a frame. 0; -1; -2. */
static int events_give(
	struct lf_client *c, struct event_stream *x, struct wire_reader *in, uint32_t n)
{
	event_walk_open(&x->walk, in->p, 0);
	for (uint32_t i = 0; i < n && !c->broken; i++) {
		struct event_head head;
		const unsigned char *entries;
		struct event ev;
		struct error e;
		int status;

		wire_get(in, &head, sizeof(head));
		entries = wire_take(in, head.bytes);
		if (in->bad || head.bytes % 8 != 0)
			return -1;
		event_walk_more(&x->walk, entries, head.bytes);
		status = event_walk_next(&x->walk, &ev, &e);
		if (status <= 0)
			return status < 0 && e.code == ERR_OUT_OF_MEMORY ? -2 : -1;
		if (x->walk.at != x->walk.bytes)
			return -1;
		status = event_give(x, &head, &ev);
		if (status != 0)
			return status;
		c->delivered++;
		x->reached = (struct lf_event_position){ head.epoch, head.shard, head.number };
	}
	return in->left == 0 ? 0 : -1;
}

void answer_events(
	struct lf_client *c, const struct wire_header *h, struct wire_reader *in, struct group *g)
{
	struct event_stream *x = g->arg;
	struct wire_events head;
	int status = -1;

	wire_get(in, &head, sizeof(head));
	if (!in->bad && head.zero == 0 && g->op == OPERATION_EVENTS)
		status = events_give(c, x, in, head.events);
	if (status == -2)
		client_break(c, "53200", "out of memory");
	else if (status != 0)
		client_break(c, "08P01", "protocol violation by the server: malformed events");
	if (status != 0)
		return;
	x->reached = (struct lf_event_position){ head.epoch, head.shard, head.number };
	if (head.events == 0)
		c->delivered++;
	if (h->flags & WIRE_FLAG_MORE)
		return;
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}

/* --- the request --- */

static void stream_free(struct event_stream *x)
{
	for (unsigned i = 0; i < x->nshapes; i++)
		shape_forget(&x->shapes[i]);
	for (size_t i = 0; i < x->rows_cap; i++) {
		result_reset(&x->rows[i]);
		free(x->rows[i].rows);
		free(x->rows[i].own);
	}
	event_walk_close(&x->walk);
	free(x->changes);
	free(x->rows);
	free(x->names);
	free(x);
}

static void stream_done(void *arg, uint64_t request, const struct lf_result *r)
{
	struct event_stream *x = arg;

	(void)request;
	if (x->end != NULL)
		x->end(x->arg, x->reached, r->failed ? &r->error : NULL);
	stream_free(x);
}

static uint32_t from_flags(enum lf_log_from from)
{
	return from == LF_LOG_OLDEST ? WIRE_EVENTS_OLDEST
		: from == LF_LOG_NOW ? WIRE_EVENTS_NOW
				     : 0;
}

static int from_check(
	const struct lf_client_log *from, size_t *table, size_t *key, struct lf_client_error *e)
{
	*table = from->table != NULL ? strlen(from->table) : 0;
	*key = from->key != NULL ? strlen(from->key) : 0;
	if ((unsigned)from->from > LF_LOG_NOW || *table > UINT16_MAX || *key > UINT16_MAX)
		return client_error(e, "22023", "no such place of the event log");
	return 0;
}

/* A stream for this callback; NULL: no memory. */
static struct event_stream *stream_new(lf_client_on_event fn, lf_client_on_event_end end, void *arg,
	struct lf_event_position behind)
{
	struct event_stream *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return NULL;
	x->fn = fn;
	x->end = end;
	x->arg = arg;
	x->reached = behind;
	return x;
}

static int stream_send(struct lf_client *c, struct event_stream *x, enum wire_type type,
	const void *head, size_t nhead, const void *body, size_t nbody, uint64_t *request,
	struct lf_client_error *e)
{
	struct group g = { .op = OPERATION_EVENTS, .each = stream_done, .arg = x };
	int status = request_send(c, type, head, nhead, body, nbody, &g, false, request, e);

	if (status != 0)
		stream_free(x);
	return status;
}

int lf_client_log_open(struct lf_client *c, const struct lf_client_log *from, lf_client_on_event fn,
	lf_client_on_event_end end, void *arg, uint64_t *request, struct lf_client_error *e)
{
	struct wire_events_from head;
	struct event_stream *x;
	size_t table, key;
	char *text;
	int status;

	if (client_ready(c, false, e) != 0 || from_check(from, &table, &key, e) != 0)
		return -1;
	x = stream_new(fn, end, arg, from->behind);
	text = malloc(table + key + 1);
	if (x == NULL || text == NULL) {
		free(x);
		free(text);
		return client_no_memory(e);
	}
	head = (struct wire_events_from){ .flags = (from->follow ? WIRE_EVENTS_FOLLOW : 0) |
			from_flags(from->from),
		.table_length = (uint16_t)table,
		.key_length = (uint16_t)key,
		.epoch = from->behind.epoch,
		.shard = from->behind.shard,
		.number = from->behind.number };
	if (table > 0)
		memcpy(text, from->table, table);
	if (key > 0)
		memcpy(text + table, from->key, key);
	status = stream_send(c, x, WIRE_EVENTS, &head, sizeof(head), text, table + key, request, e);
	free(text);
	return status;
}

/* A frame about a stream that is under way: no request of its own. */
static int stream_say(struct lf_client *c, enum wire_type type, uint64_t request, const void *head,
	size_t nhead, const void *body, size_t nbody, struct lf_client_error *e)
{
	int64_t index;

	if (client_ready(c, false, e) != 0)
		return -1;
	index = request_find(c, request);
	if (index < 0 || c->groups[index].op != OPERATION_EVENTS)
		return client_error(e, "55000", "no stream of events has this request");
	return request_append_about(c, type, request, head, nhead, body, nbody, e);
}

int lf_client_log_stop(struct lf_client *c, uint64_t request, struct lf_client_error *e)
{
	struct wire_events_from head = { .flags = WIRE_EVENTS_STOP };

	return stream_say(c, WIRE_EVENTS, request, &head, sizeof(head), NULL, 0, e);
}

/* --- consumers --- */

static int name_check(const char *name, size_t *n, struct lf_client_error *e)
{
	*n = name != NULL ? strlen(name) : 0;
	if (*n == 0 || *n > UINT16_MAX)
		return client_error(e, "22023", "consumers have a name");
	return 0;
}

int lf_consumer_open(struct lf_client *c, const struct lf_consumer_options *o,
	lf_client_on_event fn, lf_client_on_event_end end, void *arg, uint64_t *request,
	struct lf_client_error *e)
{
	struct wire_consume head = { .flags = from_flags(o->from) |
			(o->reset ? (uint32_t)WIRE_CONSUME_RESET : 0),
		.epoch = o->behind.epoch,
		.shard = o->behind.shard,
		.number = o->behind.number,
		.ack_ms = o->ack_ms,
		.attempts_max = o->attempts_max,
		.inflight_max = o->inflight_max };
	struct event_stream *x;
	size_t n;

	if (client_ready(c, false, e) != 0 || name_check(o->name, &n, e) != 0)
		return -1;
	head.name_length = (uint16_t)n;
	x = stream_new(fn, end, arg, o->behind);
	if (x == NULL)
		return client_no_memory(e);
	return stream_send(c, x, WIRE_CONSUME, &head, sizeof(head), o->name, n, request, e);
}

_Static_assert(sizeof(struct wire_event_id) == sizeof(struct lf_event_position) &&
		offsetof(struct wire_event_id, number) ==
			offsetof(struct lf_event_position, number),
	"positions are sent as they are");

int lf_consumer_settle(struct lf_client *c, uint64_t request, enum lf_consumer_settle how,
	const struct lf_event_position *events, size_t n, struct lf_client_error *e)
{
	if ((unsigned)how > LF_CONSUMER_DEAD)
		return client_error(e, "22023", "there is no way %d to settle events", (int)how);
	while (n > 0) {
		size_t some = n < WIRE_ACKNOWLEDGE_MAX ? n : WIRE_ACKNOWLEDGE_MAX;
		struct wire_acknowledge head = { (uint32_t)how, (uint32_t)some };

		if (stream_say(c, WIRE_ACKNOWLEDGE, request, &head, sizeof(head), events,
			    some * sizeof(*events), e) != 0)
			return -1;
		events += some;
		n -= some;
	}
	return 0;
}

int lf_consumer_close(struct lf_client *c, uint64_t request, struct lf_client_error *e)
{
	struct wire_consume head = { .flags = WIRE_EVENTS_STOP };

	return stream_say(c, WIRE_CONSUME, request, &head, sizeof(head), NULL, 0, e);
}

int lf_consumer_requeue(struct lf_client *c, const char *name,
	const struct lf_event_position *letter, uint64_t *count, struct lf_client_error *e)
{
	struct waiter w = { .e = e };
	struct group g = { .op = OPERATION_REQUEUE, .each = waiter_done, .arg = &w };
	struct wire_consume head = { .flags = WIRE_CONSUME_REQUEUE |
			(letter == NULL ? (uint32_t)WIRE_CONSUME_ALL : 0) };
	size_t n;

	if (name_check(name, &n, e) != 0)
		return -1;
	head.name_length = (uint16_t)n;
	if (letter != NULL) {
		head.epoch = letter->epoch;
		head.shard = letter->shard;
		head.number = letter->number;
	}
	if (waiter_run(c, WIRE_CONSUME, &head, sizeof(head), name, n, &g, &w) != 0)
		return -1;
	if (count != NULL)
		*count = w.count;
	return 0;
}

void answer_requeued(struct lf_client *c, const struct wire_header *h, struct wire_reader *in,
	const struct group *g)
{
	struct wire_requeued done;
	struct waiter *w = g->arg;

	wire_get(in, &done, sizeof(done));
	if (in->bad || in->left != 0 || g->op != OPERATION_REQUEUE) {
		client_break(c, "08P01", "protocol violation by the server: unexpected answer");
		return;
	}
	w->count = done.count;
	result_reset(&c->view);
	request_answer(c, h->request, &c->view);
}
