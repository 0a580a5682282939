/*
 * redis.c: RESP (redis.io/docs/reference/protocol-spec). Orders in three forms: a script, a transaction, and plain
 * commands in a row. An order is a hash with its items and totals; customers and days are counters in one hash each,
 * votes too.
 */
#include <string.h>

#include "bench/peers/peer.h"

static void get(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "*2\r\n$3\r\nGET\r\n$10\r\n%010llu\r\n", (unsigned long long)w->key);
}

static void set(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "*3\r\n$3\r\nSET\r\n$10\r\n%010llu\r\n$%d\r\n%.*s\r\n",
		(unsigned long long)w->key, VALUE_BYTES, VALUE_BYTES, w->value);
}

static void vote(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out, "*4\r\n$7\r\nHINCRBY\r\n$5\r\nvotes\r\n$10\r\n%010llu\r\n$1\r\n1\r\n",
		(unsigned long long)w->key);
}

/* SCRIPT LOAD gives a script's hash, which the caller has made beforehand: ARGUMENT. */
static char script[41];

static unsigned redis_open(struct bytes *out, const struct peer_form *form, const char *argument)
{
	(void)out;
	if (strcmp(form->name, "order-lua") == 0)
		(void)strncpy(script, argument, sizeof(script) - 1);
	return 0;
}

static void order_lua(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	bytes_print(out,
		"*10\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n0\r\n$10\r\n%010llu\r\n$10\r\n%010llu\r\n"
		"$3\r\n%03u\r\n$1\r\n%u\r\n$5\r\n%05u\r\n$1\r\n%u\r\n$5\r\n%05u\r\n",
		script, (unsigned long long)w->number, (unsigned long long)w->key, w->day,
		w->qty[0], w->cents[0], w->qty[1], w->cents[1]);
}

static void order_commands(struct bytes *out, const struct work *w)
{
	bytes_print(out,
		"*18\r\n$4\r\nHSET\r\n$12\r\no:%010llu\r\n$1\r\nc\r\n$10\r\n%010llu\r\n$1\r\nd\r\n$3\r\n%03u\r\n"
		"$2\r\nq1\r\n$1\r\n%u\r\n$2\r\np1\r\n$5\r\n%05u\r\n$2\r\nq2\r\n$1\r\n%u\r\n$2\r\np2\r\n$5\r\n%05u\r\n"
		"$5\r\ntotal\r\n$6\r\n%06u\r\n$5\r\nitems\r\n$1\r\n%u\r\n",
		(unsigned long long)w->number, (unsigned long long)w->key, w->day, w->qty[0],
		w->cents[0], w->qty[1], w->cents[1],
		w->qty[0] * w->cents[0] + w->qty[1] * w->cents[1], ITEMS);
	bytes_print(out, "*4\r\n$7\r\nHINCRBY\r\n$9\r\ncustomers\r\n$10\r\n%010llu\r\n$1\r\n1\r\n",
		(unsigned long long)w->key);
	bytes_print(out, "*4\r\n$7\r\nHINCRBY\r\n$4\r\ndays\r\n$3\r\n%03u\r\n$1\r\n1\r\n", w->day);
}

static void order_plain(struct bytes *out, const struct work *w, uint32_t id)
{
	(void)id;
	order_commands(out, w);
}

static void order_multi(struct bytes *out, const struct work *w, uint32_t id)
{
	static const char MULTI[] = "*1\r\n$5\r\nMULTI\r\n", EXEC[] = "*1\r\n$4\r\nEXEC\r\n";

	(void)id;
	bytes_add(out, MULTI, sizeof(MULTI) - 1);
	order_commands(out, w);
	bytes_add(out, EXEC, sizeof(EXEC) - 1);
}

/* A line "TYPE NUMBER CRLF": its length, 0 or -1. */
static ssize_t line(const unsigned char *p, size_t n, long long *number)
{
	const unsigned char *end = memchr(p, '\n', n);
	bool negative = n > 1 && p[1] == '-';
	long long v = 0;

	if (end == NULL)
		return 0;
	for (const unsigned char *d = p + 1 + negative; d + 1 < end; d++)
		v = 10 * v + (*d - '0');
	*number = negative ? -v : v;
	return end + 1 - p;
}

static ssize_t redis_answer(const unsigned char *p, size_t n, struct answer *a)
{
	long long number = 0;
	ssize_t used = n == 0 ? 0 : line(p, n, &number);

	a->id = -1;
	if (used <= 0)
		return used;
	switch (p[0]) {
	case '-':
		a->failed = true;
		a->text = p + 1;
		a->len = (size_t)used - 3;
		return used;
	case '+':
	case ':': return used;
	case '$':
		if (number < 0)
			return used;
		if (n < (size_t)used + (size_t)number + 2)
			return 0;
		a->text = p + used;
		a->len = (size_t)number;
		return used + (ssize_t)number + 2;
	case '*':
		a->failed = number < 0;
		for (long long i = 0; i < number; i++) {
			ssize_t one = redis_answer(p + used, n - (size_t)used, a);

			if (one <= 0)
				return one;
			used += one;
		}
		return used;
	default: return -1;
	}
}

static const struct peer_form FORMS[] = {
	{ "kv-load", 1, false, set },
	{ "kv", 1, true, get },
	{ "vote", 1, false, vote },
	{ "order-lua", 1, false, order_lua },
	{ "order-multi", 5, false, order_multi },
	{ "order-plain", 3, false, order_plain },
	{ .name = NULL },
};

const struct peer PEER_REDIS = {
	.name = "redis", .open = redis_open, .answer = redis_answer, .forms = FORMS
};
