/*
 * regex_parse.c: see regex_parse.h; the manual's section 9.7.3 is what is parsed.
 *
 * One pass of recursive descent: each piece that has been read is written at once. Letters, ranges and classes are
 * written out for both cases when case does not matter, since PCRE2 would fold more than ASCII.
 */
#include "core/base/assert.h"
#include "core/sql/regex_parse.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/sql/regex.h"

enum { REPEAT_MAX = 255, LAST_CHARACTER = 0x10ffff };

/* How an expression prefers its matches: as its first quantified part that prefers anything. */
enum preference { PREFERS_NONE, PREFERS_LONG, PREFERS_SHORT };

struct parser {
	const char *p, *end;
	unsigned flags;
	struct arena *arena;
	struct error *error;
	char *out;
	size_t n, cap;
	unsigned depth, looking; /* within so many brackets; within conditions */
	unsigned closed;         /* groups closed so far */
	bool quantified_long, quantified_short;
	struct regex_facts *facts;
};

static int invalid(struct parser *x, const char *why)
{
	return error_set(x->error, ERR_INVALID_REGEX, 0, "invalid regular expression: %s", why);
}

static int unsupported(struct parser *x, const char *what)
{
	return error_set(
		x->error, ERR_FEATURE, 0, "%s in a regular expression is not supported", what);
}

static int put(struct parser *x, const char *text, size_t n)
{
	if (x->n + n > x->cap) {
		size_t cap = 2 * (x->cap + n);
		char *grown = arena_alloc(x->arena, cap);

		if (grown == NULL)
			return error_set(x->error, ERR_OUT_OF_MEMORY, 0, NULL);
		if (x->n > 0)
			memcpy(grown, x->out, x->n);
		x->out = grown;
		x->cap = cap;
	}
	ASSERT(x->out != NULL);
	memcpy(x->out + x->n, text, n);
	x->n += n;
	return 0;
}

static int puts_to(struct parser *x, const char *text)
{
	return put(x, text, strlen(text));
}

static bool more(const struct parser *x)
{
	return x->p < x->end;
}

static bool looking_at(const struct parser *x, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(x->end - x->p) >= n && memcmp(x->p, text, n) == 0;
}

static bool take(struct parser *x, const char *text)
{
	if (!looking_at(x, text))
		return false;
	x->p += strlen(text);
	return true;
}

/* The next character of valid UTF-8. */
static uint32_t character(struct parser *x)
{
	const unsigned char *p = (const unsigned char *)x->p;
	unsigned bytes = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = bytes == 1 ? p[0] : p[0] & (0x7fu >> bytes);

	for (unsigned i = 1; i < bytes; i++)
		c = c << 6 | (p[i] & 0x3f);
	x->p += bytes;
	return c;
}

static bool is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int put_code(struct parser *x, uint32_t c)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "\\x{%x}", c);
	return puts_to(x, text);
}

static int put_literal(struct parser *x, uint32_t c)
{
	char text[8];

	if (!is_letter(c) || !(x->flags & REGEX_FOLD))
		return put_code(x, c);
	(void)snprintf(text, sizeof(text), "[%c%c]", (char)c, (char)(c ^ 32));
	return puts_to(x, text);
}

/* --- escapes --- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

/* Between min and max digits of the base. */
static int number(struct parser *x, unsigned base, unsigned min, unsigned max, uint32_t *out)
{
	unsigned n = 0;

	for (*out = 0; n < max && more(x) && *out <= LAST_CHARACTER; n++) {
		int d = digit_of(*x->p);

		if (d < 0 || (unsigned)d >= base)
			break;
		*out = *out * base + (unsigned)d;
		x->p++;
	}
	if (n < min || *out > LAST_CHARACTER || *out == 0)
		return invalid(x, "invalid escape \\ sequence");
	return 0;
}

