/*
 * postgres.c: the frontend/backend protocol 3 (PostgreSQL's manual, chapter 55), without a password. One prepared
 * statement; each request is Bind, Execute and Sync, a transaction of its own. ARGUMENT: "user database".
 */
#include <stdio.h>
#include <string.h>

#include "bench/peers/peer.h"

static size_t begin(struct bytes *b, char type)
{
	if (type != 0)
		bytes_u8(b, (unsigned char)type);
	bytes_be32(b, 0);
	return b->n - 4;
}

static void end(struct bytes *b, size_t at)
{
	bytes_set_be32(b, at, (uint32_t)(b->n - at));
}

static void put_text(struct bytes *b, const char *text)
{
	bytes_add(b, text, strlen(text) + 1);
}

static void put_be16(struct bytes *b, unsigned v)
{
	bytes_u8(b, v >> 8);
	bytes_u8(b, v & 0xff);
}

static void sync(struct bytes *b)
{
	end(b, begin(b, 'S'));
}

static const char *text_of(const struct peer_form *form)
{
	if (strcmp(form->name, "kv-load") == 0)
		return "INSERT INTO kv VALUES ($1, $2)";
	if (strcmp(form->name, "kv") == 0)
		return "SELECT value FROM kv WHERE id = $1";
	if (strcmp(form->name, "vote") == 0)
		return "INSERT INTO votes VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET n = votes.n + 1";
	return "SELECT place_order($1, $2, $3, $4, $5, $6, $7)";
}

/* Answered by one ReadyForQuery for the greeting and one for the statement. */
static unsigned postgres_open(struct bytes *out, const struct peer_form *form, const char *argument)
{
	char user[64], database[64];
	size_t at = begin(out, 0);

	if (sscanf(argument, "%63s %63s", user, database) != 2)
		return 0;
	bytes_be32(out, 3 << 16);
	put_text(out, "user");
	put_text(out, user);
	put_text(out, "database");
	put_text(out, database);
	bytes_u8(out, 0);
	end(out, at);
	at = begin(out, 'P');
	put_text(out, "");
	put_text(out, text_of(form));
	put_be16(out, 0);
	end(out, at);
	sync(out);
	return 2;
}

static size_t bind_begin(struct bytes *b, unsigned n)
{
	size_t at = begin(b, 'B');

	put_text(b, "");
	put_text(b, "");
	put_be16(b, 0);
	put_be16(b, n);
	return at;
}

static void bind_number(struct bytes *b, uint64_t v)
{
	size_t at = b->n;

	bytes_be32(b, 0);
	bytes_print(b, "%llu", (unsigned long long)v);
	b->p[at + 3] = (unsigned char)(b->n - at - 4);
}

static void bind_end(struct bytes *b, size_t at)
{
	put_be16(b, 0);
	end(b, at);
	at = begin(b, 'E');
	put_text(b, "");
	bytes_be32(b, 0);
	end(b, at);
	sync(b);
}

static void key_only(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = bind_begin(out, 1);

	(void)id;
	bind_number(out, w->key);
	bind_end(out, at);
}

static void set(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = bind_begin(out, 2);

	(void)id;
	bind_number(out, w->key);
	bytes_be32(out, VALUE_BYTES);
	bytes_add(out, w->value, VALUE_BYTES);
	bind_end(out, at);
}

static void order(struct bytes *out, const struct work *w, uint32_t id)
{
	size_t at = bind_begin(out, 3 + 2 * ITEMS);

	(void)id;
	bind_number(out, w->number);
	bind_number(out, w->key);
	bind_number(out, w->day);
	for (unsigned i = 0; i < ITEMS; i++) {
		bind_number(out, w->qty[i]);
		bind_number(out, w->cents[i]);
	}
	bind_end(out, at);
}

/* All messages up to ReadyForQuery. */
static ssize_t postgres_answer(const unsigned char *p, size_t n, struct answer *a)
{
	size_t at = 0;

	a->id = -1;
	while (n - at >= 5) {
		const unsigned char *m = p + at;
		uint32_t len = (uint32_t)m[1] << 24 | (uint32_t)m[2] << 16 | (uint32_t)m[3] << 8 |
			m[4];

		if (len < 4)
			return -1;
		if (n - at < 1 + (size_t)len)
			return 0;
		at += 1 + (size_t)len;
		if (m[0] == 'E') {
			a->failed = true;
			a->text = m + 5;
			a->len = len - 4;
		} else if (m[0] == 'D' && len > 10) {
			a->text = m + 11;
			a->len = len - 10;
		} else if (m[0] == 'Z') {
			return (ssize_t)at;
		}
	}
	return 0;
}

static const struct peer_form FORMS[] = {
	{ "kv-load", 1, false, set },
	{ "kv", 1, true, key_only },
	{ "vote", 1, false, key_only },
	{ "order", 1, false, order },
	{ .name = NULL },
};

const struct peer PEER_POSTGRES = {
	.name = "postgres", .open = postgres_open, .answer = postgres_answer, .forms = FORMS
};
