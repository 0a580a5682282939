/*
 * memcached.c: the meta commands of its text protocol (doc/protocol.txt of its sources).
 */
#include <string.h>

#include "bench/peers/peer.h"

static void get(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "mg %010llu v\r\n", (unsigned long long)w->key);
}

static void set(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "ms %010llu %d\r\n%.*s\r\n", (unsigned long long)w->key, VALUE_BYTES,
		VALUE_BYTES, w->value);
}

/* Made with 1 when it is not there. */
static void vote(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "ma v%010llu N0 J1\r\n", (unsigned long long)w->key);
}

static ssize_t memcached_answer(const unsigned char *p, size_t n, struct answer *a)
{
	const unsigned char *end = memchr(p, '\n', n);
	size_t len = 0, used;

	a->id = -1;
	if (end == NULL)
		return 0;
	used = (size_t)(end + 1 - p);
	if (memcmp(p, "HD", 2) == 0)
		return (ssize_t)used;
	if (memcmp(p, "VA ", 3) != 0) {
		a->failed = true;
		a->text = p;
		a->len = used - 2;
		return (ssize_t)used;
	}
	for (const unsigned char *d = p + 3; *d >= '0' && *d <= '9'; d++)
		len = 10 * len + (size_t)(*d - '0');
	if (n < used + len + 2)
		return 0;
	a->text = p + used;
	a->len = len;
	return (ssize_t)(used + len + 2);
}

static const struct peer_form FORMS[] = {
	{ "kv-load", 1, false, set },
	{ "kv", 1, true, get },
	{ "vote", 1, false, vote },
	{ .name = NULL },
};

const struct peer PEER_MEMCACHED = {
	.name = "memcached", .answer = memcached_answer, .forms = FORMS
};
