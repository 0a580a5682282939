/*
 * function_regex.c: functions and operators of regular expressions, and SIMILAR TO.
 */
#include <string.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/sql/function_table.h"
#include "core/sql/regex.h"

/* --- tests --- */

static int test(
	struct value *out, const struct value *a, struct call *c, unsigned flags, bool negated)
{
	const struct regex *r = regex_get(a[1].s.p, a[1].s.len, flags, c->error);
	int found = r == NULL ? -1 : regex_test(r, a[0].s.p, a[0].s.len, c->error);

	if (found < 0)
		return -1;
	result(out, TYPE_BOOL);
	out->i = (found == 1) != negated;
	return 0;
}

#define TEST(name, flags, negated) \
	static int name(ARGS) \
	{ \
		(void)n; \
		return test(out, a, c, flags, negated); \
	}
TEST(regex_match, 0, false)
TEST(regex_nmatch, 0, true)
TEST(regex_imatch, REGEX_FOLD, false)
TEST(regex_nimatch, REGEX_FOLD, true)

/* --- options --- */

static int bad_option(const struct value *text, size_t at, struct call *c)
{
	size_t step = utf8_offset(text->s.p + at, text->s.len - at, 1);

	return error_set(c->error, ERR_INVALID_PARAMETER, 0,
		"invalid regular expression option: \"%.*s\"", (int)step, text->s.p + at);
}

/* The letters of an argument of flags; *global: has g. */
static int options(const struct value *text, unsigned *flags, bool *global, struct call *c)
{
	*flags = 0;
	*global = false;
	for (size_t i = 0; i < text->s.len; i++)
		switch (text->s.p[i]) {
		case 'g': *global = true; break;
		case 'i': *flags |= REGEX_FOLD; break;
		case 'c': *flags &= ~(unsigned)REGEX_FOLD; break;
		case 'm':
		case 'n': *flags |= REGEX_LINES | REGEX_ANCHORS; break;
		case 'p': *flags = (*flags | REGEX_LINES) & ~(unsigned)REGEX_ANCHORS; break;
		case 'w': *flags = (*flags | REGEX_ANCHORS) & ~(unsigned)REGEX_LINES; break;
		case 's': *flags &= ~(unsigned)(REGEX_LINES | REGEX_ANCHORS); break;
		case 't': *flags &= ~(unsigned)REGEX_EXPANDED; break;
		case 'x': *flags |= REGEX_EXPANDED; break;
		case 'q': *flags |= REGEX_LITERAL; break;
		case 'b':
		case 'e':
			return error_set(c->error, ERR_FEATURE, 0,
				"another syntax of regular expressions is not supported");
		default: return bad_option(text, i, c);
		}
	return 0;
}

/* Of a function that has no use for g. */
static int options_once(const struct value *text, const char *name, unsigned *flags, struct call *c)
{
	bool global;

	if (options(text, flags, &global, c) != 0)
		return -1;
	if (global)
		return error_set(c->error, ERR_INVALID_PARAMETER, 0,
			"%s() does not support the \"global\" option", name);
	return 0;
}

static int at_least(const struct value *v, int64_t min, const char *name, struct call *c)
{
	if (v->i >= min)
		return 0;
	return error_set(c->error, ERR_INVALID_PARAMETER, 0,
		"invalid value for parameter \"%s\": %lld", name, (long long)v->i);
}

/* --- searching --- */

/* Matches one behind the other, from a character of the subject on. */
struct search {
	const struct regex *regex;
	const struct value *subject;
	size_t from; /* bytes; beyond the subject: there is no more */
	struct call *c;
};

static int search_begin(struct search *s, const struct value *subject, const struct value *pattern,
	unsigned flags, int64_t start, struct call *c)
{
	size_t chars = (size_t)start - 1;

	s->regex = regex_get(pattern->s.p, pattern->s.len, flags, c->error);
	s->subject = subject;
	s->c = c;
	s->from = utf8_offset(subject->s.p, subject->s.len, chars);
	if (s->from == subject->s.len && utf8_length(subject->s.p, subject->s.len) < chars)
		s->from++;
	return s->regex == NULL ? -1 : 0;
}

/* The next match and its groups. 1, 0, -1. */
static int search_next(struct search *s, struct regex_span *spans, unsigned n)
{
	size_t len = s->subject->s.len;
	int found;

	if (s->from > len)
		return 0;
	found = regex_find(s->regex, s->subject->s.p, len, s->from, spans, n, s->c->error);
	if (found <= 0)
		return found;
	s->from = spans[0].to;
	if (spans[0].from == spans[0].to)
		s->from += s->from == len
			? 1
			: utf8_offset(s->subject->s.p + s->from, len - s->from, 1);
	return 1;
}

