/*
 * plan_print.c: the operators of a view plan in words, for people.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/flow/flow_internal.h"

static const char *edge_name(const struct edge *e)
{
	static const char *const NAMES[] = { "", ", by hash", ", in a later stage",
		", in shard 0" };

	return NAMES[e->kind];
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* Append; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void add(struct view_operator *o, const char *fmt, ...)
{
	size_t n = strlen(o->text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(o->text + n, sizeof(o->text) - n, fmt, args);
	va_end(args);
}

static void add_edge(const struct view_plan *p, struct view_operator *o, const struct edge *e)
{
	add(o, "%s→ %u%s", o->text[0] != '\0' ? " " : "", p->nscans + e->input / 2, edge_name(e));
}

static void scan_describe(
	const struct view_plan *p, const struct scan_plan *s, struct view_operator *o)
{
	o->kind = "scan";
	o->stage = s->stage;
	add(o, "%s%s", s->relation->name, s->filter != NULL ? ", filtered" : "");
	add_edge(p, o, &s->edge);
}

static void join_describe(const struct join_plan *j, struct view_operator *o)
{
	o->kind = j->kept[1] ? "full join" : j->kept[0] ? "left join" : "join";
	add(o, "on %u key%s%s", j->side[0].nkeys, plural(j->side[0].nkeys),
		j->residual != NULL ? ", filtered" : "");
}

static void group_describe(const struct group_plan *g, struct view_operator *o)
{
	o->kind = "group";
	add(o, "by %u key%s, %u aggregate%s%s", g->nkeys, plural(g->nkeys), g->naggregates,
		plural(g->naggregates), g->having != NULL ? ", filtered" : "");
}

static void window_describe(const struct window *w, struct view_operator *o)
{
	o->kind = w->top ? "first rows" : "window";
	add(o, "by %u key%s, in order of %u", w->npartition, plural(w->npartition), w->norder);
}

static void node_describe(
	const struct view_plan *p, const struct node_plan *n, struct view_operator *o)
{
	o->stage = n->stage;
	o->timed = n->kind != NODE_MAP;
	switch (n->kind) {
	case NODE_MAP:
		o->kind = n->map.filter != NULL ? "filter" : "project";
		add_edge(p, o, &n->map.edge);
		break;
	case NODE_JOIN:
		join_describe(&n->join, o);
		add_edge(p, o, &n->join.edge);
		break;
	case NODE_GROUP:
		group_describe(&n->group, o);
		add_edge(p, o, &n->group.edge);
		break;
	case NODE_WINDOW:
		window_describe(n->window.window, o);
		add_edge(p, o, &n->window.edge);
		break;
	case NODE_PUBLISH:
		o->kind = "publish";
		add(o, "%s", p->view->name);
		break;
	}
}

void view_plan_operator(const struct view_plan *p, unsigned i, struct view_operator *out)
{
	const struct scan_plan *s = p->scans;

	memset(out, 0, sizeof(*out));
	if (i >= p->nscans) {
		node_describe(p, p->nodes[i - p->nscans], out);
		return;
	}
	while (s->number != i)
		s = s->next;
	scan_describe(p, s, out);
}

unsigned view_plan_operators(const struct view_plan *p)
{
	return plan_operators(p);
}

size_t view_plan_print(const struct view_plan *p, char *buf, size_t cap)
{
	size_t n = 0;

	for (unsigned i = 0; i < plan_operators(p) && n < cap; i++) {
		struct view_operator o;

		view_plan_operator(p, i, &o);
		n += (size_t)snprintf(
			buf + n, cap - n, "%u  stage %u  %s  %s\n", i, o.stage, o.kind, o.text);
	}
	return n < cap ? n : cap;
}
