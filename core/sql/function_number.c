/*
 * function_number.c: functions and operators of integers, numerics and floats.
 */
#include <math.h>

#include "core/sql/function_table.h"
#include "core/sql/numeric.h"

/* --- integers --- */

static int integer_result(
	struct value *out, enum type_id t, int64_t v, bool overflow, struct call *c)
{
	static const char *const NAMES[] = { "smallint", "integer", "bigint" };
	bool fits = t == TYPE_INT8 || (t == TYPE_INT4 ? v == (int32_t)v : v == (int16_t)v);

	if (overflow || !fits)
		return error_set(
			c->error, ERR_NUMERIC_RANGE, 0, "%s out of range", NAMES[t - TYPE_INT2]);
	result(out, t);
	out->i = v;
	return 0;
}

/* The result is as wide as the wider argument. */
static enum type_id wider(const struct value *a)
{
	return (enum type_id)(a[0].type > a[1].type ? a[0].type : a[1].type);
}

static int int_add(ARGS)
{
	int64_t v;
	bool overflow = __builtin_add_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int int_sub(ARGS)
{
	int64_t v;
	bool overflow = __builtin_sub_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int int_mul(ARGS)
{
	int64_t v;
	bool overflow = __builtin_mul_overflow(a[0].i, a[1].i, &v);

	(void)n;
	return integer_result(out, wider(a), v, overflow, c);
}

static int by_zero(struct call *c)
{
	return error_set(c->error, ERR_DIVISION_BY_ZERO, 0, NULL);
}

static int int_div(ARGS)
{
	(void)n;
	if (a[1].i == 0)
		return by_zero(c);
	if (a[1].i == -1)
		return integer_result(
			out, wider(a), a[0].i == INT64_MIN ? 0 : -a[0].i, a[0].i == INT64_MIN, c);
	return integer_result(out, wider(a), a[0].i / a[1].i, false, c);
}

static int int_mod(ARGS)
{
	(void)n;
	if (a[1].i == 0)
		return by_zero(c);
	return integer_result(out, wider(a), a[1].i == -1 ? 0 : a[0].i % a[1].i, false, c);
}

static int int_neg(ARGS)
{
	(void)n;
	return integer_result(out, (enum type_id)a[0].type, a[0].i == INT64_MIN ? 0 : -a[0].i,
		a[0].i == INT64_MIN, c);
}

static int int_abs(ARGS)
{
	if (a[0].i < 0)
		return int_neg(out, a, n, c);
	return integer_result(out, (enum type_id)a[0].type, a[0].i, false, c);
}

#define BITWISE(name, expression) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return integer_result(out, wider(a), expression, false, c); \
	}
BITWISE(int_and, a[0].i &a[1].i)
BITWISE(int_or, a[0].i | a[1].i)
BITWISE(int_xor, a[0].i ^ a[1].i)

static int int_not(ARGS)
{
	(void)n;
	return integer_result(out, (enum type_id)a[0].type, ~a[0].i, false, c);
}

/* Shifts are the processor's, as in PostgreSQL: the count modulo the width the machine shifts, and the
 * result cut to its type. */
static int shift(struct value *out, const struct value *a, bool left)
{
	unsigned by = (unsigned)a[1].i & (a[0].type == TYPE_INT8 ? 63u : 31u);
	int64_t v = left ? (int64_t)((uint64_t)a[0].i << by) : a[0].i >> by;

	result(out, (enum type_id)a[0].type);
	out->i = a[0].type == TYPE_INT2 ? (int16_t)v : a[0].type == TYPE_INT4 ? (int32_t)v : v;
	return 0;
}

static int int_left(ARGS)
{
	(void)n;
	(void)c;
	return shift(out, a, true);
}

static int int_right(ARGS)
{
	(void)n;
	(void)c;
	return shift(out, a, false);
}

static int same(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	return 0;
}

/* --- numerics --- */

#define NUMERIC2(name, fn) \
	static int name(ARGS) \
	{ \
		(void)n; \
		if (fn(out, &a[0], &a[1], c->error) != 0) \
			return -1; \
		out->type = TYPE_NUMERIC; \
		return 0; \
	}
NUMERIC2(num_add, numeric_add)
NUMERIC2(num_sub, numeric_sub)
NUMERIC2(num_mul, numeric_mul)
NUMERIC2(num_div, numeric_div)
NUMERIC2(num_mod, numeric_mod)
NUMERIC2(num_div_trunc, numeric_div_trunc)
NUMERIC2(num_log, numeric_log)
NUMERIC2(num_power, numeric_power)

#define NUMERIC1(name, fn) \
	static int name(ARGS) \
	{ \
		(void)n; \
		if (fn(out, &a[0], c->error) != 0) \
			return -1; \
		out->type = TYPE_NUMERIC; \
		return 0; \
	}
NUMERIC1(num_ceil, numeric_ceil)
NUMERIC1(num_floor, numeric_floor)
NUMERIC1(num_sqrt, numeric_sqrt)
NUMERIC1(num_exp, numeric_exp)
NUMERIC1(num_ln, numeric_ln)

static int num_log10(ARGS)
{
	struct value ten;

	(void)n;
	numeric_from_int(&ten, 10);
	if (numeric_log(out, &ten, &a[0], c->error) != 0)
		return -1;
	out->type = TYPE_NUMERIC;
	return 0;
}

static int num_neg(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	out->n = -a[0].n;
	return 0;
}

static int num_abs(ARGS)
{
	(void)n;
	(void)c;
	*out = a[0];
	if (a[0].n < 0)
		out->n = -a[0].n;
	return 0;
}

static int num_sign(ARGS)
{
	(void)n;
	(void)c;
	if (a[0].flags & VALUE_NAN)
		*out = a[0];
	else
		numeric_from_int(out, a[0].n > 0 ? 1 : a[0].n < 0 ? -1 : 0);
	out->type = TYPE_NUMERIC;
	return 0;
}

static int num_round(ARGS)
{
	int digits = n == 2 ? (int)a[1].i : 0;

	if (numeric_round(out, &a[0], digits, c->error) != 0)
		return -1;
	out->type = TYPE_NUMERIC;
	return 0;
}

static int num_trunc(ARGS)
{
	int digits = n == 2 ? (int)a[1].i : 0;

	if (numeric_trunc(out, &a[0], digits, c->error) != 0)
		return -1;
	out->type = TYPE_NUMERIC;
	return 0;
}

/* --- floats --- */

static int float_overflow(struct call *c)
{
	return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: overflow");
}

static int float_underflow(struct call *c)
{
	return error_set(c->error, ERR_NUMERIC_RANGE, 0, "value out of range: underflow");
}

static int float_result(struct value *out, double d, double x, double y, struct call *c)
{
	result(out, TYPE_FLOAT8);
	out->d = d;
	return isinf(d) && !isinf(x) && !isinf(y) ? float_overflow(c) : 0;
}

static int real_result(struct value *out, float f, float x, float y, struct call *c)
{
	result(out, TYPE_FLOAT4);
	out->f = f;
	return isinf(f) && !isinf(x) && !isinf(y) ? float_overflow(c) : 0;
}

#define FLOAT2(name, op) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return float_result(out, a[0].d op a[1].d, a[0].d, a[1].d, c); \
	} \
	static int name##4(ARGS) \
	{ \
		(void)n; \
		return real_result(out, a[0].f op a[1].f, a[0].f, a[1].f, c); \
	}
