/*
 * plan_join.c: FROM and WHERE: scans, derived tables, and what joins them.
 *
 * Items are joined one by one to what is joined already. Of those that an equality connects, one whose key agrees with
 * how both sides lie in the shards comes first, since it needs no exchange; those that nothing connects come last, in
 * shard 0. How rows lie is described by expressions all equal to the value whose hash chose the shard (a table: its
 * partition column; a join: both sides of the equality used).
 *
 * A condition is tested as early as its sources are there. It may pass an outer join only on the side that is kept:
 * on the other one it would make rows look as if they met none.
 */
#include <string.h>

#include "core/base/assert.h"
#include "core/flow/plan_internal.h"

/* Conditions of one list of items, with those that came down from above. */
struct conditions {
	unsigned n, cap;
	const struct expr **at;
	bool *done;
};

static int condition_add(struct building *b, struct conditions *c, const struct expr *e)
{
	if (c->n == c->cap) {
		unsigned cap = c->cap == 0 ? 8 : 2 * c->cap;
		const struct expr **at = plan_alloc(b, cap * sizeof(*at));
		bool *done = plan_alloc(b, cap * sizeof(*done));

		if (at == NULL || done == NULL)
			return -1;
		if (c->n > 0) {
			memcpy(at, c->at, c->n * sizeof(*at));
			memcpy(done, c->done, c->n * sizeof(*done));
		}
		c->at = at;
		c->done = done;
		c->cap = cap;
	}
	c->at[c->n] = e;
	c->done[c->n++] = false;
	return 0;
}

static int conditions_add(
	struct building *b, struct conditions *c, struct expr *const *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (condition_add(b, c, list[i]) != 0)
			return -1;
	return 0;
}

static bool within(const struct expr *e, uint32_t sources)
{
	return (plan_sources(e) & ~sources) == 0;
}

/* Those not done that read these sources only: done now, and in `out`, which has room for all. */
static unsigned conditions_take(struct conditions *c, uint32_t sources, const struct expr **out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (!c->done[i] && within(c->at[i], sources)) {
			c->done[i] = true;
			out[n++] = c->at[i];
		}
	return n;
}

static uint32_t list_sources(const struct from_list *l)
{
	uint32_t sources = 0;

	for (unsigned i = 0; i < l->n; i++)
		sources |= l->items[i].kind == FROM_SOURCE
			? UINT32_C(1) << l->items[i].source
			: list_sources(l->items[i].left) | list_sources(l->items[i].right);
	return sources;
}

/* --- sources --- */

static int open_one(struct building *b, struct stream *out, struct edge *edge, unsigned stage)
{
	out->open = plan_alloc(b, sizeof(*out->open));
	if (out->open == NULL)
		return -1;
	out->nopen = 1;
	out->open[0] = (struct open_edge){ edge, stage };
	out->stage = stage;
	return 0;
}

static int source_places(struct building *b, unsigned source, struct places *out)
{
	for (unsigned i = 0; i < b->used.n; i++)
		if (b->used.at[i].source == source && places_add(b, out, b->used.at[i]) != 0)
			return -1;
	return 0;
}

/* All columns of a source's relation. */
static int source_stream(struct building *b, unsigned source, struct stream *out)
{
	const struct relation *r = b->s->sources[source];

	out->layout = &r->layout;
	out->sources = UINT32_C(1) << source;
	for (unsigned c = 0; c < r->ncols; c++)
		if (places_add(b, &out->places, (struct place){ (uint8_t)source, (uint16_t)c }) !=
			0)
			return -1;
	return 0;
}

