/*
 * to_char_number.c: see to_char.h. The template is read twice: first for the number of digits before and behind the point,
 * the sign's place and so on; then digit for digit, with the number rounded to what it has room for.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/sql/function_table.h"
#include "core/sql/numeric.h"
#include "core/sql/to_char.h"

enum { DIGITS_MAX = 400, FLOAT4_DIGITS = 6, FLOAT8_DIGITS = 15 };

enum pattern {
	N_COMMA,
	N_POINT,
	N_0,
	N_9,
	N_D,
	N_FM,
	N_G,
	N_L,
	N_MI,
	N_PL,
	N_PR,
	N_SG,
	N_S,
	N_TH,
	N_OTHER /* refused */
};

static const struct {
	const char *name;
	enum pattern pattern;
} KEYWORDS[] = {
	{ ",", N_COMMA },
	{ ".", N_POINT },
	{ "0", N_0 },
	{ "9", N_9 },
	{ "B", N_OTHER },
	{ "C", N_OTHER },
	{ "D", N_D },
	{ "EEEE", N_OTHER },
	{ "FM", N_FM },
	{ "G", N_G },
	{ "L", N_L },
	{ "MI", N_MI },
	{ "PL", N_PL },
	{ "PR", N_PR },
	{ "RN", N_OTHER },
	{ "SG", N_SG },
	{ "SP", N_OTHER },
	{ "S", N_S },
	{ "TH", N_TH },
	{ "V", N_OTHER },
};

/* Where the sign S stands. */
enum sign_place { SIGN_NONE, SIGN_BEFORE, SIGN_BEHIND };

/* What the template has. */
struct shape {
	int before, behind;       /* digits */
	int zero_start, zero_end; /* the first and the last 0, counted from 1 */
	int before_sign;          /* digits before the S */
	enum sign_place sign;     /* S */
	bool fill, point, zero, bracket, minus, plus;
};

struct printer {
	struct shape shape;
	const char *number, *at; /* digits, and the one to be printed next */
	const char *last;        /* with FM: the last one that counts; NULL: all do */
	int blanks;              /* places before the number's first digit */
	int position, count;
	char sign;
	bool sign_done, begun, ended; /* begun: a digit has been printed */
	char *q;
	size_t n;
	struct call *c;
};

/* --- reading the template --- */

/* The pattern at p; its length, 0: text. */
static size_t pattern_at(const char *p, const char *end, enum pattern *which, bool *lower)
{
	for (unsigned k = 0; k < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); k++) {
		size_t n = strlen(KEYWORDS[k].name), upper = 0, small = 0;

		if ((size_t)(end - p) < n)
			continue;
		for (size_t i = 0; i < n; i++) {
			char x = KEYWORDS[k].name[i];

			upper += p[i] == x;
			small += p[i] == (x >= 'A' && x <= 'Z' ? (char)(x + 32) : x);
		}
		if (upper != n && small != n)
			continue;
		*which = KEYWORDS[k].pattern;
		*lower = upper != n;
		return n;
	}
	return 0;
}

/* Behind a text in quotes, or a character; with its bytes in *text. */
static const char *text_at(const char *p, const char *end, const char **text, size_t *n)
{
	if (*p == '\\' && p + 1 < end && p[1] == '"')
		p++;
	*text = p;
	*n = utf8_offset(p, (size_t)(end - p), 1);
	return p + *n;
}

static int bad(struct call *c, const char *why)
{
	return error_set(c->error, ERR_SYNTAX, 0, "%s", why);
}

static int shape_digit(struct shape *s, enum pattern which, struct call *c)
{
	if (s->bracket)
		return bad(c,
			which == N_9 ? "\"9\" must be ahead of \"PR\""
				     : "\"0\" must be ahead of \"PR\"");
	if (which == N_0 && !s->zero && !s->point) {
		s->zero = true;
		s->zero_start = s->before + 1;
	}
	if (s->point)
		s->behind++;
	else
		s->before++;
	if (which == N_0)
		s->zero_end = s->before + s->behind;
	if (s->before + s->behind > DIGITS_MAX)
		return error_set(c->error, ERR_FEATURE, 0,
			"a template of more than %d digits is not supported", DIGITS_MAX);
	return 0;
}

