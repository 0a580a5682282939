/*
 * request.c: the table of unanswered requests, and sending.
 *
 * Requests are numbered 1, 2, 3… A frame's requests form a group, which knows whom to tell; the table maps a
 * number to its group by the low bits of the number, so that neither sending nor answering allocates or
 * searches. It can hold the numbers oldest … oldest + mask; a window as large as that is full even when
 * some of them are answered, which a server that answers in order within a shard does not let happen for
 * long.
 */
#include "net/client/client_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* --- groups --- */

static int group_take(struct lf_client *c, uint32_t *out)
{
	if (c->free_group == 0) {
		uint32_t n = c->ngroups == 0 ? 64 : 2 * c->ngroups;
		struct group *grown = realloc(c->groups, n * sizeof(*grown));

		if (grown == NULL)
			return -1;
		c->groups = grown;
		for (uint32_t i = n; i-- > c->ngroups;) {
			grown[i].next = c->free_group;
			c->free_group = i + 1;
		}
		c->ngroups = n;
	}
	*out = c->free_group - 1;
	c->free_group = c->groups[*out].next;
	return 0;
}

void reads_release(struct group *g, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		statement_unuse(g->reads[i]);
	free(g->reads);
	g->reads = NULL;
}

/* All its requests are answered. */
static void group_finish(struct lf_client *c, uint32_t index)
{
	struct group g = c->groups[index];

	c->groups[index].next = c->free_group;
	c->free_group = index + 1;
	if (g.all != NULL) {
		struct lf_client_batch b = { g.first, g.n, g.failed, g.count, g.epoch, g.error };

		g.all(g.arg, &b);
	}
	free(g.error);
	if (g.statement != NULL)
		statement_unuse(g.statement);
	if (g.reads != NULL)
		reads_release(&g, g.n);
	if (g.op == OPERATION_QUERY)
		shape_release(g.shape);
}

/* --- the table --- */

static void advance(struct lf_client *c)
{
	while (c->oldest < c->next && c->slots[c->oldest & c->mask] == 0)
		c->oldest++;
}

int64_t request_find(const struct lf_client *c, uint64_t request)
{
	if (request - c->oldest >= c->next - c->oldest)
		return -1;
	return (int64_t)c->slots[request & c->mask] - 1;
}

struct shape *request_shape(const struct group *g, uint64_t request)
{
	return g->reads != NULL ? g->reads[request - g->first]->shape : g->shape;
}

int request_enter(struct lf_client *c, const struct group *g, uint32_t n, uint64_t *request)
{
	struct group *own;
	uint32_t index;

	if (group_take(c, &index) != 0)
		return -1;
	own = &c->groups[index];
	*own = *g;
	own->n = own->left = n;
	own->first = c->next;
	for (uint32_t i = 0; i < n; i++)
		c->slots[(c->next + i) & c->mask] = index + 1;
	if (own->statement != NULL)
		own->statement->groups++;
	*request = c->next;
	c->next += n;
	c->inflight += n;
	return 0;
}

bool request_full(struct lf_client *c, uint32_t n)
{
	size_t most = (size_t)c->mask + 1;

	if (c->next - c->oldest + n > most)
		advance(c);
	return c->next - c->oldest + n > most || c->inflight + c->completions_n + n > most;
}

int request_admit(
	struct lf_client *c, size_t length, uint32_t n, bool urgent, struct lf_client_error *e)
{
	size_t waiting = c->out.used - c->out.head;

	if (length > c->server.frame_max && c->server.frame_max != 0)
		return client_error(e, "54000", "a request of %zu bytes exceeds the server's %u",
			length, c->server.frame_max);
	if (request_full(c, n))
		return LF_WOULD_BLOCK;
	if (urgent || waiting == 0 || waiting + WIRE_HEADER + length <= c->options.output_max)
		return 0;
	client_write(c);
	waiting = c->out.used - c->out.head;
	return waiting == 0 || waiting + WIRE_HEADER + length <= c->options.output_max
		? 0
		: LF_WOULD_BLOCK;
}

unsigned char *request_append(struct lf_client *c, enum wire_type type, size_t length,
	const struct group *g, uint32_t n, uint64_t *request)
{
	struct wire_header h = { (uint32_t)length, (uint8_t)type, g->flags, 0, c->next };
	unsigned char *p = client_buffer_room(&c->out, sizeof(h) + length);

	if (p == NULL || request_enter(c, g, n, request) != 0)
		return NULL;
	memcpy(p, &h, sizeof(h));
	c->out.used += sizeof(h) + length;
	return p + sizeof(h);
}

static void body_put(
	unsigned char *p, const void *head, size_t nhead, const void *body, size_t nbody)
{
	if (nhead > 0)
		memcpy(p, head, nhead);
	if (nbody > 0)
		memcpy(p + nhead, body, nbody);
}

int request_append_about(struct lf_client *c, enum wire_type type, uint64_t request,
	const void *head, size_t nhead, const void *body, size_t nbody, struct lf_client_error *e)
{
	struct wire_header h = { (uint32_t)(nhead + nbody), (uint8_t)type, 0, 0, request };
	unsigned char *p = client_buffer_room(&c->out, sizeof(h) + nhead + nbody);

	if (p == NULL)
		return client_no_memory(e);
	memcpy(p, &h, sizeof(h));
	body_put(p + sizeof(h), head, nhead, body, nbody);
	c->out.used += sizeof(h) + nhead + nbody;
	return 0;
}