static int build_scan(struct building *b, unsigned source, const struct expr *const *filters,
	unsigned nfilters, struct stream *out)
{
	const struct relation *r = b->s->sources[source];
	struct scan_plan *scan = plan_alloc(b, sizeof(*scan)), **last = &b->p->scans;
	struct stream all = { 0 };

	if (scan == NULL || source_places(b, source, &out->places) != 0 ||
		source_stream(b, source, &all) != 0)
		return -1;
	while (*last != NULL)
		last = &(*last)->next;
	*last = scan;
	scan->number = b->p->nscans++;
	scan->relation = r;
	/* All that a query reads is there when it begins. */
	scan->stage = b->p->param_layout != NULL ? 0 : r->stage;
	if (plan_filter(b, filters, nfilters, &all, NULL, &scan->filter, &scan->condition) != 0)
		return -1;
	scan->projection = plan_columns(b, &out->places, &scan->layout, &all, NULL, &scan->columns);
	out->layout = &scan->layout;
	out->sources = UINT32_C(1) << source;
	if (r->partition >= 0) {
		out->lies[0] = plan_column(
			b, source, (unsigned)r->partition, r->columns[r->partition].type);
		if (out->lies[0] == NULL)
			return -1;
		out->nlies = 1;
	}
	return scan->projection == NULL ? -1 : open_one(b, out, &scan->edge, scan->stage);
}

int plan_whole_rows(struct building *b, struct stream *in)
{
	struct scan_plan *scan = b->p->scans;
	struct row_layout *layout;
	struct stream all = *in;

	while (scan != NULL && (in->nopen != 1 || in->open[0].edge != &scan->edge))
		scan = scan->next;
	if (scan == NULL)
		return 0;
	all.places = (struct places){ 0 };
	layout = plan_alloc(b, sizeof(*layout));
	if (layout == NULL || source_stream(b, (unsigned)__builtin_ctz(in->sources), &all) != 0 ||
		row_layout_init(layout, all.layout->types, all.layout->ncols, &b->p->arena, b->e) !=
			0)
		return -1;
	/* The plan's own: the relation may be gone before it. */
	all.layout = layout;
	scan->whole = true;
	*in = all;
	return 0;
}

/* The rows of a stream that conditions let through, with the places that `out` has. */
static int build_filter(struct building *b, const struct stream *in,
	const struct expr *const *filters, unsigned n, struct stream *out)
{
	struct row_layout *layout = plan_alloc(b, sizeof(*layout));
	struct node_plan *map = plan_node(b, NODE_MAP);

	if (layout == NULL || map == NULL ||
		plan_filter(b, filters, n, in, NULL, &map->map.filter, &map->map.condition) != 0)
		return -1;
	map->map.projection = plan_columns(b, &out->places, layout, in, NULL, &map->map.columns);
	if (map->map.projection == NULL)
		return -1;
	map->stage = in->stage;
	out->layout = layout;
	plan_lead(in->open, in->nopen, node_input(map), in->stage, false, NULL, NULL);
	return open_one(b, out, &map->map.edge, in->stage);
}

static int build_derived(struct building *b, unsigned source, const struct expr *const *filters,
	unsigned nfilters, struct stream *out)
{
	const struct relation *r = b->s->sources[source];
	struct result *sub = plan_alloc(b, sizeof(*sub));
	struct stream all = { 0 };

	if (sub == NULL || plan_select(b->p, r->select, NULL, sub, b->e) != 0 ||
		source_stream(b, source, &all) != 0)
		return -1;
	all.layout = &sub->layout;
	all.nopen = sub->nopen;
	all.open = sub->open;
	all.stage = sub->stage;
	all.zero = sub->zero;
	for (unsigned i = 0; i < sub->nlies; i++) {
		all.lies[i] = plan_column(b, source, sub->lies[i], r->columns[sub->lies[i]].type);
		if (all.lies[i] == NULL)
			return -1;
	}
	all.nlies = sub->nlies;
	if (nfilters == 0) {
		*out = all;
		return 0;
	}
	*out = all;
	out->places = (struct places){ 0 };
	return source_places(b, source, &out->places) != 0
		? -1
		: build_filter(b, &all, filters, nfilters, out);
}

static int build_source(
	struct building *b, unsigned source, struct conditions *c, struct stream *out)
{
	const struct expr **filters = plan_alloc(b, (c->n + 1) * sizeof(*filters));
	unsigned n;

