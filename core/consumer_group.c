/*
 * consumer_group.c: see consumer_group.h.
 *
 * The window is a ring of entries; letters are a list before it. What may be given is found by two walks over both: the
 * first notes the keys in flight, the second takes waiting ones whose key is not noted, and notes each key it has passed.
 * Both are bounded by the window (LIMIT_CONSUMER_WINDOW), and one walk gives all that a member may have.
 */
#include "core/consumer_group.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"

enum state { WAITING, IN_FLIGHT, DYING, BURYING, SETTLED };

enum { KEY_SLOTS = 4 * LIMIT_CONSUMER_WINDOW };
_Static_assert((KEY_SLOTS & (KEY_SLOTS - 1)) == 0, "slots wrap by masking");

struct entry_of {
	struct group_event event;
	enum state state;
	uint64_t member, until_us;
	uint32_t attempts_max;
	unsigned char *data;
};

struct letter {
	struct letter *next;
	struct entry_of entry;
};

struct consumer_group {
	struct event_id done;
	struct event_id last;    /* added */
	struct entry_of *window; /* a ring */
	unsigned head, n;
	size_t bytes;
	struct letter *letters;
	unsigned nletters, inflight;
	uint64_t *members;
	unsigned nmembers, members_cap;
	/* Keys seen in a walk: those whose stamp is the walk's. */
	uint64_t walk;
	struct {
		uint64_t hash, walk;
	} keys[KEY_SLOTS];
};

struct consumer_group *consumer_group_new(struct event_id done)
{
	struct consumer_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->done = g->last = done;
	g->window = calloc(LIMIT_CONSUMER_WINDOW, sizeof(*g->window));
	if (g->window == NULL) {
		free(g);
		return NULL;
	}
	return g;
}

static struct entry_of *window_at(const struct consumer_group *g, unsigned i)
{
	return &g->window[(g->head + i) % LIMIT_CONSUMER_WINDOW];
}

void consumer_group_free(struct consumer_group *g)
{
	if (g == NULL)
		return;
	for (unsigned i = 0; i < g->n; i++)
		free(window_at(g, i)->data);
	while (g->letters != NULL) {
		struct letter *l = g->letters;

		g->letters = l->next;
		free(l->entry.data);
		free(l);
	}
	free(g->window);
	free(g->members);
	free(g);
}

/* --- events --- */

bool consumer_group_room(const struct consumer_group *g, size_t bytes)
{
	return g->n < LIMIT_CONSUMER_WINDOW &&
		(g->n == 0 || g->bytes + bytes <= LIMIT_CONSUMER_BYTES);
}

static int entry_fill(struct entry_of *x, const struct group_event *event)
{
	unsigned char *data = malloc(event->bytes + (size_t)1);

	if (data == NULL)
		return -1;
	memcpy(data, event->data, event->bytes);
	*x = (struct entry_of){ .event = *event, .state = WAITING, .data = data };
	x->event.data = data;
	return 0;
}

int consumer_group_add(struct consumer_group *g, const struct group_event *event)
{
	ASSERT(g->n < LIMIT_CONSUMER_WINDOW && event_id_compare(event->id, g->last) > 0);
	if (entry_fill(window_at(g, g->n), event) != 0)
		return -1;
	g->last = event->id;
	g->bytes += event->bytes;
	g->n++;
	return 0;
}

static struct letter *letter_find(const struct consumer_group *g, struct event_id id)
{
	struct letter *l = g->letters;

	while (l != NULL && event_id_compare(l->entry.event.id, id) != 0)
		l = l->next;
	return l;
}

int consumer_group_add_letter(struct consumer_group *g, const struct group_event *event)
{
	struct letter **at = &g->letters, *l;

	if (letter_find(g, event->id) != NULL)
		return 0;
	l = calloc(1, sizeof(*l));
	if (l == NULL || entry_fill(&l->entry, event) != 0) {
		free(l);
		return -1;
	}
	/* In the order of the log. */
	while (*at != NULL && event_id_compare((*at)->entry.event.id, event->id) < 0)
		at = &(*at)->next;
	l->next = *at;
	*at = l;
	g->nletters++;
	return 0;
}

/* One that is not settled; NULL: there is none. */
static struct entry_of *entry_find(const struct consumer_group *g, struct event_id id, bool *letter)
{
	struct letter *l = letter_find(g, id);
	unsigned low = 0, high = g->n;

	*letter = l != NULL;
	if (l != NULL)
		return &l->entry;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct entry_of *x = window_at(g, middle);
		int c = event_id_compare(x->event.id, id);

