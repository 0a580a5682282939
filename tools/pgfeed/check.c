/*
 * check.c: whether both sides have the same rows, at one moment of PostgreSQL's log.
 *
 * A snapshot is taken that sees what was committed before some place in the log, and the feed runs up to exactly that place.
 * Then each table is read on both sides, and sums of hashes of its rows' texts are compared. Columns that have a type of
 * another kind in Leftfold (--column) are left out. The feed itself must not run meanwhile, since this has its slot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pgfeed/keymap.h"
#include "tools/pgfeed/session.h"

enum { SLICE_BYTES = 64 << 20, SLICES_MAX = 4096, HEX_SLICES = 256 };

struct sum {
	uint64_t rows, a, b;
};

static void row_add(struct sum *s, const struct keyhash *h)
{
	s->rows++;
	s->a += h->a;
	s->b += h->b;
}

static void value_add(struct keyhash *h, const char *bytes, size_t n, bool null)
{
	keyhash_add(h, null ? "n" : "v", 1);
	if (!null)
		keyhash_add(h, bytes, n);
}

static bool compared(const struct column *c)
{
	return c->same || strcmp(c->mapped, "text") == 0;
}

/* --- PostgreSQL --- */

/* A field of COPY's text format, in place: what ends it is behind *rest. */
static char *field_read(char **rest, size_t *n, bool *null)
{
	char *begin = *rest, *from = begin, *to = begin;

	*null = from[0] == '\\' && from[1] == 'N';
	for (; *from != '\t' && *from != '\n' && *from != '\0'; from++) {
		static const char NAMES[] = "bfnrtv", VALUES[] = "\b\f\n\r\t\v";
		const char *name;

		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		name = strchr(NAMES, *from);
		*to++ = name != NULL && *from != '\0' ? VALUES[name - NAMES] : *from;
	}
	*n = (size_t)(to - begin);
	*rest = *from == '\t' ? from + 1 : from;
	return begin;
}

static void line_add(const struct table *t, char *line, struct sum *sum)
{
	struct keyhash h = keyhash_begin(0);

	for (unsigned i = 0; i < t->ncolumns; i++) {
		size_t n;
		bool null;
		const char *value = field_read(&line, &n, &null);

		if (compared(&t->columns[i]))
			value_add(&h, value, n, null);
	}
	row_add(sum, &h);
}

static int source_sum(PGconn *pg, const struct table *t, struct sum *sum, struct failure *f)
{
	char *sql = copy_text(t, 0, 0, false), *data;
	PGresult *r = sql == NULL ? NULL : pg_run(pg, t->source, sql, 0, NULL, f);
	int n;

	free(sql);
	if (r == NULL)
		return sql == NULL ? fail_memory(f) : -1;
	PQclear(r);
	while ((n = PQgetCopyData(pg, &data, 0)) > 0) {
		line_add(t, data, sum);
		PQfreemem(data);
	}
	if (n != -1)
		return pg_fail(pg, NULL, t->source, f);
	return pg_copy_end(pg, t->source, f);
}

/* --- Leftfold --- */

static int result_add(
	const struct table *t, const struct lf_result *r, struct sum *sum, struct failure *f)
{
	size_t cap = 4096;
	char *buf = malloc(cap);

	for (size_t row = 0; buf != NULL && row < lf_result_nrows(r); row++) {
		struct keyhash h = keyhash_begin(0);

		for (unsigned i = 0; i < t->ncolumns && buf != NULL; i++) {
			size_t n = lf_result_text(r, row, i, buf, cap);

			if (n >= cap) {
				char *grown = realloc(buf, 2 * n);

				if (grown == NULL) {
					free(buf);
					return fail_memory(f);
				}
				buf = grown;
				cap = 2 * n;
				(void)lf_result_text(r, row, i, buf, cap);
			}
			if (compared(&t->columns[i]))
				value_add(&h, buf, n, lf_result_is_null(r, row, i));
		}
		row_add(sum, &h);
	}
	if (buf == NULL)
		return fail_memory(f);
	free(buf);
	return 0;
}