	if (filters == NULL)
		return -1;
	n = conditions_take(c, UINT32_C(1) << source, filters);
	return b->s->sources[source]->kind == RELATION_DERIVED
		? build_derived(b, source, filters, n, out)
		: build_scan(b, source, filters, n, out);
}

/* --- equalities --- */

static bool is_integer(enum type_id t)
{
	return t == TYPE_INT2 || t == TYPE_INT4 || t == TYPE_INT8;
}

/* IS NOT DISTINCT FROM */
static bool is_null_safe(const struct expr *e)
{
	return e->kind == EXPR_DISTINCT && e->negated;
}

/* Whether e equates something of `left` with something of `right`; the sides in out. */
static bool equates(const struct expr *e, uint32_t left, uint32_t right, const struct expr *out[2])
{
	if (!is_null_safe(e) && (e->kind != EXPR_CALL || strcmp(e->fn->name, "=") != 0))
		return false;
	for (unsigned k = 0; k < 2; k++) {
		uint32_t l = plan_sources(e->args[k]), r = plan_sources(e->args[1 - k]);

		if (l == 0 || r == 0 || (l & ~left) != 0 || (r & ~right) != 0)
			continue;
		out[0] = e->args[k];
		out[1] = e->args[1 - k];
		/* Both sides must hash alike. */
		return out[0]->type.id == out[1]->type.id ||
			(is_integer((enum type_id)out[0]->type.id) &&
				is_integer((enum type_id)out[1]->type.id));
	}
	return false;
}

struct pairing {
	const struct expr *pair[2]; /* by which the join lies; NULL: there is no equality */
	unsigned exchanges;
};

static struct pairing pairing_best(const struct building *b, const struct conditions *c,
	const struct stream *left, const struct stream *right)
{
	struct pairing best = { { NULL, NULL }, 3 };

	for (unsigned i = 0; i < c->n; i++) {
		const struct expr *pair[2];
		unsigned exchanges = 0;

		if (c->done[i] || !equates(c->at[i], left->sources, right->sources, pair))
			continue;
		if (b->p->shards > 1)
			exchanges = !plan_lies_by(left, pair[0]) + !plan_lies_by(right, pair[1]);
		if (exchanges < best.exchanges)
			best = (struct pairing){ { pair[0], pair[1] }, exchanges };
	}
	return best;
}

/* --- joins --- */

static int join_side(struct building *b, struct join_plan *j, unsigned k,
	const struct expr *const *keys, unsigned n, const struct stream *s)
{
	j->side[k].layout = s->layout;
	j->side[k].nkeys = n;
	if (n == 0) {
		j->side[k].plain = true;
		return 0;
	}
	j->side[k].by = plan_remap(b, keys, n, s, NULL);
	if (j->side[k].by == NULL)
		return -1;
	j->side[k].keys = plan_compile(b, j->side[k].by, n, s->layout, NULL);
	if (j->side[k].keys == NULL)
		return -1;
	j->side[k].plain = projection_columns(j->side[k].keys, n, j->side[k].cols);
	if (j->side[k].plain)
		rowkey_init(&j->side[k].key, s->layout, j->side[k].cols, n);
	return 0;
}

static int join_keys(struct building *b, struct join_plan *j, struct conditions *c,
	const struct stream *left, const struct stream *right)
{
	const struct expr *keys[2][PLAN_KEYS_MAX], *pair[2];
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		if (n < PLAN_KEYS_MAX && !c->done[i] &&
			equates(c->at[i], left->sources, right->sources, pair)) {
			j->side[0].null_safe |= (uint32_t)is_null_safe(c->at[i]) << n;
			keys[0][n] = pair[0];
			keys[1][n++] = pair[1];
			c->done[i] = true;
		}
	j->side[1].null_safe = j->side[0].null_safe;
	return join_side(b, j, 0, keys[0], n, left) != 0 ||
			join_side(b, j, 1, keys[1], n, right) != 0
		? -1
		: 0;
}