/* An escape that stands for one character, behind its backslash. 1, 0 for any other, -1. */
static int entry(struct parser *x, uint32_t *c)
{
	static const char NAMES[] = "abBefnrtv", CODES[] = "\a\b\\\033\f\n\r\t\v";
	const char *at;

	if (!isalnum((unsigned char)*x->p)) {
		*c = character(x);
		return 1;
	}
	at = strchr(NAMES, *x->p);
	if (at != NULL) {
		x->p++;
		*c = (unsigned char)CODES[at - NAMES];
		return 1;
	}
	switch (*x->p) {
	case 'c':
		x->p++;
		if (!more(x))
			return invalid(x, "invalid escape \\ sequence");
		*c = character(x) & 31;
		return 1;
	case 'u': x->p++; return number(x, 16, 4, 4, c) == 0 ? 1 : -1;
	case 'U': x->p++; return number(x, 16, 8, 8, c) == 0 ? 1 : -1;
	case 'x': x->p++; return number(x, 16, 1, 255, c) == 0 ? 1 : -1;
	case '0': return number(x, 8, 1, 3, c) == 0 ? 1 : -1;
	default: return 0;
	}
}

/* \1 and so on; more digits than groups are an octal character. */
static int reference(struct parser *x)
{
	const char *begin = x->p;
	unsigned n = 0;
	uint32_t c;
	char text[16];

	while (more(x) && isdigit((unsigned char)*x->p) && n <= 10000)
		n = 10 * n + (unsigned)(*x->p++ - '0');
	if (x->p - begin > 1 && n > x->closed) {
		x->p = begin;
		return number(x, 8, 1, 3, &c) != 0 ? -1 : put_literal(x, c);
	}
	if (n > x->closed)
		return invalid(x, "invalid backreference number");
	if (x->flags & REGEX_FOLD)
		return unsupported(x, "a back reference that ignores case");
	x->facts->references = x->facts->ambiguous = true;
	(void)snprintf(text, sizeof(text), "\\g{%u}", n);
	return puts_to(x, text);
}

static int constraint(struct parser *x, const char *text)
{
	x->facts->ambiguous = true;
	return puts_to(x, text);
}

/* Behind a backslash outside of brackets. *quantifiable is cleared for a condition. */
static int escape(struct parser *x, bool *quantifiable)
{
	static const char WORD_BEGIN[] = "(?<!\\w)(?=\\w)", WORD_END[] = "(?<=\\w)(?!\\w)";
	char class[3] = "\\d";
	uint32_t c;
	int is;

	if (!more(x))
		return invalid(x, "invalid escape \\ sequence");
	is = entry(x, &c);
	if (is != 0)
		return is < 0 ? -1 : put_literal(x, c);
	if (*x->p >= '1' && *x->p <= '9')
		return reference(x);
	class[1] = *x->p;
	if (strchr("dswDSW", *x->p++) != NULL)
		return puts_to(x, class);
	*quantifiable = false;
	switch (class[1]) {
	case 'A': return puts_to(x, "\\A");
	case 'Z': return puts_to(x, "\\z");
	case 'm': return constraint(x, WORD_BEGIN);
	case 'M': return constraint(x, WORD_END);
	case 'y': return constraint(x, "\\b");
	case 'Y': return constraint(x, "\\B");
	default: return invalid(x, "invalid escape \\ sequence");
	}
}

/* --- brackets --- */

static int put_range(struct parser *x, uint32_t from, uint32_t to)
{
	if (put_code(x, from) != 0)
		return -1;
	return from == to ? 0 : puts_to(x, "-") != 0 ? -1 : put_code(x, to);
}

/* With the letters of the other case when case does not matter. */
static int put_item(struct parser *x, uint32_t from, uint32_t to)
{
	if (put_range(x, from, to) != 0)
		return -1;
	for (uint32_t base = 'A'; (x->flags & REGEX_FOLD) && base <= 'a'; base += 32) {
		uint32_t first = from > base ? from : base;
		uint32_t last = to < base + 25 ? to : base + 25;

		if (first <= last && put_range(x, first ^ 32, last ^ 32) != 0)
			return -1;
	}
	return 0;
}

