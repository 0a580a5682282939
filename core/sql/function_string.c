/*
 * function_string.c: more functions of text: character for character, quoting, encodings, digests, format().
 */
#include <stdio.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/utf8.h"
#include "core/sql/function_table.h"
#include "core/sql/md5.h"

/* --- characters --- */

/* The bytes of the character at position k of the text; NULL behind its end. */
static const char *character_at(const struct value *v, size_t k, size_t *step)
{
	size_t at = utf8_offset(v->s.p, v->s.len, k);

	if (at >= v->s.len)
		return NULL;
	*step = utf8_offset(v->s.p + at, v->s.len - at, 1);
	return v->s.p + at;
}

/* The position of a character in a set; -1: not there. */
static int64_t place_in(const struct value *set, const char *p, size_t n)
{
	int64_t k = 0;

	ASSERT(p != NULL);
	for (size_t i = 0, step; i < set->s.len; i += step, k++) {
		step = utf8_offset(set->s.p + i, set->s.len - i, 1);
		if (step == n && memcmp(set->s.p + i, p, n) == 0)
			return k;
	}
	return -1;
}

static int text_translate(ARGS)
{
	/* A character takes at most four bytes. */
	char *q = text_room(4 * (size_t)a[0].s.len, c);
	size_t at = 0;

	(void)n;
	if (q == NULL)
		return -1;
	for (size_t i = 0, step; i < a[0].s.len; i += step) {
		const char *to;
		size_t width;
		int64_t k;

		step = utf8_offset(a[0].s.p + i, a[0].s.len - i, 1);
		k = place_in(&a[1], a[0].s.p + i, step);
		width = step;
		to = k < 0 ? a[0].s.p + i : character_at(&a[2], (size_t)k, &width);
		if (to == NULL)
			continue;
		memcpy(q + at, to, width);
		at += width;
	}
	return text_result(out, q, at);
}

/* overlay(text placing text from start for count) */
static int text_overlay(ARGS)
{
	int64_t start = a[2].i,
		count = n == 4 ? a[3].i : (int64_t)utf8_length(a[1].s.p, a[1].s.len);
	size_t head, skip = 0, at = 0;
	char *q;

	if (start <= 0)
		return error_set(c->error, ERR_SUBSTRING, 0, NULL);
	if (start + count > INT32_MAX)
		return error_set(c->error, ERR_NUMERIC_RANGE, 0, "integer out of range");
	head = utf8_offset(a[0].s.p, a[0].s.len, (size_t)start - 1);
	if (start + count > 1)
		skip = utf8_offset(a[0].s.p, a[0].s.len, (size_t)(start + count) - 1);
	q = text_room(head + a[1].s.len + a[0].s.len - skip, c);
	if (q == NULL)
		return -1;
	memcpy(q, a[0].s.p, head);
	at = head;
	memcpy(q + at, a[1].s.p, a[1].s.len);
	at += a[1].s.len;
	memcpy(q + at, a[0].s.p + skip, a[0].s.len - skip);
	return text_result(out, q, at + a[0].s.len - skip);
}

/* --- encodings --- */

static int to_hex(ARGS)
{
	uint64_t u = a[0].type == TYPE_INT4 ? (uint32_t)a[0].i : (uint64_t)a[0].i;
	char *p = text_room(24, c);

	(void)n;
	if (p == NULL)
		return -1;
	return text_result(out, p, (size_t)snprintf(p, 24, "%llx", (unsigned long long)u));
}

static int text_md5(ARGS)
{
	uint8_t digest[MD5_BYTES];
	char *p = text_room(2 * MD5_BYTES + 1, c);

	(void)n;
	if (p == NULL)
		return -1;
	md5(a[0].s.p, a[0].s.len, digest);
	for (unsigned i = 0; i < MD5_BYTES; i++)
		(void)snprintf(p + 2 * (size_t)i, 3, "%02x", digest[i]);
	return text_result(out, p, 2 * MD5_BYTES);
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
enum { BASE64_LINE = 76 };

static size_t encode_base64(const uint8_t *p, size_t n, char *q)
{
	size_t at = 0, line = 0;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t u = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			(i + 2 < n ? p[i + 2] : 0u);

		q[at++] = BASE64[u >> 18];
		q[at++] = BASE64[u >> 12 & 63];
		q[at++] = i + 1 < n ? BASE64[u >> 6 & 63] : '=';
		q[at++] = i + 2 < n ? BASE64[u & 63] : '=';
		line += 4;
		if (line == BASE64_LINE) {
			q[at++] = '\n';
			line = 0;
		}
	}
	return at;
}