static void part(struct value *out, const struct value *subject, struct regex_span span)
{
	result(out, TYPE_TEXT);
	if (span.from == SIZE_MAX) {
		out->flags = VALUE_NULL;
		return;
	}
	out->s.p = subject->s.p + span.from;
	out->s.len = (uint32_t)(span.to - span.from);
}

static const struct regex_span NOTHING = { SIZE_MAX, SIZE_MAX };

/* substring(text from pattern): the first group, or all of the match. */
static int regex_substring(ARGS)
{
	struct regex_span spans[2];
	struct search s;
	unsigned want;
	int found;

	(void)n;
	if (search_begin(&s, &a[0], &a[1], 0, 1, c) != 0)
		return -1;
	want = regex_groups(s.regex) > 0 ? 2 : 1;
	found = search_next(&s, spans, want);
	if (found < 0)
		return -1;
	part(out, &a[0], found == 0 ? NOTHING : spans[want - 1]);
	return 0;
}

static int regexp_like(ARGS)
{
	unsigned flags = 0;

	if (n == 3 && options_once(&a[2], "regexp_like", &flags, c) != 0)
		return -1;
	return test(out, a, c, flags, false);
}

static int regexp_count(ARGS)
{
	struct regex_span span;
	struct search s;
	unsigned flags = 0;
	int64_t count = 0;
	int found;

	if (n > 2 && at_least(&a[2], 1, "start", c) != 0)
		return -1;
	if (n > 3 && options_once(&a[3], "regexp_count", &flags, c) != 0)
		return -1;
	if (search_begin(&s, &a[0], &a[1], flags, n > 2 ? a[2].i : 1, c) != 0)
		return -1;
	while ((found = search_next(&s, &span, 1)) > 0)
		count++;
	result(out, TYPE_INT4);
	out->i = count;
	return found;
}

enum { GROUPS_MAX = 9 };

/* regexp_substr(text, pattern, start, N, flags, group) */
static int regexp_substr(ARGS)
{
	struct regex_span spans[GROUPS_MAX + 1];
	struct search s;
	unsigned flags = 0, group = n > 5 && a[5].i > 0 ? (unsigned)a[5].i : 0;
	int found = 1;

	if ((n > 2 && at_least(&a[2], 1, "start", c) != 0) ||
		(n > 3 && at_least(&a[3], 1, "n", c) != 0) ||
		(n > 5 && at_least(&a[5], 0, "subexpr", c) != 0) ||
		(n > 4 && options_once(&a[4], "regexp_substr", &flags, c) != 0) ||
		search_begin(&s, &a[0], &a[1], flags, n > 2 ? a[2].i : 1, c) != 0)
		return -1;
	/* Without groups the whole is the first one. */
	if (regex_groups(s.regex) == 0 && group == 1)
		group = 0;
	if (group > regex_groups(s.regex)) {
		part(out, &a[0], NOTHING);
		return 0;
	}
	if (group > GROUPS_MAX)
		return error_set(c->error, ERR_FEATURE, 0,
			"more than %d groups of a regular expression are not supported",
			GROUPS_MAX);
	for (int64_t i = n > 3 ? a[3].i : 1; i > 0 && found > 0; i--)
		found = search_next(&s, spans, group + 1);
	if (found < 0)
		return -1;
	part(out, &a[0], found == 0 ? NOTHING : spans[group]);
	return 0;
}

/* --- regexp_replace --- */

struct text {
	char *p;
	size_t n, cap;
	struct call *c;
};

static int add(struct text *t, const char *p, size_t n)
{
	if (t->n + n > LIMIT_ROW_BYTES)
		return error_set(t->c->error, ERR_PROGRAM_LIMIT, 0, NULL);
	if (t->n + n > t->cap) {
		size_t cap = 2 * (t->cap + n);
		char *grown = arena_alloc(t->c->arena, cap);

		if (grown == NULL)
			return error_set(t->c->error, ERR_OUT_OF_MEMORY, 0, NULL);
		if (t->n > 0)
			memcpy(grown, t->p, t->n);
		t->p = grown;
		t->cap = cap;
	}
	if (n > 0)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	return 0;
}

