/*
 * split.c: see split.h. One pass from left to right; whether a semicolon ends the statement depends on what is
 * before it only, so a text may be given in growing pieces.
 */
#include "core/sql/split.h"

#include <string.h>
#include <strings.h>

/* Words of a statement's beginning that tell CREATE [OR REPLACE] FUNCTION or PROCEDURE. */
enum { WORDS = 4, WORD_MAX = 9 };

struct scanner {
	const char *t;
	size_t len, i;
	bool backslashes;
	char open; /* a quote or comment that the text does not close */
	unsigned parens, blocks, nwords;
	char words[WORDS]; /* first letters: c o r f p, or - for any other */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || (c & 0x80);
}

static bool at(const struct scanner *x, const char *two)
{
	return x->i + 1 < x->len && x->t[x->i] == two[0] && x->t[x->i + 1] == two[1];
}

/* Past a comment that begins here. */
static bool comment(struct scanner *x)
{
	unsigned depth = 0;

	if (at(x, "--")) {
		while (x->i < x->len && x->t[x->i] != '\n')
			x->i++;
		return true;
	}
	if (!at(x, "/*"))
		return false;
	while (x->i < x->len) {
		if (at(x, "/*")) {
			depth++;
			x->i += 2;
		} else if (at(x, "*/")) {
			x->i += 2;
			if (--depth == 0)
				return true;
		} else {
			x->i++;
		}
	}
	x->open = '*';
	return true;
}

/* Past a string or quoted name that begins here; escapes: E'…' knows backslashes. */
static void quoted(struct scanner *x, bool escapes)
{
	char q = x->t[x->i++];

	while (x->i < x->len) {
		if (escapes && x->t[x->i] == '\\') {
			x->i += 2;
			continue;
		}
		if (x->t[x->i++] == q) {
			if (x->i < x->len && x->t[x->i] == q)
				x->i++;
			else
				return;
		}
	}
	x->i = x->len;
	x->open = q;
}

/* Past a dollar-quoted string that begins here, or past the dollar when it is none. */
static void dollar(struct scanner *x)
{
	size_t tag = x->i + 1, n;

	if (tag < x->len && x->t[tag] >= '0' && x->t[tag] <= '9') {
		x->i++;
		return;
	}
	while (tag < x->len && is_name(x->t[tag]))
		tag++;
	if (tag >= x->len || x->t[tag] != '$') {
		x->i++;
		return;
	}
	n = tag + 1 - x->i;
	for (size_t k = tag + 1; k + n <= x->len; k++)
		if (memcmp(x->t + k, x->t + x->i, n) == 0) {
			x->i = k + n;
			return;
		}
	x->i = x->len;
	x->open = '$';
}

static bool word_is(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

static bool makes_function(const struct scanner *x)
{
	const char *w = x->words;
	unsigned at_kind = x->nwords > 1 && w[1] == 'o' ? 3 : 1;

	return x->nwords > at_kind && w[0] == 'c' && (at_kind == 1 || w[2] == 'r') &&
		(w[at_kind] == 'f' || w[at_kind] == 'p');
}

/* Past a word; BEGIN and CASE open a block in a function's body, END closes one. */
static void word(struct scanner *x)
{
	static const char *const KNOWN[] = { "create", "or", "replace", "function", "procedure" };
	const char *s = x->t + x->i;
	size_t n = 0;

	while (x->i + n < x->len && is_name(s[n]))
		n++;
	x->i += n;
	if (x->nwords < WORDS) {
		x->words[x->nwords] = '-';
		for (unsigned k = 0; k < sizeof(KNOWN) / sizeof(KNOWN[0]); k++)
			if (word_is(s, n, KNOWN[k]))
				x->words[x->nwords] = KNOWN[k][0];
		x->nwords++;
	}
	if (x->parens > 0 || !makes_function(x))
		return;
	if (word_is(s, n, "begin") || (x->blocks > 0 && word_is(s, n, "case")))
		x->blocks++;
	else if (x->blocks > 0 && word_is(s, n, "end"))
		x->blocks--;
}

/* One step within a statement. True: it ends here (behind the semicolon, before the backslash). */
static bool step(struct scanner *x, struct split *out)
{
	char c = x->t[x->i];

	if (comment(x))
		return false;
	if (c == ';' && x->parens == 0 && x->blocks == 0) {
		x->i++;
		out->end = SPLIT_STATEMENT;
		return true;
	}
	if (c == '\\' && x->backslashes) {
		if (!at(x, "\\;")) {
			out->end = SPLIT_BACKSLASH;
			return true;
		}
		x->i += 2;
	} else if (c == '\'' || c == '"') {
		quoted(x, false);
	} else if ((c == 'E' || c == 'e') && x->i + 1 < x->len && x->t[x->i + 1] == '\'') {
		x->i++;
		quoted(x, true);
	} else if (c == '$') {
		dollar(x);
	} else if (is_name(c)) {
		word(x);
		/* A dollar within a name belongs to it. */
		while (x->i < x->len && (x->t[x->i] == '$' || is_name(x->t[x->i])))
			x->i++;
	} else {
		if (c == '(')
			x->parens++;
		else if (c == ')' && x->parens > 0)
			x->parens--;
		x->i++;
	}
	return false;
}

size_t sql_skip(const char *text, size_t len, size_t i)
{
	struct scanner x = { .t = text, .len = len, .i = i };

	if (comment(&x)) {
		;
	} else if (text[i] == '\'' || text[i] == '"') {
		quoted(&x, false);
	} else if ((text[i] == 'E' || text[i] == 'e') && i + 1 < len && text[i + 1] == '\'') {
		x.i++;
		quoted(&x, true);
	} else if (text[i] == '$') {
		dollar(&x);
		if (x.i == i + 1)
			return i;
	}
	return x.i < len ? x.i : len;
}

void sql_split_next(const char *text, size_t len, bool backslashes, struct split *out)
{
	struct scanner x = { .t = text, .len = len, .backslashes = backslashes };

	while (x.i < len && (is_space(text[x.i]) || text[x.i] == ';' || comment(&x)))
		x.i += x.i < len && (is_space(text[x.i]) || text[x.i] == ';');
	*out = (struct split){ SPLIT_UNFINISHED, x.i, 0, '\0' };
	if (x.i >= len) {
		out->end = SPLIT_EMPTY;
		out->inside = x.open;
		return;
	}
	while (x.i < len && !step(&x, out))
		;
	if (x.i > len)
		x.i = len;
	out->length = x.i - out->start;
	if (out->end == SPLIT_UNFINISHED)
		out->inside = x.open != '\0' ? x.open : x.parens > 0 ? '(' : '\0';
}

size_t sql_split(const char *text, size_t len, size_t *start)
{
	struct split s;

	sql_split_next(text, len, false, &s);
	*start = s.start;
	return s.length;
}