/* [:name:], [.x.] or [=x=] at its inner bracket; 1: a character; 0: a class, written; -1. */
static int named(struct parser *x, uint32_t *c)
{
	static const char *const CLASSES[] = { "alnum", "alpha", "blank", "cntrl", "digit", "graph",
		"lower", "print", "punct", "space", "upper", "xdigit", "word", "ascii" };
	char kind = x->p[1], close[3] = { kind, ']' };
	const char *name = x->p + 2, *end;

	end = memmem(name, (size_t)(x->end - name), close, 2);
	if (end == NULL)
		return invalid(x, "brackets [] not balanced");
	x->p = name;
	if (kind != ':') {
		if (name == end)
			return invalid(x, "invalid collating element");
		*c = character(x);
		if (x->p != end)
			return unsupported(x, "a collating element of several characters");
		x->p = end + 2;
		return 1;
	}
	x->p = end + 2;
	for (unsigned i = 0; i < sizeof(CLASSES) / sizeof(CLASSES[0]); i++) {
		bool cased = i == 6 || i == 10;

		if (strlen(CLASSES[i]) != (size_t)(end - name) ||
			memcmp(CLASSES[i], name, (size_t)(end - name)) != 0)
			continue;
		return puts_to(x, "[:") != 0 ||
				puts_to(x,
					cased && (x->flags & REGEX_FOLD) ? "alpha" : CLASSES[i]) !=
					0 ||
				puts_to(x, ":]") != 0
			? -1
			: 0;
	}
	return invalid(x, "invalid character class");
}

/* One character in brackets (1), or a class, which is written (0); -1. */
static int bracket_part(struct parser *x, uint32_t *c)
{
	char class[3] = "\\d";
	int is;

	if (*x->p == '[' && x->p + 1 < x->end && strchr(":.=", x->p[1]) != NULL)
		return named(x, c);
	if (*x->p != '\\') {
		*c = character(x);
		return 1;
	}
	x->p++;
	if (!more(x))
		return invalid(x, "invalid escape \\ sequence");
	is = entry(x, c);
	if (is != 0)
		return is;
	class[1] = *x->p;
	if (class[1] != '\0' && strchr("dswDSW", class[1]) != NULL) {
		x->p++;
		return puts_to(x, class);
	}
	return invalid(x, "invalid escape \\ sequence");
}

static bool range_follows(const struct parser *x)
{
	return looking_at(x, "-") && !looking_at(x, "-]");
}

static int bracket_item(struct parser *x)
{
	uint32_t from, to;
	int is = bracket_part(x, &from);

	if (is < 0)
		return -1;
	if (is == 0)
		return range_follows(x) ? invalid(x, "invalid character range") : 0;
	to = from;
	if (range_follows(x)) {
		x->p++;
		if (!more(x))
			return invalid(x, "brackets [] not balanced");
		is = bracket_part(x, &to);
		if (is < 0)
			return -1;
		if (is == 0 || to < from || range_follows(x))
			return invalid(x, "invalid character range");
	}
	return put_item(x, from, to);
}

/* At the opening bracket. */
static int bracket(struct parser *x, bool *quantifiable)
{
	bool first = true;

	if (looking_at(x, "[[:<:]]") || looking_at(x, "[[:>:]]")) {
		*quantifiable = false;
		x->p += 7;
		return constraint(x, x->p[-4] == '<' ? "(?<!\\w)(?=\\w)" : "(?<=\\w)(?!\\w)");
	}
	x->p++;
	if (take(x, "^")) {
		if (puts_to(x, x->flags & REGEX_LINES ? "[^\\n" : "[^") != 0)
			return -1;
	} else if (puts_to(x, "[") != 0) {
		return -1;
	}
	for (; more(x) && (first || *x->p != ']'); first = false)
		if (bracket_item(x) != 0)
			return -1;
	if (!more(x))
		return invalid(x, "brackets [] not balanced");
	x->p++;
	return puts_to(x, "]");
}

/* --- atoms and what repeats them --- */

static int alternatives(struct parser *x, enum preference *prefers);

/* A bracket that has been opened and written. */
static int group_rest(struct parser *x, enum preference *prefers)
{
	if (++x->depth > LIMIT_REGEX_DEPTH)
		return error_set(x->error, ERR_TOO_COMPLEX, 0, "regular expression is too complex");
	if (alternatives(x, prefers) != 0)
		return -1;
	x->depth--;
	if (!take(x, ")"))
		return invalid(x, "parentheses () not balanced");
	return puts_to(x, ")");
}