/* Of how many parts it is read, so that each fits an answer. */
static int slices(struct session *s, const struct table *t, struct lf_result *r, unsigned *n)
{
	struct text sql = { 0 };

	text_put(&sql, "SELECT bytes FROM leftfold_tables WHERE name = ");
	text_quoted(&sql, t->target);
	if (leftfold_run_text(s->lf, t->source, &sql, r, &s->f) != 0)
		return -1;
	*n = lf_result_nrows(r) == 0 ? 1 : 1 + (unsigned)(lf_result_int(r, 0, 0) / SLICE_BYTES);
	if (*n > SLICES_MAX)
		*n = SLICES_MAX;
	return 0;
}

static bool is_whole(const struct column *c)
{
	return strcmp(c->mapped, "bigint") == 0 || strcmp(c->mapped, "integer") == 0 ||
		strcmp(c->mapped, "smallint") == 0;
}

static void put_slice(struct text *sql, const struct column *key, unsigned i, unsigned n)
{
	if (n == 1)
		return;
	text_put(sql, is_whole(key) ? " WHERE abs(" : " WHERE substr(md5(");
	text_name(sql, key->name);
	if (is_whole(key))
		text_format(sql, " %% %u) = %u", n, i);
	else
		text_format(sql, "::text), 1, 2) = '%02x'", i);
}

static int target_sum(struct session *s, const struct table *t, struct sum *sum)
{
	struct lf_result *r = lf_result_new();
	const struct column *key = &t->columns[t->key[0]];
	unsigned n = 1;
	int status = r == NULL ? fail_memory(&s->f) : slices(s, t, r, &n);

	if (n > 1 && !is_whole(key))
		n = HEX_SLICES;
	for (unsigned i = 0; status == 0 && i < n; i++) {
		struct text sql = { 0 };

		text_put(&sql, "SELECT ");
		for (unsigned c = 0; c < t->ncolumns; c++) {
			text_put(&sql, c > 0 ? ", " : "");
			text_name(&sql, t->columns[c].name);
		}
		text_put(&sql, " FROM ");
		text_name(&sql, t->target);
		put_slice(&sql, key, i, n);
		status = leftfold_run_text(s->lf, t->source, &sql, r, &s->f);
		if (status == 0)
			status = result_add(t, r, sum, &s->f);
	}
	lf_result_free(r);
	return status;
}

/* --- both --- */

static int table_compare(struct session *s, PGconn *pg, const struct table *t, bool *same)
{
	struct sum source = { 0 }, target = { 0 };

	if (source_sum(pg, t, &source, &s->f) != 0 || target_sum(s, t, &target) != 0)
		return -1;
	*same = source.rows == target.rows && source.a == target.a && source.b == target.b;
	(void)printf("%s: %llu rows, checksum %016llx; \"%s\": %llu rows, checksum %016llx: %s\n",
		t->source, (unsigned long long)source.rows, (unsigned long long)source.a, t->target,
		(unsigned long long)target.rows, (unsigned long long)target.a,
		*same ? "the same" : "DIFFERENT");
	return 0;
}

static int compare(struct session *s, const char *snapshot)
{
	PGconn *pg = pg_open_at(s->o->from, snapshot, &s->f);
	bool all = true;
	int status = -1;

	if (pg != NULL)
		status = leftfold_open(&s->lf, s->o, NULL, false, &s->f);
	for (unsigned i = 0; status == 0 && i < s->tables.n; i++) {
		bool same;

		status = table_compare(s, pg, &s->tables.at[i], &same);
		all &= status == 0 && same;
	}
	PQfinish(pg);
	return status != 0 ? -1 : all ? EXIT_ENDED : EXIT_DIFFERS;
}

int check_run(struct session *s)
{
	char snapshot[128], lsn[LSN_TEXT_MAX];
	uint64_t at;
	PGconn *own = snapshot_take(s, snapshot, sizeof(snapshot), &at);
	int status = -1;

	if (own == NULL)
		return -1;
	s->stop_at = at;
	(void)stream_run(s);
	if (s->f.kind == FAILURE_STOPPED && !stopping) {
		s->f.kind = FAILURE_NONE;
		(void)printf("compared at %s:\n", lsn_text(at, lsn));
		status = compare(s, snapshot);
	}
	PQfinish(own);
	return status;
}
