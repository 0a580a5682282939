/*
 * entry.c: see entry.h.
 */
#include "core/log/entry.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/store/row.h"

uint64_t entry_read(const unsigned char *p, uint64_t left, struct entry *out)
{
	struct entry_header h;
	uint64_t n;

	if (left < sizeof(h) + 8)
		return 0;
	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	left -= sizeof(h);
	*out = (struct entry){ .relation = h.relation, .kind = h.kind, .form = h.form };
	if (h.kind == ENTRY_SCHEMA) {
		struct schema_text text;

		memcpy(&text, p, sizeof(text));
		n = sizeof(text) + ((uint64_t)text.bytes + 7) / 8 * 8;
		out->data = p + sizeof(text);
		out->bytes = text.bytes;
	} else if (h.kind == ENTRY_PUT || h.kind == ENTRY_DELETE || h.kind == ENTRY_COMMAND ||
		h.kind == ENTRY_ANSWER) {
		/* The forms of a command begin with their size, as rows do. */
		n = row_size(p);
		out->data = p;
		out->bytes = (uint32_t)n;
	} else {
		return 0;
	}
	return n == 0 || n % 8 != 0 || n > left ? 0 : sizeof(h) + n;
}

/* --- tables and statements --- */

static int malformed(struct error *e)
{
	return error_set(e, ERR_IO, 0, "entries of the event log are not well-formed");
}

/* Room for one more; -1: no memory. */
static int grow(void **list, unsigned n, unsigned *cap, size_t size)
{
	void *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*list, (*cap == 0 ? 8 : 2 * (size_t)*cap) * size);
	if (grown == NULL)
		return -1;
	*list = grown;
	*cap = *cap == 0 ? 8 : 2 * *cap;
	return 0;
}

static struct column_form column_at(const struct event_table *t, unsigned column)
{
	struct column_form f;

	memcpy(&f,
		t->entry + sizeof(struct entry_header) + sizeof(struct table_form) +
			column * sizeof(f),
		sizeof(f));
	return f;
}

void event_table_column(const struct event_table *t, unsigned column, struct event_column *out)
{
	const char *name = t->name + t->name_bytes;
	struct column_form f = column_at(t, 0);

	for (unsigned c = 0; c < column; c++) {
		name += f.name_bytes;
		f = column_at(t, c + 1);
	}
	*out = (struct event_column){ { f.type, f.scale, f.modifier }, f.flags, name,
		f.name_bytes };
}

static int table_add(struct event_walk *w, const struct entry *entry, const unsigned char *begin,
	struct error *e)
{
	struct table_form form;
	struct event_table t;
	uint64_t need = sizeof(form);

	if (entry->bytes < sizeof(form))
		return malformed(e);
	memcpy(&form, entry->data, sizeof(form));
	need += form.ncols * sizeof(struct column_form) + form.name_bytes;
	if (form.ncols == 0 || form.ncols > LIMIT_COLUMNS || need > entry->bytes ||
		form.partition < -1 || form.partition >= (int)form.ncols)
		return malformed(e);
	t = (struct event_table){ .id = entry->relation,
		.entry = begin,
		.bytes = (uint32_t)sizeof(struct entry_header) + entry->bytes,
		.ncols = form.ncols,
		.partition = form.partition,
		.name = (const char *)entry->data + sizeof(form) +
			form.ncols * sizeof(struct column_form),
		.name_bytes = form.name_bytes };
	for (unsigned c = 0; c < form.ncols; c++) {
		struct column_form f = column_at(&t, c);

		need += f.name_bytes;
		if (f.type == TYPE_UNKNOWN || !type_exists(f.type))
			return malformed(e);
	}
	if (need > entry->bytes)
		return malformed(e);
	for (unsigned i = 0; i < w->ntables; i++)
		if (w->tables[i].id == t.id) {
			w->tables[i] = t;
			return 0;
		}
	if (grow((void **)&w->tables, w->ntables, &w->tables_cap, sizeof(t)) != 0)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	w->tables[w->ntables++] = t;
	return 0;
}

static int statement_add(struct event_walk *w, const struct entry *entry,
	const unsigned char *begin, struct error *e)
{
	struct statement_form form;
	struct event_statement s;

	if (entry->bytes < sizeof(form))
		return malformed(e);
	memcpy(&form, entry->data, sizeof(form));
	/* A frame may have only some of its block's. */
	if (entry->relation >= LIMIT_EVENT_STATEMENTS ||
		sizeof(form) + form.nparams * sizeof(struct type) + (uint64_t)form.text_bytes >
			entry->bytes)
		return malformed(e);
	s = (struct event_statement){ .entry = begin,
		.bytes = (uint32_t)sizeof(struct entry_header) + entry->bytes,
		.params = entry->data + sizeof(form),
		.nparams = form.nparams,
		.text = (const char *)entry->data + sizeof(form) +
			form.nparams * sizeof(struct type),
		.text_bytes = form.text_bytes };
	while (w->nstatements <= entry->relation) {
		if (grow((void **)&w->statements, w->nstatements, &w->statements_cap, sizeof(s)) !=
			0)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		w->statements[w->nstatements++] = (struct event_statement){ .text = NULL };
	}
	w->statements[entry->relation] = s;
	return 0;
}

