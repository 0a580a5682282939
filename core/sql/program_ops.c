/*
 * program_ops.c: the instructions of compiled expressions.
 *
 * Each does one thing for one type, so a run has no type dispatch. NULL goes in and out by the flag of
 * a value; a failing instruction leaves its position in the environment and ends the run.
 */
#include "core/sql/program.h"

#include <string.h>

#include "core/base/assert.h"
#include "core/sql/cast.h"
#include "core/sql/numeric.h"

static const struct insn *fail(const struct insn *i, struct machine *m)
{
	m->env->error_position = i->position;
	m->status = -1;
	return NULL;
}

static inline void set_null(struct value *v, enum type_id t)
{
	memset(v, 0, sizeof(*v));
	v->flags = VALUE_NULL;
	v->type = (uint8_t)t;
}

static inline void set_bool(struct value *v, bool b)
{
	v->i = b;
	v->flags = 0;
	v->scale = 0;
	v->type = TYPE_BOOL;
}

static inline struct value *target(const struct insn *i, struct machine *m)
{
	return &m->registers[i->dst];
}

/* --- columns --- */

/* The slot of the column, or NULL after having written a NULL. */
static inline const uint8_t *slot(const struct insn *i, struct machine *m)
{
	const uint8_t *row = m->rows[i->load.source];

	if (row == NULL || row[i->load.null_byte] & i->load.null_mask) {
		set_null(target(i, m), i->type.id);
		return NULL;
	}
	return row + i->load.offset;
}

#define LOAD(name, statements) \
	static const struct insn *name(const struct insn *i, struct machine *m) \
	{ \
		const uint8_t *p = slot(i, m); \
		struct value *v = target(i, m); \
		if (p == NULL) \
			return i + 1; \
		v->flags = 0; \
		v->scale = 0; \
		v->type = i->type.id; \
		statements return i + 1; \
	}

LOAD(load_bool, v->i = *p;)
LOAD(load_int2, {
	int16_t x;
	memcpy(&x, p, sizeof(x));
	v->i = x;
})
LOAD(load_int4, {
	int32_t x;
	memcpy(&x, p, sizeof(x));
	v->i = x;
})
LOAD(load_int8, memcpy(&v->i, p, sizeof(v->i));)
LOAD(load_float4, memcpy(&v->f, p, sizeof(v->f));)
LOAD(load_float8, memcpy(&v->d, p, sizeof(v->d));)
LOAD(load_uuid, memcpy(v->uuid, p, sizeof(v->uuid));)
LOAD(load_numeric, {
	memcpy(&v->n, p, sizeof(v->n));
	v->scale = p[16];
	if (v->scale == 255) {
		v->scale = 0;
		v->flags = VALUE_NAN;
	}
})
LOAD(load_bytes, {
	uint32_t at[2];
	memcpy(at, p, sizeof(at));
	v->s.p = (const char *)m->rows[i->load.source] + at[0];
	v->s.len = at[1];
})
LOAD(load_interval, {
	memcpy(&v->iv.us, p, 8);
	memcpy(&v->iv.days, p + 8, 4);
	memcpy(&v->iv.months, p + 12, 4);
})

insn_fn insn_load(enum type_id t)
{
	static const insn_fn loads[TYPE_COUNT] = {
		[TYPE_BOOL] = load_bool,
		[TYPE_INT2] = load_int2,
		[TYPE_INT4] = load_int4,
		[TYPE_INT8] = load_int8,
		[TYPE_FLOAT4] = load_float4,
		[TYPE_FLOAT8] = load_float8,
		[TYPE_NUMERIC] = load_numeric,
		[TYPE_TEXT] = load_bytes,
		[TYPE_VARCHAR] = load_bytes,
		[TYPE_BPCHAR] = load_bytes,
		[TYPE_BYTEA] = load_bytes,
		[TYPE_DATE] = load_int4,
		[TYPE_TIMESTAMP] = load_int8,
		[TYPE_TIMESTAMPTZ] = load_int8,
		[TYPE_UUID] = load_uuid,
		[TYPE_INTERVAL] = load_interval,
		[TYPE_JSON] = load_bytes,
		[TYPE_JSONB] = load_bytes,
	};

	if (type_is_array(t))
		return load_bytes;
	return t < TYPE_COUNT ? loads[t] : NULL;
}

uint8_t insn_load_width(insn_fn run)
{
	return run == load_int2 ? 2 : run == load_int4 ? 4 : run == load_int8 ? 8 : 0;
}

