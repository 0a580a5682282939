/*
 * event_log.c: see event_log.h.
 *
 * Which statements and tables a block has already is remembered by small tables of slots: a statement that has lost its
 * slot to another is written once more, which costs bytes and nothing else. What a batch takes is worked out with slots
 * of its own, empty at first, so it can only be more than what is written.
 *
 * Budget of a command: its parameters are copied twice, its key is hashed; no allocation but the arena's.
 */
#include "core/flow/event_log.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"

enum {
	SLOTS = 64, /* of either kind; a power of two */
	NOTED_START = 64,
	KEY_NULLS = 1,
	KEY_SLOT = ROW_NULLS_AT + KEY_NULLS
};

struct noted {
	const struct statement *statement;
	int64_t now_us;
	unsigned first, n;
	const void *params; /* copies; NULL: none */
	const void *meta;
	uint32_t meta_bytes;
};

struct slot {
	uint64_t id;     /* statement->serial, relation->id; 0: none */
	uint64_t block;  /* that has it … */
	uint32_t number; /* … by this number */
	uint64_t sized;  /* the same id while the bytes of a batch are worked out … */
	uint64_t batch;  /* … of this number */
};

struct event_log {
	struct arena arena;
	unsigned n, cap;
	struct noted *list;
	struct noted coming;
	uint64_t block; /* being written; a batch being sized */
	uint64_t batch;
	uint32_t next; /* number of a statement in the block */
	struct slot statements[SLOTS], tables[SLOTS];
};

struct event_log *event_log_new(void)
{
	struct event_log *l = calloc(1, sizeof(*l));

	if (l != NULL)
		arena_init(&l->arena, NULL);
	return l;
}

void event_log_free(struct event_log *l)
{
	if (l == NULL)
		return;
	arena_free(&l->arena);
	free(l->list);
	free(l);
}

static const void *copy(struct event_log *l, const void *bytes, uint32_t n)
{
	void *p = arena_alloc(&l->arena, n);

	return p == NULL ? NULL : memcpy(p, bytes, n);
}

