/*
 * answers.c: the table of answers of a shard.
 *
 * Two directories by hash: of answers, by client, request and part; and of clients. All answers stand in one list in the
 * order in which they were given, and each client's in one of its own: so the oldest of all is the oldest of its client,
 * and forgetting it is a few pointers. An answer that is begun is in the directory only.
 *
 * An answer outlives its command, so each is allocated; commands without a request id do not come here.
 *
 * What can fail does so in answers_begin(), before the command is executed, but for rows and texts, whose length is not
 * known then: rows are then not kept, and a refusal is not remembered, which is as good since nothing was done.
 *
 * A client that was met once stays, with its highest forgotten request: 64 bytes each, up to LIMIT_ONCE_CLIENTS.
 *
 * Recovery: answers of as many shards as there are now come in order. Else each shard reads those of all, and takes them by
 * their hash, which is that of the rows; they are put in order at the end. Of a command that went to every shard, shard s
 * of n takes what shards s, s + n, … did, if all did it; if some did not, it cannot be told which rows are still to be
 * changed, and the command is expired.
 */
#include "core/flow/answers.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/store/hashdir.h"
#include "core/store/row.h"

enum {
	FORGET_MAX = 4096, /* by age, a trim */
	/* While recovering: from here on the parts that shards of another number of them did of a command for all. */
	PART_FOREIGN = 1 << 16,
	TEXTS_MAX = sizeof(struct answer_text) + ERROR_MESSAGE_MAX + 2 * ERROR_DETAIL_MAX
};

struct client {
	uint64_t id;
	uint64_t forgotten; /* the highest request; 0: none */
	struct answer *oldest, *newest;
	uint32_t n;
	bool listed; /* in `crowded` */
	struct client *next, *crowded;
};

struct answer {
	struct answer *older, *newer;
	struct answer *client_newer;
	struct client *client;
	struct answer_record record; /* what follows it follows */
};

struct answers {
	struct heap *heap;
	struct answers_limits limits;
	unsigned shard, shards;
	struct hashdir answers, clients;
	struct answer *oldest, *newest;
	struct answer *unwritten; /* the first of those at the end of the list; NULL: none */
	struct client *first_client, *last_client;
	struct client *crowded; /* have more answers than one may */
	bool mixed;             /* recovering: the list is not in order */
	/* For all threads. */
	uint64_t n, bytes, nclients;
	/* The walk, if there is one, is to go on here. */
	struct answers_walk *walk;
	const struct answer *walk_at;
	const struct client *walk_client;
};

static void counter_add(uint64_t *n, uint64_t by)
{
	__atomic_store_n(n, *n + by, __ATOMIC_RELAXED);
}

static uint64_t key_hash(uint64_t client, uint64_t request, uint32_t part, bool every)
{
	return hash_combine(hash_combine(client, request), (uint64_t)part << 1 | every);
}

static bool is_every(const struct answer_record *r)
{
	return (r->flags & ANSWER_EVERY_SHARD) != 0;
}

static uint64_t answer_hash(const void *arg, const void *object)
{
	const struct answer_record *r = &((const struct answer *)object)->record;

	(void)arg;
	return key_hash(r->client, r->request, r->part, is_every(r));
}

static uint64_t client_hash(const void *arg, const void *object)
{
	(void)arg;
	return hash_u64(((const struct client *)object)->id);
}

static size_t answer_bytes(uint32_t record)
{
	return offsetof(struct answer, record) + record;
}

static struct answer *answer_new(struct answers *a, uint32_t record)
{
	struct answer *x = heap_alloc(a->heap, answer_bytes(record));

	if (x == NULL)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->record.size = record;
	counter_add(&a->bytes, answer_bytes(record));
	return x;
}

static void answer_free(struct answers *a, struct answer *x)
{
	counter_add(&a->bytes, -(uint64_t)answer_bytes(x->record.size));
	heap_free(a->heap, x, answer_bytes(x->record.size));
}

