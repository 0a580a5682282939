/*
 * feeder.c: connections that are the source of tables, by their name, in all reactors.
 *
 * One that is to be alone begins a new generation of its name. What those of older generations have submitted is waited for
 * before it is answered; they submit nothing any more. No command slips through between: who submits counts itself first and
 * then looks at the generation, who fences begins the generation first and then looks at the count, both sequentially
 * consistent, so one of the two sees the other.
 *
 * Feeders are few and stay until the server ends: they are found, and put in front, without a lock.
 */
#include "net/server/feeder.h"

#include <stdlib.h>

#include "core/base/limits.h"

struct feeder {
	struct feeder *next;
	_Atomic uint64_t generation;
	_Atomic uint64_t pending; /* submitted and not answered, of all its connections */
	char name[LIMIT_NAME_BYTES + 1];
};

static struct feeder *find(struct feeder *f, const char *name)
{
	while (f != NULL && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

struct feeder *feeder_get(struct feeders *all, const char *name, size_t n, struct error *e)
{
	struct feeder *first = atomic_load(&all->first), *f, *added = calloc(1, sizeof(*added));

	if (added == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	memcpy(added->name, name, n);
	do {
		f = find(first, added->name);
		if (f != NULL) {
			free(added);
			return f;
		}
		added->next = first;
	} while (!atomic_compare_exchange_weak(&all->first, &first, added));
	if (atomic_fetch_add(&all->n, 1) < LIMIT_SOURCES)
		return added;
	error_set(e, ERR_LIMIT, 0, "more than %d names of sources since the start", LIMIT_SOURCES);
	return NULL;
}

void feeders_free(struct feeders *all)
{
	struct feeder *f = atomic_load(&all->first);

	while (f != NULL) {
		struct feeder *next = f->next;

		free(f);
		f = next;
	}
	atomic_store(&all->first, NULL);
}

const char *feeder_name(const struct feeder *f)
{
	return f->name;
}

uint64_t feeder_generation(struct feeder *f, bool alone)
{
	return alone ? atomic_fetch_add(&f->generation, 1) + 1 : atomic_load(&f->generation);
}

bool feeder_is_quiet(const struct feeder *f)
{
	return atomic_load(&f->pending) == 0;
}

bool feeder_enter(struct feeder *f, uint64_t generation)
{
	atomic_fetch_add(&f->pending, 1);
	return atomic_load(&f->generation) == generation;
}

void feeder_leave(struct feeder *f)
{
	atomic_fetch_sub(&f->pending, 1);
}