FLOAT2(float_add, +)
FLOAT2(float_sub, -)

static int float_mul(ARGS)
{
	double d = a[0].d * a[1].d;

	(void)n;
	if (d == 0 && a[0].d != 0 && a[1].d != 0)
		return float_underflow(c);
	return float_result(out, d, a[0].d, a[1].d, c);
}

static int float_mul4(ARGS)
{
	float f = a[0].f * a[1].f;

	(void)n;
	if (f == 0 && a[0].f != 0 && a[1].f != 0)
		return float_underflow(c);
	return real_result(out, f, a[0].f, a[1].f, c);
}

static int float_div(ARGS)
{
	double d = a[0].d / a[1].d;

	(void)n;
	if (a[1].d == 0 && !isnan(a[0].d))
		return by_zero(c);
	if (d == 0 && a[0].d != 0 && !isinf(a[1].d))
		return float_underflow(c);
	return float_result(out, d, a[0].d, a[0].d, c);
}

static int float_div4(ARGS)
{
	float f = a[0].f / a[1].f;

	(void)n;
	if (a[1].f == 0 && !isnan(a[0].f))
		return by_zero(c);
	if (f == 0 && a[0].f != 0 && !isinf(a[1].f))
		return float_underflow(c);
	return real_result(out, f, a[0].f, a[0].f, c);
}

