/*
 * function.c: how a call finds its function: PostgreSQL's rules (manual, chapter 10) over the lists of
 * function_table.h.
 */
#include "core/sql/function.h"

#include <stdio.h>
#include <string.h>

#include "core/sql/cast.h"
#include "core/sql/function_table.h"

/* Functions of PostgreSQL that are not here: asking for one is not a mistake of the caller's. */
static const char *const UNSUPPORTED[] = {
	"acosd",
	"age",
	"array_append",
	"array_cat",
	"array_dims",
	"array_fill",
	"array_length",
	"array_lower",
	"array_ndims",
	"array_position",
	"array_positions",
	"array_prepend",
	"array_remove",
	"array_replace",
	"array_to_json",
	"array_to_string",
	"array_upper",
	"asind",
	"atan2d",
	"atand",
	"bit_count",
	"clock_timestamp",
	"convert",
	"convert_from",
	"convert_to",
	"cosd",
	"cotd",
	"cume_dist",
	"current_database",
	"current_schema",
	"current_schemas",
	"current_setting",
	"dense_rank",
	"first_value",
	"format_type",
	"gen_random_uuid",
	"generate_series",
	"get_bit",
	"get_byte",
	"hashtext",
	"is_normalized",
	"json_array_elements",
	"json_array_elements_text",
	"json_each",
	"json_each_text",
	"json_object",
	"json_object_keys",
	"json_populate_record",
	"json_strip_nulls",
	"json_to_record",
	"json_to_recordset",
	"jsonb_array_elements",
	"jsonb_array_elements_text",
	"jsonb_concat",
	"jsonb_contains",
	"jsonb_delete",
	"jsonb_delete_path",
	"jsonb_each",
	"jsonb_each_text",
	"jsonb_exists",
	"jsonb_insert",
	"jsonb_object",
	"jsonb_object_keys",
	"jsonb_path_exists",
	"jsonb_path_match",
	"jsonb_path_query",
	"jsonb_path_query_array",
	"jsonb_path_query_first",
	"jsonb_populate_record",
	"jsonb_pretty",
	"jsonb_set",
	"jsonb_set_lax",
	"jsonb_strip_nulls",
	"jsonb_to_record",
	"jsonb_to_recordset",
	"lag",
	"last_value",
	"lead",
	"make_time",
	"make_timestamptz",
	"normalize",
	"nth_value",
	"ntile",
	"num_nonnulls",
	"num_nulls",
	"overlaps",
	"parse_ident",
	"percent_rank",
	"pg_sleep",
	"pg_typeof",
	"quote_ident",
	"random",
	"range_agg",
	"rank",
	"regexp_instr",
	"regexp_match",
	"regexp_matches",
	"regexp_split_to_array",
	"regexp_split_to_table",
	"row_number",
	"row_to_json",
	"set_bit",
	"set_byte",
	"setseed",
	"sha224",
	"sha256",
	"sha384",
	"sha512",
	"sind",
	"statement_timestamp",
	"string_to_array",
	"string_to_table",
	"tand",
	"timeofday",
	"to_ascii",
	"to_date",
	"to_number",
	"to_timestamp",
	"trim_array",
	"txid_current",
	"unistr",
	"unnest",
	"version",
	"xmlagg",
};

int function_unsupported(struct value *out, const struct value *a, unsigned n, struct call *c)
{
	(void)out;
	(void)a;
	(void)n;
	return error_set(c->error, ERR_FEATURE, 0, NULL);
}

static bool known_elsewhere(const char *name)
{
	for (unsigned i = 0; i < sizeof(UNSUPPORTED) / sizeof(UNSUPPORTED[0]); i++)
		if (strcmp(UNSUPPORTED[i], name) == 0)
			return true;
	return false;
}

/* Categories of the manual's section 10.1, each with its preferred type. */
static char category(enum type_id t)
{
	if (type_is_array(t))
		return 'A';
	switch (t) {
	case TYPE_BOOL: return 'B';
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
	case TYPE_NUMERIC: return 'N';
	case TYPE_TEXT:
	case TYPE_VARCHAR:
	case TYPE_BPCHAR: return 'S';
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return 'D';
	case TYPE_INTERVAL: return 'T';
	case TYPE_UNKNOWN: return 'X';
	default: return 'U';
	}
}

static bool preferred(enum type_id t)
{
	return t == TYPE_BOOL || t == TYPE_FLOAT8 || t == TYPE_TEXT || t == TYPE_TIMESTAMPTZ ||
		t == TYPE_INTERVAL;
}

static enum type_id wants(const struct function *f, unsigned i)
{
	return f->args[i < f->nargs ? i : f->nargs - 1u];
}

static bool arity(const struct function *f, unsigned n)
{
	return f->variadic ? n >= f->nargs : n == f->nargs;
}

static bool acceptable(const struct function *f, const enum type_id *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (args[i] != TYPE_UNKNOWN && args[i] != wants(f, i) &&
			cast_exists(args[i], wants(f, i)) != CAST_IMPLICIT)
			return false;
	return true;
}

