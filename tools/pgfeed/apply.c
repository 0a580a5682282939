/*
 * apply.c: rows as statements. See window.h.
 */
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/window.h"

bool apply_lacks(const struct version *v, const struct pgoutput_value *values, uint8_t *without)
{
	bool any = false;

	for (unsigned i = 0; i < v->n; i++) {
		bool lacks = v->column[i] >= 0 && values[i].kind == PGOUTPUT_UNCHANGED &&
			v->table->columns[v->column[i]].key < 0;

		if (without != NULL)
			without[i] = lacks;
		any |= lacks;
	}
	return any;
}

static int check_key(
	const struct version *v, const struct pgoutput_value *values, struct failure *f)
{
	for (unsigned k = 0; k < v->table->nkey; k++)
		if (values[v->key[k]].kind != PGOUTPUT_TEXT) {
			fail(f, FAILURE_FATAL, "table %s: a change comes without its key",
				v->table->source);
			return fail_remedy(f,
				"ALTER TABLE … REPLICA IDENTITY FULL, then --recopy %s",
				v->table->source);
		}
	return 0;
}

static int put_partly(struct sender *s, struct version *v, const struct pgoutput_value *values,
	const uint8_t *without)
{
	struct change *patch = version_find_patch(v, without);

	if (patch == NULL) {
		if (sender_end_batch(s) != 0)
			return -1;
		patch = version_patch(v, s->c, without, s->f);
	}
	if (patch == NULL || change_set_row(v, patch, values, s->f) != 0)
		return -1;
	return sender_change(s, v, patch, true);
}

int apply_put(struct sender *s, struct version *v, const struct pgoutput_value *values)
{
	uint8_t without[UINT16_MAX];

	if (check_key(v, values, s->f) != 0)
		return -1;
	if (apply_lacks(v, values, without))
		return put_partly(s, v, values, without);
	if (change_set_row(v, &v->put, values, s->f) != 0)
		return -1;
	return sender_change(s, v, &v->put, false);
}

int apply_erase(struct sender *s, struct version *v, const struct pgoutput_value *key)
{
	if (check_key(v, key, s->f) != 0 || change_set_key(v, &v->erase, key, s->f) != 0)
		return -1;
	return sender_change(s, v, &v->erase, false);
}

/* --- rows that move --- */

/* Of s->state->answer. */
static int kept_take(
	struct sender *s, const struct version *v, struct pgoutput_value *values, char **memory)
{
	const struct lf_result *r = s->state->answer;
	size_t total = 1, at = 0;

	for (size_t row = 0; row < lf_result_nrows(r); row++)
		total += lf_result_text(r, row, 1, NULL, 0) + 1;
	*memory = malloc(total);
	if (*memory == NULL)
		return fail_memory(s->f);
	for (size_t row = 0; row < lf_result_nrows(r); row++) {
		size_t length;
		const char *name = lf_result_bytes(r, row, 0, &length);
		size_t n = lf_result_text(r, row, 1, *memory + at, total - at);

		for (unsigned i = 0; i < v->n; i++) {
			if (v->column[i] < 0 || values[i].kind != PGOUTPUT_UNCHANGED ||
				strlen(v->name[i]) != length ||
				memcmp(v->name[i], name, length) != 0)
				continue;
			values[i] = lf_result_is_null(r, row, 1)
				? (struct pgoutput_value){ .kind = PGOUTPUT_NULL }
				: (struct pgoutput_value){ PGOUTPUT_TEXT, (uint32_t)n,
					  *memory + at };
		}
		at += n + 1;
	}
	return 1;
}

int apply_kept(struct sender *s, const struct version *v, struct pgoutput_value *values,
	struct move m, char **memory)
{
	*memory = NULL;
	if (state_kept(s->state, m, s->f) != 0)
		return -1;
	return lf_result_nrows(s->state->answer) == 0 ? 0 : kept_take(s, v, values, memory);
}

static int keep(struct sender *s, const struct version *v, const struct pgoutput_value *values,
	const uint8_t *without, struct move m)
{
	for (unsigned i = 0; i < v->n; i++)
		if (without[i] &&
			state_keep(s->state, m, v->name[i],
				values[i].kind == PGOUTPUT_TEXT ? values[i].bytes : NULL,
				values[i].len, s->f) != 0)
			return -1;
	return 0;
}

/* Under one key; the values come into `values`. */
static int fetch_under(struct sender *s, const struct version *v, struct pgoutput_value *values,
	const struct pgoutput_value *key, const uint8_t *without, char **memory)
{
	struct pgoutput_value *row = malloc((v->n + 1u) * sizeof(*row));
	int status;

	if (row == NULL)
		return fail_memory(s->f);
	memcpy(row, values, v->n * sizeof(*row));
	for (unsigned k = 0; k < v->table->nkey; k++)
		row[v->key[k]] = key[v->key[k]];
	status = version_fetch(v, s->c, without, row, memory, s->f);
	for (unsigned i = 0; status == 1 && i < v->n; i++)
		if (without[i])
			values[i] = row[i];
	free(row);
	return status;
}

int apply_fetch(struct sender *s, struct version *v, struct pgoutput_value *values,
	const struct pgoutput_value *key, struct move m, char **memory)
{
	uint8_t without[UINT16_MAX];
	int status;

	*memory = NULL;
	if (check_key(v, key, s->f) != 0 || sender_drain(s) != 0)
		return -1;
	(void)apply_lacks(v, values, without);
	status = fetch_under(s, v, values, key, without, memory);
	if (status == 1)
		return keep(s, v, values, without, m);
	if (status < 0)
		return -1;
	fail(s->f, FAILURE_FATAL,
		"table %s: a row has another key now, and what of it was not sent is not in Leftfold",
		v->table->source);
	return fail_remedy(s->f,
		"--recopy %s. ALTER TABLE … REPLICA IDENTITY FULL has such rows sent whole",
		v->table->source);
}
