/*
 * params.c: rows of parameters, kept packed (core/store/row.h) at all times.
 *
 * A value of fixed width goes into its slot. Variable bytes lie behind the slots in the order of their columns
 * without gaps, so setting one of another length moves those behind it. Rows have few of them.
 */
#include "net/client/client_internal.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/utf8.h"
#include "core/sql/cast.h"
#include "core/sql/numeric.h"

enum { NULLS_AT = 4 };

struct lf_params *lf_params_new(const struct lf_statement *s)
{
	struct lf_params *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->cap = (s->shape->params.fixed + (size_t)64 + 7) & ~(size_t)7;
	p->row = malloc(p->cap);
	if (p->row == NULL) {
		free(p);
		return NULL;
	}
	p->shape = shape_hold(s->shape);
	arena_init(&p->scratch, NULL);
	lf_params_clear(p);
	return p;
}

void lf_params_free(struct lf_params *p)
{
	if (p == NULL)
		return;
	shape_release(p->shape);
	arena_free(&p->scratch);
	free(p->row);
	free(p);
}

static void put_size(struct lf_params *p)
{
	uint32_t size = (uint32_t)((p->tail + 7) & ~(size_t)7);

	memset(p->row + p->tail, 0, size - p->tail);
	memcpy(p->row, &size, sizeof(size));
}

void lf_params_clear(struct lf_params *p)
{
	const struct row_layout *l = &p->shape->params;

	memset(p->row, 0, l->fixed);
	for (unsigned i = 0; i < l->ncols; i++)
		p->row[NULLS_AT + i / 8] |= (unsigned char)(1u << (i % 8));
	p->tail = l->fixed;
	put_size(p);
	p->failed = false;
}

/* --- errors --- */

static int fail(struct lf_params *p, unsigned i, const struct error *e)
{
	p->failed = true;
	p->failed_at = i;
	return client_error_from(&p->error, e);
}

static int no_such(struct lf_params *p, unsigned i)
{
	p->failed = true;
	p->failed_at = i;
	return client_error(&p->error, "42P02", "there is no parameter $%u", i + 1);
}

static int wrong_type(struct lf_params *p, unsigned i)
{
	char name[64];

	p->failed = true;
	p->failed_at = i;
	return client_error(&p->error, "42804", "parameter $%u is of type %s", i + 1,
		type_name(p->shape->params.types[i], name, sizeof(name)));
}

const struct lf_client_error *lf_params_error(const struct lf_params *p)
{
	return p->failed ? &p->error : NULL;
}

/* --- slots --- */

static bool is_bytes(uint8_t type)
{
	return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR ||
		type == TYPE_BYTEA;
}

static inline uint8_t type_of(const struct lf_params *p, unsigned i)
{
	return i < p->shape->params.ncols ? p->shape->params.types[i].id : TYPE_COUNT;
}

static inline int put_fixed(struct lf_params *p, unsigned i, const void *value, size_t width)
{
	memcpy(p->row + p->shape->params.offsets[i], value, width);
	p->row[NULLS_AT + i / 8] &= (unsigned char)~(1u << (i % 8));
	if (p->failed && p->failed_at == i)
		p->failed = false;
	return 0;
}

/* Where the variable bytes of column i are or would be, and how many. */
static size_t extent(const struct lf_params *p, unsigned i, size_t *len)
{
	const struct row_layout *l = &p->shape->params;
	uint32_t at, n;

	*len = 0;
	if (!row_is_null(p->row, i)) {
		memcpy(&at, p->row + l->offsets[i], sizeof(at));
		memcpy(&n, p->row + l->offsets[i] + 4, sizeof(n));
		*len = n;
		return at;
	}
	while (i-- > 0)
		if (is_bytes(l->types[i].id) && !row_is_null(p->row, i)) {
			memcpy(&at, p->row + l->offsets[i], sizeof(at));
			memcpy(&n, p->row + l->offsets[i] + 4, sizeof(n));
			return (size_t)at + n;
		}
	return l->fixed;
}

static int reserve(struct lf_params *p, size_t size)
{
	size_t cap = p->cap;
	unsigned char *grown;

	if (size <= cap)
		return 0;
	while (cap < size)
		cap *= 2;
	grown = realloc(p->row, cap);
	if (grown == NULL)
		return -1;
	p->row = grown;
	p->cap = cap;
	return 0;
}