static int group(struct parser *x, bool *quantifiable, enum preference *prefers)
{
	static const char *const CONDITIONS[] = { "(?=", "(?!", "(?<=", "(?<!" };

	for (unsigned i = 0; i < 4; i++)
		if (take(x, CONDITIONS[i])) {
			enum preference ignored;

			*quantifiable = false;
			x->looking++;
			if (constraint(x, CONDITIONS[i]) != 0 || group_rest(x, &ignored) != 0)
				return -1;
			x->looking--;
			return 0;
		}
	if (take(x, "(?:"))
		return puts_to(x, "(?:") != 0 ? -1 : group_rest(x, prefers);
	if (looking_at(x, "(?"))
		return invalid(x, "quantifier operand invalid");
	x->p++;
	/* Groups in a condition have no number. */
	if (x->looking > 0)
		return puts_to(x, "(?:") != 0 ? -1 : group_rest(x, prefers);
	x->facts->groups++;
	if (puts_to(x, "(") != 0 || group_rest(x, prefers) != 0)
		return -1;
	x->closed++;
	return 0;
}

/* *quantifiable: what was read may be repeated; *single: it is one character. */
static int atom(struct parser *x, bool *quantifiable, bool *single, enum preference *prefers)
{
	*quantifiable = *single = true;
	*prefers = PREFERS_NONE;
	switch (*x->p) {
	case '(': *single = false; return group(x, quantifiable, prefers);
	case '[': return bracket(x, quantifiable);
	case '\\': x->p++; return escape(x, quantifiable);
	case '.': x->p++; return puts_to(x, x->flags & REGEX_LINES ? "[^\\n]" : ".");
	case '^':
		x->p++;
		*quantifiable = false;
		return puts_to(x, x->flags & REGEX_ANCHORS ? "(?<![^\\n])" : "\\A");
	case '$':
		x->p++;
		*quantifiable = false;
		if (x->flags & REGEX_ANCHORS)
			return constraint(x, "(?![^\\n])");
		return puts_to(x, "\\z");
	default: return put_literal(x, character(x));
	}
}

static int bound(struct parser *x, unsigned *out)
{
	if (!more(x) || !isdigit((unsigned char)*x->p))
		return invalid(x, "invalid repetition count(s)");
	for (*out = 0; more(x) && isdigit((unsigned char)*x->p) && *out <= REPEAT_MAX; x->p++)
		*out = 10 * *out + (unsigned)(*x->p - '0');
	return *out > REPEAT_MAX ? invalid(x, "invalid repetition count(s)") : 0;
}

/* {m}, {m,} or {m,n}, written; *fixed: always as often. */
static int bounds(struct parser *x, bool *fixed)
{
	unsigned min, max;
	char text[32];

	x->p++;
	*fixed = true;
	if (bound(x, &min) != 0)
		return -1;
	(void)snprintf(text, sizeof(text), "{%u}", min);
	if (take(x, ",")) {
		*fixed = false;
		(void)snprintf(text, sizeof(text), "{%u,}", min);
		if (more(x) && *x->p != '}') {
			if (bound(x, &max) != 0)
				return -1;
			if (max < min)
				return invalid(x, "invalid repetition count(s)");
			(void)snprintf(text, sizeof(text), "{%u,%u}", min, max);
		}
	}
	if (!more(x))
		return invalid(x, "braces {} not balanced");
	if (!take(x, "}"))
		return invalid(x, "invalid repetition count(s)");
	return puts_to(x, text);
}

static bool at_bounds(const struct parser *x)
{
	return *x->p == '{' && x->p + 1 < x->end && isdigit((unsigned char)x->p[1]);
}

/* What may stand behind an atom. */
static int quantifier(struct parser *x, bool single, enum preference *prefers)
{
	bool fixed = false;

	if (!more(x) || (strchr("*+?", *x->p) == NULL && !at_bounds(x)))
		return 0;
	if (*x->p != '{') {
		if (put(x, x->p++, 1) != 0)
			return -1;
	} else if (bounds(x, &fixed) != 0) {
		return -1;
	}
	if (!single)
		x->facts->ambiguous = true;
	if (take(x, "?")) {
		if (puts_to(x, "?") != 0)
			return -1;
		if (!fixed) {
			*prefers = PREFERS_SHORT;
			x->quantified_short = true;
		}
	} else if (!fixed) {
		*prefers = PREFERS_LONG;
		x->quantified_long = true;
	}
	if (more(x) && (strchr("*+?", *x->p) != NULL || at_bounds(x)))
		return invalid(x, "quantifier operand invalid");
	return 0;
}

