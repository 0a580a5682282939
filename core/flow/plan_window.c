/*
 * plan_window.c: the first rows of partitions, and functions over them.
 */
#include "core/flow/plan_internal.h"

/* A partition is in one shard: by one of its columns, that by which the rows lie already if there is one. */
static int spread(
	struct building *b, const struct stream *in, const struct window *w, const struct expr **by)
{
	const struct relation *r = b->s->sources[0];

	*by = NULL;
	for (unsigned i = 0; i < w->npartition; i++) {
		const struct expr *e = plan_column(
			b, 0, w->partition[i], r->columns[w->partition[i]].type);

		if (e == NULL)
			return -1;
		if (*by == NULL || (plan_lies_by(in, e) && !plan_lies_by(in, *by)))
			*by = e;
	}
	return 0;
}

int plan_window(struct building *b, const struct stream *in, struct result *out)
{
	const struct window *w = b->s->window;
	struct node_plan *n = plan_node(b, NODE_WINDOW);
	const struct expr *by;

	if (n == NULL || spread(b, in, w, &by) != 0)
		return -1;
	n->stage = in->stage + plan_moves(b, in, by);
	n->window.input = in->layout;
	n->window.out = &out->layout;
	n->window.window = w;
	n->window.order = (struct rowtree_order){ in->layout, w->norder, w->order };
	out->open = plan_alloc(b, sizeof(*out->open));
	if (out->open == NULL)
		return -1;
	out->nopen = 1;
	out->open[0] = (struct open_edge){ &n->window.edge, n->stage };
	out->stage = n->stage;
	out->zero = by == NULL;
	if (by != NULL)
		out->lies[out->nlies++] = by->column;
	return plan_lead_by(b, in, node_input(n), n->stage, by);
}