/* --- two operands --- */

/* Fetches both; NULL when either is NULL. */
#define BINARY(name, statements) \
	static const struct insn *name(const struct insn *i, struct machine *m) \
	{ \
		const struct value *a = operand(m, i->a), *b = operand(m, i->b); \
		struct value *v = target(i, m); \
		if (__builtin_expect((a->flags | b->flags) & VALUE_NULL, 0)) { \
			set_null(v, i->type.id); \
			return i + 1; \
		} \
		statements return i + 1; \
	}

static const struct insn *out_of_range(const struct insn *i, struct machine *m)
{
	error_set(m->env->error, ERR_NUMERIC_RANGE, 0, "%s out of range",
		i->type.id == TYPE_INT2           ? "smallint"
			: i->type.id == TYPE_INT4 ? "integer"
						  : "bigint");
	return fail(i, m);
}

/* The operands fit their type, so in 64 bits only int8 itself can overflow. */
#define ARITHMETIC(op, builtin) \
	BINARY(op##_int8, { \
		int64_t r; \
		if (__builtin_expect(builtin(a->i, b->i, &r), 0)) \
			return out_of_range(i, m); \
		v->i = r; \
		v->flags = v->scale = 0; \
		v->type = TYPE_INT8; \
	}) \
	BINARY(op##_int4, { \
		int32_t r; \
		if (__builtin_expect(builtin((int32_t)a->i, (int32_t)b->i, &r), 0)) \
			return out_of_range(i, m); \
		v->i = r; \
		v->flags = v->scale = 0; \
		v->type = TYPE_INT4; \
	}) \
	BINARY(op##_int2, { \
		int16_t r; \
		if (__builtin_expect(builtin((int16_t)a->i, (int16_t)b->i, &r), 0)) \
			return out_of_range(i, m); \
		v->i = r; \
		v->flags = v->scale = 0; \
		v->type = TYPE_INT2; \
	})
ARITHMETIC(add, __builtin_add_overflow)
ARITHMETIC(sub, __builtin_sub_overflow)
ARITHMETIC(mul, __builtin_mul_overflow)

/* Everything that is kept in `i`: integers, bool, date, timestamps. */
#define COMPARE(name, op) \
	BINARY(name##_whole, set_bool(v, a->i op b->i);) \
	BINARY(name##_value, set_bool(v, value_compare(a, b) op 0);)
COMPARE(eq, ==)
COMPARE(ne, !=)
COMPARE(lt, <)
COMPARE(le, <=)
COMPARE(gt, >)
COMPARE(ge, >=)

static inline bool bytes_equal(const struct value *a, const struct value *b)
{
	return a->s.len == b->s.len && (a->s.len == 0 || memcmp(a->s.p, b->s.p, a->s.len) == 0);
}
BINARY(eq_bytes, set_bool(v, bytes_equal(a, b));)
BINARY(ne_bytes, set_bool(v, !bytes_equal(a, b));)

#define NUMERIC(op) \
	BINARY(op##_numeric, { \
		if (numeric_##op(v, a, b, m->env->error) != 0) \
			return fail(i, m); \
	})
NUMERIC(add)
NUMERIC(sub)
NUMERIC(mul)

struct arithmetic {
	const char *name;
	insn_fn int2, int4, int8, numeric;
};
struct comparison {
	const char *name;
	insn_fn whole, value, bytes;
};

static insn_fn arithmetic_find(const struct function *fn)
{
	static const struct arithmetic table[] = {
		{ "+", add_int2, add_int4, add_int8, add_numeric },
		{ "-", sub_int2, sub_int4, sub_int8, sub_numeric },
		{ "*", mul_int2, mul_int4, mul_int8, mul_numeric },
	};

	if (fn->result != fn->args[0])
		return NULL;
	for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
		if (strcmp(table[k].name, fn->name) != 0)
			continue;
		switch (fn->args[0]) {
		case TYPE_INT2: return table[k].int2;
		case TYPE_INT4: return table[k].int4;
		case TYPE_INT8: return table[k].int8;
		case TYPE_NUMERIC: return table[k].numeric;
		default: return NULL;
		}
	}
	return NULL;
}

static insn_fn comparison_find(const struct function *fn)
{
	static const struct comparison table[] = {
		{ "=", eq_whole, eq_value, eq_bytes },
		{ "<>", ne_whole, ne_value, ne_bytes },
		{ "<", lt_whole, lt_value, NULL },
		{ "<=", le_whole, le_value, NULL },
		{ ">", gt_whole, gt_value, NULL },
		{ ">=", ge_whole, ge_value, NULL },
	};

	for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
		if (strcmp(table[k].name, fn->name) != 0)
			continue;
		switch (fn->args[0]) {
		case TYPE_BOOL:
		case TYPE_INT2:
		case TYPE_INT4:
		case TYPE_INT8:
		case TYPE_DATE:
		case TYPE_TIMESTAMP:
		case TYPE_TIMESTAMPTZ: return table[k].whole;
		case TYPE_TEXT:
		case TYPE_VARCHAR:
		case TYPE_BYTEA: return table[k].bytes != NULL ? table[k].bytes : table[k].value;
		default: return table[k].value;
		}
	}
	return NULL;
}