/* How many spans a replacement looks at: the whole, and the groups up to the highest that it names. */
static unsigned spans_named(const struct value *with, unsigned groups)
{
	unsigned most = 0;

	for (size_t i = 0; i + 1 < with->s.len; i++)
		if (with->s.p[i] == '\\') {
			char k = with->s.p[++i];

			if (k >= '1' && k <= '9' && (unsigned)(k - '0') > most)
				most = (unsigned)(k - '0');
		}
	return 1 + (most > groups ? groups : most);
}

/* The replacement, with what \1 … \9 and \& name. */
static int add_replacement(struct text *t, const struct value *with, const struct value *subject,
	const struct regex_span *spans, unsigned n)
{
	for (size_t i = 0; i < with->s.len; i++) {
		char k = with->s.p[i] == '\\' && i + 1 < with->s.len ? with->s.p[i + 1] : '\0';
		unsigned which = k == '&' ? 0 : (unsigned)(k - '0');

		if (k == '\\') {
			i++;
			if (add(t, "\\", 1) != 0)
				return -1;
		} else if (k == '&' || (k >= '1' && k <= '9')) {
			i++;
			if (which < n && spans[which].from != SIZE_MAX &&
				add(t, subject->s.p + spans[which].from,
					spans[which].to - spans[which].from) != 0)
				return -1;
		} else if (add(t, with->s.p + i, 1) != 0) {
			return -1;
		}
	}
	return 0;
}

/* The nth match is replaced; 0: all. */
static int replace(struct value *out, const struct value *a, unsigned flags, int64_t start,
	int64_t nth, struct call *c)
{
	struct regex_span spans[GROUPS_MAX + 1];
	struct text t = { .c = c };
	struct search s;
	size_t copied = 0;
	unsigned n;
	int found;

	if (search_begin(&s, &a[0], &a[1], flags, start, c) != 0)
		return -1;
	n = spans_named(&a[2], regex_groups(s.regex));
	for (int64_t i = 1; (found = search_next(&s, spans, n)) > 0; i++) {
		if (nth > 0 && i != nth)
			continue;
		if (add(&t, a[0].s.p + copied, spans[0].from - copied) != 0 ||
			add_replacement(&t, &a[2], &a[0], spans, n) != 0)
			return -1;
		copied = spans[0].to;
		if (nth > 0)
			break;
	}
	if (found < 0 || add(&t, a[0].s.p + copied, a[0].s.len - copied) != 0)
		return -1;
	result(out, TYPE_TEXT);
	/* Of nothing it has not been given room. */
	out->s.p = t.p != NULL ? t.p : "";
	out->s.len = (uint32_t)t.n;
	return 0;
}

static int regexp_replace(ARGS)
{
	unsigned flags = 0;
	bool global = false;

	if (n == 4 && options(&a[3], &flags, &global, c) != 0)
		return -1;
	return replace(out, a, flags, 1, global ? 0 : 1, c);
}

/* regexp_replace(text, pattern, replacement, start, N, flags) */
static int regexp_replace_nth(ARGS)
{
	unsigned flags = 0;
	bool global = false;

	if (at_least(&a[3], 1, "start", c) != 0 || (n > 4 && at_least(&a[4], 0, "n", c) != 0) ||
		(n > 5 && options(&a[5], &flags, &global, c) != 0))
		return -1;
	return replace(out, a, flags, a[3].i, n > 4 ? a[4].i : 1, c);
}

/* --- SIMILAR TO --- */

/* One character of the pattern and what is written for it; in brackets only the escape is special. */
static int similar_character(struct text *t, const char *p, size_t step, bool bracket)
{
	if (step > 1)
		return add(t, p, step);
	if (bracket)
		return *p == '\\' ? add(t, "\\\\", 2) : add(t, p, 1);
	switch (*p) {
	case '%': return add(t, ".*", 2);
	case '_': return add(t, ".", 1);
	case '(': return add(t, "(?:", 3);
	case '\\':
	case '.':
	case '^':
	case '$':
		if (add(t, "\\", 1) != 0)
			return -1;
		return add(t, p, 1);
	default: return add(t, p, 1);
	}
}