/* Where the join runs, and what leads to it. Says in moved whether each side was sent elsewhere. */
static int join_lead(struct building *b, struct node_plan *n, const struct pairing *by,
	struct stream *const in[2], bool moved[2])
{
	n->stage = 0;
	for (unsigned k = 0; k < 2; k++) {
		moved[k] = plan_moves(b, in[k], by->pair[k]);
		if (in[k]->stage + moved[k] > n->stage)
			n->stage = in[k]->stage + moved[k];
	}
	for (unsigned k = 0; k < 2; k++)
		if (plan_lead_by(b, in[k], node_input(n) + k, n->stage, by->pair[k]) != 0)
			return -1;
	return 0;
}

static void lies_add(struct stream *s, const struct expr *e)
{
	if (s->nlies < PLAN_LIES_MAX && !plan_lies_by(s, e))
		s->lies[s->nlies++] = e;
}

/* How the rows of a join lie. One that is kept and met none has NULLs where the other side's key was, so only the kept
 * side's expressions say it; when both are kept, none does. */
static void join_lies(struct stream *out, const struct join_plan *j, const struct pairing *by,
	struct stream *const in[2], const bool moved[2])
{
	out->zero = by->pair[0] == NULL;
	out->nlies = 0;
	for (unsigned k = 0; k < 2; k++) {
		if (j->kept[1 - k] || by->pair[k] == NULL)
			continue;
		lies_add(out, by->pair[k]);
		for (unsigned i = 0; !moved[k] && i < in[k]->nlies; i++)
			lies_add(out, in[k]->lies[i]);
	}
}

/* A row of nothing but NULLs. */
static void *null_row(struct building *b, const struct row_layout *l)
{
	struct value *values = plan_alloc(b, (l->ncols + 1u) * sizeof(*values));
	void *row;

	if (values == NULL)
		return NULL;
	for (unsigned i = 0; i < l->ncols; i++)
		values[i] = (struct value){ .type = l->types[i].id, .flags = VALUE_NULL };
	row = plan_alloc(b, row_encoded_size(l, values));
	if (row != NULL)
		row_encode(l, values, row);
	return row;
}

/* Join two streams by the equalities among the conditions; what can be tested then is, `outer` of the join's own ON. */
static int build_join(struct building *b, struct conditions *c, const bool kept[2],
	struct stream *left, struct stream *right, struct stream *out)
{
	struct stream *const in[2] = { left, right };
	const struct pairing by = pairing_best(b, c, left, right);
	struct node_plan *n = plan_node(b, NODE_JOIN);
	const struct expr **residual = plan_alloc(b, (c->n + 1) * sizeof(*residual));
	struct join_plan *j;
	bool moved[2];
	unsigned nresidual;

	if (n == NULL || residual == NULL)
		return -1;
	j = &n->join;
	memcpy(j->kept, kept, sizeof(j->kept));
	for (unsigned k = 0; k < 2; k++) {
		j->missing[k] = null_row(b, in[k]->layout);
		if (j->missing[k] == NULL)
			return -1;
	}
	if (join_keys(b, j, c, left, right) != 0 || join_lead(b, n, &by, in, moved) != 0)
		return -1;
	*out = (struct stream){ .sources = left->sources | right->sources };
	nresidual = conditions_take(c, out->sources, residual);
	if (plan_filter(b, residual, nresidual, left, right, &j->residual, &j->condition) != 0)
		return -1;
	for (unsigned i = 0; i < b->used.n; i++)
		if (out->sources >> b->used.at[i].source & 1 &&
			places_add(b, &out->places, b->used.at[i]) != 0)
			return -1;
	j->projection = plan_columns(b, &out->places, &j->layout, left, right, &j->columns);
	if (j->projection == NULL)
		return -1;
	out->layout = &j->layout;
	join_lies(out, j, &by, in, moved);
	return open_one(b, out, &j->edge, n->stage);
}