static int float_neg(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_FLOAT8);
	out->d = -a[0].d;
	return 0;
}

static int float_neg4(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_FLOAT4);
	out->f = -a[0].f;
	return 0;
}

#define FLOAT1(name, expression) \
	static int name(ARGS) \
	{ \
		double x = a[0].d; \
		(void)n; \
		return float_result(out, expression, x, x, c); \
	}
FLOAT1(float_abs, fabs(x))
FLOAT1(float_ceil, ceil(x))
FLOAT1(float_floor, floor(x))
FLOAT1(float_round, rint(x))
FLOAT1(float_trunc, trunc(x))
FLOAT1(float_sign, x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0)
FLOAT1(float_cbrt, cbrt(x))

static int float_abs4(ARGS)
{
	(void)n;
	(void)c;
	result(out, TYPE_FLOAT4);
	out->f = fabsf(a[0].f);
	return 0;
}

static int float_pi(ARGS)
{
	(void)a;
	(void)n;
	return float_result(out, M_PI, 0, 0, c);
}

static int float_exp(ARGS)
{
	double d = exp(a[0].d);

	(void)n;
	if (d == 0 && !isinf(a[0].d))
		return float_underflow(c);
	return float_result(out, d, a[0].d, a[0].d, c);
}

static int float_sqrt(ARGS)
{
	(void)n;
	if (a[0].d < 0)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"cannot take square root of a negative number");
	return float_result(out, sqrt(a[0].d), a[0].d, a[0].d, c);
}

static int float_logarithm(struct value *out, double x, double (*fn)(double), struct call *c)
{
	if (x <= 0)
		return error_set(c->error, ERR_INVALID_LOG, 0,
			x == 0 ? "cannot take logarithm of zero"
			       : "cannot take logarithm of a negative number");
	return float_result(out, fn(x), x, x, c);
}

static int float_ln(ARGS)
{
	(void)n;
	return float_logarithm(out, a[0].d, log, c);
}

static int float_log10(ARGS)
{
	(void)n;
	return float_logarithm(out, a[0].d, log10, c);
}

static int float_power(ARGS)
{
	(void)n;
	if (isnan(a[0].d) || isnan(a[1].d))
		return float_result(out, pow(a[0].d, a[1].d), a[0].d, a[1].d, c);
	if (a[0].d == 0 && a[1].d < 0)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"zero raised to a negative power is undefined");
	if (a[0].d < 0 && floor(a[1].d) != a[1].d)
		return error_set(c->error, ERR_INVALID_POWER, 0,
			"a negative number raised to a non-integer power yields a complex result");
	{
		double d = pow(a[0].d, a[1].d);

		if (d == 0 && a[0].d != 0 && !isinf(a[0].d) && !isinf(a[1].d))
			return float_underflow(c);
		return float_result(out, d, a[0].d, a[1].d, c);
	}
}

