/*
 * keymap.c: see keymap.h. Open addressing, doubled when it is two thirds full; nothing is ever taken out.
 */
#include "tools/pgfeed/keymap.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 1024 };

struct slot {
	struct keyhash key;
	uint64_t place; /* UINT64_MAX: free */
};

struct keymap {
	struct slot *slots;
	size_t mask, n;
};

/* A 64-bit finalizer (of MurmurHash3, Appleby): every bit of the input decides about half of those of the output. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ (x >> 33);
}

struct keyhash keyhash_begin(uint64_t seed)
{
	return (struct keyhash){ mix(seed ^ UINT64_C(0x9e3779b97f4a7c15)),
		mix(seed + UINT64_C(0xd1b54a32d192ed03)) };
}

static void add_word(struct keyhash *h, uint64_t w)
{
	h->a = mix(h->a ^ w) + UINT64_C(0x9e3779b97f4a7c15);
	h->b = mix((h->b << 1 | h->b >> 63) + w * UINT64_C(0x9fb21c651e98df25));
}

void keyhash_add(struct keyhash *h, const void *bytes, size_t n)
{
	const char *p = bytes;
	uint64_t w;

	/* With the length, so that ("ab", "c") is not ("a", "bc"). */
	add_word(h, n);
	for (; n >= sizeof(w); n -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		add_word(h, w);
	}
	w = 0;
	if (n > 0)
		memcpy(&w, p, n);
	add_word(h, w);
}

static struct slot *slots_new(size_t n)
{
	struct slot *slots = malloc(n * sizeof(*slots));

	for (size_t i = 0; slots != NULL && i < n; i++)
		slots[i].place = UINT64_MAX;
	return slots;
}

static struct slot *find(struct slot *slots, size_t mask, struct keyhash key)
{
	size_t i = (size_t)key.a & mask;

	while (slots[i].place != UINT64_MAX && (slots[i].key.a != key.a || slots[i].key.b != key.b))
		i = (i + 1) & mask;
	return &slots[i];
}

struct keymap *keymap_new(void)
{
	struct keymap *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->mask = SLOTS_FIRST - 1;
	m->slots = slots_new(SLOTS_FIRST);
	if (m->slots == NULL) {
		free(m);
		return NULL;
	}
	return m;
}

void keymap_free(struct keymap *m)
{
	if (m == NULL)
		return;
	free(m->slots);
	free(m);
}

static int grow(struct keymap *m)
{
	size_t n = 2 * (m->mask + 1);
	struct slot *slots = slots_new(n);

	if (slots == NULL)
		return -1;
	for (size_t i = 0; i <= m->mask; i++)
		if (m->slots[i].place != UINT64_MAX)
			*find(slots, n - 1, m->slots[i].key) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->mask = n - 1;
	return 0;
}

int keymap_set(struct keymap *m, struct keyhash key, uint64_t place, uint64_t *before)
{
	struct slot *s;

	if (3 * (m->n + 1) > 2 * (m->mask + 1) && grow(m) != 0)
		return -1;
	s = find(m->slots, m->mask, key);
	*before = s->place;
	m->n += s->place == UINT64_MAX;
	*s = (struct slot){ key, place };
	return 0;
}

uint64_t keymap_get(const struct keymap *m, struct keyhash key)
{
	return find(m->slots, m->mask, key)->place;
}

size_t keymap_count(const struct keymap *m)
{
	return m->n;
}
