/*
 * engine_parts.c: the parts of a relation, one a shard: made, registered with the projectors, and condemned.
 *
 * What was taken away is freed in two halves: each shard's part by its projector, when no reader can be in it, and the
 * header that readers came by with the next schema change after that.
 */
#include <stdlib.h>

#include "core/engine_ddl.h"

void parts_free(struct parts *parts)
{
	if (parts == NULL)
		return;
	for (unsigned s = 0; s < parts->shards; s++)
		part_free(parts->part[s]);
	free(parts);
}

struct parts *parts_new(
	struct lf_engine *engine, const struct relation *r, uint64_t since, struct error *e)
{
	unsigned shards = engine->set.shards;
	struct parts *parts = calloc(1, sizeof(*parts) + shards * sizeof(parts->part[0]));

	if (parts == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	parts->shards = shards;
	parts->partition = r->partition;
	parts->since = since;
	parts->older = r->user;
	if (r->nkey > 0)
		parts->key_id = r->indexes[0]->id;
	for (unsigned s = 0; s < shards; s++) {
		struct projector *p = engine->set.projectors[s];

		if (part_new(&parts->part[s], r, projector_heap(p), projector_retire(p), e) != 0) {
			parts_free(parts);
			return NULL;
		}
		parts->part[s]->all = parts;
	}
	return parts;
}

int parts_register(struct lf_engine *engine, struct parts *parts, struct error *e)
{
	for (unsigned s = 0; s < parts->shards; s++)
		if (projector_add_part(engine->set.projectors[s], parts->part[s]) != 0) {
			while (s-- > 0)
				projector_remove_part(engine->set.projectors[s], parts->part[s]);
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		}
	return 0;
}

void parts_gone_free(struct lf_engine *engine, uint64_t reclaimable)
{
	for (struct parts **link = &engine->gone; *link != NULL;) {
		struct parts *parts = *link;

		if (parts->gone > reclaimable) {
			link = &parts->next_gone;
			continue;
		}
		*link = parts->next_gone;
		if (parts->relation != NULL)
			parts->relation->user = NULL;
		relation_release(parts->relation);
		free(parts);
	}
}

void engine_gone_free(struct lf_engine *engine)
{
	parts_gone_free(engine, UINT64_MAX);
}

static void gone_add(
	struct lf_engine *engine, struct parts *parts, struct relation *relation, uint64_t epoch)
{
	parts->gone = epoch;
	parts->relation = relation;
	parts->next_gone = engine->gone;
	engine->gone = parts;
}

void parts_condemn(
	struct lf_engine *engine, struct parts *parts, struct relation *relation, uint64_t epoch)
{
	gone_add(engine, parts, relation, epoch);
	for (unsigned s = 0; s < parts->shards; s++) {
		struct projector *p = engine->set.projectors[s];

		projector_remove_part(p, parts->part[s]);
		projector_condemn(p, parts->part[s], epoch);
	}
}

void parts_take_back(
	struct lf_engine *engine, struct relation *r, struct parts *parts, uint64_t epoch)
{
	__atomic_store_n(&r->user, parts->older, __ATOMIC_RELEASE);
	for (unsigned s = 0; s < parts->shards; s++)
		projector_condemn(engine->set.projectors[s], parts->part[s], 0);
	gone_add(engine, parts, NULL, epoch);
}

void parts_discard(
	struct lf_engine *engine, struct relation *r, struct parts *parts, uint64_t epoch)
{
	for (unsigned s = 0; s < parts->shards; s++)
		projector_remove_part(engine->set.projectors[s], parts->part[s]);
	parts_take_back(engine, r, parts, epoch);
}