enum { CANDIDATES_MAX = 64 };

struct candidates {
	const struct function *at[CANDIDATES_MAX];
	unsigned n;
};

/* Keep the candidates with the most points. */
static void keep_best(struct candidates *c, const int *points)
{
	int best = -1;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (points[i] > best)
			best = points[i];
	for (unsigned i = 0; i < c->n; i++)
		if (points[i] == best)
			c->at[n++] = c->at[i];
	c->n = n;
}

static void prefer_exact(
	struct candidates *c, const enum type_id *args, unsigned n, bool also_preferred)
{
	int points[CANDIDATES_MAX];

	for (unsigned k = 0; k < c->n; k++) {
		points[k] = 0;
		for (unsigned i = 0; i < n; i++)
			if (args[i] != TYPE_UNKNOWN &&
				(args[i] == wants(c->at[k], i) ||
					(also_preferred && preferred(wants(c->at[k], i)) &&
						category(args[i]) == category(wants(c->at[k], i)))))
				points[k]++;
	}
	keep_best(c, points);
}

/* For each unknown argument: the string category if any candidate has it, else the one all agree on; within
 * it the preferred type if any has it. */
static void prefer_category(struct candidates *c, const enum type_id *args, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char want = 0;
		bool has_preferred = false, agree = true;
		int points[CANDIDATES_MAX];

		if (args[i] != TYPE_UNKNOWN || c->n < 2)
			continue;
		for (unsigned k = 0; k < c->n; k++) {
			char cat = category(wants(c->at[k], i));

			if (cat == 'S')
				want = 'S';
			else if (want == 0)
				want = cat;
			else if (want != cat && want != 'S')
				agree = false;
		}
		if (want != 'S' && !agree)
			continue;
		for (unsigned k = 0; k < c->n; k++)
			has_preferred |= category(wants(c->at[k], i)) == want &&
				preferred(wants(c->at[k], i));
		for (unsigned k = 0; k < c->n; k++)
			points[k] = category(wants(c->at[k], i)) == want &&
				(!has_preferred || preferred(wants(c->at[k], i)));
		keep_best(c, points);
	}
}

/* Last resort: unknowns are of the one type that the known arguments have. */
static void prefer_same(struct candidates *c, const enum type_id *args, unsigned n)
{
	enum type_id known = TYPE_UNKNOWN;
	int points[CANDIDATES_MAX];

	for (unsigned i = 0; i < n; i++)
		if (args[i] != TYPE_UNKNOWN) {
			if (known != TYPE_UNKNOWN && known != args[i])
				return;
			known = args[i];
		}
	if (known == TYPE_UNKNOWN)
		return;
	for (unsigned k = 0; k < c->n; k++) {
		points[k] = 1;
		for (unsigned i = 0; i < n; i++)
			points[k] &= wants(c->at[k], i) == known;
	}
	keep_best(c, points);
}

/* All functions of all lists in turn; NULL gives the first, and after the last NULL. */
static const struct function *next_function(const struct function *f)
{
	static const struct function_list *const LISTS[] = { &FUNCTIONS_COMPARE, &FUNCTIONS_NUMBER,
		&FUNCTIONS_TEXT, &FUNCTIONS_TIME, &FUNCTIONS_REGEX, &FUNCTIONS_MATH,
		&FUNCTIONS_STRING, &FUNCTIONS_DATE, &FUNCTIONS_FORMAT, &FUNCTIONS_JSON };
	enum { COUNT = sizeof(LISTS) / sizeof(LISTS[0]) };

	if (f == NULL)
		return LISTS[0]->items;
	for (unsigned i = 0; i < COUNT; i++)
		if (f == LISTS[i]->items + LISTS[i]->count - 1)
			return i + 1 < COUNT ? LISTS[i + 1]->items : NULL;
	return f + 1;
}

static const struct function *resolve(
	const char *name, const enum type_id *args, unsigned n, unsigned *found)
{
	struct candidates c = { .n = 0 };
	enum type_id same[FUNCTION_CALL_ARGS_MAX];
	enum type_id known = TYPE_UNKNOWN;

	/* An operator with one unknown side takes the other's type first. */
	for (unsigned i = 0; i < n; i++)
		if (args[i] != TYPE_UNKNOWN)
			known = args[i];
	for (unsigned i = 0; i < n; i++)
		same[i] = args[i] == TYPE_UNKNOWN && n == 2 ? known : args[i];
	for (const struct function *f = NULL; (f = next_function(f)) != NULL;) {
		bool exact = true;

		if (strcmp(f->name, name) != 0 || !arity(f, n))
			continue;
		for (unsigned k = 0; k < n; k++)
			exact = exact && same[k] == wants(f, k) && same[k] != TYPE_UNKNOWN;
		if (exact && !f->variadic) {
			*found = 1;
			return f;
		}
		if (acceptable(f, args, n) && c.n < CANDIDATES_MAX)
			c.at[c.n++] = f;
	}
	if (c.n > 1)
		prefer_exact(&c, args, n, false);
	if (c.n > 1)
		prefer_exact(&c, args, n, true);
	if (c.n > 1)
		prefer_category(&c, args, n);
	if (c.n > 1)
		prefer_same(&c, args, n);
	*found = c.n;
	return c.n == 1 ? c.at[0] : NULL;
}

