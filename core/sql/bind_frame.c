/*
 * bind_frame.c: frames of windows. Offsets are constants.
 *
 * RANGE with an offset looks for rows whose key lies within key - offset and key + offset: these are made columns beside
 * the key, by the operators that the types have.
 */
#include <math.h>

#include "core/sql/bind.h"

/* FRAMEOPTION_… of the parser. */
enum {
	OPTION_ROWS = 0x4,
	OPTION_GROUPS = 0x8,
	OPTION_FROM_FIRST = 0x20,
	OPTION_TO_LAST = 0x100,
	OPTION_FROM_PRECEDING = 0x800,
	OPTION_TO_PRECEDING = 0x1000,
	OPTION_FROM_FOLLOWING = 0x2000,
	OPTION_TO_FOLLOWING = 0x4000,
	OPTION_EXCLUDE_ROW = 0x8000,
	OPTION_EXCLUDE_GROUP = 0x10000,
	OPTION_EXCLUDE_TIES = 0x20000
};

enum { OPTION_FROM = OPTION_FROM_PRECEDING | OPTION_FROM_FOLLOWING };
enum { OPTION_TO = OPTION_TO_PRECEDING | OPTION_TO_FOLLOWING };

/* One end of a frame. */
struct end {
	const PgQuery__Node *offset;
	bool start, preceding;
};

static int refused_offset(struct binder *b, const PgQuery__Node *n)
{
	bind_unsupported(b, node_location(n), "this offset of a frame");
	return error_hint(b->error, "Write a constant.");
}

static const char *mode_name(enum frame_mode mode)
{
	return mode == FRAME_ROWS ? "ROWS" : mode == FRAME_GROUPS ? "GROUPS" : "RANGE";
}

static int refused_null(struct binder *b, const struct end *end)
{
	return error_set(b->error, ERR_NULL_NOT_ALLOWED, 0, "frame %s offset must not be null",
		end->start ? "starting" : "ending");
}

/* --- ROWS and GROUPS --- */

static int bind_count(struct binder *b, enum frame_mode mode, const struct end *end, int64_t *out)
{
	struct expr *x = bind_expr(b, end->offset), *e;
	const struct value *v;
	char have[64];

	if (x == NULL)
		return -1;
	b->error->code = ERR_OK;
	e = bind_coerce(b, x, (struct type){ .id = TYPE_INT8 }, CAST_ASSIGNMENT);
	if (e == NULL && b->error->code != ERR_OK)
		return -1;
	if (e == NULL)
		return error_set(b->error, ERR_DATATYPE_MISMATCH, expr_location(x),
			"argument of %s must be type bigint, not type %s", mode_name(mode),
			type_name((struct type){ .id = x->type.id }, have, sizeof(have)));
	if (!expr_is_constant(e))
		return refused_offset(b, end->offset);
	v = bind_constant(b, e);
	if (v == NULL)
		return -1;
	if (value_is_null(v))
		return refused_null(b, end);
	if (v->i < 0)
		return error_set(b->error, ERR_FRAME_OFFSET, 0,
			"frame %s offset must not be negative", end->start ? "starting" : "ending");
	/* As good as any, and nothing overflows. */
	*out = v->i > INT64_MAX / 4 ? INT64_MAX / 4 : v->i;
	if (end->preceding)
		*out = -*out;
	return 0;
}

/* --- RANGE --- */

/* What the offset of a key is, and what both are computed as; TYPE_UNKNOWN: there is none. */
static enum type_id offset_type(enum type_id key, enum type_id *computed)
{
	switch (key) {
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
		/* Of which none overflows. */
		*computed = TYPE_NUMERIC;
		return TYPE_INT8;
	case TYPE_NUMERIC: return *computed = TYPE_NUMERIC;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8: return *computed = TYPE_FLOAT8;
	case TYPE_DATE:
	case TYPE_TIMESTAMP: *computed = TYPE_TIMESTAMP; return TYPE_INTERVAL;
	case TYPE_TIMESTAMPTZ: *computed = TYPE_TIMESTAMPTZ; return TYPE_INTERVAL;
	case TYPE_INTERVAL: return *computed = TYPE_INTERVAL;
	default: return TYPE_UNKNOWN;
	}
}

static int check_offset(struct binder *b, const struct end *end, const struct value *v)
{
	struct value zero = { .type = v->type };

	if (value_is_null(v))
		return refused_null(b, end);
	if ((v->flags & VALUE_NAN) || (v->type == TYPE_FLOAT8 && isnan(v->d)) ||
		value_compare(v, &zero) < 0)
		return error_set(b->error, ERR_FRAME_OFFSET, 0, NULL);
	if (v->type == TYPE_FLOAT8 && isinf(v->d))
		return refused_offset(b, end->offset);
	return 0;
}