static int branch(struct parser *x, enum preference *prefers)
{
	*prefers = PREFERS_NONE;
	while (more(x) && *x->p != '|' && (*x->p != ')' || x->depth == 0)) {
		bool quantifiable, single;
		enum preference own;

		if (take(x, "(?#")) {
			while (more(x) && *x->p != ')')
				x->p++;
			if (!take(x, ")"))
				return invalid(x, "parentheses () not balanced");
			continue;
		}
		if (*x->p == ')')
			return invalid(x, "parentheses () not balanced");
		if (strchr("*+?", *x->p) != NULL || at_bounds(x))
			return invalid(x, "quantifier operand invalid");
		if (atom(x, &quantifiable, &single, &own) != 0 ||
			(quantifiable && quantifier(x, single, &own) != 0))
			return -1;
		if (*prefers == PREFERS_NONE)
			*prefers = own;
	}
	return 0;
}

static int alternatives(struct parser *x, enum preference *prefers)
{
	enum preference ignored;

	if (branch(x, prefers) != 0)
		return -1;
	while (take(x, "|")) {
		x->facts->ambiguous = true;
		*prefers = PREFERS_LONG;
		if (puts_to(x, "|") != 0 || branch(x, &ignored) != 0)
			return -1;
	}
	return 0;
}

/* --- the whole --- */

static int literal(struct parser *x)
{
	while (more(x))
		if (put_literal(x, character(x)) != 0)
			return -1;
	return 0;
}

/* (?letters) at the beginning. */
static int embedded(struct parser *x)
{
	const char *p = x->p + 2;

	if (!looking_at(x, "(?") || p >= x->end || !isalpha((unsigned char)*p))
		return 0;
	for (; p < x->end && isalpha((unsigned char)*p); p++)
		switch (*p) {
		case 'i': x->flags |= REGEX_FOLD; break;
		case 'c': x->flags &= ~(unsigned)REGEX_FOLD; break;
		case 'm':
		case 'n': x->flags |= REGEX_LINES | REGEX_ANCHORS; break;
		case 'p':
			x->flags |= REGEX_LINES;
			x->flags &= ~(unsigned)REGEX_ANCHORS;
			break;
		case 'w':
			x->flags &= ~(unsigned)REGEX_LINES;
			x->flags |= REGEX_ANCHORS;
			break;
		case 's': x->flags &= ~(unsigned)(REGEX_LINES | REGEX_ANCHORS); break;
		case 't': x->flags &= ~(unsigned)REGEX_EXPANDED; break;
		case 'x': x->flags |= REGEX_EXPANDED; break;
		case 'q': x->flags |= REGEX_LITERAL; break;
		case 'b':
		case 'e': return unsupported(x, "another kind of syntax");
		default: return invalid(x, "invalid embedded option");
		}
	if (p == x->end || *p != ')')
		return invalid(x, "invalid embedded option");
	x->p = p + 1;
	return 0;
}

int regex_parse(const char *pattern, size_t len, unsigned flags, char **out, size_t *out_len,
	struct regex_facts *facts, struct arena *a, struct error *e)
{
	struct parser x = { .p = pattern,
		.end = pattern + len,
		.flags = flags,
		.arena = a,
		.error = e,
		.facts = facts };
	enum preference prefers = PREFERS_NONE;
	int status;

	memset(facts, 0, sizeof(*facts));
	if (!(flags & REGEX_LITERAL)) {
		if (take(&x, "***="))
			x.flags |= REGEX_LITERAL;
		else if (!take(&x, "***:") && looking_at(&x, "***"))
			return invalid(&x, "quantifier operand invalid");
	}
	if (!(x.flags & REGEX_LITERAL) && embedded(&x) != 0)
		return -1;
	if (x.flags & REGEX_EXPANDED)
		return unsupported(&x, "expanded syntax");
	status = x.flags & REGEX_LITERAL ? literal(&x) : alternatives(&x, &prefers);
	if (status == 0)
		status = put(&x, "", 1);
	facts->shortest = prefers == PREFERS_SHORT;
	facts->ambiguous |= x.quantified_long && x.quantified_short;
	*out = x.out;
	*out_len = x.n - (x.n > 0);
	return status;
}