static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_add },
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_add },
	{ "+", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_add },
	{ "+", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_add4 },
	{ "+", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_add },
	{ "+", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_add },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_sub },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_sub },
	{ "-", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_sub },
	{ "-", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_sub4 },
	{ "-", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_sub },
	{ "-", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_sub },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mul },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mul },
	{ "*", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mul },
	{ "*", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_mul4 },
	{ "*", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_mul },
	{ "*", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mul },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_div },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_div },
	{ "/", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_div },
	{ "/", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT4 }, TYPE_FLOAT4, float_div4 },
	{ "/", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_div },
	{ "/", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_div },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mod },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT2, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT2 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "%", 2, true, false, { TYPE_INT4, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT2 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "%", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mod },
	{ "-", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_neg },
	{ "+", 1, true, false, { TYPE_INT2 }, TYPE_INT2, same },
	{ "abs", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_abs },
	{ "mod", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_mod },
	{ "-", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_neg },
	{ "+", 1, true, false, { TYPE_INT4 }, TYPE_INT4, same },
	{ "abs", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_abs },
	{ "mod", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_mod },
	{ "-", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_neg },
	{ "+", 1, true, false, { TYPE_INT8 }, TYPE_INT8, same },
	{ "abs", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_abs },
	{ "mod", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_mod },
	{ "-", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_neg },
	{ "-", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_neg },
	{ "-", 1, true, false, { TYPE_FLOAT4 }, TYPE_FLOAT4, float_neg4 },
	{ "+", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, same },
	{ "+", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, same },
	{ "abs", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_abs },
	{ "abs", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_abs },
	{ "mod", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_mod },
	{ "^", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_power },
	{ "^", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_power },
	{ "power", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT8 }, TYPE_FLOAT8, float_power },
	{ "power", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_power },
	{ "ceil", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ceil },
	{ "ceil", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ceil },
	{ "ceiling", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ceil },
	{ "ceiling", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ceil },
	{ "floor", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_floor },
	{ "floor", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_floor },
	{ "sqrt", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_sqrt },
	{ "sqrt", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_sqrt },
	{ "exp", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_exp },
	{ "exp", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_exp },
	{ "ln", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_ln },
	{ "ln", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_ln },
	{ "sign", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_sign },
	{ "sign", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_sign },
	{ "round", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_round },
	{ "round", 2, true, false, { TYPE_NUMERIC, TYPE_INT4 }, TYPE_NUMERIC, num_round },
	{ "round", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_round },
	{ "trunc", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_trunc },
	{ "trunc", 2, true, false, { TYPE_NUMERIC, TYPE_INT4 }, TYPE_NUMERIC, num_trunc },
	{ "trunc", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_trunc },
	{ "+", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT8 }, TYPE_FLOAT8, NULL },
	{ "+", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT4 }, TYPE_FLOAT8, NULL },
	{ "-", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT8 }, TYPE_FLOAT8, NULL },
	{ "-", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT4 }, TYPE_FLOAT8, NULL },
	{ "*", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT8 }, TYPE_FLOAT8, NULL },
	{ "*", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT4 }, TYPE_FLOAT8, NULL },
	{ "/", 2, true, false, { TYPE_FLOAT4, TYPE_FLOAT8 }, TYPE_FLOAT8, NULL },
	{ "/", 2, true, false, { TYPE_FLOAT8, TYPE_FLOAT4 }, TYPE_FLOAT8, NULL },
	{ "&", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_and },
	{ "&", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_and },
	{ "&", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_and },
	{ "|", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_or },
	{ "|", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_or },
	{ "|", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_or },
	{ "#", 2, true, false, { TYPE_INT2, TYPE_INT2 }, TYPE_INT2, int_xor },
	{ "#", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_xor },
	{ "#", 2, true, false, { TYPE_INT8, TYPE_INT8 }, TYPE_INT8, int_xor },
	{ "<<", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT2, int_left },
	{ "<<", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_left },
	{ "<<", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_left },
	{ ">>", 2, true, false, { TYPE_INT2, TYPE_INT4 }, TYPE_INT2, int_right },
	{ ">>", 2, true, false, { TYPE_INT4, TYPE_INT4 }, TYPE_INT4, int_right },
	{ ">>", 2, true, false, { TYPE_INT8, TYPE_INT4 }, TYPE_INT8, int_right },
	{ "~", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_not },
	{ "~", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_not },
	{ "~", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_not },
	{ "@", 1, true, false, { TYPE_INT2 }, TYPE_INT2, int_abs },
	{ "@", 1, true, false, { TYPE_INT4 }, TYPE_INT4, int_abs },
	{ "@", 1, true, false, { TYPE_INT8 }, TYPE_INT8, int_abs },
	{ "@", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_abs },
	{ "@", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_abs },
	{ "@", 1, true, false, { TYPE_FLOAT4 }, TYPE_FLOAT4, float_abs4 },
	{ "abs", 1, true, false, { TYPE_FLOAT4 }, TYPE_FLOAT4, float_abs4 },
	{ "+", 1, true, false, { TYPE_FLOAT4 }, TYPE_FLOAT4, same },
	{ "div", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_div_trunc },
	{ "log", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_log10 },
	{ "log", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_log10 },
	{ "log10", 1, true, false, { TYPE_NUMERIC }, TYPE_NUMERIC, num_log10 },
	{ "log10", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_log10 },
	{ "log", 2, true, false, { TYPE_NUMERIC, TYPE_NUMERIC }, TYPE_NUMERIC, num_log },
	{ "cbrt", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_cbrt },
	{ "|/", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_sqrt },
	{ "||/", 1, true, false, { TYPE_FLOAT8 }, TYPE_FLOAT8, float_cbrt },
	{ "pi", 0, true, false, { TYPE_UNKNOWN }, TYPE_FLOAT8, float_pi },
};

const struct function_list FUNCTIONS_NUMBER = { FUNCTIONS,
	sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
