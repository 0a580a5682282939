#include "tests/sim/sim_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int item_order(const void *pa, const void *pb)
{
	const struct item *a = pa, *b = pb;

	if (a->no != b->no)
		return a->no < b->no ? -1 : 1;
	return a->value < b->value ? -1 : a->value > b->value;
}

void model_add_row(struct state *s, int64_t no, int64_t value)
{
	if (s->n == ROWS_MAX)
		wrong("an aggregate has more than %d rows", ROWS_MAX);
	s->rows[s->n++] = (struct item){ no, value };
	qsort(s->rows, s->n, sizeof(s->rows[0]), item_order);
}

static void rows_trim(struct state *s, int64_t below)
{
	unsigned left = 0;

	for (unsigned i = 0; i < s->n; i++)
		if (s->rows[i].no >= below)
			s->rows[left++] = s->rows[i];
	s->n = left;
}

static enum error_code entries_add(struct state *s, unsigned n, int64_t number, int64_t arg)
{
	if (!s->exists)
		return ERR_FOREIGN_KEY;
	for (unsigned i = 0; i < n; i++)
		model_add_row(s, number * NUMBERS_A_COMMAND + i, arg + i);
	return ERR_OK;
}

static enum error_code account_apply(struct state *s, enum kind kind, int64_t number, int64_t arg)
{
	switch (kind) {
	case OPEN:
	case OPEN_MANY:
		if (s->exists)
			return ERR_UNIQUE;
		s->exists = true;
		s->a = arg;
		s->b = number;
		return ERR_OK;
	case MOVE:
		if (s->exists && s->a + arg < 0)
			return ERR_CHECK;
		if (entries_add(s, 1, number, arg) != ERR_OK)
			return ERR_FOREIGN_KEY;
		s->a += arg;
		s->b = number;
		return ERR_OK;
	case ENTRIES2: return entries_add(s, 2, number, arg);
	case ENTRIES4: return entries_add(s, 4, number, arg);
	case TRIM:
		rows_trim(s, arg * NUMBERS_A_COMMAND);
		s->b = s->exists ? number : 0;
		return ERR_OK;
	case BUMP_MANY:
		s->a += s->exists ? arg : 0;
		s->b = s->exists ? number : 0;
		return ERR_OK;
	case CLOSE_ALONE:
		if (s->exists && s->n > 0)
			return ERR_FOREIGN_KEY;
		break;
	default: break;
	}
	memset(s, 0, sizeof(*s)); /* closed */
	return ERR_OK;
}

enum error_code model_apply(struct state *s, enum kind kind, int64_t number, int64_t arg)
{
	switch (kind) {
	case PUT:
		s->exists = true;
		s->a += arg;
		s->b = number;
		return ERR_OK;
	case KEY_MOVE:
		s->a += s->exists ? arg : 0;
		s->b = s->exists ? number : 0;
		return ERR_OK;
	case EXTRA_PUT:
		s->exists = true;
		s->a = arg;
		return ERR_OK;
	case KEY_DELETE:
	case LOG_DELETE:
	case LOOSE_DELETE:
	case EXTRA_DELETE: memset(s, 0, sizeof(*s)); return ERR_OK;
	case LOG_ADD:
		for (unsigned i = 0; i < 3; i++)
			model_add_row(s, i, arg);
		return ERR_OK;
	case LOOSE_ADD: model_add_row(s, 0, arg); return ERR_OK;
	case LOOSE_CHANGE:
	case LOG_CHANGE:
		for (unsigned i = 0; i < s->n; i++)
			s->rows[i].value += arg;
		return ERR_OK;
	default: return account_apply(s, kind, number, arg);
	}
}

uint64_t model_hash(const struct state *s)
{
	uint64_t h = s->exists;

	h = (h ^ (uint64_t)s->a) * 0x9e3779b97f4a7c15u;
	h = (h ^ (h >> 29) ^ (uint64_t)s->b) * 0x9e3779b97f4a7c15u;
	for (unsigned i = 0; i < s->n; i++) {
		h = (h ^ (h >> 29) ^ (uint64_t)s->rows[i].no) * 0x9e3779b97f4a7c15u;
		h = (h ^ (h >> 29) ^ (uint64_t)s->rows[i].value) * 0x9e3779b97f4a7c15u;
	}
	return h;
}

bool model_equal(const struct state *a, const struct state *b)
{
	return a->exists == b->exists && a->a == b->a && a->b == b->b && a->n == b->n &&
		memcmp(a->rows, b->rows, a->n * sizeof(a->rows[0])) == 0;
}

void model_print(const struct state *s, char *out, size_t cap)
{
	size_t n = (size_t)snprintf(
		out, cap, "%s a=%" PRId64 " b=%" PRId64, s->exists ? "there" : "none", s->a, s->b);

	for (unsigned i = 0; i < s->n && n + 60 < cap; i++)
		n += (size_t)snprintf(
			out + n, cap - n, " %" PRId64 ":%" PRId64, s->rows[i].no, s->rows[i].value);
}

unsigned model_note(int64_t number, char out[NOTE_MAX])
{
	uint64_t mixed = (uint64_t)number * 0x9e3779b97f4a7c15u;
	unsigned n = 5 + (unsigned)(mixed >> 32) % (mixed % 7 == 0 ? 500 : 60);

	for (unsigned i = 0; i < n; i++)
		out[i] = (char)('a' + (mixed >> (i % 50)) % 26);
	return n;
}