		if (c == 0)
			return x->state != SETTLED ? x : NULL;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void letter_remove(struct consumer_group *g, const struct entry_of *x)
{
	struct letter **at = &g->letters, *l;

	while (&(*at)->entry != x)
		at = &(*at)->next;
	l = *at;
	*at = l->next;
	free(l->entry.data);
	free(l);
	g->nletters--;
}

static void land(struct consumer_group *g, struct entry_of *x, enum state state)
{
	g->inflight -= x->state == IN_FLIGHT;
	x->state = state;
}

static void settle(struct consumer_group *g, struct entry_of *x, bool letter)
{
	land(g, x, SETTLED);
	if (letter) {
		letter_remove(g, x);
		return;
	}
	g->bytes -= x->event.bytes;
	free(x->data);
	x->data = NULL;
	x->event.bytes = 0;
	while (g->n > 0 && window_at(g, 0)->state == SETTLED) {
		g->done = window_at(g, 0)->event.id;
		g->head = (g->head + 1) % LIMIT_CONSUMER_WINDOW;
		g->n--;
	}
}

/* --- members --- */

int consumer_group_join(struct consumer_group *g, uint64_t member)
{
	if (g->nmembers == g->members_cap) {
		unsigned cap = g->members_cap == 0 ? 4 : 2 * g->members_cap;
		uint64_t *grown = realloc(g->members, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		g->members = grown;
		g->members_cap = cap;
	}
	g->members[g->nmembers++] = member;
	return 0;
}

void consumer_group_leave(struct consumer_group *g, uint64_t member)
{
	for (unsigned i = 0; i < g->nmembers; i++)
		if (g->members[i] == member) {
			g->members[i] = g->members[--g->nmembers];
			return;
		}
}

unsigned consumer_group_members(const struct consumer_group *g)
{
	return g->nmembers;
}

/* The highest of the hashes of both: when a member comes or goes, only its own keys move. */
static uint64_t owner_of(const struct consumer_group *g, uint64_t hash)
{
	uint64_t owner = 0, highest = 0;

	for (unsigned i = 0; i < g->nmembers; i++) {
		uint64_t h = hash_u64(hash ^ hash_u64(g->members[i]));

		if (i == 0 || h > highest) {
			highest = h;
			owner = g->members[i];
		}
	}
	return owner;
}

/* --- giving --- */

struct walk {
	struct consumer_group *g;
	uint64_t member;
	const struct group_terms *terms;
	bool (*give)(void *arg, const struct group_event *event);
	void *arg;
	unsigned inflight; /* of the member */
	unsigned passed;   /* not settled, so far */
	bool stop;
};

/* Note a key; whether it had been noted. */
static bool key_note(struct consumer_group *g, uint64_t hash)
{
	unsigned i = (unsigned)hash_u64(hash) & (KEY_SLOTS - 1);

	while (g->keys[i].walk == g->walk && g->keys[i].hash != hash)
		i = (i + 1) & (KEY_SLOTS - 1);
	if (g->keys[i].walk == g->walk)
		return true;
	g->keys[i].hash = hash;
	g->keys[i].walk = g->walk;
	return false;
}

/* Not waiting and not settled: its key is taken. */
static void walk_note(struct walk *w, const struct entry_of *x)
{
	if (x->state == SETTLED || x->state == WAITING)
		return;
	if (x->state == IN_FLIGHT && x->member == w->member)
		w->inflight++;
	if (x->event.keyed)
		(void)key_note(w->g, x->event.hash);
	else
		w->stop = true;
}

static void entry_give(struct walk *w, struct entry_of *x)
{
	if (w->inflight >= w->terms->inflight_max) {
		w->stop = true;
		return;
	}
	x->event.attempts++;
	if (!w->give(w->arg, &x->event)) {
		x->event.attempts--;
		w->stop = true;
		return;
	}
	x->state = IN_FLIGHT;
	x->member = w->member;
	x->until_us = w->terms->until_us;
	x->attempts_max = w->terms->attempts_max;
	w->g->inflight++;
	w->inflight++;
}

static void walk_give(struct walk *w, struct entry_of *x)
{
	bool first = w->passed == 0;

	if (x->state == SETTLED)
		return;
	w->passed++;
	if (!x->event.keyed) {
		if (first && x->state == WAITING && w->g->inflight == 0 &&
			owner_of(w->g, x->event.hash) == w->member)
			entry_give(w, x);
		w->stop = true;
		return;
	}
	/* In flight: noted by the walk before. */
	if (key_note(w->g, x->event.hash) || x->state != WAITING)
		return;
	if (owner_of(w->g, x->event.hash) == w->member)
		entry_give(w, x);
}

void consumer_group_give(struct consumer_group *g, uint64_t member, const struct group_terms *terms,
	bool (*give)(void *arg, const struct group_event *event), void *arg)
{
	struct walk w = { .g = g, .member = member, .terms = terms, .give = give, .arg = arg };

	g->walk++;
	for (struct letter *l = g->letters; l != NULL; l = l->next)
		walk_note(&w, &l->entry);
	for (unsigned i = 0; i < g->n; i++)
		walk_note(&w, window_at(g, i));
	for (struct letter *l = g->letters; l != NULL && !w.stop; l = l->next)
		walk_give(&w, &l->entry);
	for (unsigned i = 0; i < g->n && !w.stop; i++)
		walk_give(&w, window_at(g, i));
}

/* --- settling --- */

enum group_settled consumer_group_acknowledge(struct consumer_group *g, struct event_id id)
{
	bool letter;
	struct entry_of *x = entry_find(g, id, &letter);

	if (x == NULL || x->event.attempts == 0 || x->state == DYING || x->state == BURYING)
		return GROUP_UNKNOWN;
	settle(g, x, letter);
	return letter ? GROUP_LETTER : GROUP_EVENT;
}

static void try_again(struct consumer_group *g, struct entry_of *x, bool dead)
{
	land(g, x, dead || x->event.attempts >= x->attempts_max ? DYING : WAITING);
}

void consumer_group_reject(struct consumer_group *g, struct event_id id, bool dead)
{
	bool letter;
	struct entry_of *x = entry_find(g, id, &letter);

	if (x != NULL && x->state == IN_FLIGHT)
		try_again(g, x, dead);
}

static void entry_expire(struct consumer_group *g, struct entry_of *x, uint64_t now_us)
{
	if (x->state == IN_FLIGHT && x->until_us <= now_us)
		try_again(g, x, false);
}

void consumer_group_expire(struct consumer_group *g, uint64_t now_us)
{
	for (struct letter *l = g->letters; l != NULL; l = l->next)
		entry_expire(g, &l->entry, now_us);
	for (unsigned i = 0; i < g->n; i++)
		entry_expire(g, window_at(g, i), now_us);
}

uint64_t consumer_group_due(const struct consumer_group *g)
{
	uint64_t due = UINT64_MAX;

	if (g->inflight == 0)
		return due;
	for (const struct letter *l = g->letters; l != NULL; l = l->next)
		if (l->entry.state == IN_FLIGHT && l->entry.until_us < due)
			due = l->entry.until_us;
	for (unsigned i = 0; i < g->n; i++) {
		const struct entry_of *x = window_at(g, i);

		if (x->state == IN_FLIGHT && x->until_us < due)
			due = x->until_us;
	}
	return due;
}

const struct group_event *consumer_group_dying(struct consumer_group *g, bool *letter)
{
	for (struct letter *l = g->letters; l != NULL; l = l->next)
		if (l->entry.state == DYING) {
			l->entry.state = BURYING;
			*letter = true;
			return &l->entry.event;
		}
	for (unsigned i = 0; i < g->n; i++)
		if (window_at(g, i)->state == DYING) {
			window_at(g, i)->state = BURYING;
			*letter = false;
			return &window_at(g, i)->event;
		}
	return NULL;
}

void consumer_group_buried(struct consumer_group *g, struct event_id id, bool failed)
{
	bool letter;
	struct entry_of *x = entry_find(g, id, &letter);

	if (x == NULL || x->state != BURYING)
		return;
	if (failed)
		x->state = DYING;
	else
		settle(g, x, letter);
}

struct event_id consumer_group_done(const struct consumer_group *g)
{
	return g->done;
}

unsigned consumer_group_inflight(const struct consumer_group *g)
{
	return g->inflight;
}

bool consumer_group_untried(const struct consumer_group *g)
{
	if (g->letters != NULL)
		return false;
	for (unsigned i = 0; i < g->n; i++)
		if (window_at(g, i)->event.attempts > 0)
			return false;
	return true;
}

/* --- invariants --- */

void consumer_group_check(const struct consumer_group *g)
{
	struct event_id before = g->done;
	unsigned inflight = 0;
	size_t bytes = 0;

	for (unsigned i = 0; i < g->n; i++) {
		const struct entry_of *x = window_at(g, i);

		ASSERT(event_id_compare(x->event.id, before) > 0);
		ASSERT((x->state == SETTLED) == (x->data == NULL));
		before = x->event.id;
		bytes += x->event.bytes;
		inflight += x->state == IN_FLIGHT;
		/* All before it of the same aggregate are settled. */
		for (unsigned k = 0; x->state == IN_FLIGHT && k < i; k++) {
			const struct entry_of *other = window_at(g, k);

			ASSERT(other->state == SETTLED ||
				(x->event.keyed && other->event.keyed &&
					other->event.hash != x->event.hash));
		}
	}
	for (const struct letter *l = g->letters; l != NULL; l = l->next)
		inflight += l->entry.state == IN_FLIGHT;
	ASSERT(inflight == g->inflight && bytes == g->bytes);
	ASSERT(g->n == 0 || window_at(g, 0)->state != SETTLED);
}
