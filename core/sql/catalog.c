/*
 * catalog.c: see catalog.h. A list in order of creation, searched by name: schemas are small and names
 * are looked up at prepare time only.
 */
#include "core/sql/catalog.h"

#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

struct catalog {
	struct heap *heap;
	struct relation **relations;
	unsigned count, cap;
	uint32_t next_id;
	uint16_t nprocedures, procedures_cap;
	struct relation **procedures;
	uint16_t nsystem, system_cap;
	struct relation **system;
	uint64_t epoch;    /* see catalog_set_epoch() */
	unsigned nsources; /* atomic */
	const char **sources;
	const char *building;
	bool building_index;
};

/* Append to a heap-allocated array of *n pointers with room for *cap; 0 or -1. */
static int append(struct heap *h, void *array, uint16_t *n, uint16_t *cap, void *item)
{
	void **items;

	memcpy(&items, array, sizeof(items));
	if (*n == *cap) {
		items = heap_realloc(h, items, *cap * sizeof(*items), (*cap + 1u) * sizeof(*items));
		if (items == NULL)
			return -1;
		memcpy(array, &items, sizeof(items));
		(*cap)++;
	}
	items[(*n)++] = item;
	return 0;
}

/* Remove an item, if it is there. The room stays, so that it cannot fail. */
static void take_out(void *array, uint16_t *n, const void *item)
{
	void **items;
	unsigned at = 0;

	memcpy(&items, array, sizeof(items));
	while (at < *n && items[at] != item)
		at++;
	if (at == *n)
		return;
	(*n)--;
	memmove(items + at, items + at + 1, (*n - at) * sizeof(*items));
}

struct catalog *catalog_new(struct heap *h)
{
	struct catalog *c = heap_zalloc(h, sizeof(*c));

	if (c != NULL) {
		c->heap = h;
		c->next_id = 1;
		c->epoch = UINT64_MAX;
	}
	return c;
}

void catalog_free(struct catalog *c)
{
	for (unsigned i = 0; i < c->count; i++)
		relation_release(c->relations[i]);
	for (unsigned i = 0; i < c->nprocedures; i++)
		relation_release(c->procedures[i]);
	for (unsigned i = 0; i < c->nsystem; i++)
		relation_release(c->system[i]);
	heap_free(c->heap, c->procedures, c->procedures_cap * sizeof(struct relation *));
	for (unsigned i = 0; i < c->nsources; i++)
		heap_free(c->heap, (void *)(uintptr_t)c->sources[i], strlen(c->sources[i]) + 1);
	heap_free(c->heap, c->sources, LIMIT_SOURCES * sizeof(*c->sources));
	heap_free(c->heap, c->system, c->system_cap * sizeof(struct relation *));
	heap_free(c->heap, c->relations, c->cap * sizeof(struct relation *));
	heap_free(c->heap, c, sizeof(*c));
}

struct relation *catalog_find(const struct catalog *c, const char *name)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct relation *r = c->relations[i];

		while (r->former != NULL && r->former->replaced > c->epoch)
			r = r->former;
		if (strcmp(r->name, name) == 0)
			return r;
	}
	for (unsigned i = 0; i < c->nsystem; i++)
		if (strcmp(c->system[i]->name, name) == 0)
			return c->system[i];
	return NULL;
}

void catalog_set_epoch(struct catalog *c, uint64_t epoch)
{
	c->epoch = epoch;
}

struct index_def *catalog_find_index(const struct catalog *c, const char *name)
{
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned k = 0; k < c->relations[i]->nindexes; k++)
			if (strcmp(c->relations[i]->indexes[k]->name, name) == 0)
				return c->relations[i]->indexes[k];
	return NULL;
}

void catalog_set_building(struct catalog *c, const char *name, bool index)
{
	c->building = name;
	c->building_index = index;
}

bool catalog_is_building(const struct catalog *c, const char *name, bool index)
{
	return c->building != NULL && c->building_index == index && strcmp(c->building, name) == 0;
}

unsigned catalog_count(const struct catalog *c)
{
	return c->count;
}

struct relation *catalog_at(const struct catalog *c, unsigned i)
{
	ASSERT(i < c->count);
	return c->relations[i];
}

uint32_t catalog_next_id(struct catalog *c)
{
	return c->next_id++;
}

uint32_t catalog_coming_id(const struct catalog *c)
{
	return c->next_id;
}

void catalog_set_coming_id(struct catalog *c, uint32_t id)
{
	c->next_id = id;
}

