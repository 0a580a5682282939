/*
 * engine_renew.c: statements that were prepared before a relation of theirs was altered.
 *
 * Such a statement is not changed: others may be executing it. When it is met again it is prepared once more from its
 * text, with the types that its parameters had, and the new one is kept with the old one, which stands for it from then
 * on. Each may become old in its turn, so they form a chain. A reader takes the first of it that is not old at its epoch,
 * so for queries there is one for each time that a table of theirs was altered; commands take the last. As in PostgreSQL
 * the results must be what they were.
 */
#include "core/engine_internal.h"

#include <string.h>

/* Whether the statement uses what another has taken the place of, as of the epoch. */
static bool is_old(const struct statement *s, uint64_t epoch)
{
	for (unsigned i = 0; i < s->nrelations; i++) {
		const struct relation *r = s->relations[i];

		if (__atomic_load_n(&r->dropped, __ATOMIC_ACQUIRE) && r->replaced > 0 &&
			r->replaced <= epoch)
			return true;
	}
	return false;
}

/* The epoch at which it became old. */
static uint64_t old_since(const struct statement *s)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < s->nrelations; i++) {
		const struct relation *r = s->relations[i];

		if (__atomic_load_n(&r->dropped, __ATOMIC_ACQUIRE) && r->replaced > 0 &&
			r->replaced < first)
			first = r->replaced;
	}
	return first;
}

/* … or the query of a command, which has relations of its own. */
static bool all_old(const struct statement *s, uint64_t epoch)
{
	const struct statement *query = statement_query(s);

	return is_old(s, epoch) || (query != NULL && is_old(query, epoch));
}

static bool same_results(const struct statement *a, const struct statement *b)
{
	if (a->nresults != b->nresults)
		return false;
	for (unsigned i = 0; i < a->nresults; i++)
		if (memcmp(&a->results[i].type, &b->results[i].type, sizeof(struct type)) != 0 ||
			strcmp(a->results[i].name, b->results[i].name) != 0)
			return false;
	return true;
}

/* With the schema as of the epoch. */
static struct statement *prepare_again(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	enum type_id *types = NULL;
	struct statement *again;
	int status;

	if (s->nparams > 0) {
		types = heap_alloc(engine->heap, s->nparams * sizeof(*types));
		if (types == NULL) {
			error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
			return NULL;
		}
	}
	for (unsigned i = 0; i < s->nparams; i++)
		types[i] = (enum type_id)s->params[i].id;
	catalog_set_epoch(engine->catalog, epoch);
	status = engine_prepare(&again, engine, s->text, strlen(s->text), types, s->nparams, e);
	catalog_set_epoch(engine->catalog, UINT64_MAX);
	heap_free(engine->heap, types, s->nparams * sizeof(*types));
	if (status != 0)
		return NULL;
	if (same_results(s, again))
		return again;
	statement_free(again);
	error_set(e, ERR_FEATURE, 0, "cached plan must not change result type");
	return NULL;
}

static struct statement *next_make(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	struct statement *next = NULL;

	if (epoch != UINT64_MAX)
		next = prepare_again(engine, s, old_since(s), e);
	/* What was in between need not have been possible. */
	return next != NULL ? next : prepare_again(engine, s, epoch, e);
}

static const struct statement *renew(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	/* What is written is under the lock, and atomic for those who look without it. */
	struct statement *old = (struct statement *)(uintptr_t)s;

	pthread_mutex_lock(&engine->catalog_lock);
	while (old != NULL && all_old(old, epoch)) {
		if (old->renewed == NULL)
			__atomic_store_n(
				&old->renewed, next_make(engine, old, epoch, e), __ATOMIC_RELEASE);
		old = old->renewed;
	}
	pthread_mutex_unlock(&engine->catalog_lock);
	return old;
}

const struct statement *engine_statement_now(
	struct lf_engine *engine, const struct statement *s, uint64_t epoch, struct error *e)
{
	while (s != NULL && all_old(s, epoch)) {
		const struct statement *next = __atomic_load_n(&s->renewed, __ATOMIC_ACQUIRE);

		if (next == NULL)
			return renew(engine, s, epoch, e);
		s = next;
	}
	return s;
}

const struct statement *engine_projector_renew(
	void *engine, const struct statement *s, struct error *e)
{
	return engine_statement_now(engine, s, UINT64_MAX, e);
}