int answers_new(struct answers **out, struct heap *h, unsigned shard, unsigned shards,
	const struct answers_limits *limits, struct error *e)
{
	struct answers *a = heap_zalloc(h, sizeof(*a));

	*out = a;
	if (a == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	a->heap = h;
	a->limits = *limits;
	a->shard = shard;
	a->shards = shards;
	if (hashdir_init(&a->answers, h, NULL, answer_hash, NULL) == 0) {
		if (hashdir_init(&a->clients, h, NULL, client_hash, NULL) == 0)
			return 0;
		hashdir_free(&a->answers, NULL, NULL);
	}
	heap_free(h, a, sizeof(*a));
	*out = NULL;
	return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

static bool object_free(void *arg, void *object, size_t *left)
{
	(void)left;
	answer_free(arg, object);
	return true;
}

void answers_free(struct answers *a)
{
	if (a == NULL)
		return;
	hashdir_free(&a->answers, object_free, a);
	hashdir_free(&a->clients, NULL, NULL);
	while (a->first_client != NULL) {
		struct client *c = a->first_client;

		a->first_client = c->next;
		heap_free(a->heap, c, sizeof(*c));
	}
	heap_free(a->heap, a, sizeof(*a));
}

/* --- looking --- */

static struct hashdir_probe answer_probe(const struct answers *a, uint64_t client, uint64_t request,
	uint32_t part, bool every, struct answer **out)
{
	struct hashdir_probe p = hashdir_probe(&a->answers, key_hash(client, request, part, every));
	struct answer *x;

	while ((x = hashdir_next(&p)) != NULL)
		if (x->record.client == client && x->record.request == request &&
			x->record.part == part && is_every(&x->record) == every)
			break;
	*out = x;
	return p;
}

static struct client *client_find(const struct answers *a, uint64_t id)
{
	struct hashdir_probe p = hashdir_probe(&a->clients, hash_u64(id));
	struct client *c;

	while ((c = hashdir_next(&p)) != NULL && c->id != id)
		;
	return c;
}

static struct client *client_get(struct answers *a, uint64_t id, struct error *e)
{
	struct client *c = client_find(a, id);

	if (c != NULL)
		return c;
	if (a->nclients >= a->limits.clients_max) {
		error_set(e, ERR_LIMIT, 0, "%u clients with request ids are known already",
			a->limits.clients_max);
		error_hint(e, "A client id is for ever: give each worker one that it keeps.");
		return NULL;
	}
	c = heap_zalloc(a->heap, sizeof(*c));
	if (c == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	c->id = id;
	if (hashdir_insert(&a->clients, hash_u64(id), 0, c) != 0) {
		heap_free(a->heap, c, sizeof(*c));
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	if (a->last_client != NULL)
		a->last_client->next = c;
	else
		a->first_client = c;
	a->last_client = c;
	counter_add(&a->nclients, 1);
	return c;
}

int answers_look(struct answers *a, const struct answer_key *key, uint64_t payload,
	const struct answer_record **known, struct error *e)
{
	const struct client *c;
	struct answer *x;

	answer_probe(a, key->client, key->request, key->part, key->every, &x);
	if (x != NULL && x->record.payload != payload) {
		error_set(e, ERR_ONCE_MISMATCH, 0,
			"request %llu of client %llu was another command, or had other parameters",
			(unsigned long long)key->request, (unsigned long long)key->client);
		return -1;
	}
	if (x != NULL) {
		*known = &x->record;
		return 1;
	}
	c = client_find(a, key->client);
	if (c == NULL || key->request > c->forgotten)
		return 0;
	error_set(e, ERR_ONCE_EXPIRED, 0,
		"request %llu of client %llu is not executed: answers up to its request %llu may "
		"have been forgotten",
		(unsigned long long)key->request, (unsigned long long)key->client,
		(unsigned long long)c->forgotten);
	error_hint(e, "Whether it was executed before can only be seen by what it did.");
	return -1;
}

/* --- giving --- */

struct answer *answers_begin(struct answers *a, const struct answer_key *key, uint64_t payload,
	uint64_t hash, struct error *e)
{
	struct client *c = client_get(a, key->client, e);
	struct answer *x;

	if (c == NULL)
		return NULL;
	x = answer_new(a, sizeof(struct answer_record));
	if (x != NULL) {
		x->client = c;
		x->record.client = key->client;
		x->record.request = key->request;
		x->record.part = key->part;
		x->record.flags = key->every ? ANSWER_EVERY_SHARD : 0;
		x->record.shards = key->every ? (uint16_t)a->shards : 0;
		x->record.payload = payload;
		x->record.hash = hash;
		if (hashdir_insert(&a->answers, answer_hash(NULL, x), 0, x) == 0)
			return x;
		answer_free(a, x);
	}
	error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return NULL;
}

static void directory_remove(struct answers *a, const struct answer *x)
{
	const struct answer_record *r = &x->record;
	struct answer *found;
	struct hashdir_probe p = answer_probe(
		a, r->client, r->request, r->part, is_every(r), &found);

	ASSERT(found == x);
	hashdir_remove(&p);
}

void answers_drop(struct answers *a, struct answer *x)
{
	directory_remove(a, x);
	answer_free(a, x);
}

/* Put it at the end of the lists. */
static void answer_list(struct answers *a, struct answer *x)
{
	struct client *c = x->client;

	x->older = a->newest;
	x->newer = x->client_newer = NULL;
	if (a->newest != NULL)
		a->newest->newer = x;
	else
		a->oldest = x;
	a->newest = x;
	if (c->newest != NULL)
		c->newest->client_newer = x;
	else
		c->oldest = x;
	c->newest = x;
	counter_add(&a->n, 1);
	if (++c->n > a->limits.per_client && !c->listed) {
		c->listed = true;
		c->crowded = a->crowded;
		a->crowded = c;
	}
}

/* The same with room for `more` bytes behind the record, in its place; NULL: no memory, and nothing has changed. */
static struct answer *answer_grow(struct answers *a, struct answer *x, uint32_t more)
{
	uint32_t size = (uint32_t)sizeof(x->record) + (more + 7) / 8 * 8;
	struct answer *grown = answer_new(a, size), *found;
	struct hashdir_probe p;

	if (grown == NULL)
		return NULL;
	memcpy(grown, x, sizeof(*x));
	grown->record.size = size;
	memset((unsigned char *)(&grown->record + 1) + size - sizeof(x->record) - 8, 0, 8);
	p = answer_probe(a, x->record.client, x->record.request, x->record.part,
		is_every(&x->record), &found);
	ASSERT(found == x);
	hashdir_replace(&p, grown);
	answer_free(a, x);
	return grown;
}

static void answer_given(struct answers *a, struct answer *x)
{
	answer_list(a, x);
	if (a->unwritten == NULL)
		a->unwritten = x;
}

static void rows_put(struct answer_record *r, const struct answer_given *given)
{
	unsigned char *at = (unsigned char *)(r + 1);

	for (uint32_t i = 0; i < given->nrows; i++) {
		uint32_t n = row_size(given->rows[i]);

		memcpy(at, given->rows[i], n);
		at += n;
	}
	r->rows = given->nrows;
	r->columns = given->columns;
}

void answers_done(struct answers *a, struct answer *x, uint64_t epoch, int64_t time_us,
	const struct answer_given *given)
{
	struct answer *grown = NULL;

	if (given->nrows > 0 && given->bytes <= LIMIT_ONCE_ROWS_BYTES)
		grown = answer_grow(a, x, (uint32_t)given->bytes);
	if (grown != NULL) {
		x = grown;
		rows_put(&x->record, given);
	} else if (given->nrows > 0) {
		x->record.flags |= ANSWER_ROWS_LOST;
	}
	x->record.kind = ANSWER_DONE;
	x->record.epoch = epoch;
	x->record.time_us = time_us;
	x->record.count = given->count;
	answer_given(a, x);
}

static uint32_t refusal_bytes(const struct error *why)
{
	return (uint32_t)(sizeof(struct answer_text) + strlen(why->message) + strlen(why->detail) +
		strlen(why->hint));
}

/* Make a record a refusal; there is room for it, and zeros up to a multiple of 8. */
static void refusal_put(struct answer_record *r, const struct error *why)
{
	const char *const texts[] = { why->message, why->detail, why->hint };
	struct answer_text text = { .message = (uint16_t)strlen(why->message),
		.detail = (uint16_t)strlen(why->detail),
		.hint = (uint16_t)strlen(why->hint),
		.position = why->position };
	unsigned char *at = (unsigned char *)(r + 1);

	memcpy(text.sqlstate, error_sqlstate(why->code), sizeof(text.sqlstate));
	memcpy(at, &text, sizeof(text));
	at += sizeof(text);
	for (unsigned i = 0; i < 3; i++) {
		size_t length = strlen(texts[i]);

		memcpy(at, texts[i], length);
		at += length;
	}
	r->kind = ANSWER_REFUSED;
	r->size = (uint32_t)sizeof(*r) + (refusal_bytes(why) + 7) / 8 * 8;
}

int answers_refused(struct answers *a, struct answer *x, uint64_t epoch, int64_t time_us,
	const struct error *why)
{
	struct answer *refused = answer_grow(a, x, refusal_bytes(why));

	if (refused == NULL) {
		answers_drop(a, x);
		return -1;
	}
	refusal_put(&refused->record, why);
	refused->record.epoch = epoch;
	refused->record.time_us = time_us;
	answer_given(a, refused);
	return 0;
}

void answer_error(const struct answer_record *r, struct error *out)
{
	const unsigned char *at = (const unsigned char *)(r + 1);
	struct answer_text text;
	char state[sizeof(text.sqlstate) + 1] = { 0 };

	memcpy(&text, at, sizeof(text));
	at += sizeof(text);
	memcpy(state, text.sqlstate, sizeof(text.sqlstate));
	error_set(out, error_from_sqlstate(state), text.position, "%.*s", (int)text.message,
		(const char *)at);
	at += text.message;
	if (text.detail > 0)
		error_detail(out, "%.*s", (int)text.detail, (const char *)at);
	at += text.detail;
	if (text.hint > 0)
		error_hint(out, "%.*s", (int)text.hint, (const char *)at);
}

void answers_unwritten(
	const struct answers *a, void (*fn)(void *arg, const struct answer_record *r), void *arg)
{
	for (const struct answer *x = a->unwritten; x != NULL; x = x->newer)
		fn(arg, &x->record);
}

void answers_written(struct answers *a)
{
	a->unwritten = NULL;
}

/* --- forgetting --- */

/* It must be the oldest of its client. */
static void forget(struct answers *a, struct answer *x)
{
	struct client *c = x->client;

	ASSERT(c->oldest == x);
	if (a->walk_at == x)
		a->walk_at = x->newer;
	c->oldest = x->client_newer;
	if (c->oldest == NULL)
		c->newest = NULL;
	c->n--;
	if (x->record.request > c->forgotten)
		c->forgotten = x->record.request;
	if (x->older != NULL)
		x->older->newer = x->newer;
	else
		a->oldest = x->newer;
	if (x->newer != NULL)
		x->newer->older = x->older;
	else
		a->newest = x->older;
	directory_remove(a, x);
	answer_free(a, x);
	counter_add(&a->n, (uint64_t)-1);
}

static void crowds_trim(struct answers *a)
{
	while (a->crowded != NULL) {
		struct client *c = a->crowded;

		a->crowded = c->crowded;
		c->listed = false;
		while (c->n > a->limits.per_client)
			forget(a, c->oldest);
	}
}

void answers_trim(struct answers *a, int64_t now_us)
{
	int64_t since = now_us - (int64_t)(a->limits.seconds * 1000000);
	unsigned n = 0;

	ASSERT(a->unwritten == NULL);
	crowds_trim(a);
	while (a->oldest != NULL && a->bytes > a->limits.bytes)
		forget(a, a->oldest);
	while (a->oldest != NULL && a->oldest->record.time_us < since && n++ < FORGET_MAX)
		forget(a, a->oldest);
}

/* --- checkpoints --- */

void answers_walk_begin(struct answers *a, struct answers_walk *w, uint64_t epoch)
{
	*w = (struct answers_walk){ .epoch = epoch };
	a->walk = w;
	a->walk_at = a->oldest;
	a->walk_client = NULL;
}

static size_t entry_put(unsigned char *out, const struct answer_record *r)
{
	struct entry_header h = { .kind = ENTRY_ANSWER };

	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), r, r->size);
	return sizeof(h) + r->size;
}

/* Answers are in the order of their epochs, but for those of earlier runs, which are all older. */
static size_t walk_answers(struct answers *a, const struct answers_walk *w, unsigned char *out,
	size_t cap, uint32_t *entries)
{
	size_t n = 0;

	while (a->walk_at != NULL && a->walk_at->record.epoch <= w->epoch) {
		const struct answer_record *r = &a->walk_at->record;

		if (n + sizeof(struct entry_header) + r->size > cap)
			return n;
		n += entry_put(out + n, r);
		a->walk_at = a->walk_at->newer;
		(*entries)++;
	}
	return n;
}

static size_t walk_clients(struct answers *a, unsigned char *out, size_t cap, uint32_t *entries)
{
	struct answer_record r = { .size = sizeof(r), .kind = ANSWER_FORGOTTEN };
	size_t n = 0;

	while (a->walk_client != NULL && n + sizeof(struct entry_header) + sizeof(r) <= cap) {
		r.client = a->walk_client->id;
		r.request = a->walk_client->forgotten;
		if (r.request != 0) {
			n += entry_put(out + n, &r);
			(*entries)++;
		}
		a->walk_client = a->walk_client->next;
	}
	return n;
}

/* The clients come last: what was forgotten before it could be copied is at or below what their records say. */
size_t answers_walk_next(struct answers *a, struct answers_walk *w, unsigned char *out, size_t cap,
	uint32_t *entries)
{
	size_t n = 0;

	ASSERT(a->walk == w && cap >= LIMIT_ONCE_ENTRY_BYTES);
	*entries = 0;
	if (!w->clients) {
		n = walk_answers(a, w, out, cap, entries);
		if (n > 0)
			return n;
		w->clients = true;
		a->walk_client = a->first_client;
	}
	n = walk_clients(a, out, cap, entries);
	if (n == 0)
		a->walk = NULL;
	return n;
}

/* --- recovery --- */

static bool rows_valid(const unsigned char *p, size_t left, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t n = left >= 8 ? row_size(p) : 0;

		if (n < 8 || n % 8 != 0 || n > left)
			return false;
		p += n;
		left -= n;
	}
	return left == 0;
}

bool answer_valid(const void *record, size_t bytes)
{
	const unsigned char *at = (const unsigned char *)record + sizeof(struct answer_record);
	struct answer_record r;
	struct answer_text text;
	char state[sizeof(text.sqlstate) + 1] = { 0 };
	size_t texts;

	if (bytes < sizeof(r))
		return false;
	memcpy(&r, record, sizeof(r));
	bytes -= sizeof(r);
	if (r.size != bytes + sizeof(r) || r.size > LIMIT_ONCE_ENTRY_BYTES || r.client == 0 ||
		r.request == 0 ||
		(is_every(&r) && (r.shards > LIMIT_PROJECTORS || r.part >= r.shards)))
		return false;
	if (r.kind != ANSWER_REFUSED)
		return (r.kind == ANSWER_DONE || r.kind == ANSWER_FORGOTTEN) &&
			rows_valid(at, bytes, r.rows);
	if (bytes < sizeof(text) || r.rows != 0)
		return false;
	memcpy(&text, at, sizeof(text));
	memcpy(state, text.sqlstate, sizeof(text.sqlstate));
	texts = sizeof(text) + text.message + text.detail + text.hint;
	return texts <= bytes && bytes - texts < 8 && error_from_sqlstate(state) != ERR_OK;
}

/* As it is, but for its part. NULL: 53200. */
static struct answer *restore(
	struct answers *a, const struct answer_record *r, uint32_t part, struct error *e)
{
	struct client *c = client_get(a, r->client, e);
	struct answer *x = c == NULL ? NULL : answer_new(a, r->size);

	if (x != NULL) {
		memcpy(&x->record, r, r->size);
		x->record.part = part;
		x->client = c;
		if (hashdir_insert(&a->answers, answer_hash(NULL, x), 0, x) == 0) {
			answer_list(a, x);
			return x;
		}
		answer_free(a, x);
	}
	error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return NULL;
}

/* --- what was given by another number of shards --- */

/* Its key while recovering: one for each number of shards and shard. */
static uint32_t part_foreign(uint32_t shards, uint32_t shard)
{
	return PART_FOREIGN + shards * LIMIT_PROJECTORS + shard;
}

static bool is_foreign(const struct answer *x)
{
	return is_every(&x->record) && x->record.part >= PART_FOREIGN;
}

static int by_epoch(const void *a, const void *b)
{
	const struct answer *x = *(const struct answer *const *)a;
	const struct answer *y = *(const struct answer *const *)b;

	return x->record.epoch < y->record.epoch ? -1 : x->record.epoch > y->record.epoch;
}

/* All answers; the caller's to free. NULL: 53200. */
static struct answer **collect(const struct answers *a, struct error *e)
{
	struct answer **all = malloc((a->n + 1) * sizeof(struct answer *));
	size_t n = 0;

	if (all == NULL) {
		error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		return NULL;
	}
	for (struct answer *x = a->oldest; x != NULL; x = x->newer)
		all[n++] = x;
	return all;
}

/* Put the lists in order, without the foreign ones if they have been merged. */
static int put_in_order(struct answers *a, bool merged, struct error *e)
{
	struct answer **all = collect(a, e);
	size_t n = a->n;

	if (all == NULL)
		return -1;
	qsort(all, n, sizeof(struct answer *), by_epoch);
	for (struct client *c = a->first_client; c != NULL; c = c->next) {
		c->oldest = c->newest = NULL;
		c->n = 0;
	}
	a->oldest = a->newest = NULL;
	counter_add(&a->n, -(uint64_t)n);
	for (size_t i = 0; i < n; i++) {
		if (!merged || !is_foreign(all[i])) {
			answer_list(a, all[i]);
			continue;
		}
		directory_remove(a, all[i]);
		answer_free(a, all[i]);
	}
	free(all);
	return 0;
}

/* What the shards of another number of them did of one command for all. */
struct siblings {
	unsigned did, of;
	const struct answer *own[LIMIT_PROJECTORS]; /* that this shard takes over */
	unsigned nown;
	const struct answer *refused; /* one of these */
	uint64_t epoch;               /* the newest of these */
	size_t bytes;                 /* of their rows */
};

static void siblings_find(
	const struct answers *a, const struct answer_record *r, struct siblings *s)
{
	*s = (struct siblings){ .of = r->shards };
	for (unsigned k = 0; k < s->of; k++) {
		struct answer *x;

		answer_probe(a, r->client, r->request, part_foreign(s->of, k), true, &x);
		if (x == NULL)
			continue;
		s->did++;
		if (k % a->shards != a->shard)
			continue;
		s->own[s->nown++] = x;
		s->bytes += x->record.size - sizeof(x->record);
		if (x->record.epoch > s->epoch)
			s->epoch = x->record.epoch;
		if (x->record.kind == ANSWER_REFUSED)
			s->refused = x;
	}
}

static void rows_append(struct answer_record *whole, const struct answer_record *r)
{
	uint32_t n = r->size - (uint32_t)sizeof(*r);

	memcpy((unsigned char *)whole + whole->size, r + 1, n);
	whole->size += n;
	whole->rows += r->rows;
	if (r->rows > 0)
		whole->columns = r->columns;
}

static void merge_parts(const struct siblings *s, struct answer_record *whole)
{
	struct error why;

	if (s->did < s->of) {
		error_set(&why, ERR_ONCE_EXPIRED, 0,
			"%u of %u shards had executed the command when the number of projectors "
			"was changed",
			s->did, s->of);
		refusal_put(whole, &why);
		return;
	}
	if (s->refused != NULL) {
		struct error first;

		answer_error(&s->refused->record, &first);
		refusal_put(whole, &first);
		return;
	}
	for (unsigned i = 0; i < s->nown; i++) {
		const struct answer_record *r = &s->own[i]->record;

		whole->count += r->count;
		whole->flags |= r->flags & ANSWER_ROWS_LOST;
		if (s->bytes <= LIMIT_ONCE_ROWS_BYTES)
			rows_append(whole, r);
		else if (r->rows > 0)
			whole->flags |= ANSWER_ROWS_LOST;
	}
}

static int merge(struct answers *a, const struct answer_record *r, struct error *e)
{
	struct siblings s;
	struct answer_record *whole;
	uint64_t epoch = r->epoch;
	int status;

	siblings_find(a, r, &s);
	if (s.nown > 0)
		epoch = s.epoch;
	whole = calloc(1, sizeof(*whole) + TEXTS_MAX + 8 + s.bytes);
	if (whole == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	*whole = (struct answer_record){ .size = sizeof(*whole),
		.kind = ANSWER_DONE,
		.flags = ANSWER_EVERY_SHARD,
		.shards = (uint16_t)a->shards,
		.client = r->client,
		.request = r->request,
		.payload = r->payload,
		.epoch = epoch,
		.time_us = r->time_us,
		.part = a->shard };
	merge_parts(&s, whole);
	status = restore(a, whole, whole->part, e) == NULL ? -1 : 0;
	free(whole);
	return status;
}

static int merge_all(struct answers *a, struct error *e)
{
	struct answer **all = collect(a, e);
	size_t n = a->n;
	int status = all == NULL ? -1 : 0;

	for (size_t i = 0; status == 0 && i < n; i++) {
		const struct answer_record *r = &all[i]->record;
		struct answer *own;

		if (!is_foreign(all[i]))
			continue;
		answer_probe(a, r->client, r->request, a->shard, true, &own);
		if (own == NULL)
			status = merge(a, r, e);
	}
	free(all);
	return status;
}

int answers_restored(struct answers *a, int64_t now_us, struct error *e)
{
	if (a->mixed && (merge_all(a, e) != 0 || put_in_order(a, true, e) != 0))
		return -1;
	a->mixed = false;
	answers_trim(a, now_us);
	return 0;
}

/* Whether an answer of any number of shards is this one's: as it is, or as a foreign one. */
static bool takes(const struct answers *a, const struct answer_record *r)
{
	if (!is_every(r))
		return shard_of(r->hash, a->shards) == a->shard;
	return r->shards != a->shards || r->part == a->shard;
}

int answers_restore(struct answers *a, const struct answer_record *r, bool same, struct error *e)
{
	uint32_t part = r->part;
	struct answer *x;

	if (r->kind == ANSWER_FORGOTTEN) {
		struct client *c = client_get(a, r->client, e);

		if (c == NULL)
			return -1;
		if (r->request > c->forgotten)
			c->forgotten = r->request;
		return 0;
	}
	a->mixed |= !same;
	if (!same && !takes(a, r))
		return 0;
	if (is_every(r) && r->shards != a->shards)
		part = part_foreign(r->shards, r->part);
	answer_probe(a, r->client, r->request, part, is_every(r), &x);
	if (x != NULL)
		return 0;
	if (restore(a, r, part, e) == NULL)
		return -1;
	/* There may be more in the files than is to be remembered. */
	if (a->bytes <= 2 * a->limits.bytes)
		return 0;
	if (a->mixed && put_in_order(a, false, e) != 0)
		return -1;
	while (a->oldest != NULL && a->bytes > a->limits.bytes)
		forget(a, a->oldest);
	return 0;
}

/* --- looking at it --- */

void answers_stats(const struct answers *a, struct answers_stats *out)
{
	out->answers = __atomic_load_n(&a->n, __ATOMIC_RELAXED);
	out->bytes = __atomic_load_n(&a->bytes, __ATOMIC_RELAXED);
	out->clients = __atomic_load_n(&a->nclients, __ATOMIC_RELAXED);
}

uint64_t answers_check(const struct answers *a)
{
	uint64_t n = 0, bytes = 0, of_clients = 0, clients = 0;
	const struct answer *older = NULL;

	for (const struct answer *x = a->oldest; x != NULL; x = x->newer) {
		struct answer *found;

		ASSERT(x->older == older);
		answer_probe(a, x->record.client, x->record.request, x->record.part,
			is_every(&x->record), &found);
		ASSERT(found == x && client_find(a, x->record.client) == x->client);
		bytes += answer_bytes(x->record.size);
		older = x;
		n++;
	}
	ASSERT(a->newest == older && n == a->n && bytes == a->bytes);
	for (const struct client *c = a->first_client; c != NULL; c = c->next, clients++) {
		uint32_t own = 0;

		for (const struct answer *x = c->oldest; x != NULL; x = x->client_newer, own++)
			ASSERT(x->client == c && (x->client_newer != NULL || c->newest == x));
		ASSERT(own == c->n);
		of_clients += own;
	}
	ASSERT(of_clients == n && clients == a->nclients);
	ASSERT(hashdir_check(&a->answers) == n && hashdir_check(&a->clients) == clients);
	return n;
}