/* Make the extent of column i as long as n, moving what is behind it. Its offset, 0: it cannot be. */
static size_t resize(struct lf_params *p, unsigned i, size_t n)
{
	const struct row_layout *l = &p->shape->params;
	size_t old, at = extent(p, i, &old), tail = p->tail - old + n;
	struct error e;

	if (n > ROW_SIZE_MAX || ((tail + 7) & ~(size_t)7) > ROW_SIZE_MAX) {
		error_set(&e, ERR_PROGRAM_LIMIT, 0, "the parameters exceed %d bytes", ROW_SIZE_MAX);
		fail(p, i, &e);
		return 0;
	}
	if (reserve(p, (tail + 7) & ~(size_t)7) != 0) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		fail(p, i, &e);
		return 0;
	}
	if (n == old)
		return at;
	memmove(p->row + at + n, p->row + at + old, p->tail - at - old);
	p->tail = tail;
	put_size(p);
	for (unsigned k = i + 1; k < l->ncols; k++) {
		uint32_t where;

		if (!is_bytes(l->types[k].id) || row_is_null(p->row, k))
			continue;
		memcpy(&where, p->row + l->offsets[k], sizeof(where));
		where = (uint32_t)(where - old + n);
		memcpy(p->row + l->offsets[k], &where, sizeof(where));
	}
	return at;
}

static int put_bytes(struct lf_params *p, unsigned i, const char *bytes, size_t n)
{
	size_t at = resize(p, i, n);
	uint32_t slot[2] = { (uint32_t)at, (uint32_t)n };

	if (at == 0)
		return -1;
	if (n > 0)
		memcpy(p->row + at, bytes, n);
	return put_fixed(p, i, slot, sizeof(slot));
}

int lf_params_set_null(struct lf_params *p, unsigned i)
{
	static const unsigned char ZEROS[32];
	uint8_t type = type_of(p, i);

	if (type == TYPE_COUNT)
		return no_such(p, i);
	if (is_bytes(type))
		(void)resize(p, i, 0);
	put_fixed(p, i, ZEROS, row_slot_width((enum type_id)type));
	p->row[NULLS_AT + i / 8] |= (unsigned char)(1u << (i % 8));
	return 0;
}

/* A value of the parameter's own type. */
static int put_value(struct lf_params *p, unsigned i, const struct value *v)
{
	unsigned char slot[17];
	uint8_t type = type_of(p, i);

	if (is_bytes(type))
		return put_bytes(p, i, v->s.p, v->s.len);
	if (type != TYPE_NUMERIC)
		/* Little-endian: the low bytes of the union are the narrower number. */
		return put_fixed(p, i, v, row_slot_width((enum type_id)type));
	memcpy(slot, &v->n, 16);
	slot[16] = v->scale;
	if (v->flags & VALUE_NAN) {
		memset(slot, 0, 16);
		slot[16] = 255;
	}
	return put_fixed(p, i, slot, sizeof(slot));
}

/* --- setters --- */

int lf_params_set_bool(struct lf_params *p, unsigned i, bool v)
{
	uint8_t type = type_of(p, i);
	unsigned char b = v;

	if (type == TYPE_BOOL)
		return put_fixed(p, i, &b, 1);
	return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
}

static int put_numeric(struct lf_params *p, unsigned i, int128 n, unsigned scale)
{
	struct value v;
	struct error e;

	memset(&v, 0, sizeof(v));
	if (numeric_make(&v, n, scale, &e) != 0 ||
		value_apply_modifier(&v, p->shape->params.types[i], false, &p->scratch, &e) != 0)
		return fail(p, i, &e);
	return put_value(p, i, &v);
}

int lf_params_set_int(struct lf_params *p, unsigned i, int64_t v)
{
	uint8_t type = type_of(p, i);
	struct error e;
	char name[64];

	switch (type) {
	case TYPE_INT8: return put_fixed(p, i, &v, 8);
	case TYPE_INT4:
		if (v == (int32_t)v)
			return put_fixed(p, i, &v, 4);
		break;
	case TYPE_INT2:
		if (v == (int16_t)v)
			return put_fixed(p, i, &v, 2);
		break;
	case TYPE_NUMERIC: return put_numeric(p, i, v, 0);
	case TYPE_COUNT: return no_such(p, i);
	default: return wrong_type(p, i);
	}
	error_set(&e, ERR_NUMERIC_RANGE, 0, "%s out of range",
		type_name(p->shape->params.types[i], name, sizeof(name)));
	return fail(p, i, &e);
}