int request_send(struct lf_client *c, enum wire_type type, const void *head, size_t nhead,
	const void *body, size_t nbody, const struct group *g, bool urgent, uint64_t *request,
	struct lf_client_error *e)
{
	int status = request_admit(c, nhead + nbody, 1, urgent, e);
	unsigned char *p;
	uint64_t id;

	if (status != 0)
		return status;
	p = request_append(c, type, nhead + nbody, g, 1, request != NULL ? request : &id);
	if (p == NULL)
		return client_no_memory(e);
	body_put(p, head, nhead, body, nbody);
	if (c->out.used - c->out.head >= CLIENT_WRITE_BYTES)
		client_write(c);
	return 0;
}

/* --- answers --- */

static int completions_grow(struct lf_client *c)
{
	size_t cap = c->completions_cap == 0 ? 256 : 2 * c->completions_cap;
	struct lf_client_completion *grown = malloc(cap * sizeof(*grown));

	if (grown == NULL)
		return -1;
	for (size_t i = 0; i < c->completions_n; i++)
		grown[i] = c->completions[(c->completions_head + i) & (c->completions_cap - 1)];
	free(c->completions);
	c->completions = grown;
	c->completions_cap = cap;
	c->completions_head = 0;
	return 0;
}

/* Keep the answer for lf_client_next(). */
static void complete(struct lf_client *c, const struct group *g, const struct lf_result *r)
{
	const struct shape *shape = request_shape(g, r->request);
	struct lf_client_completion done = { r->request, g->arg, r->epoch, r->count, NULL };

	if (c->completions_n == c->completions_cap && completions_grow(c) != 0) {
		client_break(c, "53200", "out of memory");
		return;
	}
	if (r->failed || r->nrows > 0 || r->parts_all > 1 || shape == NULL ||
		shape->kind == LF_STATEMENT_QUERY) {
		struct lf_result *copy = result_take(c);

		if (copy == NULL || lf_result_copy(copy, r) != 0) {
			client_break(c, "53200", "out of memory");
			return;
		}
		done.result = copy;
	}
	c->completions[(c->completions_head + c->completions_n++) & (c->completions_cap - 1)] =
		done;
}

static void group_note_error(struct group *g, const struct lf_client_error *e)
{
	g->failed++;
	if (g->all == NULL || g->error != NULL)
		return;
	g->error = malloc(sizeof(*g->error));
	if (g->error != NULL)
		*g->error = *e;
}

void request_answer(struct lf_client *c, uint64_t request, struct lf_result *r)
{
	uint32_t index = c->slots[request & c->mask] - 1;
	struct group *g = &c->groups[index];

	c->slots[request & c->mask] = 0;
	c->inflight--;
	c->answered++;
	r->request = request;
	r->once_client = g->once_client;
	r->once_request = g->once_client != 0 ? g->once_first + (request - g->first) : 0;
	g->left--;
	g->count += r->count;
	if (r->epoch > g->epoch)
		g->epoch = r->epoch;
	if (r->failed)
		group_note_error(g, &r->error);
	if (g->each != NULL)
		g->each(g->arg, request, r);
	else if (g->all == NULL && g->op != OPERATION_CLOSE)
		complete(c, g, r);
	/* The callback may have sent, and groups moved. */
	if (c->groups[index].left == 0)
		group_finish(c, index);
}

void request_succeed(
	struct lf_client *c, uint32_t index, uint64_t request, uint64_t epoch, uint64_t count)
{
	struct group *g = &c->groups[index];

	if (epoch > c->epoch)
		c->epoch = epoch;
	if (g->each == NULL && g->all != NULL) {
		c->slots[request & c->mask] = 0;
		c->inflight--;
		c->answered++;
		g->count += count;
		if (epoch > g->epoch)
			g->epoch = epoch;
		if (--g->left == 0)
			group_finish(c, index);
		return;
	}
	result_reset(&c->view);
	c->view.shape = g->shape;
	c->view.epoch = epoch;
	c->view.count = count;
	c->view.parts = c->view.parts_all = 1;
	request_answer(c, request, &c->view);
}

void request_fail_all(struct lf_client *c)
{
	while (c->partials != NULL) {
		struct lf_result *r = c->partials;

		c->partials = r->next;
		result_give(c, r);
	}
	c->dispatching = true;
	for (; c->oldest < c->next; c->oldest++) {
		int64_t index = request_find(c, c->oldest);
		const struct group *g;
		bool unknown;

		if (index < 0)
			continue;
		g = &c->groups[index];
		unknown = g->op == OPERATION_QUERY ||
			(g->op == OPERATION_EXECUTE && g->shape->kind != LF_STATEMENT_QUERY);
		result_reset(&c->view);
		c->view.failed = true;
		client_error(&c->view.error, "08006", "%s",
			unknown ? "connection lost: the outcome of the request is unknown"
				: "connection lost");
		(void)snprintf(c->view.error.detail, sizeof(c->view.error.detail), "%s: %.500s",
			c->fate.sqlstate, c->fate.message);
		request_answer(c, c->oldest, &c->view);
	}
	c->dispatching = false;
}

bool lf_client_next(struct lf_client *c, struct lf_client_completion *out)
{
	if (c->given != NULL) {
		result_give(c, c->given);
		c->given = NULL;
	}
	if (c->completions_n == 0)
		return false;
	*out = c->completions[c->completions_head];
	c->completions_head = (c->completions_head + 1) & (c->completions_cap - 1);
	c->completions_n--;
	c->given = (struct lf_result *)(uintptr_t)out->result;
	return true;
}
