/*
 * program.c: from expression trees to flat programs, and running them.
 *
 * Happy path: each tree becomes instructions that leave its value in a register, then one that copies
 * it out. Registers are handed out like a stack: a node's temporaries lie above its result and are free
 * again after it. AND, OR, CASE, COALESCE and IN jump over what PostgreSQL would not evaluate, so
 * errors in branches not taken do not occur.
 *
 * A node whose arguments are all constant is run once while compiling and replaced by its value. When
 * that run fails, compiling does: as PostgreSQL's planner, which says 22012 to `WHERE n = 1/0` also when there
 * are no rows. Also as there, what a constant before it decides is not looked at: the rest of an AND behind
 * false, of an OR behind true, of a COALESCE behind a value, and the branches of a CASE not taken.
 */
#include "core/sql/program.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/limits.h"

enum { REGISTERS_ON_STACK = 24, NO_JUMP = UINT32_MAX };

struct builder {
	struct arena *arena;    /* of the program */
	struct arena temporary; /* code and constants while they grow, and what folding needs */
	struct error *error;
	const struct row_layout *const *layouts;
	struct insn *code;
	uint32_t n, cap;
	struct value *constants;
	uint32_t nconstants, constants_cap;
	int32_t next, nregisters;
	unsigned depth;
};

/* --- running --- */

static inline int machine_run(struct machine *m)
{
	const struct insn *i = m->code;

	do {
		i = i->run(i, m);
	} while (i != NULL);
	return m->status;
}

int program_run(const struct program *p, const void *const *rows, struct value *out,
	struct program_env *env)
{
	struct value stack[REGISTERS_ON_STACK];
	struct machine m = { .registers = stack,
		.constants = p->constants,
		.rows = rows,
		.out = out,
		.env = env,
		.code = p->code };