int lf_params_set_double(struct lf_params *p, unsigned i, double v)
{
	uint8_t type = type_of(p, i);
	float f = (float)v;
	struct error e;

	if (type == TYPE_FLOAT8)
		return put_fixed(p, i, &v, 8);
	if (type != TYPE_FLOAT4)
		return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
	if ((isinf(f) && !isinf(v)) || (f == 0 && v != 0)) {
		error_set(&e, ERR_NUMERIC_RANGE, 0, "value out of range: %s",
			f == 0 ? "underflow" : "overflow");
		return fail(p, i, &e);
	}
	return put_fixed(p, i, &f, 4);
}

int lf_params_set_decimal(struct lf_params *p, unsigned i, int64_t coefficient, unsigned scale)
{
	uint8_t type = type_of(p, i);

	if (type != TYPE_NUMERIC)
		return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
	return put_numeric(p, i, coefficient, scale);
}

int lf_params_set_text(struct lf_params *p, unsigned i, const char *s, size_t len)
{
	uint8_t type = type_of(p, i);
	struct error e;
	struct value v;

	if (type != TYPE_TEXT && type != TYPE_VARCHAR && type != TYPE_BPCHAR)
		return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
	if (len == SIZE_MAX)
		len = strlen(s);
	memset(&v, 0, sizeof(v));
	v.type = type;
	v.s.p = s;
	v.s.len = len > ROW_SIZE_MAX ? ROW_SIZE_MAX + 1 : (uint32_t)len;
	if (!utf8_valid(s, len)) {
		error_set(&e, ERR_BYTE_SEQUENCE, 0, NULL);
		return fail(p, i, &e);
	}
	if (type != TYPE_TEXT &&
		value_apply_modifier(&v, p->shape->params.types[i], false, &p->scratch, &e) != 0)
		return fail(p, i, &e);
	return put_bytes(p, i, v.s.p, v.s.len);
}

int lf_params_set_bytes(struct lf_params *p, unsigned i, const void *bytes, size_t len)
{
	uint8_t type = type_of(p, i);

	if (type == TYPE_BYTEA)
		return put_bytes(p, i, bytes, len);
	return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
}

int lf_params_set_date(struct lf_params *p, unsigned i, int32_t days)
{
	uint8_t type = type_of(p, i);

	if (type == TYPE_DATE)
		return put_fixed(p, i, &days, 4);
	return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
}

int lf_params_set_timestamp(struct lf_params *p, unsigned i, int64_t us)
{
	uint8_t type = type_of(p, i);

	if (type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ)
		return put_fixed(p, i, &us, 8);
	return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
}

int lf_params_set_uuid(struct lf_params *p, unsigned i, const uint8_t uuid[16])
{
	uint8_t type = type_of(p, i);

	if (type == TYPE_UUID)
		return put_fixed(p, i, uuid, 16);
	return type == TYPE_COUNT ? no_such(p, i) : wrong_type(p, i);
}

int lf_params_parse(struct lf_params *p, unsigned i, const char *s, size_t len)
{
	struct locale_guard guard;
	struct value v;
	struct error e;
	int status;

	if (type_of(p, i) == TYPE_COUNT)
		return no_such(p, i);
	arena_reset(&p->scratch);
	locale_plain(&guard);
	status = value_parse(&v, p->shape->params.types[i], s, len == SIZE_MAX ? strlen(s) : len,
		&p->scratch, &e);
	locale_restore(&guard);
	return status == 0 ? put_value(p, i, &v) : fail(p, i, &e);
}

/* --- the row --- */

const void *lf_params_row(const struct lf_params *p, size_t *size)
{
	*size = row_size(p->row);
	return p->row;
}

size_t lf_params_slot(const struct lf_params *p, unsigned i)
{
	return i < p->shape->params.ncols ? p->shape->params.offsets[i] : 0;
}
