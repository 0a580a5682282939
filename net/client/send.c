/*
 * send.c: executions, one by one and in batches.
 */
#include "net/client/client_internal.h"

#include <stdlib.h>

static int check_call(const struct lf_client_call *how, struct lf_client_error *e)
{
	if (how != NULL && (unsigned)how->ack > LF_ACK_VISIBLE)
		return client_error(
			e, "22023", "there is no acknowledgement level %d", (int)how->ack);
	return 0;
}

static uint64_t at_least(const struct lf_client *c, const struct lf_client_call *how)
{
	return how->at_least == LF_EPOCH_OWN ? c->epoch : how->at_least;
}

static void option_add(struct execute_start *start, uint8_t flag, const void *bytes, size_t n)
{
	memcpy((unsigned char *)start + start->size, bytes, n);
	start->size += n;
	start->flags |= flag;
}

static int check_command(const struct lf_client *c, const struct lf_client_command *command,
	struct lf_client_error *e)
{
	if ((c->server.features & WIRE_FEATURE_OPTIONS) == 0)
		return client_error(e, "0A000", "the server does not know of options of commands");
	if (command->client != 0 && command->request == 0)
		return client_error(e, "22023", "request ids begin at 1");
	if (command->meta != NULL && command->meta_bytes > WIRE_META_MAX)
		return client_error(e, "54000", "metadata of %zu bytes exceed the limit of %d",
			command->meta_bytes, WIRE_META_MAX);
	return 0;
}

/* In the order of the protocol. */
static int options_add(struct execute_start *start, const struct lf_client *c,
	const struct lf_client_command *command, struct lf_client_error *e)
{
	static const unsigned char zeros[8] = { 0 };

	if (start->once.client == 0 && !command->expect && command->meta == NULL)
		return 0;
	if (check_command(c, command, e) != 0)
		return -1;
	if (start->once.client != 0)
		option_add(start, WIRE_FLAG_ONCE, &start->once, sizeof(start->once));
	if (command->expect)
		option_add(start, WIRE_FLAG_EXPECT, &command->expected_epoch,
			sizeof(command->expected_epoch));
	if (command->meta != NULL) {
		uint32_t n = (uint32_t)command->meta_bytes;

		option_add(start, WIRE_FLAG_META, &n, sizeof(n));
		option_add(start, WIRE_FLAG_META, command->meta, n);
		option_add(start, WIRE_FLAG_META, zeros, wire_meta_size(n) - sizeof(n) - n);
	}
	return 0;
}

/* The command's own numbers, or the connection's. */
static void number(struct execute_start *start, const struct lf_client *c,
	const struct lf_client_command *command)
{
	if (command->client != 0) {
		start->once = (struct wire_once){ command->client, command->request };
	} else if (c->options.once_client != 0 && !command->not_once) {
		start->once = (struct wire_once){ c->options.once_client, c->once_next };
		start->numbered = true;
	}
}

void execute_group(const struct execute_start *start, struct group *g)
{
	g->flags = start->flags;
	g->once_client = start->once.client;
	g->once_first = start->once.request;
}

void execute_sent(struct lf_client *c, const struct group *g, bool numbered, uint32_t n)
{
	if (numbered)
		c->once_next = g->once_first + n;
}

static int execute_head(struct execute_start *start, const struct lf_client *c,
	const struct execution *x, struct lf_client_error *e)
{
	static const struct lf_client_command none = { 0 };
	const struct lf_client_command *command = x->command != NULL ? x->command : &none;
	const struct lf_client_call *how = x->how;
	struct wire_execute *head = &start->head;

	*head = (struct wire_execute){
		.handle = x->statement->handle, .ack = LF_ACK_VISIBLE, .count = 1
	};
	start->size = sizeof(*head);
	start->flags = 0;
	start->once = (struct wire_once){ 0, 0 };
	start->numbered = false;
	if (how != NULL) {
		head->ack = (uint8_t)how->ack;
		head->timeout_ms = how->timeout_ms;
		head->at_least = at_least(c, how);
		if (check_call(how, e) != 0)
			return -1;
	}
	if (x->statement->shape->kind == LF_STATEMENT_QUERY)
		return 0;
	if (x->statement->shape->kind == LF_STATEMENT_COMMAND || command->client != 0)
		number(start, c, command);
	return options_add(start, c, command, e);
}