/* typed: the key's type has offsets, but not of this one. */
static int no_range(struct binder *b, const struct expr *key, const struct expr *offset, bool typed)
{
	char have[64], of[64];

	type_name((struct type){ .id = key->type.id }, have, sizeof(have));
	if (!typed)
		return error_set(b->error, ERR_FEATURE, expr_location(offset),
			"RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s",
			have);
	error_set(b->error, ERR_FEATURE, expr_location(offset),
		"RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s",
		have, type_name((struct type){ .id = offset->type.id }, of, sizeof(of)));
	return error_hint(b->error, "Cast the offset value to an appropriate type.");
}

/* The offset as a constant of the type that is computed with. */
static struct expr *range_offset(
	struct binder *b, const struct expr *key, const struct end *end, enum type_id *computed)
{
	enum type_id wanted = offset_type((enum type_id)key->type.id, computed);
	struct expr *x = bind_expr(b, end->offset), *e;
	const struct value *v;

	if (x == NULL)
		return NULL;
	if (wanted == TYPE_UNKNOWN) {
		(void)no_range(b, key, x, false);
		return NULL;
	}
	b->error->code = ERR_OK;
	e = bind_coerce(b, x, (struct type){ .id = (uint8_t)wanted }, CAST_IMPLICIT);
	if (e == NULL) {
		if (b->error->code == ERR_OK)
			(void)no_range(b, key, x, true);
		return NULL;
	}
	if (!expr_is_constant(e)) {
		(void)refused_offset(b, end->offset);
		return NULL;
	}
	v = bind_constant(b, e);
	if (v == NULL || check_offset(b, end, v) != 0)
		return NULL;
	return wanted == TYPE_INT8
		? bind_coerce(b, e, (struct type){ .id = TYPE_NUMERIC }, CAST_IMPLICIT)
		: e;
}

/* The value of the key where the frame begins, or ends. */
static struct expr *range_bound(
	struct binder *b, const struct order *order, const struct end *end, struct expr **key)
{
	enum type_id computed = TYPE_UNKNOWN;
	struct expr *offset = range_offset(b, order->expr, end, &computed), *copy;

	copy = offset == NULL ? NULL : bind_copy(b, order->expr);
	*key = copy == NULL
		? NULL
		: bind_coerce(b, copy, (struct type){ .id = (uint8_t)computed }, CAST_IMPLICIT);
	copy = *key == NULL ? NULL : bind_copy(b, *key);
	return copy == NULL ? NULL
			    : bind_operator(b, end->preceding == order->descending ? "+" : "-",
				      copy, offset, node_location(end->offset));
}

static int bind_range(struct binder *b, struct expr **bound, struct expr **key,
	const struct window_order *order, const struct end *end, int location)
{
	if (order->n != 1)
		return bind_fail(b, ERR_WINDOWING, location,
			"RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column");
	*bound = range_bound(b, &order->order[0], end, key);
	return *bound == NULL ? -1 : 0;
}

/* --- all --- */

static enum frame_exclude exclude_of(unsigned options)
{
	return options & OPTION_EXCLUDE_ROW      ? EXCLUDE_ROW
		: options & OPTION_EXCLUDE_GROUP ? EXCLUDE_GROUP
		: options & OPTION_EXCLUDE_TIES  ? EXCLUDE_TIES
						 : EXCLUDE_NOTHING;
}

int bind_frame(struct binder *b, struct window_frame *f, struct frame_columns *range,
	const struct window_order *order, const PgQuery__WindowDef *d)
{
	unsigned o = (unsigned)d->frame_options;
	struct end from = { d->start_offset, true, o & OPTION_FROM_PRECEDING };
	struct end to = { d->end_offset, false, o & OPTION_TO_PRECEDING };
	struct expr **key = &range->at[FRAME_KEY];

	*f = (struct window_frame){ .exclude = exclude_of(o),
		.from_first = o & OPTION_FROM_FIRST,
		.to_last = o & OPTION_TO_LAST };
	*range = (struct frame_columns){ { NULL } };
	f->mode = o & OPTION_ROWS ? FRAME_ROWS : o & OPTION_GROUPS ? FRAME_GROUPS : FRAME_RANGE;
	if (f->mode == FRAME_GROUPS && order->n == 0)
		return bind_fail(
			b, ERR_WINDOWING, d->location, "GROUPS mode requires an ORDER BY clause");
	if (f->mode == FRAME_RANGE) {
		if ((o & OPTION_FROM) &&
			bind_range(b, &range->at[FRAME_FROM], key, order, &from, d->location) != 0)
			return -1;
		return o & OPTION_TO
			? bind_range(b, &range->at[FRAME_TO], key, order, &to, d->location)
			: 0;
	}
	if ((o & OPTION_FROM) && bind_count(b, f->mode, &from, &f->from) != 0)
		return -1;
	return o & OPTION_TO ? bind_count(b, f->mode, &to, &f->to) : 0;
}
