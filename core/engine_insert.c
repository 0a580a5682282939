/*
 * engine_insert.c: what the query of a command gives (INSERT … SELECT, UPDATE … FROM, DELETE … USING), read before the
 * command is submitted.
 *
 * It is read at one epoch, the newest visible one (or the one that the port has pinned), and nothing is locked: commands
 * that are executed between reading and inserting are not seen; a row to be changed must still be as it was read, which its
 * shard looks at (40001). The rows are kept, packed, with the command's request.
 */
#include "core/engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"

enum { GIVEN_BYTES_FIRST = KIB(4) };

struct reading {
	struct given *given;
	size_t cap;
	struct error *e;
};

static int given_grow(struct reading *r, size_t size)
{
	size_t cap = r->cap == 0 ? GIVEN_BYTES_FIRST : r->cap;
	unsigned char *grown;

	while (cap < r->given->size + size)
		cap *= 2;
	grown = realloc(r->given->bytes, cap);
	if (grown == NULL)
		return error_set(r->e, ERR_OUT_OF_MEMORY, 0, NULL);
	r->given->bytes = grown;
	r->cap = cap;
	return 0;
}

static int given_add(void *arg, const void *row, uint32_t size)
{
	struct reading *r = arg;
	struct given *g = r->given;

	if (g->n == LIMIT_ROWS_PER_COMMAND)
		return error_set(r->e, ERR_PROGRAM_LIMIT, 0,
			"a command of more than %d rows: its query gives more",
			LIMIT_ROWS_PER_COMMAND);
	if (g->size + size > LIMIT_COMMAND_BYTES)
		return error_set(r->e, ERR_PROGRAM_LIMIT, 0,
			"a command of more than %d bytes: its query gives more",
			LIMIT_COMMAND_BYTES);
	if (g->size + size > r->cap && given_grow(r, size) != 0)
		return -1;
	memcpy(g->bytes + g->size, row, size);
	g->size += size;
	g->n++;
	return 0;
}

static int given_list(struct given *g, struct error *e)
{
	const unsigned char *at = g->bytes;

	g->rows = malloc((g->n + 1) * sizeof(*g->rows));
	if (g->rows == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < g->n; i++) {
		g->rows[i] = at;
		at += row_size(at);
	}
	return 0;
}

/* Of rows with one key only the first stays: a row is changed once, as in PostgreSQL, which does not say by which. */
static int given_once(struct given *g, const struct statement *s, struct error *e)
{
	const struct relation *r = s->relation;
	const struct row_layout *l = &s->change.query->result_layout;
	unsigned mask = 1, n = 0;
	uint32_t *places; /* a row's number from 1 */

	while (mask <= 2 * g->n)
		mask *= 2;
	places = calloc(mask--, sizeof(*places));
	if (places == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 0; i < g->n; i++) {
		const void *row = g->rows[i];
		uint64_t at = row_hash(l, row, r->key, r->nkey);

		while (places[at & mask] != 0 &&
			!row_equal(
				l, row, r->key, l, g->rows[places[at & mask] - 1], r->key, r->nkey))
			at++;
		if (places[at & mask] != 0)
			continue;
		g->rows[n++] = row;
		places[at & mask] = n;
	}
	g->n = n;
	free(places);
	return 0;
}

int port_given_read(struct lf_port *port, const struct statement *s, const void *params,
	struct given *out, struct error *e)
{
	struct reading r = { .given = out, .e = e };
	bool pin = !port->pinned;
	int status = pin ? lf_read_begin(port, 0, NULL, e) : 0;

	*out = (struct given){ 0 };
	if (status != 0)
		return -1;
	status = port_given_query(port, s, params, given_add, &r, e);
	if (pin)
		lf_read_end(port);
	if (status == 0)
		status = given_list(out, e);
	if (status == 0 && s->kind != STATEMENT_INSERT)
		status = given_once(out, s, e);
	if (status != 0)
		given_free(out);
	return status;
}

void given_free(struct given *g)
{
	free(g->bytes);
	free(g->rows);
	*g = (struct given){ 0 };
}