static int duplicate(const struct catalog *c, const char *name, struct error *e)
{
	if (catalog_find(c, name) == NULL && catalog_find_index(c, name) == NULL)
		return 0;
	return error_set(e, ERR_DUPLICATE_TABLE, 0, "relation \"%s\" already exists", name);
}

static unsigned kind_count(const struct catalog *c, enum relation_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->count; i++)
		n += c->relations[i]->kind == kind;
	return n;
}

/* Take a half-hooked relation out of those it reads or references. */
static void unhook(struct catalog *c, struct relation *r)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct relation *other = c->relations[i];

		take_out(&other->dependents, &other->ndependents, r);
		for (unsigned k = 0; k < r->nfks; k++)
			take_out(&other->referrers, &other->nreferrers, r->fks[k]);
	}
}

static int hook(struct catalog *c, struct relation *r, struct relation *const *reads, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool there = false;

		for (unsigned k = 0; k < reads[i]->ndependents; k++)
			there |= reads[i]->dependents[k] == r;
		if (!there &&
			append(c->heap, &reads[i]->dependents, &reads[i]->ndependents,
				&reads[i]->dependents_cap, r) != 0)
			return -1;
	}
	for (unsigned k = 0; k < r->nfks; k++)
		if (append(c->heap, &r->fks[k]->to->referrers, &r->fks[k]->to->nreferrers,
			    &r->fks[k]->to->referrers_cap, r->fks[k]) != 0)
			return -1;
	return 0;
}

