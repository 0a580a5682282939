/*
 * function_format.c: to_char() of all types.
 */
#include "core/sql/datetime.h"
#include "core/sql/function_table.h"
#include "core/sql/to_char.h"

static int null_text(struct value *out)
{
	result(out, TYPE_TEXT);
	out->flags = VALUE_NULL;
	return 0;
}

/* Infinite times, and templates without anything, have no text. */
static int time_to_char(ARGS)
{
	(void)n;
	if (a[1].s.len == 0 || !timestamp_is_finite(a[0].i))
		return null_text(out);
	return to_char_time(out, &a[0], &a[1], c);
}

static int span_to_char(ARGS)
{
	(void)n;
	if (a[1].s.len == 0)
		return null_text(out);
	return to_char_time(out, &a[0], &a[1], c);
}

static int number_to_char(ARGS)
{
	(void)n;
	if (a[1].s.len == 0)
		return text_result(out, "", 0);
	return to_char_number(out, &a[0], &a[1], c);
}

#define T TYPE_TEXT
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "to_char", 2, true, false, { TYPE_TIMESTAMP, T }, T, time_to_char },
	{ "to_char", 2, true, false, { TYPE_TIMESTAMPTZ, T }, T, time_to_char },
	{ "to_char", 2, true, false, { TYPE_INTERVAL, T }, T, span_to_char },
	{ "to_char", 2, true, false, { TYPE_INT4, T }, T, number_to_char },
	{ "to_char", 2, true, false, { TYPE_INT8, T }, T, number_to_char },
	{ "to_char", 2, true, false, { TYPE_NUMERIC, T }, T, number_to_char },
	{ "to_char", 2, true, false, { TYPE_FLOAT4, T }, T, number_to_char },
	{ "to_char", 2, true, false, { TYPE_FLOAT8, T }, T, number_to_char },
};
#undef T

const struct function_list FUNCTIONS_FORMAT = { FUNCTIONS,
	sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
