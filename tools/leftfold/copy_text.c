/*
 * copy_text.c: see copy_text.h.
 *
 * A record is found first, byte by byte, so that input may be cut anywhere: what has been seen of it is in `line`, and what
 * the last byte leaves open in `pending`. It is then taken apart into fields, whose bytes are in `values`.
 *
 * How lines end (\n, \r\n or \r) is what the first one does; PostgreSQL refuses files that mix them, and so does this.
 */
#include "tools/leftfold/copy_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum eol { EOL_UNKNOWN, EOL_NL, EOL_CR, EOL_CRNL };

/* What the byte before leaves to be decided. */
enum pending {
	PENDING_NONE,
	PENDING_BACKSLASH, /* text: whatever follows belongs to it; CSV: at the beginning of a record */
	PENDING_CR,
	PENDING_DOT,   /* \. */
	PENDING_DOT_CR /* \. and \r of \r\n */
};

struct copy_reader {
	struct copy_format f;
	const char *const *names;
	unsigned nnames;
	const char *p; /* the piece of input */
	size_t n, used;
	bool ended;    /* no more pieces */
	bool finished; /* the last record has been given */
	/* The record that is being read. */
	enum eol eol;
	enum pending pending;
	bool in_quote, escaped; /* CSV: within quotes; behind an escape that is no quote */
	bool marker;            /* \. ends the input behind it */
	uint64_t line_number;
	bool header_read;
	struct text line, values;
	struct copy_field *fields;
	unsigned nfields, fields_cap;
};

void copy_format_init(struct copy_format *f, bool csv)
{
	*f = (struct copy_format){ .csv = csv, .delimiter = csv ? ',' : '\t' };
	if (csv) {
		f->quote = f->escape = '"';
	} else {
		memcpy(f->null, "\\N", 3);
		f->null_bytes = 2;
	}
}

struct copy_reader *copy_reader_new(
	const struct copy_format *f, const char *const *names, unsigned n)
{
	struct copy_reader *r = need(calloc(1, sizeof(*r)));

	r->f = *f;
	r->names = names;
	r->nnames = n;
	r->line_number = 1;
	text_clear(&r->line);
	text_clear(&r->values);
	return r;
}

void copy_reader_free(struct copy_reader *r)
{
	if (r == NULL)
		return;
	text_free(&r->line);
	text_free(&r->values);
	free(r->fields);
	free(r);
}

void copy_reader_feed(struct copy_reader *r, const char *p, size_t n)
{
	r->p = p;
	r->n = n;
	r->used = 0;
}

void copy_reader_end(struct copy_reader *r)
{
	r->ended = true;
}

size_t copy_reader_used(const struct copy_reader *r)
{
	return r->used;
}

uint64_t copy_reader_line(const struct copy_reader *r)
{
	return r->line_number;
}