static int shape_sign(struct shape *s, struct call *c)
{
	if (s->sign != SIGN_NONE)
		return bad(c, "cannot use \"S\" twice");
	if (s->plus || s->minus || s->bracket)
		return bad(c, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
	s->sign = s->point ? SIGN_BEHIND : SIGN_BEFORE;
	s->before_sign = s->before;
	return 0;
}

static int shape_pattern(struct shape *s, enum pattern which, struct call *c)
{
	switch (which) {
	case N_9:
	case N_0: return shape_digit(s, which, c);
	case N_D:
	case N_POINT:
		if (s->point)
			return bad(c, "multiple decimal points");
		s->point = true;
		return 0;
	case N_FM: s->fill = true; return 0;
	case N_S: return shape_sign(s, c);
	case N_MI:
	case N_PL:
	case N_SG:
		if (s->sign != SIGN_NONE)
			return bad(c, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\" together");
		s->minus |= which != N_PL;
		s->plus |= which != N_MI;
		return 0;
	case N_PR:
		if (s->sign != SIGN_NONE || s->plus || s->minus)
			return bad(c, "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
		s->bracket = true;
		return 0;
	case N_OTHER:
		return error_set(
			c->error, ERR_FEATURE, 0, "this template of a number is not supported");
	default: return 0;
	}
}

static const char *skip_quoted(struct printer *p, const char *at, const char *end);

static int shape_of(struct shape *s, const struct value *format, struct call *c)
{
	const char *at = format->s.p, *end = at + format->s.len, *text;
	enum pattern which;
	bool lower;
	size_t n;

	memset(s, 0, sizeof(*s));
	while (at < end) {
		n = pattern_at(at, end, &which, &lower);
		if (n > 0) {
			if (shape_pattern(s, which, c) != 0)
				return -1;
			at += n;
		} else if (*at == '"') {
			at = skip_quoted(NULL, at, end);
		} else {
			at = text_at(at, end, &text, &n);
		}
	}
	return 0;
}

/* --- the number --- */

/* Digits of v, rounded to the template's, without the sign; *sign. A float has no more than its type can tell, and the
 * template's number of them becomes less. 0, or -1. */
static int digits_of(
	const struct value *v, struct shape *s, char *text, size_t cap, char *sign, struct call *c)
{
	char own[NUMERIC_TEXT_MAX + 1];
	const char *digits = own;
	struct value rounded;
	double d = v->type == TYPE_FLOAT4 ? (double)v->f : v->d;
	int most = v->type == TYPE_FLOAT4 ? FLOAT4_DIGITS : FLOAT8_DIGITS, whole,
	    behind = s->behind;

	switch ((enum type_id)v->type) {
	case TYPE_NUMERIC:
		if (v->flags & VALUE_NAN)
			return error_set(
				c->error, ERR_FEATURE, 0, "to_char of NaN is not supported");
		/* What it has not are zeros, which need no digits of ours. */
		if (numeric_round(&rounded, v, behind < v->scale ? behind : v->scale, c->error) !=
			0)
			return -1;
		own[numeric_format(&rounded, own)] = '\0';
		break;
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
		if (!isfinite(d))
			return error_set(c->error, ERR_FEATURE, 0,
				"to_char of NaN or infinity is not supported");
		whole = snprintf(text, cap, "%.0f", fabs(d));
		if (whole >= most)
			behind = 0;
		else if (whole + behind > most)
			behind = most - whole;
		s->behind = behind;
		(void)snprintf(text, cap, "%.*f", behind, d);
		*sign = text[0] == '-' ? '-' : '+';
		if (*sign == '-')
			memmove(text, text + 1, strlen(text));
		return 0;
	default: (void)snprintf(own, sizeof(own), "%lld", (long long)v->i); break;
	}
	*sign = own[0] == '-' ? '-' : '+';
	digits += own[0] == '-';
	(void)snprintf(text, cap, "%s", digits);
	if (behind > 0) {
		size_t n = strlen(text);
		char *point = strchr(text, '.');
		size_t have = point == NULL ? 0 : n - (size_t)(point - text) - 1;

		if (point == NULL)
			text[n++] = '.';
		memset(text + n, '0', (size_t)behind - have);
		text[n + (size_t)behind - have] = '\0';
	}
	return 0;
}

/* In place of a number that has no room. */
static void fill_hashes(const struct shape *s, char *text)
{
	memset(text, '#', (size_t)(s->before + s->behind) + 1);
	text[s->before] = '.';
	text[s->before + s->behind + 1] = '\0';
}

/* --- printing --- */

static void put(struct printer *p, const char *text, size_t n)
{
	if (p->ended)
		return;
	memcpy(p->q + p->n, text, n);
	p->n += n;
}

static const char *skip_quoted(struct printer *p, const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		if (p != NULL)
			put(p, at, 1);
	}
	return at < end ? at + 1 : at;
}

/* "9.9" of 0.1: a blank in place of the zero. */
static bool zero_left_out(const struct printer *p)
{
	return !p->shape.zero && p->number == p->at && *p->number == '0' && p->shape.behind != 0;
}

static bool last_is_point(const struct printer *p)
{
	return p->last != NULL && *p->last == '.';
}

/* The sign stands before the first digit. */
static void put_sign(struct printer *p)
{
	const struct shape *s = &p->shape;

	if (p->sign_done ||
		(p->position < p->blanks && !(s->zero && s->zero_start == p->position)) ||
		(zero_left_out(p) && !last_is_point(p)))
		return;
	if (s->sign != SIGN_NONE) {
		if (s->sign != SIGN_BEFORE)
			return;
		put(p, &p->sign, 1);
	} else if (s->bracket) {
		put(p, p->sign == '+' ? " " : "<", 1);
	} else if (p->sign == '-') {
		put(p, "-", 1);
	} else if (!s->fill) {
		put(p, " ", 1);
	}
	p->sign_done = true;
}

static void put_blank(struct printer *p)
{
	if (!p->shape.fill)
		put(p, " ", 1);
}

static void put_next(struct printer *p, enum pattern which)
{
	if (*p->at == '.') {
		if (!last_is_point(p) || p->shape.fill)
			put(p, ".", 1);
	} else if (p->last != NULL && p->at > p->last && which != N_0) {
		;
	} else if (zero_left_out(p)) {
		if (!p->shape.fill)
			put(p, " ", 1);
		else if (last_is_point(p))
			put(p, "0", 1);
	} else if (*p->at == '\0') {
		/* A float with fewer digits than there are places: PostgreSQL's text ends here. */
		p->ended = true;
	} else {
		put(p, p->at, 1);
		p->begun = true;
	}
	p->at += *p->at != '\0';
}

static void put_end(struct printer *p)
{
	const struct shape *s = &p->shape;
	int end = p->count + (p->blanks > 0) + s->point;

	if (p->last != NULL && p->last == p->at)
		end = p->position;
	if (p->position + 1 != end)
		return;
	if (p->sign_done && s->bracket)
		put(p, p->sign == '+' ? " " : ">", 1);
	else if (s->sign == SIGN_BEHIND)
		put(p, &p->sign, 1);
}

static void put_digit(struct printer *p, enum pattern which)
{
	const struct shape *s = &p->shape;

	put_sign(p);
	if (p->position < p->blanks && (s->zero_start > p->position || !s->zero)) {
		put_blank(p);
	} else if (s->zero && p->position < p->blanks) {
		put(p, "0", 1);
		p->begun = true;
	} else {
		put_next(p, which);
	}
	put_end(p);
	p->position++;
}

static void put_ordinal(struct printer *p, bool lower)
{
	size_t n = strlen(p->number);
	unsigned last = (unsigned)(p->number[n - 1] - '0');

	if (*p->number == '#' || p->sign == '-' || p->shape.point)
		return;
	if (last > 3 || (n > 1 && p->number[n - 2] == '1'))
		last = 0;
	put(p, (lower ? "thstndrd" : "THSTNDRD") + 2 * (size_t)last, 2);
}

static void put_pattern(struct printer *p, enum pattern which, bool lower)
{
	switch (which) {
	case N_9:
	case N_0:
	case N_D:
	case N_POINT: put_digit(p, which); break;
	case N_COMMA:
	case N_G:
		if (p->begun)
			put(p, ",", 1);
		else
			put_blank(p);
		break;
	case N_L: put(p, " ", 1); break;
	case N_MI:
		if (p->sign == '-')
			put(p, "-", 1);
		else
			put_blank(p);
		break;
	case N_PL:
		if (p->sign == '+')
			put(p, "+", 1);
		else
			put_blank(p);
		break;
	case N_SG: put(p, &p->sign, 1); break;
	case N_TH: put_ordinal(p, lower); break;
	default: break;
	}
}

/* The last digit behind the point that is not zero, or the point. */
static const char *last_relevant(const char *number)
{
	const char *p = strchr(number, '.'), *last = p;

	while (p != NULL && *++p != '\0')
		if (*p != '0')
			last = p;
	return last;
}

static void prepare(struct printer *p)
{
	struct shape *s = &p->shape;

	if (s->zero_start > 0)
		s->zero_start--;
	if (s->plus || s->minus) {
		p->sign_done = !(s->plus && !s->minus);
	} else {
		if (p->sign != '-' && s->fill)
			s->bracket = false;
		p->sign_done = p->sign == '+' && s->fill && s->sign == SIGN_NONE;
		if (s->sign == SIGN_BEFORE && s->before == s->before_sign)
			s->sign = SIGN_BEHIND;
	}
	p->count = s->behind + s->before - 1;
	if (s->fill && s->point) {
		p->last = last_relevant(p->number);
		if (p->last != NULL && s->zero_end > p->blanks) {
			int zero = (int)strlen(p->number) - 1;

			if (zero > s->zero_end - p->blanks)
				zero = s->zero_end - p->blanks;
			if (p->last < p->number + zero)
				p->last = p->number + zero;
		}
	}
	if (!p->sign_done && p->blanks == 0)
		p->count++;
}

static void put_all(struct printer *p, const struct value *format)
{
	const char *at = format->s.p, *end = at + format->s.len, *text;
	enum pattern which;
	bool lower;
	size_t n;

	while (at < end) {
		n = pattern_at(at, end, &which, &lower);
		if (n > 0) {
			put_pattern(p, which, lower);
			at += n;
		} else if (*at == '"') {
			at = skip_quoted(p, at, end);
		} else {
			at = text_at(at, end, &text, &n);
			put(p, text, n);
		}
	}
}

int to_char_number(
	struct value *out, const struct value *v, const struct value *format, struct call *c)
{
	char number[2 * DIGITS_MAX + 8];
	struct printer p = { .number = number, .at = number, .c = c };
	int whole;

	if (shape_of(&p.shape, format, c) != 0 ||
		digits_of(v, &p.shape, number, sizeof(number), &p.sign, c) != 0)
		return -1;
	whole = (int)strcspn(number, ".");
	if (whole < p.shape.before)
		p.blanks = p.shape.before - whole;
	else if (whole > p.shape.before)
		fill_hashes(&p.shape, number);
	prepare(&p);
	/* A pattern gives at most a sign before it, itself and a sign behind. */
	p.q = text_room(4 * (size_t)format->s.len + 8, c);
	if (p.q == NULL)
		return -1;
	put_all(&p, format);
	return text_result(out, p.q, p.n);
}
