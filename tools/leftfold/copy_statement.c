/*
 * copy_statement.c: see copy_statement.h. The parts that go to the server (names, columns, the query) are kept as they
 * were written, so that it is the server that judges them.
 */
#include "tools/leftfold/copy_statement.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/sql/split.h"

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_NAME /* quoted */, TOKEN_STRING, TOKEN_SYMBOL };

struct token {
	enum token_kind kind;
	size_t start, end;
	struct text value; /* of words in lower case; of quoted ones without quotes */
};

struct parser {
	const char *text;
	size_t len, at;
	struct token token; /* the present one */
	bool meta;
	struct copy_statement *out;
	struct lf_client_error *e;
	/* Options given. */
	bool csv, delimiter, null, quote, escape, header;
};

static int fail_at(struct parser *p, size_t at, const char *sqlstate, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int fail_at(struct parser *p, size_t at, const char *sqlstate, const char *fmt, ...)
{
	va_list args;

	memset(p->e, 0, sizeof(*p->e));
	(void)snprintf(p->e->sqlstate, sizeof(p->e->sqlstate), "%s", sqlstate);
	va_start(args, fmt);
	(void)vsnprintf(p->e->message, sizeof(p->e->message), fmt, args);
	va_end(args);
	p->e->position = 1;
	for (size_t i = 0; i < at && i < p->len; i++)
		p->e->position += (p->text[i] & 0xc0) != 0x80;
	return -1;
}

static int syntax(struct parser *p)
{
	const struct token *t = &p->token;

	if (t->kind == TOKEN_END)
		return fail_at(p, p->len, "42601", "syntax error at end of input");
	return fail_at(p, t->start, "42601", "syntax error at or near \"%.*s\"",
		(int)(t->end - t->start), p->text + t->start);
}

/* --- tokens --- */

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static void skip_blanks(struct parser *p)
{
	for (;;) {
		while (p->at < p->len && isspace((unsigned char)p->text[p->at]))
			p->at++;
		if (p->at + 1 >= p->len ||
			(strncmp(p->text + p->at, "--", 2) != 0 &&
				strncmp(p->text + p->at, "/*", 2) != 0))
			return;
		p->at = sql_skip(p->text, p->len, p->at);
	}
}

/* What a quoted token says; escapes: E'…'. */
static void unquote(struct parser *p, size_t begin, bool escapes)
{
	static const char LETTERS[] = "bfnrt", MEANINGS[] = "\b\f\n\r\t";
	char quote = p->text[begin];

	for (size_t i = begin + 1; i + 1 < p->token.end; i++) {
		const char *letter = NULL;
		char c = p->text[i];

		if (c == quote)
			i++;
		if (escapes && c == '\\') {
			c = p->text[++i];
			letter = c == '\0' ? NULL : strchr(LETTERS, c);
		}
		text_add(&p->token.value, letter != NULL ? &MEANINGS[letter - LETTERS] : &c, 1);
	}
}

static int next(struct parser *p)
{
	struct token *t = &p->token;
	const char *s = p->text;
	bool escapes;

	text_clear(&t->value);
	skip_blanks(p);
	t->start = p->at;
	t->kind = TOKEN_END;
	if (p->at < p->len && (s[p->at] != ';' || p->at + 1 < p->len)) {
		escapes = (s[p->at] == 'e' || s[p->at] == 'E') && p->at + 1 < p->len &&
			s[p->at + 1] == '\'';
		if (escapes || s[p->at] == '\'' || s[p->at] == '"') {
			size_t begin = p->at + escapes;

			t->kind = s[begin] == '"' ? TOKEN_NAME : TOKEN_STRING;
			t->end = p->at = sql_skip(s, p->len, p->at);
			if (t->end < begin + 2 || s[t->end - 1] != s[begin])
				return fail_at(p, t->start, "42601", "unterminated quoted string");
			unquote(p, begin, escapes);
			return 0;
		}
		t->kind = is_name(s[p->at]) ? TOKEN_WORD : TOKEN_SYMBOL;
		do
			text_add(
				&t->value, (char[]){ (char)tolower((unsigned char)s[p->at++]) }, 1);
		while (t->kind == TOKEN_WORD && p->at < p->len && is_name(s[p->at]));
	}
	t->end = p->at;
	return 0;
}

static bool is(const struct parser *p, enum token_kind kind, const char *value)
{
	return p->token.kind == kind && strcmp(p->token.value.p, value) == 0;
}

/* Whether the present token is the word, which is passed then. 1, 0; -1. */
static int accept(struct parser *p, const char *word)
{
	return !is(p, TOKEN_WORD, word) ? 0 : next(p) != 0 ? -1 : 1;
}

static char *slice(const struct parser *p, size_t start, size_t end)
{
	return need(strndup(p->text + start, end - start));
}

/* --- what is copied --- */

static int parse_relation(struct parser *p)
{
	size_t start = p->token.start, end;

	do {
		if (p->token.kind != TOKEN_WORD && p->token.kind != TOKEN_NAME)
			return syntax(p);
		free(p->out->name);
		p->out->name = need(strdup(p->token.value.p));
		end = p->token.end;
		if (next(p) != 0)
			return -1;
	} while (is(p, TOKEN_SYMBOL, ".") && next(p) == 0);
	p->out->relation = slice(p, start, end);
	if (!is(p, TOKEN_SYMBOL, "("))
		return 0;
	start = p->token.end;
	while (!is(p, TOKEN_SYMBOL, ")")) {
		if (p->token.kind == TOKEN_END)
			return syntax(p);
		if (next(p) != 0)
			return -1;
	}
	p->out->columns = slice(p, start, p->token.start);
	return next(p);
}

/* Behind the opening bracket. */
static int parse_query(struct parser *p)
{
	size_t start = p->token.start;
	unsigned depth = 0;

	if (!is(p, TOKEN_WORD, "select") && !is(p, TOKEN_WORD, "values") &&
		!is(p, TOKEN_WORD, "with") && !is(p, TOKEN_WORD, "table") &&
		!is(p, TOKEN_SYMBOL, "("))
		return fail_at(p, start, "0A000", "COPY of the rows of a command is not supported");
	p->at = start;
	while (p->at < p->len && (depth > 0 || p->text[p->at] != ')')) {
		size_t behind = sql_skip(p->text, p->len, p->at);

		depth += p->text[p->at] == '(';
		depth -= p->text[p->at] == ')';
		p->at = behind > p->at ? behind : p->at + 1;
	}
	p->out->query = slice(p, start, p->at);
	if (next(p) != 0 || !is(p, TOKEN_SYMBOL, ")"))
		return syntax(p);
	return next(p);
}

/* STDIN, STDOUT, or with \copy a file, whose name may have no quotes. */
static int parse_place(struct parser *p)
{
	struct copy_statement *s = p->out;
	size_t end = p->token.start;

	if (is(p, TOKEN_WORD, "stdin") || is(p, TOKEN_WORD, "stdout"))
		return next(p);
	if (p->meta && (is(p, TOKEN_WORD, "pstdin") || is(p, TOKEN_WORD, "pstdout"))) {
		s->place = COPY_OWN_STANDARD;
		return next(p);
	}
	if (is(p, TOKEN_WORD, "program"))
		return fail_at(p, p->token.start, "0A000", "COPY with a program is not supported");
	if (p->token.kind == TOKEN_END)
		return syntax(p);
	if (!p->meta) {
		(void)fail_at(p, p->token.start, "0A000",
			"COPY from or to a file of the server is not supported");
		(void)snprintf(p->e->hint, sizeof(p->e->hint),
			"\\copy takes files of the client; or use STDIN and STDOUT.");
		return -1;
	}
	s->place = COPY_FILE;
	if (p->token.kind == TOKEN_STRING) {
		s->file = need(strdup(p->token.value.p));
		return next(p);
	}
	while (end < p->len && !isspace((unsigned char)p->text[end]))
		end++;
	if (end == p->len && p->text[end - 1] == ';')
		end--;
	s->file = slice(p, p->token.start, end);
	p->at = end;
	return next(p);
}

/* --- options --- */

static int one_byte(struct parser *p, const char *option, char *out)
{
	if (p->token.value.n != 1 || (p->token.value.p[0] & 0x80))
		return fail_at(p, p->token.start, "0A000",
			"COPY %s must be a single one-byte character", option);
	*out = p->token.value.p[0];
	return next(p);
}

static int set_null(struct parser *p)
{
	struct copy_format *f = &p->out->format;

	if (p->token.value.n >= sizeof(f->null))
		return fail_at(p, p->token.start, "0A000",
			"a null representation of more than %zu bytes is not supported",
			sizeof(f->null) - 1);
	memcpy(f->null, p->token.value.p, p->token.value.n + 1);
	f->null_bytes = p->token.value.n;
	return next(p);
}

/* In brackets: HEADER alone, or with a boolean or MATCH. */
static int set_header(struct parser *p)
{
	static const char *const WORDS[] = { "false", "off", "0", "true", "on", "1", "match" };
	static const enum copy_header MEANINGS[] = { COPY_HEADER_NONE, COPY_HEADER_NONE,
		COPY_HEADER_NONE, COPY_HEADER_LINE, COPY_HEADER_LINE, COPY_HEADER_LINE,
		COPY_HEADER_MATCH };
	struct copy_format *f = &p->out->format;

	f->header = COPY_HEADER_LINE;
	if (is(p, TOKEN_SYMBOL, ",") || is(p, TOKEN_SYMBOL, ")"))
		return 0;
	for (unsigned i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (strcasecmp(p->token.value.p, WORDS[i]) == 0) {
			f->header = MEANINGS[i];
			if (f->header == COPY_HEADER_MATCH && p->out->to)
				return fail_at(p, p->token.start, "0A000",
					"cannot use \"match\" with HEADER in COPY TO");
			return next(p);
		}
	return fail_at(p, p->token.start, "42601", "header requires a Boolean value or \"match\"");
}

static int set_format(struct parser *p)
{
	if (strcmp(p->token.value.p, "csv") == 0)
		p->csv = true;
	else if (strcmp(p->token.value.p, "binary") == 0)
		return fail_at(
			p, p->token.start, "0A000", "COPY in the binary format is not supported");
	else if (strcmp(p->token.value.p, "text") != 0)
		return fail_at(p, p->token.start, "22023", "COPY format \"%s\" not recognized",
			p->token.value.p);
	return next(p);
}

static int set_encoding(struct parser *p)
{
	if (strcasecmp(p->token.value.p, "utf8") != 0 && strcasecmp(p->token.value.p, "utf-8") != 0)
		return fail_at(p, p->token.start, "0A000", "only the encoding UTF8 is supported");
	return next(p);
}

static int twice(struct parser *p, bool *given)
{
	bool before = *given;

	*given = true;
	return before ? fail_at(p, p->token.start, "42601", "conflicting or redundant options") : 0;
}

/* Its value is the present token. */
static int set_option(struct parser *p, const char *option, size_t at)
{
	struct copy_format *f = &p->out->format;

	if (strcmp(option, "header") != 0 &&
		(p->token.kind == TOKEN_END || p->token.kind == TOKEN_SYMBOL))
		return syntax(p);
	if (strcmp(option, "format") == 0)
		return set_format(p);
	if (strcmp(option, "header") == 0)
		return twice(p, &p->header) != 0 ? -1 : set_header(p);
	if (strcmp(option, "delimiter") == 0)
		return twice(p, &p->delimiter) != 0 ? -1 : one_byte(p, option, &f->delimiter);
	if (strcmp(option, "null") == 0)
		return twice(p, &p->null) != 0 ? -1 : set_null(p);
	if (strcmp(option, "quote") == 0)
		return twice(p, &p->quote) != 0 ? -1 : one_byte(p, option, &f->quote);
	if (strcmp(option, "escape") == 0)
		return twice(p, &p->escape) != 0 ? -1 : one_byte(p, option, &f->escape);
	if (strcmp(option, "encoding") == 0)
		return set_encoding(p);
	if (strncmp(option, "force", 5) == 0 || strcmp(option, "freeze") == 0)
		return fail_at(p, at, "0A000", "COPY option %s is not supported", option);
	return fail_at(p, at, "42601", "option \"%s\" not recognized", option);
}

static int parse_options(struct parser *p)
{
	do {
		char option[64];
		size_t at;

		if (next(p) != 0 || p->token.kind != TOKEN_WORD)
			return p->e->sqlstate[0] != '\0' ? -1 : syntax(p);
		at = p->token.start;
		(void)snprintf(option, sizeof(option), "%s", p->token.value.p);
		if (next(p) != 0 || set_option(p, option, at) != 0)
			return -1;
	} while (is(p, TOKEN_SYMBOL, ","));
	return is(p, TOKEN_SYMBOL, ")") ? next(p) : syntax(p);
}

/* As before PostgreSQL 9.0: CSV, HEADER, DELIMITER AS ';' … without commas. */
static int parse_old_option(struct parser *p)
{
	char option[64];
	size_t at = p->token.start;

	(void)snprintf(option, sizeof(option), "%s", p->token.value.p);
	if (next(p) != 0)
		return -1;
	if (strcmp(option, "csv") == 0)
		return twice(p, &p->csv);
	if (strcmp(option, "header") == 0) {
		p->out->format.header = COPY_HEADER_LINE;
		return twice(p, &p->header);
	}
	if (strcmp(option, "where") == 0)
		return fail_at(p, at, "0A000", "COPY with WHERE is not supported");
	if (strcmp(option, "binary") == 0)
		return fail_at(p, at, "0A000", "COPY in the binary format is not supported");
	if (strcmp(option, "delimiter") != 0 && strcmp(option, "null") != 0 &&
		strcmp(option, "quote") != 0 && strcmp(option, "escape") != 0 &&
		strcmp(option, "encoding") != 0 && strcmp(option, "force") != 0 &&
		strcmp(option, "freeze") != 0)
		return fail_at(p, at, "42601", "syntax error at or near \"%s\"", option);
	return accept(p, "as") < 0 ? -1 : set_option(p, option, at);
}

static int all_options(struct parser *p)
{
	if (accept(p, "with") < 0)
		return -1;
	if (is(p, TOKEN_SYMBOL, "(") && parse_options(p) != 0)
		return -1;
	while (p->token.kind == TOKEN_WORD)
		if (parse_old_option(p) != 0)
			return -1;
	return p->token.kind == TOKEN_END ? 0 : syntax(p);
}

/* Defaults of the format for what was not given, then what does not go together. */
static int finish_format(struct parser *p)
{
	static const char FORBIDDEN[] = "\\.abcdefghijklmnopqrstuvwxyz0123456789";
	struct copy_format *f = &p->out->format, given = *f;

	copy_format_init(f, p->csv);
	f->header = given.header;
	if (p->delimiter)
		f->delimiter = given.delimiter;
	if (p->null) {
		memcpy(f->null, given.null, sizeof(f->null));
		f->null_bytes = given.null_bytes;
	}
	if ((p->quote || p->escape) && !p->csv)
		return fail_at(p, 0, "0A000", "COPY %s available only in CSV mode",
			p->quote ? "quote" : "escape");
	if (p->quote)
		f->quote = f->escape = given.quote;
	if (p->escape)
		f->escape = given.escape;
	if (f->delimiter == '\n' || f->delimiter == '\r')
		return fail_at(
			p, 0, "22023", "COPY delimiter cannot be newline or carriage return");
	if (strpbrk(f->null, "\r\n") != NULL)
		return fail_at(p, 0, "22023",
			"COPY null representation cannot use newline or carriage return");
	if (!f->csv && strchr(FORBIDDEN, f->delimiter) != NULL)
		return fail_at(p, 0, "22023", "COPY delimiter cannot be \"%c\"", f->delimiter);
	if (f->csv && f->delimiter == f->quote)
		return fail_at(p, 0, "22023", "COPY delimiter and quote must be different");
	if (strchr(f->null, f->delimiter) != NULL)
		return fail_at(
			p, 0, "0A000", "COPY delimiter must not appear in the NULL specification");
	if (f->csv && strchr(f->null, f->quote) != NULL)
		return fail_at(p, 0, "0A000",
			"CSV quote character must not appear in the NULL specification");
	return 0;
}

/* --- the statement --- */

static int parse(struct parser *p)
{
	int to;

	if (next(p) != 0 || next(p) != 0)
		return -1;
	if (is(p, TOKEN_WORD, "binary"))
		return fail_at(
			p, p->token.start, "0A000", "COPY in the binary format is not supported");
	if (is(p, TOKEN_SYMBOL, "(")) {
		if (next(p) != 0 || parse_query(p) != 0)
			return -1;
	} else if (parse_relation(p) != 0) {
		return -1;
	}
	to = accept(p, "to");
	if (to < 0)
		return -1;
	p->out->to = to == 1;
	if (to == 0 && (p->out->query != NULL || accept(p, "from") <= 0))
		return p->e->sqlstate[0] != '\0' ? -1 : syntax(p);
	if (parse_place(p) != 0 || all_options(p) != 0)
		return -1;
	return finish_format(p);
}

bool copy_statement_is(const char *text, size_t len)
{
	return len > 4 && strncasecmp(text, "copy", 4) == 0 && !is_name(text[4]);
}

int copy_statement_parse(struct copy_statement *out, const char *text, size_t len, bool meta,
	struct lf_client_error *e)
{
	struct parser p = { .text = text, .len = len, .meta = meta, .out = out, .e = e };
	int status;

	memset(out, 0, sizeof(*out));
	memset(e, 0, sizeof(*e));
	status = parse(&p);
	text_free(&p.token.value);
	if (status != 0)
		copy_statement_free(out);
	return status;
}

void copy_statement_free(struct copy_statement *s)
{
	free(s->file);
	free(s->relation);
	free(s->name);
	free(s->columns);
	free(s->query);
	memset(s, 0, sizeof(*s));
}