int query_head(struct wire_query *head, const struct lf_client *c, const struct lf_client_call *how,
	struct lf_client_error *e)
{
	*head = (struct wire_query){ .ack = LF_ACK_VISIBLE };
	if (how == NULL)
		return 0;
	head->ack = (uint8_t)how->ack;
	head->timeout_ms = how->timeout_ms;
	head->at_least = at_least(c, how);
	return check_call(how, e);
}

static bool same_types(const struct row_layout *a, const struct row_layout *b)
{
	return a->ncols == b->ncols &&
		(a->ncols == 0 || memcmp(a->types, b->types, a->ncols * sizeof(*a->types)) == 0);
}

/* The row of parameters for a statement. A statement without parameters needs none: NO_PARAMS is its row. */
static const unsigned char NO_PARAMS[8] = { 8 };

int params_row(const struct shape *s, const struct lf_params *p, const unsigned char **row,
	size_t *size, struct lf_client_error *e)
{
	if (p == NULL) {
		if (s->params.ncols > 0)
			return client_error(
				e, "42P02", "%u parameters are missing", s->params.ncols);
		*row = NO_PARAMS;
		*size = sizeof(NO_PARAMS);
		return 0;
	}
	if (p->failed) {
		if (e != NULL)
			*e = p->error;
		return -1;
	}
	if (p->shape != s && !same_types(&p->shape->params, &s->params))
		return client_error(e, "42804", "the parameters are of another statement");
	*row = p->row;
	*size = row_size(p->row);
	return 0;
}

static struct group execution(
	struct lf_statement *s, lf_client_on_result each, lf_client_on_batch all, void *arg)
{
	return (struct group){ .op = OPERATION_EXECUTE,
		.each = each,
		.all = all,
		.arg = arg,
		.statement = s,
		.shape = s->shape };
}

int execute_prepare(struct execute_start *start, const struct lf_client *c,
	const struct execution *x, const unsigned char **row, size_t *size,
	struct lf_client_error *e)
{
	if (execute_head(start, c, x, e) != 0)
		return -1;
	return params_row(x->statement->shape, x->params, row, size, e);
}

int lf_client_send_with(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, const struct lf_client_command *command,
	lf_client_on_result fn, void *arg, uint64_t *request, struct lf_client_error *e)
{
	const struct execution x = { s, p, how, command };
	struct group g = execution(s, fn, NULL, arg);
	struct execute_start start;
	const unsigned char *row;
	size_t size;
	int status;

	if (client_ready(c, false, e) != 0 || execute_prepare(&start, c, &x, &row, &size, e) != 0)
		return -1;
	execute_group(&start, &g);
	status = request_send(
		c, WIRE_EXECUTE, &start, start.size, row, size, &g, false, request, e);
	if (status == 0)
		execute_sent(c, &g, start.numbered, 1);
	return status;
}

int lf_client_send(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	const struct lf_client_call *how, lf_client_on_result fn, void *arg, uint64_t *request,
	struct lf_client_error *e)
{
	return lf_client_send_with(c, s, p, how, NULL, fn, arg, request, e);
}

int lf_client_send_query(struct lf_client *c, const char *text, size_t len,
	const struct lf_client_call *how, lf_client_on_result fn, void *arg, uint64_t *request,
	struct lf_client_error *e)
{
	struct group g = { .op = OPERATION_QUERY, .each = fn, .arg = arg };
	struct wire_query head;

	if (client_ready(c, false, e) != 0 || query_head(&head, c, how, e) != 0)
		return -1;
	return request_send(c, WIRE_QUERY, &head, sizeof(head), text,
		len == SIZE_MAX ? strlen(text) : len, &g, false, request, e);
}

/* --- holding the epoch --- */

int lf_client_send_hold(struct lf_client *c, uint32_t timeout_ms, lf_client_on_result fn, void *arg,
	uint64_t *request, struct lf_client_error *e)
{
	struct group g = { .op = OPERATION_HOLD, .each = fn, .arg = arg };
	struct wire_hold head = { .timeout_ms = timeout_ms };

	if (client_ready(c, false, e) != 0)
		return -1;
	return request_send(c, WIRE_HOLD, &head, sizeof(head), NULL, 0, &g, false, request, e);
}

int lf_client_send_release(struct lf_client *c, lf_client_on_result fn, void *arg,
	uint64_t *request, struct lf_client_error *e)
{
	struct group g = { .op = OPERATION_HOLD, .each = fn, .arg = arg };

	if (client_ready(c, false, e) != 0)
		return -1;
	return request_send(c, WIRE_RELEASE, NULL, 0, NULL, 0, &g, false, request, e);
}

