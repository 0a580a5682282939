/*
 * once.c: see once.h.
 */
#include "core/flow/once.h"

#include "core/base/hash.h"

/* Rows are of use only to who knows their columns. */
static uint32_t columns_hash(const struct row_layout *l)
{
	uint64_t h = l->ncols;

	for (unsigned i = 0; i < l->ncols; i++)
		h = hash_combine(h,
			(uint64_t)l->types[i].id << 24 | (uint64_t)l->types[i].b << 16 |
				l->types[i].a);
	return (uint32_t)h;
}

static int rows_gone(
	const struct answer_record *known, enum error_code code, const char *why, struct error *e)
{
	error_set(e, code, 0, "%s", why);
	return error_detail(e, "The command was executed in epoch %llu, on %llu rows.",
		(unsigned long long)known->epoch, (unsigned long long)known->count);
}

int once_repeat(const struct answer_record *known, const struct statement *s, struct arena *results,
	struct command_result *result, struct error *e)
{
	const unsigned char *at = (const unsigned char *)(known + 1);

	if (known->kind == ANSWER_REFUSED) {
		answer_error(known, e);
		return -1;
	}
	if ((known->flags & ANSWER_ROWS_LOST) != 0)
		return rows_gone(known, ERR_PROGRAM_LIMIT,
			"the rows of the command's first execution were not kept", e);
	result->count = known->count;
	if (known->rows == 0)
		return 0;
	if (known->columns != columns_hash(&s->result_layout))
		return rows_gone(known, ERR_FEATURE,
			"the rows of the command's first execution have other columns", e);
	result->rows = arena_alloc(results, known->rows * sizeof(*result->rows));
	if (result->rows == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	for (uint32_t i = 0; i < known->rows; i++) {
		result->rows[i] = at;
		at += row_size(at);
	}
	result->nrows = known->rows;
	result->returned_bytes = known->size - sizeof(*known);
	return 0;
}

/* Refusals of the moment. */
static bool may_be_tried_again(enum error_code code)
{
	return code == ERR_OUT_OF_MEMORY || code == ERR_DISK_FULL || code == ERR_DISK_LATE ||
		code == ERR_OVERLOAD || code == ERR_OUTCOME_UNKNOWN;
}

static void keep_result(struct answers *a, struct answer *answer, const struct statement *s,
	const struct command_env *env, const struct command_result *result)
{
	struct answer_given given = { .count = result->count,
		.bytes = result->returned_bytes,
		.nrows = result->nrows,
		.columns = result->nrows > 0 ? columns_hash(&s->result_layout) : 0,
		.rows = result->rows };

	answers_done(a, answer, env->epoch, env->now_us, &given);
}

bool once_remember(struct answers *a, struct answer *answer, const struct statement *s,
	const struct command_env *env, int status, const struct command_result *result,
	struct error *e)
{
	if (status == 0) {
		keep_result(a, answer, s, env, result);
		return true;
	}
	if (may_be_tried_again(e->code)) {
		answers_drop(a, answer);
		return false;
	}
	if (answers_refused(a, answer, env->epoch, env->now_us, e) == 0)
		return true;
	error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	return false;
}