const struct event_table *event_walk_table(const struct event_walk *w, uint32_t id)
{
	for (unsigned i = 0; i < w->ntables; i++)
		if (w->tables[i].id == id)
			return &w->tables[i];
	return NULL;
}

/* --- commands --- */

/* The command's changes stand behind it, and their tables before it. */
static int changes_check(struct event_walk *w, struct event *ev, struct error *e)
{
	for (uint32_t i = 0; i < ev->head.changes; i++) {
		struct entry entry;
		uint64_t n = entry_read(w->p + w->at, w->bytes - w->at, &entry);

		if (n == 0 || (entry.kind != ENTRY_PUT && entry.kind != ENTRY_DELETE) ||
			event_walk_table(w, entry.relation) == NULL)
			return malformed(e);
		w->at += n;
	}
	return 0;
}

static int command_take(
	struct event_walk *w, const struct entry *entry, struct event *out, struct error *e)
{
	const unsigned char *p = entry->data + sizeof(out->head);
	struct command_form_head *h = &out->head;

	if (entry->bytes < sizeof(*h))
		return malformed(e);
	memcpy(h, entry->data, sizeof(*h));
	if (entry->relation >= w->nstatements || w->statements[entry->relation].text == NULL ||
		h->changes == 0 || h->key_bytes % 8 != 0 || h->params_bytes % 8 != 0 ||
		sizeof(*h) + (uint64_t)h->key_bytes + h->params_bytes + h->meta_bytes >
			entry->bytes ||
		(h->key_bytes > 0 &&
			(h->key_type == TYPE_UNKNOWN || !type_exists(h->key_type) ||
				row_size(p) != h->key_bytes)) ||
		(h->params_bytes > 0 && row_size(p + h->key_bytes) != h->params_bytes))
		return malformed(e);
	out->statement = &w->statements[entry->relation];
	out->key = h->key_bytes > 0 ? p : NULL;
	out->params = h->params_bytes > 0 ? p + h->key_bytes : NULL;
	out->meta = p + h->key_bytes + h->params_bytes;
	out->entries = entry->data - sizeof(struct entry_header);
	if (changes_check(w, out, e) != 0)
		return -1;
	out->bytes = (uint64_t)(w->p + w->at - out->entries);
	return 0;
}

void event_walk_more(struct event_walk *w, const unsigned char *p, uint64_t bytes)
{
	w->p = p;
	w->bytes = bytes;
	w->at = 0;
}

void event_walk_open(struct event_walk *w, const unsigned char *p, uint64_t bytes)
{
	event_walk_more(w, p, bytes);
	w->nstatements = w->ntables = 0;
}

void event_walk_close(struct event_walk *w)
{
	free(w->statements);
	free(w->tables);
	memset(w, 0, sizeof(*w));
}

int event_walk_next(struct event_walk *w, struct event *out, struct error *e)
{
	while (w->at < w->bytes) {
		const unsigned char *begin = w->p + w->at;
		struct entry entry;
		uint64_t n = entry_read(begin, w->bytes - w->at, &entry);

		if (n == 0)
			return malformed(e);
		w->at += n;
		if (entry.kind != ENTRY_COMMAND)
			continue;
		switch (entry.form) {
		case FORM_TABLE:
			if (table_add(w, &entry, begin, e) != 0)
				return -1;
			break;
		case FORM_STATEMENT:
			if (statement_add(w, &entry, begin, e) != 0)
				return -1;
			break;
		case FORM_COMMAND: return command_take(w, &entry, out, e) == 0 ? 1 : -1;
		default: return malformed(e);
		}
	}
	return 0;
}

bool event_change(const struct event *ev, uint64_t *at, struct event_change *out)
{
	struct entry entry;
	uint64_t n;

	if (*at == 0)
		*at = entry_read(ev->entries, ev->bytes, &entry);
	n = *at < ev->bytes ? entry_read(ev->entries + *at, ev->bytes - *at, &entry) : 0;
	if (n == 0)
		return false;
	*at += n;
	*out = (struct event_change){ .kind = entry.kind == ENTRY_DELETE ? EVENT_DELETE
			: entry.form & CHANGE_REPLACES                   ? EVENT_UPDATE
									 : EVENT_INSERT,
		.table = entry.relation,
		.row = entry.data,
		.bytes = entry.bytes };
	return true;
}