/* The catalog's own copy of a source's name, which stays. */
static const char *source_keep(struct catalog *c, const char *name, struct error *e)
{
	size_t size = strlen(name) + 1;
	char *copy;

	for (unsigned i = 0; i < c->nsources; i++)
		if (strcmp(c->sources[i], name) == 0)
			return c->sources[i];
	if (c->nsources == LIMIT_SOURCES) {
		error_set(e, ERR_LIMIT, 0, "more than %d names of sources since the start",
			LIMIT_SOURCES);
		return NULL;
	}
	if (c->sources == NULL)
		c->sources = heap_zalloc(c->heap, LIMIT_SOURCES * sizeof(*c->sources));
	copy = c->sources == NULL ? NULL : heap_alloc(c->heap, size);
	if (copy == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memcpy(copy, name, size);
	c->sources[c->nsources] = copy;
	__atomic_store_n(&c->nsources, c->nsources + 1, __ATOMIC_RELEASE);
	return copy;
}

int catalog_set_source(struct catalog *c, struct relation *r, const char *source, struct error *e)
{
	const char *kept = NULL;

	if (source != NULL) {
		kept = source_keep(c, source, e);
		if (kept == NULL)
			return -1;
	}
	for (; r != NULL; r = r->former)
		__atomic_store_n(&r->source, kept, __ATOMIC_RELEASE);
	return 0;
}

bool catalog_has_sources(const struct catalog *c)
{
	return __atomic_load_n(&c->nsources, __ATOMIC_ACQUIRE) > 0;
}

int catalog_add(struct catalog *c, struct relation *r, struct error *e)
{
	if (duplicate(c, r->name, e) != 0)
		return -1;
	if (kind_count(c, r->kind) >= (r->kind == RELATION_TABLE ? LIMIT_TABLES : LIMIT_VIEWS))
		return error_set(e, ERR_LIMIT, 0, "too many tables or views");
	if (c->count == c->cap) {
		unsigned cap = c->cap == 0 ? 16 : 2 * c->cap;
		struct relation **grown = heap_realloc(c->heap, c->relations,
			c->cap * sizeof(struct relation *), cap * sizeof(struct relation *));

		if (grown == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		c->relations = grown;
		c->cap = cap;
	}
	if (r->source != NULL && catalog_set_source(c, r, r->source, e) != 0)
		return -1;
	if (hook(c, r, r->reads, r->nreads) != 0) {
		unhook(c, r);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	relation_hold(r);
	c->relations[c->count++] = r;
	return 0;
}

int catalog_add_system(struct catalog *c, struct relation *r)
{
	if (append(c->heap, &c->system, &c->nsystem, &c->system_cap, r) != 0)
		return -1;
	relation_hold(r);
	return 0;
}

/* --- procedures --- */

struct relation *catalog_find_procedure(const struct catalog *c, const char *name)
{
	for (unsigned i = 0; i < c->nprocedures; i++)
		if (strcmp(c->procedures[i]->name, name) == 0)
			return c->procedures[i];
	return NULL;
}

unsigned catalog_procedure_count(const struct catalog *c)
{
	return c->nprocedures;
}

struct relation *catalog_procedure_at(const struct catalog *c, unsigned i)
{
	ASSERT(i < c->nprocedures);
	return c->procedures[i];
}

int catalog_add_procedure(struct catalog *c, struct relation *r, struct relation *from,
	uint64_t epoch, struct error *e)
{
	if (from == NULL && c->nprocedures >= LIMIT_PROCEDURES)
		return error_set(e, ERR_LIMIT, 0, "more than %d procedures", (int)LIMIT_PROCEDURES);
	if (hook(c, r, r->reads, r->nreads) != 0 ||
		append(c->heap, &c->procedures, &c->nprocedures, &c->procedures_cap, r) != 0) {
		unhook(c, r);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	relation_hold(r);
	if (from != NULL) {
		from->replaced = epoch;
		catalog_drop_procedure(c, from);
	}
	return 0;
}

void catalog_drop_procedure(struct catalog *c, struct relation *r)
{
	unhook(c, r);
	take_out(&c->procedures, &c->nprocedures, r);
	__atomic_store_n(&r->dropped, true, __ATOMIC_RELEASE);
	relation_release(r);
}

const char *relation_describe(const struct relation *r, char *buf)
{
	const struct procedure *p = r->procedure;
	char type[64];
	size_t n;

	if (r->kind != RELATION_PROCEDURE) {
		(void)snprintf(buf, DEPENDENT_TEXT_MAX, "%s %s",
			r->kind == RELATION_TABLE ? "table" : "materialized view", r->name);
		return buf;
	}
	n = (size_t)snprintf(buf, DEPENDENT_TEXT_MAX, "function %s(", r->name);
	for (unsigned i = 0; i < p->nargs && n < DEPENDENT_TEXT_MAX; i++)
		n += (size_t)snprintf(buf + n, DEPENDENT_TEXT_MAX - n, "%s%s", i > 0 ? "," : "",
			type_name((struct type){ .id = (uint8_t)p->args[i].type }, type,
				sizeof(type)));
	if (n < DEPENDENT_TEXT_MAX)
		(void)snprintf(buf + n, DEPENDENT_TEXT_MAX - n, ")");
	return buf;
}

int catalog_check_index(const struct catalog *c, const struct index_def *ix, struct error *e)
{
	const struct relation *r = ix->relation;

	if (duplicate(c, ix->name, e) != 0)
		return -1;
	if (r->nindexes >= LIMIT_INDEXES_PER_TABLE)
		return error_set(e, ERR_LIMIT, 0, "relation \"%s\" has too many indexes", r->name);
	return 0;
}

int relation_add_index(struct relation *r, struct index_def *ix)
{
	if (append(r->heap, &r->indexes, &r->nindexes, &r->indexes_cap, ix) != 0)
		return -1;
	if (r->kind == RELATION_VIEW && ix->unique && r->nkey == 0) {
		/* The lookup key is the first index. */
		memmove(r->indexes + 1, r->indexes,
			(r->nindexes - 1u) * sizeof(struct index_def *));
		r->indexes[0] = ix;
		ix->primary = true;
		r->nkey = ix->ncols;
		r->key = ix->cols;
		r->partition = (int16_t)ix->cols[0];
	}
	return 0;
}

int catalog_add_index(struct catalog *c, struct index_def *ix, struct error *e)
{
	if (catalog_check_index(c, ix, e) != 0)
		return -1;
	return relation_add_index(ix->relation, ix) == 0 ? 0
							 : error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

int catalog_drop(struct catalog *c, struct relation *r, struct error *e)
{
	const char *other = NULL;
	char text[DEPENDENT_TEXT_MAX];

	if (r->ndependents > 0)
		other = relation_describe(r->dependents[0], text);
	for (unsigned i = 0; i < r->nreferrers; i++)
		if (r->referrers[i]->from != r)
			other = r->referrers[i]->from->name;
	if (other != NULL) {
		error_set(e, ERR_DEPENDENT, 0,
			"cannot drop %s %s because other objects depend on it",
			r->kind == RELATION_TABLE ? "table" : "materialized view", r->name);
		error_detail(e, "%s depends on %s", other, r->name);
		return error_hint(e, "Drop the dependent objects first.");
	}
	unhook(c, r);
	for (unsigned i = 0; i < c->count; i++)
		if (c->relations[i] == r) {
			memmove(c->relations + i, c->relations + i + 1,
				(c->count - i - 1) * sizeof(struct relation *));
			c->count--;
			break;
		}
	__atomic_store_n(&r->dropped, true, __ATOMIC_RELEASE);
	relation_release(r);
	return 0;
}

int catalog_drop_index(struct catalog *c, struct index_def *ix, struct error *e)
{
	struct relation *r = ix->relation;

	(void)c;
	if (ix->constraint) {
		error_set(e, ERR_DEPENDENT, 0,
			"cannot drop index %s because constraint %s on table %s requires it",
			ix->name, ix->name, r->name);
		return -1;
	}
	take_out(&r->indexes, &r->nindexes, ix);
	if (r->kind == RELATION_VIEW && ix->primary) {
		ix->primary = false;
		r->nkey = 0;
		r->key = NULL;
		r->partition = -1;
	}
	return 0;
}

/* Those of `from` that `to` has given up point nowhere any more; all others point to and from `to`. */
static void references_move(struct catalog *c, struct relation *from, struct relation *to)
{
	for (unsigned k = 0; k < from->nfks; k++) {
		bool kept = false;

		for (unsigned i = 0; i < to->nfks; i++)
			kept |= to->fks[i] == from->fks[k];
		for (unsigned i = 0; !kept && i < c->count; i++)
			take_out(&c->relations[i]->referrers, &c->relations[i]->nreferrers,
				from->fks[k]);
		if (!kept)
			take_out(&to->referrers, &to->nreferrers, from->fks[k]);
	}
	for (unsigned k = 0; k < to->nfks; k++)
		to->fks[k]->from = to;
	for (unsigned k = 0; k < to->nreferrers; k++)
		to->referrers[k]->to = to;
}

void catalog_replace(struct catalog *c, struct relation *from, struct relation *to, uint64_t epoch)
{
	struct relation **list = from->kind == RELATION_PROCEDURE ? c->procedures : c->relations;
	unsigned at = 0;

	while (list[at] != from)
		at++;
	for (unsigned i = 0; i < to->nindexes; i++)
		to->indexes[i]->relation = to;
	for (unsigned i = 0; i < to->nreads; i++)
		for (unsigned k = 0; k < to->reads[i]->ndependents; k++)
			if (to->reads[i]->dependents[k] == from)
				to->reads[i]->dependents[k] = to;
	for (unsigned i = 0; i < to->ndependents; i++) {
		struct relation *view = to->dependents[i];

		for (unsigned k = 0; k < view->nreads; k++)
			if (view->reads[k] == from) {
				relation_hold(to);
				view->reads[k] = to;
				relation_release(from);
			}
	}
	relation_hold(to);
	list[at] = to;
	references_move(c, from, to);
	from->replaced = epoch;
	__atomic_store_n(&from->dropped, true, __ATOMIC_RELEASE);
	relation_release(from);
}

int catalog_replace_view(struct catalog *c, struct relation *from, struct relation *to,
	uint64_t epoch, struct error *e)
{
	unsigned at = 0;

	ASSERT(from->ndependents == 0);
	if (hook(c, to, to->reads, to->nreads) != 0) {
		unhook(c, to);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	unhook(c, from);
	while (c->relations[at] != from)
		at++;
	memmove(c->relations + at, c->relations + at + 1,
		(c->count - at - 1) * sizeof(struct relation *));
	relation_hold(to);
	c->relations[c->count - 1] = to;
	/* It keeps the catalog's reference. */
	to->former = from;
	from->replaced = epoch;
	__atomic_store_n(&from->dropped, true, __ATOMIC_RELEASE);
	return 0;
}

/* A copy of an array of pointers on the heap. 0 or -1. */
static int pointers_copy(
	struct heap *h, void *to, uint16_t *n, uint16_t *cap, void *from, uint16_t count)
{
	void *items;

	if (count == 0)
		return 0;
	items = heap_alloc(h, count * sizeof(void *));
	if (items == NULL)
		return -1;
	memcpy(items, from, count * sizeof(void *));
	memcpy(to, &items, sizeof(items));
	*n = *cap = count;
	return 0;
}

static int altered_copy(struct relation *r, const struct relation *from, unsigned more)
{
	struct arena *a = &r->arena;

	r->columns = arena_zalloc(a, (from->ncols + more) * sizeof(*r->columns));
	r->checks = arena_alloc(a, (from->nchecks + 1u) * sizeof(*r->checks));
	r->fks = arena_alloc(a, (from->nfks + 1u) * sizeof(*r->fks));
	r->alterations = arena_alloc(a, (from->nalterations + 1u) * sizeof(*r->alterations));
	r->reads = arena_alloc(a, (from->nreads + 1u) * sizeof(struct relation *));
	if (r->columns == NULL || r->checks == NULL || r->fks == NULL || r->alterations == NULL ||
		r->reads == NULL)
		return -1;
	for (; r->nreads < from->nreads; r->nreads++) {
		relation_hold(from->reads[r->nreads]);
		r->reads[r->nreads] = from->reads[r->nreads];
	}
	if (from->ncols > 0)
		memcpy(r->columns, from->columns, from->ncols * sizeof(*r->columns));
	if (from->nchecks > 0)
		memcpy(r->checks, from->checks, from->nchecks * sizeof(*r->checks));
	if (from->nfks > 0)
		memcpy(r->fks, from->fks, from->nfks * sizeof(*r->fks));
	if (from->nalterations > 0)
		memcpy(r->alterations, from->alterations,
			from->nalterations * sizeof(*r->alterations));
	r->ncols = from->ncols;
	r->nchecks = from->nchecks;
	r->nfks = from->nfks;
	r->nalterations = from->nalterations;
	return pointers_copy(r->heap, &r->indexes, &r->nindexes, &r->indexes_cap, from->indexes,
		       from->nindexes) |
		pointers_copy(r->heap, &r->referrers, &r->nreferrers, &r->referrers_cap,
			from->referrers, from->nreferrers) |
		pointers_copy(r->heap, &r->dependents, &r->ndependents, &r->dependents_cap,
			from->dependents, from->ndependents);
}

struct relation *relation_altered(struct relation *from, unsigned more)
{
	struct relation *r = relation_new(from->heap, from->kind, from->name);

	if (r == NULL)
		return NULL;
	if (altered_copy(r, from, more) != 0) {
		relation_release(r);
		return NULL;
	}
	r->id = from->id;
	r->made = from->made;
	r->rowid = from->rowid;
	r->layout = from->layout;
	r->nkey = from->nkey;
	r->key = from->key;
	r->partition = from->partition;
	r->select = from->select;
	r->procedure = from->procedure;
	r->stage = from->stage;
	r->memory_limit = from->memory_limit;
	r->source = from->source;
	r->definition = from->definition;
	r->shown = from->shown;
	relation_hold(from);
	r->former = from;
	return r;
}

int relation_note_alteration(struct relation *r, uint32_t id, const char *text)
{
	struct alteration *grown = arena_alloc(&r->arena, (r->nalterations + 1u) * sizeof(*grown));

	if (grown == NULL)
		return -1;
	if (r->nalterations > 0)
		memcpy(grown, r->alterations, r->nalterations * sizeof(*grown));
	grown[r->nalterations] = (struct alteration){ .id = id, .text = text };
	r->alterations = grown;
	r->nalterations++;
	return 0;
}

int relation_note_parameters(struct relation *r, uint32_t id, const char *text)
{
	const char *copy = arena_strdup(&r->arena, text, strlen(text));
	unsigned last = r->nalterations;

	if (copy == NULL)
		return -1;
	if (last > 0 && r->alterations[last - 1].parameters)
		r->alterations[last - 1] = (struct alteration){ id, true, copy };
	else if (relation_note_alteration(r, id, copy) == 0)
		r->alterations[last].parameters = true;
	else
		return -1;
	return 0;
}

struct relation *relation_new(struct heap *h, enum relation_kind kind, const char *name)
{
	struct relation *r = heap_zalloc(h, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->heap = h;
	r->kind = kind;
	r->references = 1;
	r->partition = -1;
	r->rowid = -1;
	arena_init(&r->arena, h);
	r->name = arena_strdup(&r->arena, name, strlen(name));
	if (r->name == NULL) {
		heap_free(h, r, sizeof(*r));
		return NULL;
	}
	return r;
}

void relation_hold(struct relation *r)
{
	__atomic_fetch_add(&r->references, 1, __ATOMIC_RELAXED);
}

void relation_release(struct relation *r)
{
	if (r == NULL || __atomic_sub_fetch(&r->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (unsigned i = 0; i < r->nreads; i++)
		relation_release(r->reads[i]);
	/* Of one that was renamed they are its former's. */
	for (unsigned i = 0; r->procedure != NULL && r->former == NULL && i < r->nreads; i++)
		relation_release(r->procedure->names[i]);
	relation_release(r->former);
	heap_free(r->heap, r->indexes, r->indexes_cap * sizeof(*r->indexes));
	heap_free(r->heap, r->referrers, r->referrers_cap * sizeof(*r->referrers));
	heap_free(r->heap, r->dependents, r->dependents_cap * sizeof(*r->dependents));
	arena_free(&r->arena);
	heap_free(r->heap, r, sizeof(*r));
}

int relation_column(const struct relation *r, const char *name)
{
	for (unsigned i = 0; i < r->ncols; i++)
		if (!r->columns[i].hidden && strcmp(r->columns[i].name, name) == 0)
			return (int)i;
	return -1;
}
