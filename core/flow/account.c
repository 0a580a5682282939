/*
 * account.c: see account.h.
 *
 * The bytes of a node are the difference that its run makes to the heap. What runs within it and holds something are only
 * the batches of the nodes behind it, which are put aside, and, within the publisher, the view's part, which counts for
 * itself (part.h): so of the publisher the difference is not taken at all.
 */
#include "core/base/clock.h"
#include "core/base/size.h"
#include "core/flow/flow_internal.h"

struct measure measure_begin(const struct flow *f)
{
	return (struct measure){ clock_ticks(), *f->heap_used - f->aside, f->emitted,
		f->published };
}

struct operator_count *account_of(const struct view_state *v, const struct node_plan *n)
{
	return &v->counts[v->plan->nscans + n->number];
}

void account_bytes(struct view_state *v, const struct node_plan *n, uint64_t more)
{
	account_add(&account_of(v, n)->bytes, more);
	v->bytes += more;
}

void account_less(struct view_state *v, const struct node_plan *n, uint64_t bytes)
{
	uint64_t held = account_of(v, n)->bytes;

	account_bytes(v, n, -(bytes < held ? bytes : held));
	if (v->target != NULL)
		__atomic_store_n(&v->target->operators, v->bytes, __ATOMIC_RELAXED);
}

void measure_end(struct flow *f, struct view_state *v, const struct node_plan *n, uint64_t rows,
	const struct measure *begin)
{
	struct operator_count *c = account_of(v, n);
	struct measure end = measure_begin(f);
	bool publishes = n->kind == NODE_PUBLISH;

	account_rows(c, rows,
		publishes ? end.published - begin->published : end.emitted - begin->emitted);
	account_add(&c->ticks, end.ticks - begin->ticks);
	if (!publishes && !v->stopped)
		account_bytes(v, n, end.held - begin->held);
}

void account_freed(struct view_state *v)
{
	for (unsigned i = 0; i < plan_operators(v->plan); i++)
		__atomic_store_n(&v->counts[i].bytes, 0, __ATOMIC_RELAXED);
	v->bytes = 0;
	if (v->target != NULL) {
		__atomic_store_n(&v->target->operators, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&v->target->shared, 0, __ATOMIC_RELAXED);
	}
}

static void limit_check(struct flow *f, struct view_state *v, const struct parts *all)
{
	const struct relation *view = v->plan->view;
	uint64_t limit = __atomic_load_n(&view->memory_limit, __ATOMIC_RELAXED);
	char text[SIZE_TEXT_MAX];

	if (limit == 0 || parts_bytes(all) <= limit)
		return;
	error_set(&f->error, ERR_OUT_OF_MEMORY, 0,
		"view \"%s\" needs more than its memory_limit of %s", view->name,
		size_print(limit, text));
	view_fail(f, v);
}

void account_settle(struct flow *f, struct view_state *v)
{
	struct part *target = v->target;
	uint64_t shared = 0;

	if (target == NULL || v->stopped)
		return;
	if (__builtin_expect(v->uses != NULL, 0)) {
		shared = share_bytes(f, v);
		__atomic_store_n(&target->shared, shared, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&target->operators, v->bytes + shared, __ATOMIC_RELAXED);
	if (target->all != NULL)
		limit_check(f, v, target->all);
}

void flow_enforce_limits(struct flow *f)
{
	for (struct view_state *v = f->views; v != NULL; v = v->next)
		account_settle(f, v);
}

static void add(struct operator_count *sum, const struct operator_count *c)
{
	sum->rows_in += __atomic_load_n(&c->rows_in, __ATOMIC_RELAXED);
	sum->rows_out += __atomic_load_n(&c->rows_out, __ATOMIC_RELAXED);
	sum->bytes += __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
	sum->ticks += __atomic_load_n(&c->ticks, __ATOMIC_RELAXED);
}

void flow_account(const struct flow *f, const struct relation *view, struct operator_count *sums)
{
	const struct view_state *v = f->views;
	const struct view_plan *p;
	unsigned last;
	bool shares;

	while (v != NULL && v->plan->view != view)
		v = v->next;
	if (v == NULL)
		return;
	p = v->plan;
	last = plan_operators(p) - 1;
	shares = v->uses != NULL && !failure_seen(&v->target->all->failure);
	for (unsigned i = 0; i <= last; i++)
		add(&sums[i], shares ? share_counts(v, i) : &v->counts[i]);
	if (v->target != NULL)
		sums[last].bytes += part_bytes(v->target);
	/* A paired one is given two rows at once, by one node only. */
	if (v->paired)
		sums[last].rows_in = sums[p->nscans + p->last_group->number].rows_out;
}