static int similar_rest(struct text *t, const struct value *pattern, char escape)
{
	bool after_escape = false, bracket = false;
	const char *p = pattern->s.p;

	for (size_t i = 0, step; i < pattern->s.len; i += step) {
		step = utf8_offset(p + i, pattern->s.len - i, 1);
		if (after_escape) {
			if (p[i] == '"' && !bracket)
				return error_set(t->c->error, ERR_FEATURE, 0,
					"parts of a SIMILAR TO pattern are not supported");
			if (add(t, "\\", 1) != 0 || add(t, p + i, step) != 0)
				return -1;
			after_escape = false;
			continue;
		}
		if (escape != '\0' && step == 1 && p[i] == escape) {
			after_escape = true;
			continue;
		}
		if (similar_character(t, p + i, step, bracket) != 0)
			return -1;
		if (step == 1 && bracket && p[i] == ']')
			bracket = false;
		else if (step == 1 && p[i] == '[')
			bracket = true;
	}
	return 0;
}

/* The pattern as a regular expression. */
static int similar_to_escape(ARGS)
{
	struct text t = { .c = c };

	if (n == 2 && utf8_length(a[1].s.p, a[1].s.len) > 1)
		return error_set(c->error, ERR_INVALID_ESCAPE, 0, "invalid escape string");
	if (n == 2 && a[1].s.len > 1)
		return error_set(c->error, ERR_FEATURE, 0,
			"an escape character outside of ASCII is not supported");
	if (add(&t, "^(?:", 4) != 0 ||
		similar_rest(&t, &a[0],
			n == 1                    ? '\\'
				: a[1].s.len == 0 ? '\0'
						  : a[1].s.p[0]) != 0 ||
		add(&t, ")$", 2) != 0)
		return -1;
	result(out, TYPE_TEXT);
	/* Of nothing it has not been given room. */
	out->s.p = t.p != NULL ? t.p : "";
	out->s.len = (uint32_t)t.n;
	return 0;
}

#define T TYPE_TEXT
#define I TYPE_INT4
static const struct function FUNCTIONS[] = {
	/* name, arguments, strict, variadic, their types, result, what does it */
	{ "~", 2, true, false, { T, T }, TYPE_BOOL, regex_match },
	{ "!~", 2, true, false, { T, T }, TYPE_BOOL, regex_nmatch },
	{ "~*", 2, true, false, { T, T }, TYPE_BOOL, regex_imatch },
	{ "!~*", 2, true, false, { T, T }, TYPE_BOOL, regex_nimatch },
	{ "~", 2, true, false, { TYPE_BPCHAR, T }, TYPE_BOOL, regex_match },
	{ "!~", 2, true, false, { TYPE_BPCHAR, T }, TYPE_BOOL, regex_nmatch },
	{ "~*", 2, true, false, { TYPE_BPCHAR, T }, TYPE_BOOL, regex_imatch },
	{ "!~*", 2, true, false, { TYPE_BPCHAR, T }, TYPE_BOOL, regex_nimatch },
	{ "similar_to_escape", 1, true, false, { T }, T, similar_to_escape },
	{ "similar_to_escape", 2, true, false, { T, T }, T, similar_to_escape },
	{ "substring", 2, true, false, { T, T }, T, regex_substring },
	{ "substring", 3, true, false, { T, T, T }, T, function_unsupported },
	{ "regexp_like", 2, true, false, { T, T }, TYPE_BOOL, regexp_like },
	{ "regexp_like", 3, true, false, { T, T, T }, TYPE_BOOL, regexp_like },
	{ "regexp_count", 2, true, false, { T, T }, I, regexp_count },
	{ "regexp_count", 3, true, false, { T, T, I }, I, regexp_count },
	{ "regexp_count", 4, true, false, { T, T, I, T }, I, regexp_count },
	{ "regexp_substr", 2, true, false, { T, T }, T, regexp_substr },
	{ "regexp_substr", 3, true, false, { T, T, I }, T, regexp_substr },
	{ "regexp_substr", 4, true, false, { T, T, I, I }, T, regexp_substr },
	{ "regexp_substr", 5, true, false, { T, T, I, I, T }, T, regexp_substr },
	{ "regexp_substr", 6, true, false, { T, T, I, I, T, I }, T, regexp_substr },
	{ "regexp_replace", 3, true, false, { T, T, T }, T, regexp_replace },
	{ "regexp_replace", 4, true, false, { T, T, T, T }, T, regexp_replace },
	{ "regexp_replace", 4, true, false, { T, T, T, I }, T, regexp_replace_nth },
	{ "regexp_replace", 5, true, false, { T, T, T, I, I }, T, regexp_replace_nth },
	{ "regexp_replace", 6, true, false, { T, T, T, I, I, T }, T, regexp_replace_nth },
};
#undef T
#undef I

const struct function_list FUNCTIONS_REGEX = { FUNCTIONS,
	sizeof(FUNCTIONS) / sizeof(FUNCTIONS[0]) };