uint8_t insn_accepts(insn_fn run)
{
	enum { LESS = 1, EQUAL = 2, GREATER = 4 };
	static const struct {
		insn_fn run;
		uint8_t accepts;
	} table[] = {
		{ eq_whole, EQUAL },
		{ ne_whole, LESS | GREATER },
		{ lt_whole, LESS },
		{ le_whole, LESS | EQUAL },
		{ gt_whole, GREATER },
		{ ge_whole, GREATER | EQUAL },
	};

	for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		if (table[k].run == run)
			return table[k].accepts;
	return 0;
}

insn_fn insn_binary(const struct function *fn)
{
	if (fn->nargs != 2 || fn->variadic || !fn->strict || fn->args[0] != fn->args[1])
		return NULL;
	return fn->result == TYPE_BOOL ? comparison_find(fn) : arithmetic_find(fn);
}

/* --- casts --- */

static const struct insn *cast_relabel(const struct insn *i, struct machine *m)
{
	struct value *v = target(i, m);

	*v = *operand(m, i->a);
	v->type = i->type.id;
	return i + 1;
}

static const struct insn *cast_int_numeric(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);
	struct value *v = target(i, m);

	if (value_is_null(a))
		set_null(v, TYPE_NUMERIC);
	else
		numeric_from_int(v, a->i);
	return i + 1;
}

static unsigned int_rank(enum type_id t)
{
	return t == TYPE_INT2 ? 1 : t == TYPE_INT4 ? 2 : t == TYPE_INT8 ? 3 : 0;
}

insn_fn insn_cast_fast(enum type_id from, struct type to)
{
	bool text = from == TYPE_TEXT || from == TYPE_VARCHAR;

	if (to.a != 0)
		return NULL;
	if (from == to.id || (text && (to.id == TYPE_TEXT || to.id == TYPE_VARCHAR)))
		return cast_relabel;
	if (int_rank(from) != 0 && int_rank(to.id) > int_rank(from))
		return cast_relabel;
	if (int_rank(from) != 0 && to.id == TYPE_NUMERIC)
		return cast_int_numeric;
	return NULL;
}

const struct insn *insn_cast(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);
	struct value *v = target(i, m);

	if (value_is_null(a)) {
		set_null(v, i->type.id);
		return i + 1;
	}
	if (value_cast(v, a, i->type, i->flag, m->env->scratch, m->env->error) != 0)
		return fail(i, m);
	return i + 1;
}

/* --- several at once --- */

/* The slot of a column that is not NULL; else NULL. */
static inline const uint8_t *slot_peek(const struct insn *i, const struct machine *m)
{
	const uint8_t *row = m->rows[i->load.source];

	return row == NULL || row[i->load.null_byte] & i->load.null_mask ? NULL
									 : row + i->load.offset;
}

static bool is_whole_load(const struct insn *i)
{
	return i->run == load_int4 || i->run == load_int8;
}

/* The four instructions from i on: an integer's column times a numeric's one, either first. False: they are to be run one by
 * one, for the case is not the usual one. */
static inline bool product(
	const struct insn *whole, const struct insn *decimal, struct machine *m, struct value *out)
{
	const uint8_t *a = slot_peek(whole, m), *b = slot_peek(decimal, m);
	int64_t low, high, n;
	int32_t narrow;

	if (a == NULL || b == NULL || b[16] > NUMERIC_DIGITS)
		return false;
	memcpy(&low, b, 8);
	memcpy(&high, b + 8, 8);
	if (high != (low < 0 ? -1 : 0))
		return false;
	memcpy(&narrow, a, sizeof(narrow));
	n = narrow;
	if (whole->type.id == TYPE_INT8)
		memcpy(&n, a, sizeof(n));
	/* Of 64 bits each, so below 10^38. */
	out->n = (int128)n * low;
	out->flags = 0;
	out->scale = b[16];
	out->type = TYPE_NUMERIC;
	return true;
}