/* --- batches --- */

static size_t batch_length(const struct lf_client *c)
{
	return c->out.used - c->out.head - c->batch_at - WIRE_HEADER;
}

/* Open a frame whose length, request and count are filled in at the end. */
static int batch_start(struct lf_client *c, enum wire_type type, const void *head, size_t nhead,
	const struct group *g, struct lf_client_error *e)
{
	struct wire_header h = { .type = (uint8_t)type, .flags = g->flags };
	int status = request_admit(c, nhead, 1, false, e);
	unsigned char *p;

	if (status != 0)
		return status;
	p = client_buffer_room(&c->out, sizeof(h) + nhead);
	if (p == NULL)
		return client_no_memory(e);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), head, nhead);
	c->batch_at = c->out.used - c->out.head;
	c->out.used += sizeof(h) + nhead;
	c->batching = true;
	c->batch_n = 0;
	c->batch = *g;
	c->reads_cap = 0;
	return 0;
}

int lf_client_batch_begin_with(struct lf_client *c, struct lf_statement *s,
	const struct lf_client_call *how, const struct lf_client_command *command,
	lf_client_on_result each, lf_client_on_batch all, void *arg, struct lf_client_error *e)
{
	const struct execution x = { s, NULL, how, command };
	struct group g = execution(s, each, all, arg);
	struct execute_start start;

	if (client_ready(c, false, e) != 0 || execute_head(&start, c, &x, e) != 0)
		return -1;
	execute_group(&start, &g);
	c->batch_numbered = start.numbered;
	return batch_start(c, WIRE_EXECUTE_BATCH, &start, start.size, &g, e);
}

int lf_client_batch_begin(struct lf_client *c, struct lf_statement *s,
	const struct lf_client_call *how, lf_client_on_result each, lf_client_on_batch all,
	void *arg, struct lf_client_error *e)
{
	return lf_client_batch_begin_with(c, s, how, NULL, each, all, arg, e);
}

int lf_client_reads_begin(struct lf_client *c, const struct lf_client_call *how,
	lf_client_on_result each, lf_client_on_batch all, void *arg, struct lf_client_error *e)
{
	struct group g = { .op = OPERATION_READ, .each = each, .all = all, .arg = arg };
	struct wire_read head = { .count = 0 };

	if (client_ready(c, false, e) != 0 || check_call(how, e) != 0)
		return -1;
	c->batch_numbered = false;
	if (how != NULL) {
		head.timeout_ms = how->timeout_ms;
		head.at_least = at_least(c, how);
	}
	return batch_start(c, WIRE_READ, &head, sizeof(head), &g, e);
}

static int batch_open(const struct lf_client *c, enum operation op, struct lf_client_error *e)
{
	if (!c->batching)
		return client_error(e, "55000", "no batch has been begun");
	if (c->batch.op != op)
		return client_error(e, "55000", "the batch that has been begun is of another kind");
	return 0;
}

/* Whether n executions in `bytes` bytes more fit the batch. 0, LF_WOULD_BLOCK, -1. */
static int batch_admit(struct lf_client *c, size_t bytes, unsigned n, struct lf_client_error *e)
{
	size_t length = batch_length(c), most = c->options.output_max, most_now;

	if (c->server.frame_max != 0 && most > c->server.frame_max)
		most = c->server.frame_max;
	/* What one request alone may have, one that is alone in a batch may have too. */
	most_now = c->batch_n == 0 && c->batch_at == 0 && c->server.frame_max != 0
		? c->server.frame_max
		: most;
	if (n <= CLIENT_BATCH_MAX - c->batch_n && !request_full(c, c->batch_n + n) &&
		bytes <= most_now && length <= most_now - bytes &&
		(c->batch_at == 0 || c->batch_at + length + bytes <= c->options.output_max))
		return 0;
	if (c->batch_n == 0 && c->batch_at == 0 && c->inflight == 0 && c->completions_n == 0)
		return client_error(
			e, "54000", "%u executions of %zu bytes do not fit one frame", n, bytes);
	return LF_WOULD_BLOCK;
}

/* Add n rows that are known to be whole. */
static int batch_put(struct lf_client *c, const unsigned char *rows, size_t bytes, unsigned n,
	struct lf_client_error *e)
{
	int status = batch_admit(c, bytes, n, e);
	unsigned char *p;