	if (__builtin_expect(p->nregisters > REGISTERS_ON_STACK, 0)) {
		m.registers = arena_alloc(env->scratch, p->nregisters * sizeof(*m.registers));
		if (m.registers == NULL)
			return error_set(env->error, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	return machine_run(&m);
}

static __attribute__((noinline)) enum verdict verdict_computed(
	const struct program *p, const void *const *rows, struct program_env *env)
{
	struct value v;

	if (program_run(p, rows, &v, env) != 0)
		return VERDICT_ERROR;
	return value_is_null(&v) ? VERDICT_NULL : v.i != 0 ? VERDICT_TRUE : VERDICT_FALSE;
}

static int64_t load_whole(const uint8_t *slot, uint8_t width)
{
	int64_t wide;
	int32_t narrow;
	int16_t small;

	if (width == 8) {
		memcpy(&wide, slot, sizeof(wide));
		return wide;
	}
	if (width == 4) {
		memcpy(&narrow, slot, sizeof(narrow));
		return narrow;
	}
	memcpy(&small, slot, sizeof(small));
	return small;
}

enum verdict program_verdict(
	const struct program *p, const void *const *rows, struct program_env *env)
{
	const struct column_test *t = &p->test;
	const uint8_t *row;
	int64_t n;

	DEBUG_ASSERT(p->n == 1);
	/* A guard or CHECK is mostly that; an order's rows are checked with 190 instructions less. */
	if (t->accepts == 0)
		return verdict_computed(p, rows, env);
	row = rows[t->source];
	if (row == NULL || row[t->null_byte] & t->null_mask)
		return VERDICT_NULL;
	n = load_whole(row + t->offset, t->width);
	return t->accepts >> (1 + (n > t->constant) - (n < t->constant)) & 1 ? VERDICT_TRUE
									     : VERDICT_FALSE;
}

int program_test(const struct program *p, const void *const *rows, struct program_env *env)
{
	enum verdict v = program_verdict(p, rows, env);

	return v == VERDICT_ERROR ? -1 : v == VERDICT_TRUE;
}

int program_column(const struct program *p, unsigned i, unsigned *source, unsigned *column)
{
	const struct expr *e = p->columns[i];

	if (e == NULL)
		return -1;
	*source = e->source;
	*column = e->column;
	return 0;
}

const struct value *program_constant(const struct program *p, unsigned i)
{
	return p->operands[i] < 0 ? &p->constants[~p->operands[i]] : NULL;
}

/* --- building blocks --- */

static int no_memory(struct builder *b)
{
	return error_set(b->error, ERR_OUT_OF_MEMORY, 0, NULL);
}

/* Appends an instruction; NULL when out of memory. The pointer is good until the next one. */
static struct insn *emit(
	struct builder *b, insn_fn run, const struct expr *e, int32_t dst, int32_t operand_a)
{
	struct insn *i;

	if (b->n == b->cap) {
		uint32_t cap = b->cap ? 2 * b->cap : 32;
		struct insn *code = arena_alloc(&b->temporary, cap * sizeof(*code));

		if (code == NULL) {
			no_memory(b);
			return NULL;
		}
		if (b->n > 0)
			memcpy(code, b->code, b->n * sizeof(*code));
		b->code = code;
		b->cap = cap;
	}
	i = &b->code[b->n++];
	memset(i, 0, sizeof(*i));
	i->run = run;
	i->dst = dst;
	i->a = operand_a;
	i->type = e->type;
	i->position = e->position;
	return i;
}

static int32_t temporary(struct builder *b)
{
	int32_t r = b->next++;

	if (b->next > b->nregisters)
		b->nregisters = b->next;
	return r;
}

/* Copies the constant's bytes into the program; *operand names it. */
static int constant_add(
	struct builder *b, const struct value *v, enum type_id type, int32_t *operand)
{
	struct value *c;

	if (b->nconstants == b->constants_cap) {
		uint32_t cap = b->constants_cap ? 2 * b->constants_cap : 16;
		struct value *grown = arena_alloc(&b->temporary, cap * sizeof(*grown));

		if (grown == NULL)
			return no_memory(b);
		if (b->nconstants > 0)
			memcpy(grown, b->constants, b->nconstants * sizeof(*grown));
		b->constants = grown;
		b->constants_cap = cap;
	}
	c = &b->constants[b->nconstants];
	*c = *v;
	c->type = (uint8_t)type;
	if (!value_is_null(v) && type_is_bytes((enum type_id)c->type)) {
		c->s.p = arena_strdup(b->arena, v->s.len > 0 ? v->s.p : "", v->s.len);
		if (c->s.p == NULL)
			return no_memory(b);
	}
	*operand = ~(int32_t)b->nconstants++;
	return 0;
}

static int node(struct builder *b, const struct expr *e, int32_t dst, bool *constant);

/* Run the instructions from `start`, which leave a constant in register dst: *operand. 0, or -1 with the
 * error of the expression. */
static int fold(
	struct builder *b, const struct expr *e, uint32_t start, int32_t dst, int32_t *operand)
{
	const void *rows[EXPR_SOURCES] = { NULL };
	struct program_env env = { .scratch = &b->temporary, .error = b->error };
	struct machine m = { .rows = rows, .env = &env };
	struct insn *code;

	if (emit(b, insn_end, e, 0, 0) == NULL)
		return -1;
	m.registers = arena_alloc(&b->temporary, (size_t)b->nregisters * sizeof(*m.registers));
	/* Jumps count from the beginning of the code, so it is a view of all of it that begins at
	 * start. */
	code = b->code;
	b->n--;
	if (m.registers == NULL)
		return no_memory(b);
	m.constants = b->constants;
	m.code = code;
	for (const struct insn *i = code + start; i != NULL;)
		i = i->run(i, &m);
	if (m.status != 0) {
		if (b->error->position == 0)
			b->error->position = env.error_position;
		return -1;
	}
	return constant_add(b, &m.registers[dst], e->type.id, operand);
}

/* The node's value as an operand: a constant where possible, else in register dst, which is a new
 * one when dst < 0. */
static int evaluate(
	struct builder *b, const struct expr *e, int32_t dst, int32_t *operand, bool *constant)
{
	uint32_t start = b->n;
	int32_t saved = b->next;
	int status;

	*constant = true;
	if (e->kind == EXPR_CONST && e->digits != NULL)
		return error_set(b->error, ERR_NUMERIC_RANGE, e->position,
			"a number of more than %d digits is not supported", LIMIT_NUMERIC_DIGITS);
	if (e->kind == EXPR_CONST)
		return constant_add(b, &e->constant, e->type.id, operand);
	if (dst < 0) {
		dst = temporary(b);
		saved = b->next;
	}
	if (++b->depth > LIMIT_EXPR_DEPTH)
		return error_set(
			b->error, ERR_TOO_COMPLEX, e->position, "expression is nested too deeply");
	status = node(b, e, dst, constant);
	b->depth--;
	b->next = saved;
	*operand = dst;
	if (status != 0 || !*constant)
		return status;
	if (fold(b, e, start, dst, operand) != 0)
		return -1;
	b->n = start;
	return 0;
}

/* The node's value as an operand; *constant is cleared when it is not constant. */
static int operand_of(struct builder *b, const struct expr *e, int32_t *operand, bool *constant)
{
	bool c;

	if (evaluate(b, e, -1, operand, &c) != 0)
		return -1;
	*constant &= c;
	return 0;
}

/* The node's value in register dst. */
static int into(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	int32_t o;
	bool c;

	if (evaluate(b, e, dst, &o, &c) != 0)
		return -1;
	*constant &= c;
	if (o != dst && emit(b, insn_move, e, dst, o) == NULL)
		return -1;
	return 0;
}

/* Jumps to one place that is not known yet are chained through `to`. */
static void jump_chain(struct builder *b, struct insn *i, uint32_t *chain)
{
	i->to = *chain;
	*chain = (uint32_t)(i - b->code);
}

static void jumps_land(struct builder *b, uint32_t chain)
{
	while (chain != NO_JUMP) {
		uint32_t next = b->code[chain].to;

		b->code[chain].to = b->n;
		chain = next;
	}
}

static int load_bool(struct builder *b, const struct expr *e, int32_t dst, bool truth)
{
	struct value v = { .i = truth, .type = TYPE_BOOL };
	int32_t o;

	if (constant_add(b, &v, TYPE_BOOL, &o) != 0 || emit(b, insn_move, e, dst, o) == NULL)
		return -1;
	return 0;
}

/* Whether the operand is a constant, and a boolean of that value. */
static bool is_known(const struct builder *b, int32_t operand, bool truth)
{
	const struct value *v = operand < 0 ? &b->constants[~operand] : NULL;

	return v != NULL && !value_is_null(v) && (v->i != 0) == truth;
}

/* --- nodes; each leaves its value in dst and clears *constant when it is not constant --- */

static int node_column(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	const struct row_layout *l = b->layouts[e->source];
	struct insn *i;

	ASSERT(l != NULL && e->column < l->ncols);
	/* char, varchar and text read alike, so only the width of the slot must agree. */
	DEBUG_ASSERT(row_slot_width(l->types[e->column].id) == row_slot_width(e->type.id));
	i = emit(b, insn_load(e->type.id), e, dst, 0);
	if (i == NULL)
		return -1;
	i->load.offset = l->offsets[e->column];
	i->load.null_byte = (uint16_t)(4 + e->column / 8);
	i->load.null_mask = (uint8_t)(1 << e->column % 8);
	i->load.source = e->source;
	*constant = false;
	return 0;
}

static bool is_null(const struct builder *b, int32_t operand)
{
	return operand < 0 && value_is_null(&b->constants[~operand]);
}

/* Instead of the instructions from `start`. */
static int load_null(struct builder *b, const struct expr *e, int32_t dst, uint32_t start)
{
	struct value null = { .flags = VALUE_NULL };
	int32_t o;

	b->n = start;
	if (constant_add(b, &null, (enum type_id)e->type.id, &o) != 0)
		return -1;
	return emit(b, insn_move, e, dst, o) == NULL ? -1 : 0;
}

/* A strict function with an argument that is known to be NULL is NULL: as with PostgreSQL's planner nothing
 * but the constants of its other arguments is computed. */
static int node_call(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	insn_fn fast = e->nargs == 2 ? insn_binary(e->fn) : NULL;
	int32_t first = b->next, operands[2];
	uint32_t start = b->n;
	bool null = false, all = true;
	struct insn *i;

	for (unsigned k = 0; fast == NULL && k < e->nargs; k++)
		temporary(b);
	for (unsigned k = 0; k < e->nargs; k++) {
		int32_t o, at = fast != NULL ? -1 : first + (int32_t)k;
		bool c;

		if (evaluate(b, e->args[k], at, &o, &c) != 0)
			return -1;
		all &= c;
		null |= is_null(b, o);
		if (fast != NULL)
			operands[k] = o;
		else if (o != at && emit(b, insn_move, e->args[k], at, o) == NULL)
			return -1;
	}
	if (null && e->fn->strict)
		return load_null(b, e, dst, start);
	*constant = all;
	if (fast != NULL) {
		i = emit(b, fast, e, dst, operands[0]);
		if (i != NULL)
			i->b = operands[1];
	} else {
		i = emit(b, insn_call, e, dst, first);
		if (i != NULL) {
			i->b = e->nargs;
			i->fn = e->fn;
		}
	}
	return i == NULL ? -1 : 0;
}

static int node_cast(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	insn_fn fast = insn_cast_fast(e->args[0]->type.id, e->type);
	struct insn *i;
	int32_t o;

	if (operand_of(b, e->args[0], &o, constant) != 0)
		return -1;
	i = emit(b, fast != NULL ? fast : insn_cast, e, dst, o);
	if (i == NULL)
		return -1;
	i->flag = e->explicit_cast;
	return 0;
}

static int node_and_or(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	bool conjunction = e->kind == EXPR_AND;
	uint32_t end = NO_JUMP;

	if (load_bool(b, e, dst, conjunction) != 0)
		return -1;
	for (unsigned k = 0; k < e->nargs; k++) {
		int32_t saved = b->next, o;
		struct insn *i;

		if (operand_of(b, e->args[k], &o, constant) != 0)
			return -1;
		b->next = saved;
		i = emit(b, conjunction ? insn_and : insn_or, e, dst, o);
		if (i == NULL)
			return -1;
		jump_chain(b, i, &end);
		if (is_known(b, o, !conjunction))
			break;
	}
	jumps_land(b, end);
	return 0;
}

static int node_unary(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	insn_fn run = e->kind == EXPR_NOT ? insn_not
		: e->kind == EXPR_IS_NULL ? insn_is_null
					  : insn_is_bool;
	struct insn *i;
	int32_t o;

	if (operand_of(b, e->args[0], &o, constant) != 0)
		return -1;
	i = emit(b, run, e, dst, o);
	if (i == NULL)
		return -1;
	i->b = e->test;
	i->flag = e->negated;
	return 0;
}

static int node_distinct(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	struct insn *i;
	int32_t x, y;

	if (operand_of(b, e->args[0], &x, constant) != 0 ||
		operand_of(b, e->args[1], &y, constant) != 0)
		return -1;
	i = emit(b, insn_distinct, e, dst, x);
	if (i == NULL)
		return -1;
	i->b = y;
	i->flag = e->negated;
	return 0;
}

static int node_case(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	const struct expr *otherwise = e->args[e->nargs - 1];
	uint32_t end = NO_JUMP;

	for (unsigned k = 0; k + 1 < e->nargs; k += 2) {
		uint32_t next = NO_JUMP;
		int32_t saved = b->next, o;
		struct insn *i;

		if (operand_of(b, e->args[k], &o, constant) != 0)
			return -1;
		b->next = saved;
		if (is_known(b, o, true)) {
			otherwise = e->args[k + 1];
			break;
		}
		if (o < 0)
			continue;
		i = emit(b, insn_jump_unless, e, dst, o);
		if (i == NULL)
			return -1;
		jump_chain(b, i, &next);
		if (into(b, e->args[k + 1], dst, constant) != 0)
			return -1;
		i = emit(b, insn_jump, e, dst, 0);
		if (i == NULL)
			return -1;
		jump_chain(b, i, &end);
		jumps_land(b, next);
	}
	if (into(b, otherwise, dst, constant) != 0)
		return -1;
	jumps_land(b, end);
	return 0;
}

static int node_coalesce(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	uint32_t end = NO_JUMP;

	for (unsigned k = 0; k < e->nargs; k++) {
		struct insn *i;
		int32_t o;
		bool c;

		if (evaluate(b, e->args[k], dst, &o, &c) != 0)
			return -1;
		*constant &= c;
		if (o != dst && emit(b, insn_move, e->args[k], dst, o) == NULL)
			return -1;
		if (k + 1 == e->nargs || (o < 0 && !value_is_null(&b->constants[~o])))
			break;
		i = emit(b, insn_jump_not_null, e, dst, dst);
		if (i == NULL)
			return -1;
		jump_chain(b, i, &end);
	}
	jumps_land(b, end);
	return 0;
}

static int node_nullif(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	int32_t o;

	if (into(b, e->args[0], dst, constant) != 0 || operand_of(b, e->args[2], &o, constant) != 0)
		return -1;
	return emit(b, insn_nullif, e, dst, o) == NULL ? -1 : 0;
}

static int node_only(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	int32_t o;

	if (into(b, e->args[0], dst, constant) != 0 || operand_of(b, e->args[1], &o, constant) != 0)
		return -1;
	return emit(b, insn_only, e, dst, o) == NULL ? -1 : 0;
}

/* Never constant: it fails when it is met, not when it is compiled. */
static int node_reject(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	int32_t message, state = 0;
	struct insn *i;

	*constant = false;
	if (operand_of(b, e->args[0], &message, constant) != 0 ||
		(e->nargs > 1 && operand_of(b, e->args[1], &state, constant) != 0))
		return -1;
	i = emit(b, insn_reject, e, dst, message);
	if (i == NULL)
		return -1;
	i->b = state;
	i->flag = e->nargs > 1;
	/* As with RAISE: where it stands is nobody's business but the command's. */
	i->position = 0;
	return 0;
}

static int node_extreme(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	for (unsigned k = 0; k < e->nargs; k++) {
		int32_t saved = b->next, o;
		insn_fn run = e->kind == EXPR_GREATEST ? insn_greatest : insn_least;

		if (operand_of(b, e->args[k], &o, constant) != 0)
			return -1;
		b->next = saved;
		if (emit(b, k == 0 ? insn_move : run, e, dst, o) == NULL)
			return -1;
	}
	return 0;
}

static int compare_values(const void *a, const void *b)
{
	return value_compare(a, b);
}

/* Collect the list's constants into a set; is_item[k] is cleared for those. */
static struct in_set *set_of(struct builder *b, const struct expr *e, bool *is_item)
{
	struct in_set *set = arena_zalloc(b->arena, sizeof(*set));
	struct value *values = arena_alloc(b->arena, e->nargs * sizeof(*values));

	if (set == NULL || values == NULL) {
		no_memory(b);
		return NULL;
	}
	for (unsigned k = 1; k < e->nargs; k++) {
		uint32_t start = b->n;
		int32_t saved = b->next, o;
		bool constant = true;

		is_item[k] = true;
		if (!expr_is_constant(e->args[k]))
			continue;
		if (operand_of(b, e->args[k], &o, &constant) != 0)
			return NULL;
		b->n = start;
		b->next = saved;
		if (o >= 0)
			continue;
		is_item[k] = false;
		if (value_is_null(&b->constants[~o]))
			set->has_null = true;
		else
			values[set->n++] = b->constants[~o];
	}
	set->values = values;
	set->sorted = set->n > IN_LINEAR_MAX;
	if (set->sorted)
		qsort(values, set->n, sizeof(*values), compare_values);
	return set;
}

static int node_in(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	bool *is_item = arena_zalloc(&b->temporary, e->nargs);
	const struct in_set *set;
	uint32_t start = b->n, end = NO_JUMP;
	struct insn *i;
	int32_t x;

	if (is_item == NULL)
		return no_memory(b);
	set = set_of(b, e, is_item);
	if (set == NULL || operand_of(b, e->args[0], &x, constant) != 0)
		return -1;
	i = emit(b, insn_in_set, e, dst, x);
	if (i == NULL)
		return -1;
	i->set = set;
	jump_chain(b, i, &end);
	for (unsigned k = 1; k < e->nargs; k++) {
		int32_t saved = b->next, o;

		if (!is_item[k])
			continue;
		if (operand_of(b, e->args[k], &o, constant) != 0)
			return -1;
		b->next = saved;
		i = emit(b, insn_in_step, e, dst, x);
		if (i == NULL)
			return -1;
		i->b = o;
		jump_chain(b, i, &end);
	}
	/* A list of comparisons with NULL. */
	if (is_null(b, x)) {
		*constant = true;
		return load_null(b, e, dst, start);
	}
	jumps_land(b, end);
	if (e->negated && emit(b, insn_not, e, dst, dst) == NULL)
		return -1;
	return 0;
}

static int node(struct builder *b, const struct expr *e, int32_t dst, bool *constant)
{
	switch (e->kind) {
	case EXPR_COLUMN: return node_column(b, e, dst, constant);
	case EXPR_CALL: return node_call(b, e, dst, constant);
	case EXPR_CAST: return node_cast(b, e, dst, constant);
	case EXPR_AND:
	case EXPR_OR: return node_and_or(b, e, dst, constant);
	case EXPR_NOT:
	case EXPR_IS_NULL:
	case EXPR_IS_BOOL: return node_unary(b, e, dst, constant);
	case EXPR_DISTINCT: return node_distinct(b, e, dst, constant);
	case EXPR_CASE: return node_case(b, e, dst, constant);
	case EXPR_COALESCE: return node_coalesce(b, e, dst, constant);
	case EXPR_NULLIF: return node_nullif(b, e, dst, constant);
	case EXPR_IN: return node_in(b, e, dst, constant);
	case EXPR_GREATEST:
	case EXPR_LEAST: return node_extreme(b, e, dst, constant);
	case EXPR_NOW: *constant = false; return emit(b, insn_now, e, dst, 0) == NULL ? -1 : 0;
	case EXPR_ONLY: return node_only(b, e, dst, constant);
	case EXPR_REJECT: return node_reject(b, e, dst, constant);
	case EXPR_CONST:
	case EXPR_GROUPING:
	case EXPR_OUTER:
	case EXPR_SUBQUERY: break;
	}
	UNREACHABLE();
}

/* --- programs --- */

/* See whether the code is load, compare with a constant, out, end. */
static struct column_test column_test(
	const struct insn *code, unsigned n, const struct value *constants)
{
	const struct insn *load = &code[0], *compare = &code[1];
	uint8_t accepts = n == 4 ? insn_accepts(compare->run) : 0;
	uint8_t width = n == 4 ? insn_load_width(load->run) : 0;
	int32_t other = compare->b;

	if (accepts == 0 || width == 0)
		return (struct column_test){ 0 };
	if (compare->b == load->dst && compare->a < 0) {
		/* The constant comes first: less is greater. */
		accepts = (uint8_t)((accepts & 2) | (accepts & 1) << 2 | accepts >> 2);
		other = compare->a;
	} else if (compare->a != load->dst || compare->b >= 0) {
		return (struct column_test){ 0 };
	}
	if (value_is_null(&constants[~other]))
		return (struct column_test){ 0 };
	return (struct column_test){ accepts, width, load->load.null_mask, load->load.source,
		load->load.null_byte, load->load.offset, constants[~other].i };
}

static struct program *program_finish(
	struct builder *b, const struct expr *const *trees, unsigned n, const int32_t *operands)
{
	struct program *p = arena_zalloc(b->arena, sizeof(*p));
	struct insn *code = arena_alloc(b->arena, (b->n + 1) * sizeof(*code));
	struct value *constants = arena_alloc(b->arena, (b->nconstants + 1) * sizeof(*constants));
	const struct expr **columns = arena_zalloc(b->arena, (n + 1) * sizeof(*columns));

	if (p == NULL || code == NULL || constants == NULL || columns == NULL) {
		no_memory(b);
		return NULL;
	}
	memcpy(code, b->code, b->n * sizeof(*code));
	if (b->nconstants > 0)
		memcpy(constants, b->constants, b->nconstants * sizeof(*constants));
	for (unsigned i = 0; i < n; i++)
		if (trees[i]->kind == EXPR_COLUMN)
			columns[i] = trees[i];
	p->n = n;
	p->nregisters = (unsigned)b->nregisters;
	p->code = code;
	p->constants = constants;
	p->columns = columns;
	p->operands = operands;
	if (n == 1)
		p->test = column_test(code, b->n, constants);
	insns_fuse(code, b->n);
	return p;
}

struct program *program_compile(const struct expr *const *trees, unsigned n,
	const struct row_layout *const layouts[EXPR_SOURCES], struct arena *a, struct error *e)
{
	static const struct expr nothing;
	struct builder b = { .arena = a, .error = e, .layouts = layouts };
	struct program *p = NULL;
	int32_t *operands = arena_alloc(a, (n + 1) * sizeof(*operands));

	if (operands == NULL) {
		no_memory(&b);
		return NULL;
	}
	arena_init(&b.temporary, a->heap);
	for (unsigned i = 0; i < n; i++) {
		bool constant = true;

		b.next = 0;
		if (operand_of(&b, trees[i], &operands[i], &constant) != 0 ||
			emit(&b, insn_out, trees[i], (int32_t)i, operands[i]) == NULL)
			goto out;
	}
	if (emit(&b, insn_end, &nothing, 0, 0) != NULL)
		p = program_finish(&b, trees, n, operands);
out:
	arena_free(&b.temporary);
	return p;
}