static const struct insn *product_whole_first(const struct insn *i, struct machine *m)
{
	if (product(&i[0], &i[2], m, &m->registers[i[3].dst]))
		return i + 4;
	return i->type.id == TYPE_INT8 ? load_int8(i, m) : load_int4(i, m);
}

static const struct insn *product_decimal_first(const struct insn *i, struct machine *m)
{
	if (product(&i[1], &i[0], m, &m->registers[i[3].dst]))
		return i + 4;
	return load_numeric(i, m);
}

void insns_fuse(struct insn *code, unsigned n)
{
	for (unsigned k = 0; k + 4 <= n; k++) {
		struct insn *i = &code[k];

		if (i[3].run != mul_numeric)
			continue;
		if (is_whole_load(&i[0]) && i[1].run == cast_int_numeric && i[1].a == i[0].dst &&
			i[2].run == load_numeric && i[3].a == i[1].dst && i[3].b == i[2].dst)
			i->run = product_whole_first;
		else if (i[0].run == load_numeric && is_whole_load(&i[1]) &&
			i[2].run == cast_int_numeric && i[2].a == i[1].dst && i[3].a == i[0].dst &&
			i[3].b == i[2].dst)
			i->run = product_decimal_first;
	}
}

/* --- calls and control --- */

const struct insn *insn_call(const struct insn *i, struct machine *m)
{
	const struct value *args = &m->registers[i->a];
	struct value *v = target(i, m);
	struct call call = { m->env->scratch, m->env->error, m->env->now_us };

	if (i->fn->strict)
		for (int32_t k = 0; k < i->b; k++)
			if (value_is_null(&args[k])) {
				set_null(v, i->type.id);
				return i + 1;
			}
	if (i->fn->eval(v, args, (unsigned)i->b, &call) != 0)
		return fail(i, m);
	DEBUG_ASSERT(v->type == i->type.id);
	return i + 1;
}

const struct insn *insn_end(const struct insn *i, struct machine *m)
{
	(void)i;
	m->status = 0;
	return NULL;
}

const struct insn *insn_move(const struct insn *i, struct machine *m)
{
	*target(i, m) = *operand(m, i->a);
	return i + 1;
}

const struct insn *insn_out(const struct insn *i, struct machine *m)
{
	m->out[i->dst] = *operand(m, i->a);
	return i + 1;
}

const struct insn *insn_now(const struct insn *i, struct machine *m)
{
	struct value *v = target(i, m);

	v->i = m->env->now_us;
	v->flags = v->scale = 0;
	v->type = TYPE_TIMESTAMPTZ;
	return i + 1;
}

static inline bool is_true(const struct value *v)
{
	return !value_is_null(v) && v->i != 0;
}

const struct insn *insn_jump(const struct insn *i, struct machine *m)
{
	return m->code + i->to;
}

const struct insn *insn_jump_unless(const struct insn *i, struct machine *m)
{
	return is_true(operand(m, i->a)) ? i + 1 : m->code + i->to;
}

const struct insn *insn_jump_not_null(const struct insn *i, struct machine *m)
{
	return value_is_null(operand(m, i->a)) ? i + 1 : m->code + i->to;
}

const struct insn *insn_and(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);

	if (value_is_null(a)) {
		set_null(target(i, m), TYPE_BOOL);
	} else if (a->i == 0) {
		set_bool(target(i, m), false);
		return m->code + i->to;
	}
	return i + 1;
}

const struct insn *insn_or(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);

	if (value_is_null(a)) {
		set_null(target(i, m), TYPE_BOOL);
	} else if (a->i != 0) {
		set_bool(target(i, m), true);
		return m->code + i->to;
	}
	return i + 1;
}

const struct insn *insn_not(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);

	if (value_is_null(a))
		set_null(target(i, m), TYPE_BOOL);
	else
		set_bool(target(i, m), a->i == 0);
	return i + 1;
}

const struct insn *insn_is_null(const struct insn *i, struct machine *m)
{
	set_bool(target(i, m), value_is_null(operand(m, i->a)) != i->flag);
	return i + 1;
}

const struct insn *insn_is_bool(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);
	int state = value_is_null(a) ? 2 : a->i != 0;

	set_bool(target(i, m), (state == i->b) != i->flag);
	return i + 1;
}

