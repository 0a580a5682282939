/*
 * peer.h: another server as the load client sees it: how a connection is opened, what a request looks like, and where
 * an answer ends. One file a server, with one `struct peer`, listed in main.c.
 */
#ifndef LF_BENCH_PEER_H
#define LF_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/load/random.h"

enum { VALUE_BYTES = KEY_VALUE_BYTES, ITEMS = 2, DAYS = 365 };

/* What one request is about. */
struct work {
	uint64_t number; /* of the request in the run: an order's id */
	uint64_t key;    /* row, article or customer */
	uint32_t day, qty[ITEMS], cents[ITEMS];
	char value[VALUE_BYTES]; /* of `key` */
};

/* An order's day and items from a random number; returns what they cost, in cents. */
static inline uint64_t work_order(struct work *w, uint64_t r)
{
	uint64_t all = 0;

	w->day = (uint32_t)(r % DAYS);
	for (unsigned i = 0; i < ITEMS; i++) {
		w->qty[i] = (uint32_t)(r >> (16 + 24 * i)) % 4 + 1;
		w->cents[i] = (uint32_t)(r >> (18 + 24 * i)) % 10000 + 1;
		all += w->qty[i] * w->cents[i];
	}
	return all;
}

/* Bytes to be sent. Running out of memory ends the program. */
struct bytes {
	unsigned char *p;
	size_t n, cap;
};
void bytes_add(struct bytes *b, const void *p, size_t n);
void bytes_print(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void bytes_u8(struct bytes *b, unsigned v);
void bytes_be32(struct bytes *b, uint32_t v);
/* Over what is at `at`: a length that was not known before. */
void bytes_set_be32(struct bytes *b, size_t at, uint32_t v);

struct answer {
	bool failed;      /* the server says so; `text` is what it said */
	const void *text; /* of a read: the value */
	size_t len;
	int64_t id; /* the request's, where the protocol tells; else -1: answers come in order */
};

struct peer_form {
	const char *name;
	unsigned answers; /* of one request */
	bool reads;       /* the last answer has the value */
	void (*request)(struct bytes *out, const struct work *w, uint32_t id);
};

struct peer {
	const char *name;
	/* Bytes that begin a connection; returns the answers to wait for. NULL: there are none. */
	unsigned (*open)(struct bytes *out, const struct peer_form *form, const char *argument);
	/* Bytes that the server sends first of all. */
	size_t greeting;
	/* The answer at p: how many bytes it has, 0: more than n, -1: not understood. */
	ssize_t (*answer)(const unsigned char *p, size_t n, struct answer *a);
	const struct peer_form *forms; /* ends with an empty name */
};

extern const struct peer PEER_LEFTFOLD, PEER_REDIS, PEER_MEMCACHED, PEER_TARANTOOL, PEER_POSTGRES;

#endif
