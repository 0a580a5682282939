/*
 * tarantool.c: IPROTO (tarantool.io, "Binary protocol"): a length, a header map and a body map, in MessagePack.
 * Spaces and the procedure place_order() are made by tarantool.lua.
 */
#include <string.h>

#include "bench/peers/peer.h"

enum {
	TYPE_SELECT = 1,
	TYPE_REPLACE = 3,
	TYPE_UPSERT = 9,
	TYPE_CALL = 10,
	KEY_TYPE = 0,
	KEY_SYNC = 1,
	KEY_SPACE = 0x10,
	KEY_LIMIT = 0x12,
	KEY_BASE = 0x15,
	KEY_KEY = 0x20,
	KEY_TUPLE = 0x21,
	KEY_FUNCTION = 0x22,
	KEY_OPS = 0x28,
	SPACE_KV = 512,
	SPACE_VOTES = 513,
	GREETING = 128
};

static void put_map(struct bytes *b, unsigned n)
{
	bytes_u8(b, 0x80 | n);
}

static void put_array(struct bytes *b, unsigned n)
{
	bytes_u8(b, 0x90 | n);
}

static void put_uint(struct bytes *b, uint64_t v)
{
	if (v < 128) {
		bytes_u8(b, (unsigned)v);
	} else {
		bytes_u8(b, 0xce);
		bytes_be32(b, (uint32_t)v);
	}
}

static void put_text(struct bytes *b, const void *p, unsigned n)
{
	if (n < 32) {
		bytes_u8(b, 0xa0 | n);
	} else {
		bytes_u8(b, 0xd9);
		bytes_u8(b, n);
	}
	bytes_add(b, p, n);
}

/* Returns where the length belongs. */
static size_t begin(struct bytes *b, unsigned type, uint32_t sync)
{
	size_t at = b->n;

	bytes_u8(b, 0xce);
	bytes_be32(b, 0);
	put_map(b, 2);
	put_uint(b, KEY_TYPE);
	put_uint(b, type);
	put_uint(b, KEY_SYNC);
	put_uint(b, sync);
	return at;
}

static void end(struct bytes *b, size_t at)
{
	bytes_set_be32(b, at + 1, (uint32_t)(b->n - at - 5));
}

static void get(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = begin(out, TYPE_SELECT, id);

	put_map(out, 3);
	put_uint(out, KEY_SPACE);
	put_uint(out, SPACE_KV);
	put_uint(out, KEY_LIMIT);
	put_uint(out, 1);
	put_uint(out, KEY_KEY);
	put_array(out, 1);
	put_uint(out, w->key);
	end(out, at);
}

static void set(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = begin(out, TYPE_REPLACE, id);

	put_map(out, 2);
	put_uint(out, KEY_SPACE);
	put_uint(out, SPACE_KV);
	put_uint(out, KEY_TUPLE);
	put_array(out, 2);
	put_uint(out, w->key);
	put_text(out, w->value, VALUE_BYTES);
	end(out, at);
}

static void vote(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = begin(out, TYPE_UPSERT, id);

	put_map(out, 4);
	put_uint(out, KEY_SPACE);
	put_uint(out, SPACE_VOTES);
	put_uint(out, KEY_BASE);
	put_uint(out, 1);
	put_uint(out, KEY_TUPLE);
	put_array(out, 2);
	put_uint(out, w->key);
	put_uint(out, 1);
	put_uint(out, KEY_OPS);
	put_array(out, 1);
	put_array(out, 3);
	put_text(out, "+", 1);
	put_uint(out, 2);
	put_uint(out, 1);
	end(out, at);
}

static void order(struct bytes *out, const struct work *w, uint32_t id)
{
	static const char NAME[] = "place_order";
	size_t at = begin(out, TYPE_CALL, id);

	put_map(out, 2);
	put_uint(out, KEY_FUNCTION);
	put_text(out, NAME, sizeof(NAME) - 1);
	put_uint(out, KEY_TUPLE);
	put_array(out, 3 + 2 * ITEMS);
	put_uint(out, w->number);
	put_uint(out, w->key);
	put_uint(out, w->day);
	for (unsigned i = 0; i < ITEMS; i++) {
		put_uint(out, w->qty[i]);
		put_uint(out, w->cents[i]);
	}
	end(out, at);
}

/* An unsigned number at *at; false: it is none, or is cut off. */
static bool take_uint(const unsigned char *p, size_t n, size_t *at, uint64_t *v)
{
	unsigned width;

	if (*at >= n)
		return false;
	*v = p[(*at)++];
	if (*v < 128)
		return true;
	if (*v < 0xcc || *v > 0xcf)
		return false;
	width = 1u << (*v - 0xcc);
	if (n - *at < width)
		return false;
	*v = 0;
	for (unsigned i = 0; i < width; i++)
		*v = *v << 8 | p[(*at)++];
	return true;
}

static ssize_t tarantool_answer(const unsigned char *p, size_t n, struct answer *a)
{
	uint64_t len, key, v, pairs;
	size_t at = 0;

	if (n < 5)
		return 0;
	if (!take_uint(p, n, &at, &len))
		return -1;
	if (n - at < len)
		return 0;
	n = at + len;
	if (at == n || (p[at] & 0xf0) != 0x80)
		return -1;
	pairs = p[at++] & 0x0f;
	while (pairs-- > 0) {
		if (!take_uint(p, n, &at, &key) || !take_uint(p, n, &at, &v))
			return -1;
		if (key == KEY_TYPE)
			a->failed = v != 0;
		if (key == KEY_SYNC)
			a->id = (int64_t)v;
	}
	/* A tuple's last field ends the answer; so does an error's text, or nearly. */
	a->len = a->failed ? n - at : VALUE_BYTES;
	a->text = a->len <= n - at ? p + n - a->len : NULL;
	return (ssize_t)n;
}

static const struct peer_form FORMS[] = {
	{ "kv-load", 1, false, set },
	{ "kv", 1, true, get },
	{ "vote", 1, false, vote },
	{ "order", 1, false, order },
	{ .name = NULL },
};

const struct peer PEER_TARANTOOL = {
	.name = "tarantool", .greeting = GREETING, .answer = tarantool_answer, .forms = FORMS
};
