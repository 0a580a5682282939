/*
 * sim_track.c: see sim_track.h.
 *
 * Commands are folded into the certain state as soon as it is certain that they survive: that they were acknowledged,
 * or are before one that was.
 */
#include "tests/sim/sim_track.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRINT_MAX = 4096 };

struct state track_coming(const struct track *a)
{
	struct state s = a->base;

	for (unsigned i = 0; i < a->n; i++)
		if (a->ops[i].status != SKIPPED)
			(void)model_apply(
				&s, a->ops[i].kind, (int64_t)a->ops[i].number, a->ops[i].arg);
	return s;
}

/* Whether the command of a list survives for certain. */
static bool must(const struct op *op)
{
	return op->seen || (op->status == DONE && op->durable);
}

static void remember(struct track *a, const struct state *s)
{
	if (a->nhistory == a->cap) {
		a->cap = a->cap == 0 ? 64 : 2 * a->cap;
		a->history = realloc(a->history, a->cap * sizeof(*a->history));
		if (a->history == NULL)
			abort();
	}
	a->history[a->nhistory++] = model_hash(s);
}

void track_remember(struct track *a, unsigned limit, bool gaps)
{
	struct state s = a->base;

	for (unsigned i = 0; i < limit; i++) {
		const struct op *op = &a->ops[i];

		if (op->status == SKIPPED)
			continue;
		(void)model_apply(&s, op->kind, (int64_t)op->number, op->arg);
		remember(a, &s);
		a->vague |= op->status == DONE_OR_SKIPPED || (op->status == PENDING && gaps);
	}
}

void track_begin(struct track *a)
{
	a->nhistory = 0;
	a->vague = false;
	remember(a, &a->base);
}

void track_must_have_been(struct track *a, unsigned g, const struct state *there)
{
	uint64_t hash = model_hash(there);
	char text[PRINT_MAX];

	for (unsigned i = 0; i < a->nhistory; i++)
		if (a->history[i] == hash)
			return;
	model_print(there, text, sizeof(text));
	wrong("aggregate %u is %s, which it has never been", g, text);
}

void track_fold(struct track *a, uint64_t visible)
{
	unsigned certain = 0, done = 0;

	for (unsigned i = 0; i < a->n; i++)
		if (must(&a->ops[i]) && a->ops[i].epoch <= visible)
			certain = i + 1;
	while (done < a->n) {
		const struct op *op = &a->ops[done];
		enum error_code code;

		if (op->status == SKIPPED) {
			done++;
			continue;
		}
		if (op->status == PENDING || op->status == DONE_OR_SKIPPED ||
			(op->status != REFUSED && done >= certain))
			break;
		code = model_apply(&a->base, op->kind, (int64_t)op->number, op->arg);
		if (op->status != DONE_OR_REFUSED && code != op->code)
			wrong("command %" PRIu64 " was answered %s instead of %s", op->number,
				error_sqlstate(op->code), error_sqlstate(code));
		remember(a, &a->base);
		done++;
	}
	a->n -= done;
	memmove(a->ops, a->ops + done, a->n * sizeof(a->ops[0]));
}

/* --- comparing --- */

/* Whether ops[i, limit) on top of s can have made what is there. */
static bool reaches(const struct track *a, unsigned i, const struct state *s, unsigned limit,
	bool gaps, const struct state *there)
{
	const struct op *op = &a->ops[i];
	struct state next = *s;
	enum error_code code;

	if (i == limit)
		return model_equal(s, there);
	if (op->status == SKIPPED)
		return reaches(a, i + 1, s, limit, gaps, there);
	code = model_apply(&next, op->kind, (int64_t)op->number, op->arg);
	if (code != ERR_OK)
		next = *s;
	if ((op->status == DONE || op->status == REFUSED) && code != op->code)
		return false;
	if (reaches(a, i + 1, &next, limit, gaps, there))
		return true;
	return (op->status == DONE_OR_SKIPPED || (op->status == PENDING && gaps)) &&
		reaches(a, i + 1, s, limit, gaps, there);
}

/* The least number of commands that must be there. */
static unsigned least(const struct track *a, enum ledger_check check)
{
	unsigned n = 0;

	if (check == CHECK_QUIET)
		return a->n;
	for (unsigned i = 0; i < a->n; i++) {
		const struct op *op = &a->ops[i];

		if (check == CHECK_LIVE ? op->seen || (op->status == DONE && op->ack == LF_VISIBLE)
					: must(op))
			n = i + 1;
	}
	return n;
}

static void differs(const struct track *a, unsigned g, const struct state *there, unsigned from)
{
	char text[PRINT_MAX], base[PRINT_MAX], ops[PRINT_MAX];
	size_t n = 0;

	model_print(there, text, sizeof(text));
	model_print(&a->base, base, sizeof(base));
	ops[0] = '\0';
	for (unsigned i = 0; i < a->n; i++)
		n += (size_t)snprintf(ops + n, sizeof(ops) - n,
			"\n  %" PRIu64 " kind %d arg %" PRId64 " ack %d: %d %s%s%s",
			a->ops[i].number, (int)a->ops[i].kind, a->ops[i].arg, (int)a->ops[i].ack,
			(int)a->ops[i].status, error_sqlstate(a->ops[i].code),
			a->ops[i].durable ? " durable" : "", a->ops[i].seen ? " seen" : "");
	wrong("aggregate %u is\n  %s\nwhich cannot come from\n  %s\nand at least %u of%s", g, text,
		base, from, ops);
}

void track_compare(
	struct track *a, unsigned g, const struct state *there, enum ledger_check check, bool gaps)
{
	unsigned limit = least(a, check), from = limit;

	while (limit <= a->n && !reaches(a, 0, &a->base, limit, gaps, there))
		limit++;
	if (limit > a->n)
		differs(a, g, there, from);
	if (check == CHECK_LIVE) {
		if (limit > 0)
			a->ops[limit - 1].seen = true;
		return;
	}
	track_remember(a, limit, gaps);
	a->base = *there;
	a->n = 0;
}