static void list_types(const enum type_id *args, unsigned n, char *out, size_t cap)
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < n && at < cap; i++) {
		char name[64];

		at += (size_t)snprintf(out + at, cap - at, "%s%s", i > 0 ? ", " : "",
			type_name((struct type){ .id = (uint8_t)args[i] }, name, sizeof(name)));
	}
}

/* The one of exactly these types. */
static const struct function *exact(const char *name, enum type_id left, enum type_id right)
{
	for (const struct function *f = NULL; (f = next_function(f)) != NULL;)
		if (strcmp(f->name, name) == 0 && f->nargs == 2 && f->args[0] == left &&
			f->args[1] == right)
			return f;
	return NULL;
}

static const struct function *chosen(
	const struct function *f, unsigned nargs, enum type_id *cast_to)
{
	if (f->eval == NULL)
		f = exact(f->name, TYPE_FLOAT8, TYPE_FLOAT8);
	for (unsigned i = 0; i < nargs; i++)
		cast_to[i] = wants(f, i);
	return f;
}

const struct function *function_find(const char *name, const enum type_id *args, unsigned nargs,
	enum type_id *cast_to, struct error *e, int position)
{
	char types[200];
	unsigned found;
	const struct function *f = resolve(name, args, nargs, &found);

	if (f != NULL && f->eval != function_unsupported)
		return chosen(f, nargs, cast_to);
	if (f != NULL || (found == 0 && known_elsewhere(name))) {
		error_set(e, ERR_FEATURE, position, "function %s is not supported", name);
		return NULL;
	}
	list_types(args, nargs, types, sizeof(types));
	if (found > 1) {
		error_set(e, ERR_AMBIGUOUS_FUNCTION, position, "function %s(%s) is not unique",
			name, types);
		error_hint(e,
			"Could not choose a best candidate function. You might need to add explicit "
			"type casts.");
	} else {
		error_set(e, ERR_UNDEFINED_FUNCTION, position, "function %s(%s) does not exist",
			name, types);
		error_hint(e,
			"No function matches the given name and argument types. You might need to add "
			"explicit type casts.");
	}
	return NULL;
}

const struct function *operator_find(const char *op, const enum type_id *args, unsigned nargs,
	enum type_id *cast_to, struct error *e, int position)
{
	char left[64], right[64];
	unsigned found;
	const struct function *f = resolve(op, args, nargs, &found);

	if (f != NULL && f->eval != function_unsupported)
		return chosen(f, nargs, cast_to);
	if (f != NULL) {
		error_set(e, ERR_FEATURE, position, "operator %s is not supported for these types",
			op);
		return NULL;
	}
	type_name((struct type){ .id = (uint8_t)args[0] }, left, sizeof(left));
	type_name((struct type){ .id = (uint8_t)args[nargs - 1] }, right, sizeof(right));
	error_set(e, found > 1 ? ERR_AMBIGUOUS_FUNCTION : ERR_UNDEFINED_FUNCTION, position,
		found > 1 ? "operator is not unique: %s%s%s %s"
			  : "operator does not exist: %s%s%s %s",
		nargs == 2 ? left : "", nargs == 2 ? " " : "", op, right);
	error_hint(e,
		found > 1 ? "Could not choose a best candidate operator. You might need to add "
			    "explicit type casts."
			  : "No operator matches the given name and argument types. You might "
			    "need to add explicit type casts.");
	return NULL;
}

bool function_name_exists(const char *name)
{
	for (const struct function *f = NULL; (f = next_function(f)) != NULL;)
		if (strcmp(f->name, name) == 0)
			return true;
	return false;
}

enum type_id type_common(
	const enum type_id *types, unsigned n, const char *context, unsigned *odd, struct error *e)
{
	enum type_id common = TYPE_UNKNOWN;
	char a[64], b[64];

	for (unsigned i = 0; i < n; i++) {
		if (types[i] == TYPE_UNKNOWN || types[i] == common)
			continue;
		if (common == TYPE_UNKNOWN) {
			common = types[i];
		} else if (category(common) != category(types[i])) {
			*odd = i;
			error_set(e, ERR_DATATYPE_MISMATCH, 0,
				"%s types %s and %s cannot be matched", context,
				type_name((struct type){ .id = (uint8_t)common }, a, sizeof(a)),
				type_name((struct type){ .id = (uint8_t)types[i] }, b, sizeof(b)));
			return TYPE_UNKNOWN;
		} else if (!preferred(common) && cast_exists(common, types[i]) == CAST_IMPLICIT &&
			cast_exists(types[i], common) != CAST_IMPLICIT) {
			common = types[i];
		}
	}
	return common == TYPE_UNKNOWN ? TYPE_TEXT : common;
}
