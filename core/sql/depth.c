/*
 * depth.c: see depth.h.
 *
 * The parser, the packing of its tree and the binder recurse as deep as the tree is; packing also takes time
 * with the square of it. Depth comes from brackets, and from chains that lean to the left (1 + 1 + 1, x IS NULL IS
 * NULL, UNION, JOIN), of which every link is at least one token at the same level of brackets. CASE … END counts as
 * brackets. Lists are flat however long: so commas, AND, OR, WHEN, THEN and ELSE begin a new run.
 *
 * The scanner reads a comment's beginning together with all operator characters behind it and then gives them back:
 * many comments begun without anything else between them take time with the square of their number.
 */
#include "core/sql/depth.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "core/base/limits.h"
#include "core/sql/split.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '$' || (c & 0x80);
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool word_is(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

static bool divides(const char *p, size_t n)
{
	return word_is(p, n, "and") || word_is(p, n, "or") || word_is(p, n, "when") ||
		word_is(p, n, "then") || word_is(p, n, "else");
}

struct levels {
	uint32_t run[LIMIT_PARSE_BRACKETS + 1]; /* tokens since the last division, by level */
	unsigned depth, comments; /* begun since the last character that is no operator's */
	bool deep;
};

static void count_comments(struct levels *l, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strchr("~!@#^&|`?+-*/%<>=", p[i]) == NULL || p[i] == '\0')
			l->comments = 0;
		else if (p[i] == '/' && i + 1 < n && p[i + 1] == '*')
			l->deep |= ++l->comments > LIMIT_PARSE_COMMENTS;
	}
}

static void token(struct levels *l)
{
	l->deep |= ++l->run[l->depth] > LIMIT_PARSE_RUN;
}

static void open_level(struct levels *l)
{
	if (l->depth == LIMIT_PARSE_BRACKETS) {
		l->deep = true;
		return;
	}
	l->run[++l->depth] = 0;
}

static void close_level(struct levels *l)
{
	if (l->depth > 0)
		l->depth--;
	token(l);
}

static void word(struct levels *l, const char *p, size_t n)
{
	if (divides(p, n))
		l->run[l->depth] = 0;
	else if (word_is(p, n, "case"))
		open_level(l);
	else if (word_is(p, n, "end"))
		close_level(l);
	else
		token(l);
}

bool sql_too_deep(const char *text, size_t len)
{
	struct levels l;

	l.depth = l.comments = 0;
	l.run[0] = 0;
	l.deep = false;
	for (size_t i = 0, next; i < len && !l.deep; i = next) {
		char c = text[i];

		next = sql_skip(text, len, i);
		if (next != i && c == '-') {
			l.comments = 0;
			continue;
		}
		if (next != i && c == '/') {
			count_comments(&l, text + i, next - i);
			continue;
		}
		count_comments(&l, text + i, 1);
		if (next != i) {
			token(&l);
			continue;
		}
		next = i + 1;
		if (is_word(c)) {
			while (next < len && is_word(text[next]))
				next++;
			word(&l, text + i, next - i);
		} else if (c == '(' || c == '[') {
			open_level(&l);
		} else if (c == ')' || c == ']') {
			close_level(&l);
		} else if (c == ',' || c == ';') {
			l.run[l.depth] = 0;
		} else if (!is_blank(c)) {
			token(&l);
		}
	}
	return l.deep;
}