static size_t encode_hex(const uint8_t *p, size_t n, char *q)
{
	static const char HEX[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		q[2 * i] = HEX[p[i] >> 4];
		q[2 * i + 1] = HEX[p[i] & 15];
	}
	return 2 * n;
}

static size_t encode_escape(const uint8_t *p, size_t n, char *q)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] == 0 || p[i] >= 0x80) {
			q[at++] = '\\';
			q[at++] = (char)('0' + (p[i] >> 6));
			q[at++] = (char)('0' + (p[i] >> 3 & 7));
			q[at++] = (char)('0' + (p[i] & 7));
		} else {
			if (p[i] == '\\')
				q[at++] = '\\';
			q[at++] = (char)p[i];
		}
	return at;
}

static bool named(const struct value *v, const char *name)
{
	if (v->s.len != strlen(name))
		return false;
	for (size_t i = 0; i < v->s.len; i++) {
		char x = v->s.p[i];

		if ((x >= 'A' && x <= 'Z' ? (char)(x + 32) : x) != name[i])
			return false;
	}
	return true;
}

static int unknown_encoding(const struct value *name, struct call *c)
{
	return error_set(c->error, ERR_INVALID_PARAMETER, 0, "unrecognized encoding: \"%.*s\"",
		name->s.len > 60 ? 60 : (int)name->s.len, name->s.p);
}

static int bytea_encode(ARGS)
{
	const uint8_t *p = (const uint8_t *)a[0].s.p;
	size_t len = a[0].s.len;
	char *q = text_room(4 * len + 8, c);

	(void)n;
	if (q == NULL)
		return -1;
	if (named(&a[1], "hex"))
		len = encode_hex(p, len, q);
	else if (named(&a[1], "base64"))
		len = encode_base64(p, len, q);
	else if (named(&a[1], "escape"))
		len = encode_escape(p, len, q);
	else
		return unknown_encoding(&a[1], c);
	return text_result(out, q, len);
}

static int hex_digit(char x)
{
	return x >= '0' && x <= '9'    ? x - '0'
		: x >= 'a' && x <= 'f' ? x - 'a' + 10
		: x >= 'A' && x <= 'F' ? x - 'A' + 10
				       : -1;
}

static bool is_blank(char x)
{
	return x == ' ' || x == '\n' || x == '\t' || x == '\r';
}

static int decode_hex(const struct value *v, char *q, size_t *at, struct call *c)
{
	for (size_t i = 0; i < v->s.len; i++) {
		int high, low;

		if (is_blank(v->s.p[i]))
			continue;
		high = hex_digit(v->s.p[i]);
		if (high < 0)
			return error_set(c->error, ERR_INVALID_PARAMETER, 0,
				"invalid hexadecimal digit: \"%c\"", v->s.p[i]);
		if (++i == v->s.len)
			return error_set(c->error, ERR_INVALID_PARAMETER, 0,
				"invalid hexadecimal data: odd number of digits");
		low = hex_digit(v->s.p[i]);
		if (low < 0)
			return error_set(c->error, ERR_INVALID_PARAMETER, 0,
				"invalid hexadecimal digit: \"%c\"", v->s.p[i]);
		q[(*at)++] = (char)(high << 4 | low);
	}
	return 0;
}

static int bad_base64(struct call *c)
{
	return error_set(c->error, ERR_INVALID_PARAMETER, 0, "invalid base64 end sequence");
}

/* Groups of four characters, of which the last may end in one or two "=". */
static int decode_base64(const struct value *v, char *q, size_t *at, struct call *c)
{
	unsigned have = 0, padding = 0;
	uint32_t u = 0;

	for (size_t i = 0; i < v->s.len; i++) {
		const char *found = v->s.p[i] == '\0' ? NULL : strchr(BASE64, v->s.p[i]);

		if (is_blank(v->s.p[i]))
			continue;
		if (v->s.p[i] == '=') {
			if (padding == 0 && have < 2)
				return error_set(c->error, ERR_INVALID_PARAMETER, 0,
					"unexpected \"=\" while decoding base64 sequence");
			padding++;
			u <<= 6;
		} else if (found == NULL) {
			return error_set(c->error, ERR_INVALID_PARAMETER, 0,
				"invalid symbol \"%c\" found while decoding base64 sequence",
				v->s.p[i]);
		} else {
			u = u << 6 | (uint32_t)(found - BASE64);
		}
		if (++have < 4)
			continue;
		q[(*at)++] = (char)(u >> 16);
		if (padding < 2)
			q[(*at)++] = (char)(u >> 8);
		if (padding < 1)
			q[(*at)++] = (char)u;
		have = 0;
		u = 0;
	}
	return have == 0 ? 0 : bad_base64(c);
}