/* --- FROM --- */

static int build_list(
	struct building *b, const struct from_list *l, struct conditions *c, struct stream *out);

/* What may be tested before an outer join goes to its sides; the rest of ON is the join's. */
static int build_outer(struct building *b, const struct from_item *item, struct conditions *above,
	struct stream *out)
{
	const bool kept[2] = { true, item->kind == FROM_FULL };
	struct conditions on = { 0 }, side[2] = { { 0 }, { 0 } };
	uint32_t sources[2] = { list_sources(item->left), list_sources(item->right) };
	struct stream *in[2];

	for (unsigned k = 0; k < 2; k++) {
		in[k] = plan_alloc(b, sizeof(*in[k]));
		if (in[k] == NULL)
			return -1;
	}
	for (unsigned i = 0; !kept[1] && i < above->n; i++)
		if (!above->done[i] && within(above->at[i], sources[0])) {
			above->done[i] = true;
			if (condition_add(b, &side[0], above->at[i]) != 0)
				return -1;
		}
	for (unsigned i = 0; i < item->nconjuncts; i++)
		if (condition_add(b,
			    !kept[1] && within(item->conjuncts[i], sources[1]) ? &side[1] : &on,
			    item->conjuncts[i]) != 0)
			return -1;
	if (build_list(b, item->left, &side[0], in[0]) != 0 ||
		build_list(b, item->right, &side[1], in[1]) != 0 ||
		build_join(b, &on, kept, in[0], in[1], out) != 0)
		return -1;
	return 0;
}

static int build_item(
	struct building *b, const struct from_item *item, struct conditions *c, struct stream *out)
{
	return item->kind == FROM_SOURCE ? build_source(b, item->source, c, out)
					 : build_outer(b, item, c, out);
}

/* What is not tested yet when all is joined: of an outer join at the top, of its kept sides, or of no source at all. */
static int build_rest(struct building *b, struct conditions *c, struct stream *out)
{
	const struct expr **rest = plan_alloc(b, (c->n + 1) * sizeof(*rest));
	const struct stream in = *out;
	unsigned n;

	if (rest == NULL)
		return -1;
	n = conditions_take(c, out->sources, rest);
	return n == 0 ? 0 : build_filter(b, &in, rest, n, out);
}

/* The next to be joined to `left`: by an equality if there is one. */
static unsigned choose(const struct building *b, const struct conditions *c,
	const struct stream *left, const struct stream *items, const bool *joined, unsigned n)
{
	unsigned best = n, exchanges = 4;

	for (unsigned i = 0; i < n; i++) {
		struct pairing p;

		if (joined[i])
			continue;
		p = pairing_best(b, c, left, &items[i]);
		if (p.exchanges < exchanges) {
			exchanges = p.exchanges;
			best = i;
		}
	}
	return best;
}

static int build_list(
	struct building *b, const struct from_list *l, struct conditions *c, struct stream *out)
{
	static const bool NONE[2] = { false, false };
	struct stream *items = plan_alloc(b, l->n * sizeof(*items));
	bool *joined = plan_alloc(b, l->n * sizeof(*joined));

	ASSERT(l->n > 0);
	if (items == NULL || joined == NULL ||
		conditions_add(b, c, l->conjuncts, l->nconjuncts) != 0)
		return -1;
	for (unsigned i = 0; i < l->n; i++)
		if (build_item(b, &l->items[i], c, &items[i]) != 0)
			return -1;
	*out = items[0];
	joined[0] = true;
	for (unsigned k = 1; k < l->n; k++) {
		unsigned i = choose(b, c, out, items, joined, l->n);
		struct stream left = *out;

		joined[i] = true;
		if (build_join(b, c, NONE, &left, &items[i], out) != 0)
			return -1;
	}
	return build_rest(b, c, out);
}

int plan_from(struct building *b, struct stream *out)
{
	struct conditions c = { 0 };

	return build_list(b, &b->s->from, &c, out);
}
