/*
 * engine_run.c: running statements given as text, one after the other, each answered before the next.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/engine_internal.h"
#include "core/sql/split.h"

struct waiting {
	bool done;
	uint64_t count;
	int status;
	struct error *error;
	const struct statement *statement;
	int (*sink)(void *arg, const struct statement *s, const void *row);
	void *arg;
};

static void on_reply(void *arg, const struct lf_reply *reply)
{
	struct waiting *w = arg;

	w->done = true;
	w->count = reply->count;
	if (reply->error != NULL) {
		*w->error = *reply->error;
		w->status = -1;
	}
	for (unsigned i = 0; w->sink != NULL && w->status == 0 && i < reply->nrows; i++)
		w->status = w->sink(w->arg, w->statement, reply->rows[i]);
}

static int on_row(void *arg, const void *row, uint32_t size)
{
	struct waiting *w = arg;

	(void)size;
	w->count++;
	return w->sink == NULL ? 0 : w->sink(w->arg, w->statement, row);
}

static void wait_reply(struct lf_port *port, struct waiting *w)
{
	lf_flush(port);
	while (!w->done) {
		if (port->engine->options.stepped)
			lf_settle(port->engine);
		if (lf_poll(port, on_reply, w) == 0 && !port->engine->options.stepped)
			lf_port_wait(port, 100000);
	}
}

static int run_query(struct lf_port *port, const struct statement *s, const void *params,
	struct waiting *w, struct error *e)
{
	int status = lf_read_begin(port, 0, NULL, e);

	if (status == 0) {
		status = lf_query(port, s, params, on_row, w, e);
		lf_read_end(port);
	}
	return status;
}

int lf_run(struct lf_port *port, const char *text, size_t len, uint64_t *count,
	int (*sink)(void *arg, const struct statement *s, const void *row), void *arg,
	struct error *e)
{
	struct waiting w = { .error = e, .sink = sink, .arg = arg };
	struct statement *s;
	uint64_t params[2] = { 0 };

	if (lf_prepare(&s, port->engine, text, len, NULL, 0, e) != 0)
		return -1;
	w.statement = s;
	if (s->nparams > 0) {
		w.status = error_set(e, ERR_UNDEFINED_PARAMETER, 0, "there is no parameter $1");
	} else {
		row_encode(&s->param_layout, NULL, params);
		if (s->kind == STATEMENT_SELECT) {
			w.status = run_query(port, s, params, &w, e);
		} else if (s->kind != STATEMENT_NOTHING) {
			w.status = lf_submit(port, s, params, 0, LF_VISIBLE, e);
			if (w.status == 0)
				wait_reply(port, &w);
		}
	}
	lf_release(port->engine, s);
	if (count != NULL)
		*count = w.count;
	return w.status;
}

int lf_run_script(struct lf_port *port, const char *text, size_t len, struct error *e)
{
	size_t at = 0;

	while (at < len) {
		size_t start, n = sql_split(text + at, len - at, &start);

		if (n == 0)
			break;
		if (lf_run(port, text + at + start, n, NULL, NULL, NULL, e) != 0) {
			size_t before = utf8_length(text, at + start);

			e->position = (int32_t)before + (e->position > 0 ? e->position : 1);
			return -1;
		}
		at += start + n;
	}
	return 0;
}
