/*
 * leftfold.c: leftfoldd --echo, which gives the row of every EXECUTE frame back: what its network part does by itself. A
 * frame is as long as that of a point read.
 */
#include <string.h>

#include "bench/peers/peer.h"
#include "net/wire/wire.h"

enum { BODY_BYTES = sizeof(struct wire_execute) + 16 /* a row with one number */ };

static void frame(
	struct bytes *out, enum wire_type type, uint64_t request, const void *body, uint32_t n)
{
	struct wire_header h = { .length = n, .type = type, .request = request };

	bytes_add(out, &h, sizeof(h));
	bytes_add(out, body, n);
}

static unsigned leftfold_open(struct bytes *out, const struct peer_form *form, const char *argument)
{
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };

	(void)form;
	(void)argument;
	frame(out, WIRE_HELLO, 0, &hello, sizeof(hello));
	return 1;
}

static void echo(struct bytes *out, const struct work *w, uint32_t id)
{
	uint64_t body[BODY_BYTES / 8] = { 0 };

	body[0] = w->key;
	frame(out, WIRE_EXECUTE, id, body, sizeof(body));
}

static ssize_t leftfold_answer(const unsigned char *p, size_t n, struct answer *a)
{
	struct wire_header h;

	a->id = -1;
	if (n < sizeof(h))
		return 0;
	memcpy(&h, p, sizeof(h));
	if (n - sizeof(h) < h.length)
		return 0;
	a->failed = h.type == WIRE_ERROR;
	a->text = p + sizeof(h);
	a->len = h.length;
	return (ssize_t)(sizeof(h) + h.length);
}

static const struct peer_form FORMS[] = {
	{ "echo", 1, false, echo },
	{ .name = NULL },
};

const struct peer PEER_LEFTFOLD = {
	.name = "leftfold", .open = leftfold_open, .answer = leftfold_answer, .forms = FORMS
};