static enum copy_status bad(struct lf_client_error *e, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static enum copy_status bad(struct lf_client_error *e, const char *hint, const char *fmt, ...)
{
	va_list args;

	memset(e, 0, sizeof(*e));
	(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "22P04");
	if (hint != NULL)
		(void)snprintf(e->hint, sizeof(e->hint), "%s", hint);
	va_start(args, fmt);
	(void)vsnprintf(e->message, sizeof(e->message), fmt, args);
	va_end(args);
	return COPY_ERROR;
}

/* --- finding the end of a record --- */

static enum copy_status bad_newline(const struct copy_reader *r, bool cr, struct lf_client_error *e)
{
	const char *what = cr ? "carriage return" : "newline";

	if (r->f.csv)
		return bad(e,
			cr ? "Use quoted CSV field to represent carriage return."
			   : "Use quoted CSV field to represent newline.",
			"unquoted %s found in data", what);
	return bad(e,
		cr ? "Use \"\\r\" to represent carriage return."
		   : "Use \"\\n\" to represent newline.",
		"literal %s found in data", what);
}

/* Behind "\.": the end of a line, of the kind that lines have; in CSV it is data otherwise. */
static enum copy_status marker_byte(struct copy_reader *r, char c, struct lf_client_error *e)
{
	bool crnl = r->eol == EOL_CRNL;
	const char *wrong = NULL;

	if (r->pending == PENDING_DOT_CR)
		wrong = c == '\n' ? NULL : "end-of-copy marker corrupt";
	else if (c != '\n' && c != '\r')
		wrong = "end-of-copy marker corrupt";
	else if (r->eol != EOL_UNKNOWN && (c == '\n') != (r->eol == EOL_NL))
		wrong = "end-of-copy marker does not match previous newline style";
	if (wrong != NULL && !r->f.csv)
		return bad(e, NULL, "%s", wrong);
	if (wrong != NULL) {
		text_add(&r->line, r->pending == PENDING_DOT ? "\\." : "\\.\r",
			r->pending == PENDING_DOT ? 2 : 3);
		r->pending = PENDING_NONE;
		return COPY_MORE;
	}
	r->used++;
	if (c == '\r' && crnl) {
		r->pending = PENDING_DOT_CR;
		return COPY_MORE;
	}
	r->marker = true;
	return COPY_RECORD;
}

/* Behind \r. */
static enum copy_status after_cr(struct copy_reader *r, char c, struct lf_client_error *e)
{
	r->pending = PENDING_NONE;
	if (c == '\n') {
		r->used++;
		r->eol = EOL_CRNL;
	} else if (r->eol == EOL_CRNL) {
		return bad_newline(r, true, e);
	} else {
		r->eol = EOL_CR;
	}
	return COPY_RECORD;
}

static void quotes(struct copy_reader *r, char c)
{
	bool own_escape = r->f.escape != r->f.quote;

	if (own_escape && r->in_quote && c == r->f.escape)
		r->escaped = !r->escaped;
	if (c == r->f.quote && !r->escaped)
		r->in_quote = !r->in_quote;
	if (!own_escape || c != r->f.escape)
		r->escaped = false;
	if (r->in_quote && c == (r->eol == EOL_NL ? '\n' : '\r'))
		r->line_number++;
}

/* The next byte, with nothing pending. COPY_MORE: go on. */
static enum copy_status plain_byte(struct copy_reader *r, char c, struct lf_client_error *e)
{
	if (r->f.csv)
		quotes(r, c);
	r->used++;
	if (c == '\r' && !r->in_quote) {
		if (r->eol == EOL_NL)
			return bad_newline(r, true, e);
		if (r->eol == EOL_CR)
			return COPY_RECORD;
		r->pending = PENDING_CR;
		return COPY_MORE;
	}
	if (c == '\n' && !r->in_quote) {
		if (r->eol == EOL_CR || r->eol == EOL_CRNL)
			return bad_newline(r, false, e);
		r->eol = EOL_NL;
		return COPY_RECORD;
	}
	if (c == '\\' && (!r->f.csv || r->line.n == 0))
		r->pending = PENDING_BACKSLASH;
	text_add(&r->line, &c, 1);
	return COPY_MORE;
}

static enum copy_status one_byte(struct copy_reader *r, char c, struct lf_client_error *e)
{
	switch (r->pending) {
	case PENDING_CR: return after_cr(r, c, e);
	case PENDING_DOT:
	case PENDING_DOT_CR: return marker_byte(r, c, e);
	case PENDING_BACKSLASH:
		r->pending = PENDING_NONE;
		if (c == '.') {
			r->line.n--;
			r->used++;
			r->pending = PENDING_DOT;
			return COPY_MORE;
		}
		if (r->f.csv)
			return plain_byte(r, c, e);
		r->used++;
		text_add(&r->line, &c, 1);
		return COPY_MORE;
	default: return plain_byte(r, c, e);
	}
}

/* Bytes from here on that can be nothing but data are added at once. */
static void plain_run(struct copy_reader *r)
{
	size_t from = r->used, to = from;

	while (to < r->n && r->p[to] != '\n' && r->p[to] != '\r' && r->p[to] != '\\' &&
		(!r->f.csv || (r->p[to] != r->f.quote && r->p[to] != r->f.escape)))
		to++;
	if (to == from)
		return;
	text_add(&r->line, r->p + from, to - from);
	r->used = to;
	r->escaped = false;
}

/* COPY_RECORD: r->line has one. */
static enum copy_status find_line(struct copy_reader *r, struct lf_client_error *e)
{
	enum copy_status status = COPY_MORE;

	while (status == COPY_MORE && r->used < r->n) {
		if (r->line.n > LIMIT_COPY_RECORD_BYTES) {
			(void)bad(e, NULL, "a record is longer than %d bytes",
				LIMIT_COPY_RECORD_BYTES);
			(void)snprintf(e->sqlstate, sizeof(e->sqlstate), "54000");
			return COPY_ERROR;
		}
		if (r->pending == PENDING_NONE)
			plain_run(r);
		if (r->used < r->n)
			status = one_byte(r, r->p[r->used], e);
	}
	if (status != COPY_MORE || !r->ended)
		return status;
	if (r->pending == PENDING_DOT || r->pending == PENDING_DOT_CR)
		r->marker = true;
	if (r->pending != PENDING_CR && r->line.n == 0)
		return COPY_END;
	r->marker = true;
	return COPY_RECORD;
}

/* --- taking a record apart --- */

static struct copy_field *field_add(struct copy_reader *r)
{
	if (r->nfields == r->fields_cap) {
		r->fields_cap = r->fields_cap == 0 ? 16 : 2 * r->fields_cap;
		r->fields = need(reallocarray(r->fields, r->fields_cap, sizeof(*r->fields)));
	}
	r->fields[r->nfields] = (struct copy_field){ 0 };
	return &r->fields[r->nfields++];
}

static bool is_null(const struct copy_format *f, const char *p, size_t n)
{
	return n == f->null_bytes && memcmp(p, f->null, n) == 0;
}

static int digit(char c, int base)
{
	int v = -1;

	if (c >= '0' && c <= '9')
		v = c - '0';
	else if (c >= 'a' && c <= 'f')
		v = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		v = c - 'A' + 10;
	return v < base ? v : -1;
}

/* What a number of at most `most` digits gives, or -1 when there are none; *p moves behind it. */
static int number(const char **p, const char *end, int base, int most)
{
	int v = 0, n = 0, d;

	for (; n < most && *p < end && (d = digit(**p, base)) >= 0; n++, (*p)++)
		v = v * base + d;
	return n == 0 ? -1 : v & 0xff;
}

/* The byte that an escape behind its backslash means. */
static char unescape(const char **p, const char *end)
{
	static const char LETTERS[] = "bfnrtv", MEANINGS[] = "\b\f\n\r\t\v";
	const char *q = *p, *letter;
	int v = number(p, end, 8, 3);

	if (v >= 0)
		return (char)v;
	(*p)++;
	if (*q == 'x') {
		v = number(p, end, 16, 2);
		return v >= 0 ? (char)v : 'x';
	}
	letter = *q == '\0' ? NULL : strchr(LETTERS, *q);
	return letter == NULL ? *q : MEANINGS[letter - LETTERS];
}

/* One field of the text format, from p to its delimiter or the end, into *to. Returns where it ends. */
static const char *text_field(struct copy_reader *r, const char *p, const char *end, char **to)
{
	struct copy_field *field = field_add(r);
	const char *begin = p;

	field->p = *to;
	while (p < end && *p != r->f.delimiter) {
		if (*p != '\\') {
			*(*to)++ = *p++;
			continue;
		}
		/* A backslash at the very end stands for nothing. */
		if (++p < end)
			*(*to)++ = unescape(&p, end);
	}
	field->n = (size_t)(*to - field->p);
	field->null = is_null(&r->f, begin, (size_t)(p - begin));
	return p;
}

/* The same in CSV; NULL: the quotes do not end. */
static const char *csv_field(struct copy_reader *r, const char *p, const char *end, char **to)
{
	struct copy_field *field = field_add(r);
	const char *begin = p;
	bool quoted = false, inside = false;

	field->p = *to;
	for (; p < end && (inside || *p != r->f.delimiter); p++) {
		if (!inside && *p == r->f.quote) {
			quoted = inside = true;
			continue;
		}
		if (inside && *p == r->f.escape && p + 1 < end &&
			(p[1] == r->f.escape || p[1] == r->f.quote)) {
			*(*to)++ = *++p;
			continue;
		}
		if (inside && *p == r->f.quote)
			inside = false;
		else
			*(*to)++ = *p;
	}
	if (inside)
		return NULL;
	field->n = (size_t)(*to - field->p);
	field->null = !quoted && is_null(&r->f, begin, (size_t)(p - begin));
	return p;
}

static enum copy_status split_line(struct copy_reader *r, struct lf_client_error *e)
{
	const char *p = r->line.p, *end = p + r->line.n;
	char *to;

	/* What is unescaped is not longer. */
	text_clear(&r->values);
	text_add(&r->values, r->line.p, r->line.n);
	to = r->values.p;
	r->nfields = 0;
	for (;; p++) {
		p = r->f.csv ? csv_field(r, p, end, &to) : text_field(r, p, end, &to);
		if (p == NULL)
			return bad(e, NULL, "unterminated CSV quoted field");
		if (p == end)
			return COPY_RECORD;
	}
}

static enum copy_status header_match(struct copy_reader *r, struct lf_client_error *e)
{
	if (r->nfields != r->nnames)
		return bad(e, NULL, "wrong number of fields in header line: got %u, expected %u",
			r->nfields, r->nnames);
	for (unsigned i = 0; i < r->nfields; i++) {
		const struct copy_field *f = &r->fields[i];

		if (f->null)
			return bad(e, NULL,
				"column name mismatch in header line field %u: got null value (\"%s\"), expected \"%s\"",
				i + 1, r->f.null, r->names[i]);
		if (f->n != strlen(r->names[i]) || memcmp(f->p, r->names[i], f->n) != 0)
			return bad(e, NULL,
				"column name mismatch in header line field %u: got \"%.*s\", expected \"%s\"",
				i + 1, (int)(f->n < 200 ? f->n : 200), f->p, r->names[i]);
	}
	return COPY_MORE;
}

/* Ready for the next line. */
static void line_begin(struct copy_reader *r)
{
	text_clear(&r->line);
	r->pending = PENDING_NONE;
	r->in_quote = r->escaped = false;
	r->finished = r->marker;
}

enum copy_status copy_reader_next(
	struct copy_reader *r, struct copy_record *out, struct lf_client_error *e)
{
	enum copy_status status = COPY_MORE;

	/* The line before has been taken by now. */
	if (r->nfields > 0) {
		r->nfields = 0;
		r->line_number++;
		line_begin(r);
	}
	while (status == COPY_MORE) {
		status = r->finished ? COPY_END : find_line(r, e);
		if (status != COPY_RECORD)
			return status;
		if (r->marker && r->line.n == 0 && r->pending != PENDING_CR)
			return COPY_END;
		if (r->f.header != COPY_HEADER_NONE && !r->header_read) {
			r->header_read = true;
			status = COPY_MORE;
			if (r->f.header == COPY_HEADER_MATCH &&
				(split_line(r, e) != COPY_RECORD || header_match(r, e) < 0))
				return COPY_ERROR;
			r->nfields = 0;
			r->line_number++;
			line_begin(r);
		}
	}
	if (split_line(r, e) != COPY_RECORD)
		return COPY_ERROR;
	*out = (struct copy_record){ r->nfields, r->fields, r->line.p, r->line.n, r->line_number };
	return COPY_RECORD;
}

/* --- writing --- */

static void write_escaped(struct text *out, const struct copy_format *f, const char *p, size_t n)
{
	static const char BYTES[] = "\b\f\n\r\t\v", LETTERS[] = "bfnrtv";

	for (size_t i = 0; i < n; i++) {
		const char *special = p[i] == '\0' ? NULL : strchr(BYTES, p[i]);

		if (special != NULL || p[i] == '\\' || p[i] == f->delimiter)
			text_add(out, "\\", 1);
		text_add(out, special != NULL ? &LETTERS[special - BYTES] : &p[i], 1);
	}
}

static bool needs_quotes(const struct copy_format *f, const char *p, size_t n, bool alone)
{
	if (is_null(f, p, n) || (alone && n == 2 && memcmp(p, "\\.", 2) == 0))
		return true;
	for (size_t i = 0; i < n; i++)
		if (p[i] == f->delimiter || p[i] == f->quote || p[i] == '\n' || p[i] == '\r')
			return true;
	return false;
}

void copy_write_field(
	struct text *out, const struct copy_format *f, const struct copy_field *field, bool alone)
{
	if (field->null) {
		text_add(out, f->null, f->null_bytes);
		return;
	}
	if (!f->csv) {
		write_escaped(out, f, field->p, field->n);
		return;
	}
	if (!needs_quotes(f, field->p, field->n, alone)) {
		text_add(out, field->p, field->n);
		return;
	}
	text_add(out, &f->quote, 1);
	for (size_t i = 0; i < field->n; i++) {
		if (field->p[i] == f->quote || field->p[i] == f->escape)
			text_add(out, &f->escape, 1);
		text_add(out, &field->p[i], 1);
	}
	text_add(out, &f->quote, 1);
}

void copy_write_row(
	struct text *out, const struct copy_format *f, const struct copy_field *fields, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			text_add(out, &f->delimiter, 1);
		copy_write_field(out, f, &fields[i], n == 1);
	}
	text_add(out, "\n", 1);
}
