/*
 * plan_alter.c: a view's plan after one of its tables has been altered.
 *
 * Rows of a table have its layout as far as the scans only: what these let through is projected to the columns that the
 * view uses, which have the same types as before. So the nodes and all that they have gathered stay, and the scans are
 * taken from a plan made anew; with a scan that lets rows through as they are, also what the group behind it does with them.
 */
#include "core/base/assert.h"
#include "core/flow/flow_internal.h"

void view_plan_adopt(struct view_plan *p, struct view_plan *fresh)
{
	const struct scan_plan *from = fresh->scans;

	ASSERT(p->nscans == fresh->nscans && p->nnodes == fresh->nnodes);
	for (struct scan_plan *s = p->scans; s != NULL; s = s->next, from = from->next) {
		ASSERT(s->stage == from->stage && s->edge.input == from->edge.input &&
			s->whole == from->whole &&
			(s->whole || s->layout.fixed == from->layout.fixed));
		if (s->whole) {
			struct node_plan *n = p->nodes[s->edge.input / 2];

			ASSERT(n->kind == NODE_GROUP);
			n->group = fresh->nodes[n->number]->group;
			s->layout = from->layout;
		}
		s->relation = from->relation;
		s->filter = from->filter;
		s->condition = from->condition;
		s->columns = from->columns;
		s->projection = from->projection;
	}
	view_plan_free(p->fresh);
	p->fresh = fresh;
}

void view_plan_widen(struct view_plan *p, struct view_plan *wider)
{
	const struct scan_plan *from = wider->scans;

	ASSERT(p->nscans == wider->nscans && p->nnodes == wider->nnodes);
	for (struct scan_plan *s = p->scans; s != NULL; s = s->next, from = from->next) {
		struct scan_plan *next = s->next;

		*s = *from;
		s->next = next;
	}
	for (unsigned i = 0; i < p->nnodes; i++)
		*p->nodes[i] = *wider->nodes[i];
	p->joined = wider->joined;
	view_plan_free(p->fresh);
	view_plan_free(p->base);
	p->fresh = NULL;
	p->base = wider;
}

void view_plan_retarget(struct view_plan *p, const struct relation *from, const struct relation *to)
{
	for (struct scan_plan *s = p->scans; s != NULL; s = s->next)
		if (s->relation == from)
			s->relation = to;
	if (p->view == from)
		p->view = to;
}