	if (status != 0)
		return status;
	p = client_buffer_room(&c->out, bytes);
	if (p == NULL)
		return client_no_memory(e);
	memcpy(p, rows, bytes);
	c->out.used += bytes;
	c->batch_n += n;
	return 0;
}

int lf_client_batch_add(struct lf_client *c, const struct lf_params *p, struct lf_client_error *e)
{
	const unsigned char *row;
	size_t size;

	if (batch_open(c, OPERATION_EXECUTE, e) != 0 ||
		params_row(c->batch.shape, p, &row, &size, e) != 0)
		return -1;
	return batch_put(c, row, size, 1, e);
}

/* Note whose read the next one is. */
static int reads_note(struct lf_client *c, struct lf_statement *s, struct lf_client_error *e)
{
	if (c->batch_n == c->reads_cap) {
		uint32_t cap = c->reads_cap == 0 ? 16 : 2 * c->reads_cap;
		struct lf_statement **grown = realloc(
			c->batch.reads, cap * sizeof(struct lf_statement *));

		if (grown == NULL)
			return client_no_memory(e);
		c->batch.reads = grown;
		c->reads_cap = cap;
	}
	c->batch.reads[c->batch_n] = s;
	return 0;
}

int lf_client_reads_add(struct lf_client *c, struct lf_statement *s, const struct lf_params *p,
	struct lf_client_error *e)
{
	struct wire_read_item item = { .handle = s->handle };
	const unsigned char *row;
	unsigned char *at;
	size_t size;
	int status;

	if (batch_open(c, OPERATION_READ, e) != 0)
		return -1;
	if (s->shape->kind != LF_STATEMENT_QUERY)
		return client_error(e, "42601", "only queries can be read together");
	if (params_row(s->shape, p, &row, &size, e) != 0)
		return -1;
	status = batch_admit(c, sizeof(item) + size, 1, e);
	if (status != 0)
		return status;
	at = client_buffer_room(&c->out, sizeof(item) + size);
	if (at == NULL || reads_note(c, s, e) != 0)
		return client_no_memory(e);
	memcpy(at, &item, sizeof(item));
	memcpy(at + sizeof(item), row, size);
	c->out.used += sizeof(item) + size;
	c->batch_n++;
	s->groups++;
	return 0;
}

int lf_client_batch_add_rows(
	struct lf_client *c, const void *rows, size_t bytes, unsigned n, struct lf_client_error *e)
{
	const unsigned char *p = rows;
	size_t left = bytes;

	if (batch_open(c, OPERATION_EXECUTE, e) != 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		uint32_t size = left >= 4 ? row_size(p) : 0;

		if (size < c->batch.shape->params.fixed || size > left || size % 8 != 0)
			return client_error(e, "22P03", "packed row %u has a wrong size", i);
		p += size;
		left -= size;
	}
	if (left != 0)
		return client_error(e, "22P03", "%zu bytes behind the packed rows", left);
	return batch_put(c, rows, bytes, n, e);
}

void lf_client_batch_cancel(struct lf_client *c)
{
	if (!c->batching)
		return;
	c->out.used = c->out.head + c->batch_at;
	c->batching = false;
	reads_release(&c->batch, c->batch.reads != NULL ? c->batch_n : 0);
}

int lf_client_batch_end(struct lf_client *c, uint64_t *first, struct lf_client_error *e)
{
	struct wire_header h;
	unsigned char *at;
	uint64_t id;

	if (batch_open(c, c->batch.op, e) != 0)
		return -1;
	if (c->batch_n == 0) {
		lf_client_batch_cancel(c);
		if (first != NULL)
			*first = c->next;
		return 0;
	}
	if (request_enter(c, &c->batch, c->batch_n, &id) != 0) {
		lf_client_batch_cancel(c);
		return client_no_memory(e);
	}
	at = c->out.data + c->out.head + c->batch_at;
	memcpy(&h, at, sizeof(h));
	h.request = id;
	h.length = (uint32_t)batch_length(c);
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h) +
			(h.type == WIRE_READ ? offsetof(struct wire_read, count)
					     : offsetof(struct wire_execute, count)),
		&c->batch_n, sizeof(c->batch_n));
	execute_sent(c, &c->batch, c->batch_numbered, c->batch_n);
	c->batching = false;
	c->batch.reads = NULL;
	if (first != NULL)
		*first = id;
	if (c->out.used - c->out.head >= CLIENT_WRITE_BYTES)
		client_write(c);
	return 0;
}
