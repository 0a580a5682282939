/*
 * copy_text.h: the formats of COPY, text and CSV, as PostgreSQL 15 reads and writes them (its manual, COPY, "File Formats").
 *
 * A reader takes input in pieces of any size and gives records; its memory is that of the longest record, which is
 * bounded. Errors have PostgreSQL's messages: 22P04 bad file format, 54000 a record beyond LIMIT_COPY_RECORD_BYTES.
 */
#ifndef LF_TOOLS_LEFTFOLD_COPY_TEXT_H
#define LF_TOOLS_LEFTFOLD_COPY_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/limits.h"
#include "net/client/leftfold.h"
#include "tools/leftfold/text.h"

enum copy_header { COPY_HEADER_NONE, COPY_HEADER_LINE, COPY_HEADER_MATCH };

struct copy_format {
	bool csv;
	enum copy_header header;
	char delimiter, quote, escape; /* quote and escape: CSV */
	char null[LIMIT_COPY_NULL_BYTES + 1];
	size_t null_bytes;
};
/* Text: tab, \N. CSV: comma, nothing, double quotes. */
void copy_format_init(struct copy_format *f, bool csv);

/* --- reading --- */

struct copy_field {
	const char *p; /* not ended by a zero byte */
	size_t n;
	bool null;
};

struct copy_record {
	unsigned n;
	const struct copy_field *fields; /* valid until the next call with the reader */
	const char *raw; /* the record as it stands in the input, without the end of its line */
	size_t raw_bytes;
	uint64_t line; /* of its end, from 1 */
};

enum copy_status {
	COPY_ERROR = -1, /* *e; the reader is of no more use, but copy_reader_line() */
	COPY_MORE,       /* the input is used up */
	COPY_RECORD,
	COPY_END /* the input has ended, with \. or as copy_reader_end() said */
};

/* names: what COPY_HEADER_MATCH compares, n of them; must outlive the reader. */
struct copy_reader *copy_reader_new(
	const struct copy_format *f, const char *const *names, unsigned n);
void copy_reader_free(struct copy_reader *r);
/* The next piece of input, which must stay until it is used up or the reader is freed. */
void copy_reader_feed(struct copy_reader *r, const char *p, size_t n);
/* There is no more. */
void copy_reader_end(struct copy_reader *r);
enum copy_status copy_reader_next(
	struct copy_reader *r, struct copy_record *out, struct lf_client_error *e);
/* Bytes of the present piece that are used. */
size_t copy_reader_used(const struct copy_reader *r);
/* The line that is being read, from 1. */
uint64_t copy_reader_line(const struct copy_reader *r);

/* --- writing --- */

/* Append a field; alone: it is the only one of its row (CSV: "\." is quoted then). */
void copy_write_field(
	struct text *out, const struct copy_format *f, const struct copy_field *field, bool alone);
/* Append a row with the end of its line. */
void copy_write_row(
	struct text *out, const struct copy_format *f, const struct copy_field *fields, unsigned n);

#endif
