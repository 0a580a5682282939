/*
 * split.c: finding the end of a statement in a script, by PostgreSQL's rules of quoting.
 */
#include <string.h>

#include "core/sql/plan.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || (c & 0x80);
}

/* Past a comment that begins at i, or i itself. */
static size_t comment(const char *t, size_t len, size_t i)
{
	if (i + 1 < len && t[i] == '-' && t[i + 1] == '-') {
		while (i < len && t[i] != '\n')
			i++;
		return i;
	}
	if (i + 1 < len && t[i] == '/' && t[i + 1] == '*') {
		unsigned depth = 0;

		for (; i < len; i++) {
			if (i + 1 < len && t[i] == '/' && t[i + 1] == '*') {
				depth++;
				i++;
			} else if (i + 1 < len && t[i] == '*' && t[i + 1] == '/') {
				i++;
				if (--depth == 0)
					return i + 1;
			}
		}
	}
	return i;
}

/* Past a string or quoted name that begins at i; escapes: E'…' knows backslashes. */
static size_t quoted(const char *t, size_t len, size_t i, bool escapes)
{
	char q = t[i++];

	while (i < len) {
		if (escapes && t[i] == '\\') {
			i += 2;
			continue;
		}
		if (t[i++] == q) {
			if (i < len && t[i] == q)
				i++;
			else
				return i;
		}
	}
	return len;
}

/* Past a dollar-quoted string that begins at i, or i + 1 when it is none. */
static size_t dollar(const char *t, size_t len, size_t i)
{
	size_t tag = i + 1, n;

	if (tag < len && t[tag] >= '0' && t[tag] <= '9')
		return i + 1;
	while (tag < len && is_name(t[tag]))
		tag++;
	if (tag >= len || t[tag] != '$')
		return i + 1;
	n = tag + 1 - i;
	for (size_t k = tag + 1; k + n <= len; k++)
		if (memcmp(t + k, t + i, n) == 0)
			return k + n;
	return len;
}

size_t sql_split(const char *t, size_t len, size_t *start)
{
	size_t i = 0, begin;

	for (;;) {
		size_t next;

		while (i < len && (is_space(t[i]) || t[i] == ';'))
			i++;
		next = comment(t, len, i);
		if (next == i)
			break;
		i = next;
	}
	*start = begin = i;
	while (i < len) {
		size_t next = comment(t, len, i);

		if (next != i) {
			i = next;
		} else if (t[i] == ';') {
			return i + 1 - begin;
		} else if (t[i] == '\'') {
			bool escapes = i > begin && (t[i - 1] == 'E' || t[i - 1] == 'e') &&
				(i - 1 == begin || !is_name(t[i - 2]));

			i = quoted(t, len, i, escapes);
		} else if (t[i] == '"') {
			i = quoted(t, len, i, false);
		} else if (t[i] == '$' && (i == begin || !is_name(t[i - 1]))) {
			i = dollar(t, len, i);
		} else {
			i++;
		}
	}
	return i > len ? len - begin : i - begin;
}
