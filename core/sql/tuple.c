/*
 * tuple.c: see tuple.h. The keys are sort keys (core/store/sortkey.h).
 */
#include "core/sql/tuple.h"

#include <string.h>

#include "core/sql/function_table.h"
#include "core/store/sortkey.h"

enum { TRAILER = 9 };

_Static_assert(
	(int)TUPLE_DESCENDING == SORT_DESCENDING && (int)TUPLE_NULLS_FIRST == SORT_NULLS_FIRST,
	"directions are those of sort keys");

/* Bytes of the tuple. */
static size_t size_of(const struct value *a, unsigned n)
{
	size_t bytes = TRAILER;

	for (unsigned i = 1; i < n - 2; i++)
		bytes += sortkey_size(&a[i]);
	for (unsigned i = n - 2; i < n; i++)
		bytes += value_is_null(&a[i]) ? 0 : a[i].s.len;
	return bytes;
}

static char *put_bytes(char *out, const struct value *v)
{
	if (value_is_null(v) || v->s.len == 0)
		return out;
	memcpy(out, v->s.p, v->s.len);
	return out + v->s.len;
}

static int tuple_pack(ARGS)
{
	const struct value *value = &a[n - 2], *separator = &a[n - 1];
	char *begin, *end;
	uint32_t at[2];

	result(out, TYPE_BYTEA);
	if (value_is_null(value)) {
		out->flags = VALUE_NULL;
		return 0;
	}
	begin = end = arena_alloc(c->arena, size_of(a, n));
	if (begin == NULL)
		return error_set(c->error, ERR_OUT_OF_MEMORY, 0, NULL);
	for (unsigned i = 1; i < n - 2; i++)
		end = sortkey_put(end, &a[i], (unsigned)a[0].s.p[i - 1]);
	at[0] = (uint32_t)(end - begin);
	at[1] = value->s.len;
	end = put_bytes(put_bytes(end, value), separator);
	memcpy(end, at, sizeof(at));
	end += sizeof(at);
	*end++ = !value_is_null(separator);
	out->s.p = begin;
	out->s.len = (uint32_t)(end - begin);
	return 0;
}

const struct function TUPLE_PACK = { .name = "tuple",
	.nargs = 1,
	.variadic = true,
	.args = { TYPE_BYTEA },
	.result = TYPE_BYTEA,
	.eval = tuple_pack };

size_t tuple_keys(const struct value *tuple)
{
	uint32_t at;

	memcpy(&at, tuple->s.p + tuple->s.len - TRAILER, sizeof(at));
	return at;
}

void tuple_unpack(const struct value *tuple, struct value *value, struct value *separator)
{
	const char *trailer = tuple->s.p + tuple->s.len - TRAILER;
	uint32_t at[2];

	memcpy(at, trailer, sizeof(at));
	result(value, TYPE_TEXT);
	value->s.p = tuple->s.p + at[0];
	value->s.len = at[1];
	result(separator, TYPE_TEXT);
	separator->s.p = value->s.p + at[1];
	separator->s.len = (uint32_t)(trailer - separator->s.p);
	if (trailer[8] == 0)
		separator->flags = VALUE_NULL;
}