int event_log_prepare(struct event_log *l, const void *params, const void *meta,
	uint32_t meta_bytes, struct error *e)
{
	struct noted *c = &l->coming;

	if (l->n == l->cap) {
		unsigned cap = l->cap == 0 ? NOTED_START : 2 * l->cap;
		struct noted *grown = realloc(l->list, cap * sizeof(*grown));

		if (grown == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		l->list = grown;
		l->cap = cap;
	}
	*c = (struct noted){ .meta_bytes = meta_bytes };
	if (params != NULL)
		c->params = copy(l, params, row_size(params));
	if (meta_bytes > 0)
		c->meta = copy(l, meta, meta_bytes);
	if ((params != NULL && c->params == NULL) || (meta_bytes > 0 && c->meta == NULL))
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return 0;
}

void event_log_note(
	struct event_log *l, const struct statement *s, int64_t now_us, unsigned first, unsigned n)
{
	struct noted *c = &l->coming;

	ASSERT(l->n < l->cap && n > 0);
	c->statement = s;
	c->now_us = now_us;
	c->first = first;
	c->n = n;
	l->list[l->n++] = *c;
}

/* --- sizes --- */

static uint64_t padded(uint64_t n)
{
	return (n + 7) / 8 * 8;
}

static uint64_t statement_form_bytes(const struct statement *s)
{
	return padded(
		sizeof(struct statement_form) + s->nparams * sizeof(struct type) + strlen(s->text));
}

static uint64_t table_form_bytes(const struct relation *r)
{
	uint64_t n = sizeof(struct table_form) + r->ncols * sizeof(struct column_form) +
		strlen(r->name);

	for (unsigned c = 0; c < r->ncols; c++)
		n += strlen(r->columns[c].name);
	return padded(n);
}

static const void *changed_row(const struct change_entry *c)
{
	return c->new_row != NULL ? c->new_row : c->old_row;
}

/* The key that a row belongs to, as a packed row of one column. */
static uint32_t key_bytes(const struct relation *r, const void *row)
{
	const struct type *t = &r->columns[r->partition].type;
	uint32_t n = KEY_SLOT + row_slot_width((enum type_id)t->id);

	if (type_is_bytes((enum type_id)t->id)) {
		struct value v;

		row_get(&r->layout, row, (unsigned)r->partition, &v);
		n += value_is_null(&v) ? 0 : v.s.len;
	}
	return (uint32_t)padded(n);
}

static bool slot_sized(struct slot *slots, uint64_t id, uint64_t batch)
{
	struct slot *s = &slots[id % SLOTS];
	bool known = s->sized == id && s->batch == batch;

	s->sized = id;
	s->batch = batch;
	return known;
}

void event_log_size(
	struct event_log *l, const struct change_log *log, unsigned *entries, uint64_t *bytes)
{
	l->batch++;
	*entries = log->n;
	*bytes = 0;
	for (unsigned i = 0; i < log->n; i++) {
		const struct relation *r = log->entries[i].part->relation;

		*bytes += row_size(changed_row(&log->entries[i]));
		if (l->n > 0 && !slot_sized(l->tables, r->id, l->batch)) {
			*bytes += table_form_bytes(r);
			(*entries)++;
		}
	}
	for (unsigned i = 0; i < l->n; i++) {
		const struct noted *c = &l->list[i];
		const struct change_entry *first = &log->entries[c->first];

		if (!slot_sized(l->statements, c->statement->serial, l->batch)) {
			*bytes += statement_form_bytes(c->statement);
			(*entries)++;
		}
		*bytes += sizeof(struct command_form_head) +
			key_bytes(first->part->relation, changed_row(first)) +
			(c->params != NULL ? row_size(c->params) : 0) + padded(c->meta_bytes);
		(*entries)++;
	}
}

/* --- writing --- */

static bool slot_has(struct slot *slots, uint64_t id, uint64_t block)
{
	const struct slot *s = &slots[id % SLOTS];

	return s->id == id && s->block == block;
}

static void statement_write(struct event_log *l, struct journal *j, const struct statement *s)
{
	struct slot *slot = &l->statements[s->serial % SLOTS];
	uint32_t n = (uint32_t)statement_form_bytes(s);
	struct entry_header entry = { l->next, ENTRY_COMMAND, FORM_STATEMENT };
	struct statement_form form = {
		.bytes = n, .text_bytes = (uint32_t)strlen(s->text), .nparams = (uint16_t)s->nparams
	};
	unsigned char *at = journal_entry(j, &entry, n);

	memset(at + n - 8, 0, 8);
	memcpy(at, &form, sizeof(form));
	at += sizeof(form);
	if (s->nparams > 0)
		memcpy(at, s->params, s->nparams * sizeof(struct type));
	memcpy(at + s->nparams * sizeof(struct type), s->text, form.text_bytes);
	journal_entry_end(j, n);
	slot->id = s->serial;
	slot->block = l->block;
	slot->number = l->next++;
}

static bool is_key(const struct relation *r, unsigned column)
{
	for (unsigned k = 0; k < r->nkey; k++)
		if (r->key[k] == column)
			return true;
	return false;
}

static unsigned char *name_put(unsigned char *at, const char *name, uint16_t *n)
{
	size_t len = strlen(name);

	memcpy(at, name, len);
	*n = (uint16_t)len;
	return at + len;
}

static void table_write(struct event_log *l, struct journal *j, const struct relation *r)
{
	struct slot *slot = &l->tables[r->id % SLOTS];
	uint32_t n = (uint32_t)table_form_bytes(r);
	struct entry_header entry = { r->id, ENTRY_COMMAND, FORM_TABLE };
	struct table_form form = { .bytes = n, .ncols = r->ncols, .partition = r->partition };
	unsigned char *begin = journal_entry(j, &entry, n), *at = begin + sizeof(form), *name;

	memset(begin + n - 8, 0, 8);
	name = name_put(at + r->ncols * sizeof(struct column_form), r->name, &form.name_bytes);
	memcpy(begin, &form, sizeof(form));
	for (unsigned c = 0; c < r->ncols; c++) {
		const struct column *column = &r->columns[c];
		struct column_form f = { .type = column->type.id,
			.scale = column->type.b,
			.modifier = column->type.a,
			.flags = (uint16_t)((column->hidden ? COLUMN_HIDDEN : 0) |
				(is_key(r, c) ? COLUMN_KEY : 0)) };

		name = name_put(name, column->name, &f.name_bytes);
		memcpy(at + c * sizeof(f), &f, sizeof(f));
	}
	journal_entry_end(j, n);
	slot->id = r->id;
	slot->block = l->block;
}

/* Whether all its changes are of one aggregate, and its hash. */
static bool one_key(const struct change_entry *changes, unsigned n, uint64_t *hash)
{
	for (unsigned i = 0; i < n; i++) {
		const struct relation *r = changes[i].part->relation;
		uint64_t h = row_column_hash(
			&r->layout, changed_row(&changes[i]), (unsigned)r->partition);

		if (i > 0 && h != *hash)
			return false;
		*hash = h;
	}
	return true;
}

static void key_write(const struct relation *r, const void *row, unsigned char *at)
{
	const struct type *t = &r->columns[r->partition].type;
	const uint32_t slot = KEY_SLOT;
	const struct row_layout l = { .ncols = 1,
		.slots = KEY_SLOT,
		.nbytes = type_is_bytes((enum type_id)t->id),
		.fixed = KEY_SLOT + row_slot_width((enum type_id)t->id),
		.types = t,
		.offsets = &slot };
	struct value v;

	row_get(&r->layout, row, (unsigned)r->partition, &v);
	(void)row_encode(&l, &v, at);
}

static void command_write(
	struct event_log *l, const struct change_log *log, struct journal *j, const struct noted *c)
{
	const struct change_entry *changes = &log->entries[c->first];
	const struct relation *r = changes->part->relation;
	struct entry_header entry = { l->statements[c->statement->serial % SLOTS].number,
		ENTRY_COMMAND, FORM_COMMAND };
	struct command_form_head head = { .changes = c->n,
		.time_us = c->now_us,
		.params_bytes = c->params != NULL ? row_size(c->params) : 0,
		.meta_bytes = c->meta_bytes };
	unsigned char *at;

	if (one_key(changes, c->n, &head.hash)) {
		const struct type *t = &r->columns[r->partition].type;

		head.key_type = t->id;
		head.key_scale = t->b;
		head.key_modifier = t->a;
		head.key_bytes = key_bytes(r, changed_row(changes));
	} else {
		head.hash = 0;
	}
	head.bytes = (uint32_t)(sizeof(head) + head.key_bytes + head.params_bytes +
		padded(head.meta_bytes));
	at = journal_entry(j, &entry, head.bytes);
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	if (head.key_bytes > 0)
		key_write(r, changed_row(changes), at);
	at += head.key_bytes;
	if (head.params_bytes > 0)
		memcpy(at, c->params, head.params_bytes);
	at += head.params_bytes;
	if (head.meta_bytes > 0) {
		memset(at + padded(head.meta_bytes) - 8, 0, 8);
		memcpy(at, c->meta, head.meta_bytes);
	}
	journal_entry_end(j, head.bytes);
}

static void change_write(struct journal *j, const struct change_entry *c)
{
	const void *row = changed_row(c);
	struct entry_header entry = { c->part->relation->id,
		c->new_row != NULL ? ENTRY_PUT : ENTRY_DELETE,
		c->new_row != NULL && c->old_row != NULL ? CHANGE_REPLACES : 0 };

	memcpy(journal_entry(j, &entry, row_size(row)), row, row_size(row));
	journal_entry_end(j, row_size(row));
}

/* What a command needs to be understood, and it. */
static void command_begin(
	struct event_log *l, const struct change_log *log, struct journal *j, const struct noted *c)
{
	if (!slot_has(l->statements, c->statement->serial, l->block))
		statement_write(l, j, c->statement);
	for (unsigned i = c->first; i < c->first + c->n; i++) {
		const struct relation *r = log->entries[i].part->relation;

		if (!slot_has(l->tables, r->id, l->block))
			table_write(l, j, r);
	}
	command_write(l, log, j, c);
}

void event_log_drop(struct event_log *l)
{
	l->n = 0;
	arena_reset(&l->arena);
}

void event_log_write(struct event_log *l, const struct change_log *log, struct journal *j)
{
	const struct noted *c = l->list, *end = l->list + l->n;

	if (log->n > 0 && journal_block(j) != l->block) {
		l->block = journal_block(j);
		l->next = 0;
	}
	for (unsigned i = 0; i < log->n; i++) {
		if (c != end && c->first == i)
			command_begin(l, log, j, c++);
		change_write(j, &log->entries[i]);
	}
	ASSERT(c == end);
	event_log_drop(l);
}