const struct insn *insn_distinct(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a), *b = operand(m, i->b);
	bool distinct;

	if (value_is_null(a) || value_is_null(b))
		distinct = value_is_null(a) != value_is_null(b);
	else
		distinct = value_compare(a, b) != 0;
	set_bool(target(i, m), distinct != i->flag);
	return i + 1;
}

const struct insn *insn_nullif(const struct insn *i, struct machine *m)
{
	if (is_true(operand(m, i->a)))
		set_null(target(i, m), i->type.id);
	return i + 1;
}

const struct insn *insn_only(const struct insn *i, struct machine *m)
{
	const struct value *n = operand(m, i->a);

	if (!value_is_null(n) && n->i > 1) {
		error_set(m->env->error, ERR_CARDINALITY, 0,
			"more than one row returned by a subquery used as an expression");
		return fail(i, m);
	}
	return i + 1;
}

/* Five digits or capitals, of a class that is an error's and not the engine's own. */
static bool state_valid(const struct value *v)
{
	if (v->s.len != 5 || memcmp(v->s.p, "00", 2) == 0 || memcmp(v->s.p, "LF", 2) == 0)
		return false;
	for (unsigned k = 0; k < 5; k++)
		if (!(v->s.p[k] >= '0' && v->s.p[k] <= '9') &&
			!(v->s.p[k] >= 'A' && v->s.p[k] <= 'Z'))
			return false;
	return true;
}

/* A text for a message, which cuts it between characters. */
static int message_length(const struct value *v)
{
	return v->s.len < 2 * ERROR_MESSAGE_MAX ? (int)v->s.len : 2 * ERROR_MESSAGE_MAX;
}

const struct insn *insn_reject(const struct insn *i, struct machine *m)
{
	const struct value *message = operand(m, i->a);
	const struct value *state = i->flag ? operand(m, i->b) : NULL;
	struct error *e = m->env->error;

	ASSERT(message != NULL);
	if (state != NULL && !value_is_null(state) && !state_valid(state)) {
		error_set(e, ERR_INVALID_PARAMETER, 0, "invalid SQLSTATE \"%.*s\" of reject()",
			message_length(state), state->s.p);
		error_hint(e,
			"It has five digits or capital letters, of a class other than 00 and LF.");
		return fail(i, m);
	}
	if (value_is_null(message))
		error_set(e, ERR_REJECTED, 0, NULL);
	else
		error_set(e, ERR_REJECTED, 0, "%.*s", message_length(message), message->s.p);
	if (state != NULL && !value_is_null(state))
		memcpy(e->state, state->s.p, 5);
	e->state[5] = '\0';
	return fail(i, m);
}

static bool set_contains(const struct in_set *s, const struct value *v)
{
	uint32_t low = 0, high = s->n;

	if (!s->sorted) {
		for (uint32_t k = 0; k < s->n; k++)
			if (value_compare(&s->values[k], v) == 0)
				return true;
		return false;
	}
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = value_compare(&s->values[mid], v);

		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

const struct insn *insn_in_set(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a);
	struct value *v = target(i, m);

	/* The items that are not constants are still evaluated, for their errors. */
	if (value_is_null(a)) {
		set_null(v, TYPE_BOOL);
		return i + 1;
	}
	if (set_contains(i->set, a)) {
		set_bool(v, true);
		return m->code + i->to;
	}
	if (i->set->has_null)
		set_null(v, TYPE_BOOL);
	else
		set_bool(v, false);
	return i + 1;
}

const struct insn *insn_in_step(const struct insn *i, struct machine *m)
{
	const struct value *a = operand(m, i->a), *b = operand(m, i->b);

	if (value_is_null(a) || value_is_null(b)) {
		set_null(target(i, m), TYPE_BOOL);
	} else if (value_compare(a, b) == 0) {
		set_bool(target(i, m), true);
		return m->code + i->to;
	}
	return i + 1;
}

static const struct insn *extreme(const struct insn *i, struct machine *m, bool greatest)
{
	const struct value *a = operand(m, i->a);
	struct value *v = target(i, m);
	bool better = false;

	if (!value_is_null(a)) {
		if (value_is_null(v))
			better = true;
		else
			better = greatest ? value_compare(a, v) > 0 : value_compare(a, v) < 0;
	}
	if (better)
		*v = *a;
	return i + 1;
}

const struct insn *insn_greatest(const struct insn *i, struct machine *m)
{
	return extreme(i, m, true);
}

const struct insn *insn_least(const struct insn *i, struct machine *m)
{
	return extreme(i, m, false);
}