static int decode_escape(const struct value *v, char *q, size_t *at, struct call *c)
{
	const char *p = v->s.p, *end = p + v->s.len;

	while (p < end) {
		if (*p != '\\') {
			q[(*at)++] = *p++;
		} else if (end - p > 1 && p[1] == '\\') {
			q[(*at)++] = '\\';
			p += 2;
		} else if (end - p > 3 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
			p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			q[(*at)++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			return error_set(c->error, ERR_INVALID_TEXT, 0,
				"invalid input syntax for type bytea");
		}
	}
	return 0;
}

static int text_decode(ARGS)
{
	char *q = text_room((size_t)a[0].s.len + 4, c);
	size_t at = 0;
	int status;

	(void)n;
	if (q == NULL)
		return -1;
	if (named(&a[1], "hex"))
		status = decode_hex(&a[0], q, &at, c);
	else if (named(&a[1], "base64"))
		status = decode_base64(&a[0], q, &at, c);
	else if (named(&a[1], "escape"))
		status = decode_escape(&a[0], q, &at, c);
	else
		status = unknown_encoding(&a[1], c);
	if (status != 0)
		return -1;
	text_result(out, q, at);
	out->type = TYPE_BYTEA;
	return 0;
}

/* --- quoting, format() --- */

/* A literal of SQL at q, which has room for 2 * len + 3; its length. */
static size_t quote(const char *p, size_t len, char *q)
{
	size_t at = 0;

	if (len > 0 && memchr(p, '\\', len) != NULL)
		q[at++] = 'E';
	q[at++] = '\'';
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\'' || p[i] == '\\')
			q[at++] = p[i];
		q[at++] = p[i];
	}
	q[at++] = '\'';
	return at;
}

static int quote_literal(ARGS)
{
	char *q = text_room(2 * (size_t)a[0].s.len + 3, c);

	(void)n;
	if (q == NULL)
		return -1;
	return text_result(out, q, quote(a[0].s.p, a[0].s.len, q));
}

static int quote_nullable(ARGS)
{
	if (value_is_null(&a[0]))
		return text_result(out, "NULL", 4);
	return quote_literal(out, a, n, c);
}

struct format {
	const char *p, *end;
	const struct value *args; /* the first is the format */
	unsigned n, next;         /* the argument to be used next */
	char *q;                  /* NULL: only measured */
	size_t at;
	struct call *c;
};

static void emit(struct format *f, const char *p, size_t n)
{
	if (f->q != NULL && n > 0)
		memcpy(f->q + f->at, p, n);
	f->at += n;
}

static int bad_format(struct format *f, const char *why)
{
	return error_set(f->c->error, ERR_INVALID_PARAMETER, 0, "%s", why);
}

static int unterminated(struct format *f)
{
	return bad_format(f, "unterminated format() type specifier");
}

/* Digits, -1: none. */
static int64_t digits(struct format *f)
{
	int64_t n = -1;

	for (; f->p < f->end && *f->p >= '0' && *f->p <= '9' && n < INT32_MAX; f->p++)
		n = 10 * (n < 0 ? 0 : n) + (*f->p - '0');
	return n;
}

struct specifier {
	bool left;
	int64_t width;
	unsigned argument; /* 0: the next one */
	char type;
};

static int read_position(struct format *f, int64_t n, struct specifier *s)
{
	if (n == 0)
		return bad_format(
			f, "format specifies argument 0, but arguments are numbered from 1");
	s->argument = n > FUNCTION_CALL_ARGS_MAX ? FUNCTION_CALL_ARGS_MAX + 1 : (unsigned)n;
	f->p++;
	return 0;
}

