/*
 * array.c: see array.h. Elements are quoted by PostgreSQL's rules (array_out).
 */
#include "core/sql/array.h"

#include <string.h>
#include <strings.h>

#include "core/sql/cast.h"
#include "core/sql/function_table.h"

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* --- making --- */

/* Bytes that quotes and backslashes add; 0: it may stand as it is. */
static size_t quotes_of(const char *p, size_t n)
{
	bool quoted = n == 0 || (n == 4 && strncasecmp(p, "NULL", 4) == 0);
	size_t escaped = 0;

	for (size_t i = 0; i < n; i++) {
		escaped += p[i] == '"' || p[i] == '\\';
		quoted = quoted || p[i] == '{' || p[i] == '}' || p[i] == ',' || is_space(p[i]);
	}
	return quoted || escaped > 0 ? 2 + escaped : 0;
}

static void put_quoted(char *out, const char *p, size_t n)
{
	*out++ = '"';
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			*out++ = '\\';
		*out++ = p[i];
	}
	*out = '"';
}

static int array_element(ARGS)
{
	struct type t = { .id = a->type };
	char small[VALUE_TEXT_MAX], *text, *quoted;
	size_t len, more;

	(void)n;
	if (value_is_null(a))
		return text_result(out, "NULL", 4);
	len = value_format(a, t, small, sizeof(small));
	text = text_room(len, c);
	if (text == NULL)
		return -1;
	(void)value_format(a, t, text, len);
	more = quotes_of(text, len);
	if (more == 0)
		return text_result(out, text, len);
	quoted = text_room(len + more, c);
	if (quoted == NULL)
		return -1;
	put_quoted(quoted, text, len);
	return text_result(out, quoted, len + more);
}

/* --- looking --- */

struct reader {
	const char *p, *end; /* between the braces */
};

static struct reader reader_of(const struct value *v)
{
	return (struct reader){ v->s.p + 1, v->s.p + v->s.len - 1 };
}

/* The next element, its text in buf, which has room for the whole array's. False: none. */
static bool next(struct reader *r, char *buf, size_t *len, bool *null)
{
	const char *p = r->p;
	bool quoted = p < r->end && *p == '"';

	*len = 0;
	if (p >= r->end)
		return false;
	if (quoted)
		p++;
	for (; p < r->end && *p != (quoted ? '"' : ','); p++) {
		if (*p == '\\')
			p++;
		buf[(*len)++] = *p;
	}
	*null = !quoted && *len == 4 && memcmp(buf, "NULL", 4) == 0;
	r->p = p + (quoted ? 2 : 1);
	return true;
}

/* Calls fn for each element, until it returns false. -1: out of memory. */
static int each(const struct value *array, struct call *c,
	bool (*fn)(void *arg, const char *p, size_t len, bool null), void *arg)
{
	struct reader r = reader_of(array);
	char *buf = arena_alloc(c->arena, array->s.len);
	size_t len;
	bool null;

	if (buf == NULL)
		return error_set(c->error, ERR_OUT_OF_MEMORY, 0, NULL);
	while (next(&r, buf, &len, &null) && fn(arg, buf, len, null))
		;
	return 0;
}

static bool count_one(void *arg, const char *p, size_t len, bool null)
{
	(void)p;
	(void)len;
	(void)null;
	++*(int64_t *)arg;
	return true;
}

static int array_cardinality(ARGS)
{
	(void)n;
	result(out, TYPE_INT4);
	out->i = 0;
	return each(&a[0], c, count_one, &out->i);
}

static int array_length(ARGS)
{
	int status = array_cardinality(out, a, n, c);

	/* The empty array has no dimension. */
	if (a[1].i != 1 || out->i == 0)
		out->flags = VALUE_NULL;
	return status;
}

struct joining {
	char *p; /* NULL: only measured */
	size_t n;
	bool first;
	const struct value *separator, *null; /* null NULL: those are left out */
};

static void append(struct joining *j, const char *p, size_t len)
{
	if (j->p != NULL && len > 0)
		memcpy(j->p + j->n, p, len);
	j->n += len;
}

static bool join_one(void *arg, const char *p, size_t len, bool null)
{
	struct joining *j = arg;

	if (null && j->null == NULL)
		return true;
	if (!j->first)
		append(j, j->separator->s.p, j->separator->s.len);
	j->first = false;
	if (null)
		append(j, j->null->s.p, j->null->s.len);
	else
		append(j, p, len);
	return true;
}

static int array_to_string(ARGS)
{
	struct joining j = { .first = true, .separator = &a[1] };

	if (value_is_null(&a[0]) || value_is_null(&a[1])) {
		result(out, TYPE_TEXT);
		out->flags = VALUE_NULL;
		return 0;
	}
	if (n > 2 && !value_is_null(&a[2]))
		j.null = &a[2];
	if (each(&a[0], c, join_one, &j) != 0)
		return -1;
	j.p = text_room(j.n, c);
	if (j.p == NULL)
		return -1;
	j.n = 0;
	j.first = true;
	if (each(&a[0], c, join_one, &j) != 0)
		return -1;
	return text_result(out, j.p, j.n);
}

struct finding {
	int64_t left; /* elements to go */
	const char *p;
	size_t len;
	bool null;
};

static bool find_one(void *arg, const char *p, size_t len, bool null)
{
	struct finding *f = arg;

	f->p = p;
	f->len = len;
	f->null = null;
	return --f->left > 0;
}

static int array_at(ARGS)
{
	struct finding f = { .left = a[1].i, .null = true };

	(void)n;
	result(out, TYPE_TEXT);
	if (f.left > 0 && each(&a[0], c, find_one, &f) != 0)
		return -1;
	if (f.left != 0 || f.null || f.p == NULL) {
		out->flags = VALUE_NULL;
		return 0;
	}
	return text_result(out, f.p, f.len);
}

const struct function ARRAY_ELEMENT = { .name = "array element",
	.nargs = 1,
	.args = { TYPE_UNKNOWN },
	.result = TYPE_TEXT,
	.eval = array_element };
const struct function ARRAY_CARDINALITY = { .name = "cardinality",
	.nargs = 1,
	.strict = true,
	.args = { TYPE_TEXT },
	.result = TYPE_INT4,
	.eval = array_cardinality };
const struct function ARRAY_LENGTH = { .name = "array_length",
	.nargs = 2,
	.strict = true,
	.args = { TYPE_TEXT, TYPE_INT4 },
	.result = TYPE_INT4,
	.eval = array_length };
const struct function ARRAY_TO_STRING = { .name = "array_to_string",
	.nargs = 3,
	.args = { TYPE_TEXT, TYPE_TEXT, TYPE_TEXT },
	.result = TYPE_TEXT,
	.eval = array_to_string };
const struct function ARRAY_AT = { .name = "array at",
	.nargs = 2,
	.strict = true,
	.args = { TYPE_TEXT, TYPE_INT4 },
	.result = TYPE_TEXT,
	.eval = array_at };
