/*
 * statements.c: the prepared statements of a session. A handle is the number of its slot; a slot closed
 * while executions of it are under way is released when the last of them has been answered.
 */
#include <stdlib.h>

#include "net/server/session_internal.h"

enum { STATEMENTS_FIRST = 16 };

static int slot_take(struct session *s, uint32_t *out)
{
	struct slot *grown;
	uint32_t n;

	for (uint32_t i = 0; i < s->nslots; i++)
		if (s->slots[i].statement == NULL) {
			*out = i;
			return 0;
		}
	n = s->nslots == 0 ? STATEMENTS_FIRST : 2 * s->nslots;
	grown = realloc(s->slots, n * sizeof(*grown));
	if (grown == NULL)
		return -1;
	memset(grown + s->nslots, 0, (n - s->nslots) * sizeof(*grown));
	*out = s->nslots;
	s->slots = grown;
	s->nslots = n;
	return 0;
}

void session_slot_drop(struct session *s, uint32_t handle)
{
	struct slot *slot = &s->slots[handle];

	lf_release(s->host->engine, slot->statement);
	*slot = (struct slot){ NULL, 0, false };
	s->open--;
	atomic_fetch_sub(&s->host->server->statements, 1);
}

static void slot_release(struct session *s, uint32_t i)
{
	struct slot *slot = &s->slots[i];

	if (slot->used > 0) {
		slot->closed = true;
		return;
	}
	session_slot_drop(s, i);
}

void session_slot_unuse(struct session *s, uint32_t handle)
{
	struct slot *slot = &s->slots[handle];

	if (--slot->used == 0 && slot->closed)
		slot_release(s, handle);
}

void session_prepared(
	struct session *s, uint64_t request, uint32_t handle, const struct statement *st)
{
	const char *tag = statement_tag(st);
	size_t length = sizeof(struct wire_prepared) + 4 * (size_t)st->nparams, at;
	struct wire_prepared head = {
		.handle = handle,
		.nparams = (uint16_t)st->nparams,
		.nresults = (uint16_t)st->nresults,
		.kind = st->kind == STATEMENT_SELECT ? WIRE_KIND_QUERY
			: statement_is_command(st)   ? WIRE_KIND_COMMAND
						     : WIRE_KIND_SCHEMA,
		.tag_length = (uint16_t)strlen(tag),
		.notice_length = st->notice == NULL ? 0 : (uint32_t)strlen(st->notice),
	};
	unsigned char *p;

	for (unsigned i = 0; i < st->nresults; i++)
		length += 6 + strlen(st->results[i].name);
	p = session_frame(
		s, WIRE_PREPARED, 0, request, length + head.notice_length + head.tag_length);
	if (p == NULL)
		return;
	memcpy(p, &head, sizeof(head));
	at = sizeof(head);
	for (unsigned i = 0; i < st->nparams; i++, at += 4)
		memcpy(p + at, &st->params[i], 4);
	for (unsigned i = 0; i < st->nresults; i++) {
		uint16_t n = (uint16_t)strlen(st->results[i].name);

		memcpy(p + at, &st->results[i].type, 4);
		memcpy(p + at + 4, &n, sizeof(n));
		memcpy(p + at + 6, st->results[i].name, n);
		at += 6u + n;
	}
	if (head.notice_length > 0)
		memcpy(p + at, st->notice, head.notice_length);
	memcpy(p + at + head.notice_length, tag, head.tag_length);
}

int session_check_source(struct session *s, const struct statement *st, struct error *e)
{
	return lf_check_source(
		s->host->engine, st, s->feeder == NULL ? NULL : feeder_name(s->feeder), e);
}

void session_on_prepare(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_prepare head;
	enum type_id *declared;
	const unsigned char *types;
	const char *text;
	struct statement *st;
	struct error e;
	uint32_t handle;

	wire_get(r, &head, sizeof(head));
	types = wire_take(r, head.ndeclared);
	text = wire_take(r, head.text_length);
	if (r->bad || r->left != 0 || head.zero != 0) {
		session_violation(s, request, "malformed prepare");
		return;
	}
	arena_reset(&s->host->scratch);
	declared = arena_alloc(&s->host->scratch, (head.ndeclared + 1u) * sizeof(*declared));
	if (declared == NULL) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return;
	}
	for (unsigned i = 0; i < head.ndeclared; i++) {
		if (types[i] >= TYPE_COUNT) {
			error_set(&e, ERR_UNDEFINED_OBJECT, 0,
				"type %u of parameter $%u does not exist", types[i], i + 1);
			session_error(s, request, 0, &e);
			return;
		}
		if (types[i] == TYPE_JSON || types[i] == TYPE_JSONB) {
			error_set(&e, ERR_FEATURE, 0,
				"parameter $%u: json is sent as text, and cast", i + 1);
			session_error(s, request, 0, &e);
			return;
		}
		declared[i] = (enum type_id)types[i];
	}
	if (s->open >= s->host->server->options.statements_max) {
		error_set(&e, ERR_LIMIT, 0, "more than %u prepared statements in one connection",
			s->host->server->options.statements_max);
		session_error(s, request, 0, &e);
		return;
	}
	if (lf_prepare(&st, s->host->engine, text, head.text_length, declared, head.ndeclared,
		    &e) != 0) {
		session_error(s, request, 0, &e);
		return;
	}
	if (session_check_source(s, st, &e) != 0) {
		lf_release(s->host->engine, st);
		session_error(s, request, 0, &e);
		return;
	}
	if (slot_take(s, &handle) != 0) {
		lf_release(s->host->engine, st);
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return;
	}
	s->slots[handle] = (struct slot){ st, 0, false };
	s->open++;
	atomic_fetch_add(&s->host->server->statements, 1);
	session_prepared(s, request, handle, st);
}

struct slot *session_slot(struct session *s, uint32_t handle)
{
	if (handle >= s->nslots || s->slots[handle].statement == NULL || s->slots[handle].closed)
		return NULL;
	return &s->slots[handle];
}

void session_unknown_statement(struct session *s, uint64_t request, uint32_t handle)
{
	struct error e;

	error_set(&e, ERR_UNKNOWN_STATEMENT, 0, "prepared statement %u does not exist", handle);
	session_error(s, request, 0, &e);
}

void session_on_close(struct session *s, uint64_t request, struct wire_reader *r)
{
	uint32_t handle;

	wire_get(r, &handle, sizeof(handle));
	if (r->bad || r->left != 0) {
		session_violation(s, request, "malformed close");
		return;
	}
	if (session_slot(s, handle) == NULL) {
		session_unknown_statement(s, request, handle);
		return;
	}
	slot_release(s, handle);
	(void)session_frame(s, WIRE_CLOSED, 0, request, 0);
}