/* Behind the %: [position$][-][width]type */
static int read_specifier(struct format *f, struct specifier *s)
{
	int64_t n = digits(f);

	*s = (struct specifier){ .width = 0 };
	if (n >= 0 && f->p < f->end && *f->p == '$') {
		if (read_position(f, n, s) != 0)
			return -1;
		n = -1;
	}
	if (n < 0) {
		while (f->p < f->end && *f->p == '-') {
			s->left = true;
			f->p++;
		}
		if (f->p < f->end && *f->p == '*')
			return error_set(f->c->error, ERR_FEATURE, 0,
				"a width from an argument in format() is not supported");
		n = digits(f);
	}
	s->width = n < 0 ? 0 : n;
	if (s->width >= INT32_MAX)
		return error_set(f->c->error, ERR_NUMERIC_RANGE, 0, "number is out of range");
	if (f->p == f->end)
		return unterminated(f);
	s->type = *f->p++;
	return 0;
}

static int put_padded(struct format *f, const struct specifier *s, const char *p, size_t n)
{
	int64_t fill = s->width - (int64_t)utf8_length(p, n);

	if (fill > (1 << 24))
		return error_set(f->c->error, ERR_PROGRAM_LIMIT, 0, NULL);
	if (s->left)
		emit(f, p, n);
	for (; fill > 0; fill--)
		emit(f, " ", 1);
	if (!s->left)
		emit(f, p, n);
	return 0;
}

static int put_argument(struct format *f, const struct specifier *s, const struct value *v)
{
	char *quoted;

	if (s->type == 's')
		return put_padded(f, s, v->s.p, value_is_null(v) ? 0 : v->s.len);
	if (value_is_null(v))
		return put_padded(f, s, "NULL", 4);
	quoted = text_room(2 * (size_t)v->s.len + 3, f->c);
	return quoted == NULL ? -1 : put_padded(f, s, quoted, quote(v->s.p, v->s.len, quoted));
}

static int format_run(struct format *f)
{
	f->p = f->args[0].s.p;
	f->end = f->p + f->args[0].s.len;
	f->next = 1;
	f->at = 0;
	while (f->p < f->end) {
		struct specifier s;

		if (*f->p != '%') {
			emit(f, f->p++, 1);
			continue;
		}
		if (++f->p == f->end)
			return unterminated(f);
		if (*f->p == '%') {
			emit(f, f->p++, 1);
			continue;
		}
		if (read_specifier(f, &s) != 0)
			return -1;
		if (s.type == 'I')
			return error_set(f->c->error, ERR_FEATURE, 0,
				"identifiers in format() are not supported");
		if (s.type != 's' && s.type != 'L')
			return error_set(f->c->error, ERR_INVALID_PARAMETER, 0,
				"unrecognized format() type specifier \"%c\"", s.type);
		if (s.argument > 0)
			f->next = s.argument;
		if (f->next >= f->n)
			return bad_format(f, "too few arguments for format()");
		if (put_argument(f, &s, &f->args[f->next++]) != 0)
			return -1;
	}
	return 0;
}

/* Arguments come as text. */
static int text_format(ARGS)
{
	struct format f = { .args = a, .n = n, .c = c };

	if (value_is_null(&a[0])) {
		text_result(out, NULL, 0);
		out->flags = VALUE_NULL;
		return 0;
	}
	if (format_run(&f) != 0)
		return -1;
	f.q = text_room(f.at, c);
	if (f.q == NULL || format_run(&f) != 0)
		return -1;
	return text_result(out, f.q, f.at);
}

#define T TYPE_TEXT
#define I TYPE_INT4
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "translate", 3, true, false, { T, T, T }, T, text_translate },
	{ "overlay", 3, true, false, { T, T, I }, T, text_overlay },
	{ "overlay", 4, true, false, { T, T, I, I }, T, text_overlay },
	{ "to_hex", 1, true, false, { I }, T, to_hex },
	{ "to_hex", 1, true, false, { TYPE_INT8 }, T, to_hex },
	{ "md5", 1, true, false, { T }, T, text_md5 },
	{ "md5", 1, true, false, { TYPE_BYTEA }, T, text_md5 },
	{ "encode", 2, true, false, { TYPE_BYTEA, T }, T, bytea_encode },
	{ "decode", 2, true, false, { T, T }, TYPE_BYTEA, text_decode },
	{ "quote_literal", 1, true, false, { T }, T, quote_literal },
	{ "quote_nullable", 1, false, false, { T }, T, quote_nullable },
	{ "format", 1, false, true, { T }, T, text_format },
};
#undef T
#undef I

const struct function_list FUNCTIONS_STRING = { FUNCTIONS,
	sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
