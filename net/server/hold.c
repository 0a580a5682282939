/*
 * hold.c: the frames HOLD and RELEASE, and the end of a hold whose client does not end it.
 */
#include "core/base/clock.h"
#include "net/server/session_internal.h"

static void hold_done(struct session *s, uint64_t request)
{
	struct wire_done done = { .parts = 1, .parts_all = 1 };

	session_done(s, request, &done);
}

bool session_on_hold(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct wire_hold head;
	struct error e;

	wire_get(r, &head, sizeof(head));
	if (r->bad || r->left != 0 || head.zero != 0) {
		session_violation(s, request, "malformed hold");
		return true;
	}
	if (s->hold != 0) {
		error_set(&e, ERR_HELD, 0, "this connection holds the epoch already");
		session_error(s, request, 0, &e);
		return true;
	}
	if (lf_hold(s->host->engine, &s->hold, &e) == 0) {
		s->wait_until_us = 0;
		s->hold_broken = false;
		s->hold_until_us = clock_now_us() + 1000 * (uint64_t)LIMIT_HOLD_MS;
		hold_done(s, request);
		return true;
	}
	/* Whoever has it, when that ends something becomes visible. */
	if (session_wait(s, lf_visible(s->host->engine) + 1, head.timeout_ms))
		return false;
	session_error(s, request, 0, &e);
	return true;
}

bool session_on_release(struct session *s, uint64_t request, struct wire_reader *r)
{
	struct pending *p;
	struct error e;

	if (r->left != 0) {
		session_violation(s, request, "a body where there is none");
		return true;
	}
	if (s->hold == 0) {
		if (s->hold_broken)
			error_set(&e, ERR_HOLD_TIMEOUT, 0, "the epoch was held for more than %d ms",
				LIMIT_HOLD_MS);
		else
			error_set(&e, ERR_NOT_HELD, 0, "this connection does not hold the epoch");
		s->hold_broken = false;
		session_error(s, request, 0, &e);
		return true;
	}
	if (s->pending >= s->host->server->options.requests_max) {
		s->c->blocked = true;
		return false;
	}
	p = session_pending(s);
	if (p == NULL) {
		error_set(&e, ERR_OUT_OF_MEMORY, 0, NULL);
		session_error(s, request, 0, &e);
		return true;
	}
	p->request = request;
	p->one_shot = true;
	if (lf_release_hold(s->host->port, s->hold, (uint64_t)(uintptr_t)p, &e) != 0) {
		session_pending_give(p);
		s->c->blocked = e.code == ERR_OVERLOAD;
		if (!s->c->blocked)
			session_error(s, request, 0, &e);
		return !s->c->blocked;
	}
	s->hold = 0;
	return true;
}

bool session_hold_refuses(struct session *s, uint64_t request, const struct statement *st)
{
	struct error e;

	if (!statement_is_ddl(st))
		return false;
	error_set(&e, ERR_HELD, 0,
		"a schema change cannot be made while the connection holds the epoch");
	session_error(s, request, 0, &e);
	return true;
}

void session_hold_end(struct session *s)
{
	if (s->hold != 0)
		s->hold_broken = lf_break_hold(s->host->engine, s->hold);
	s->hold = 0;
}

void session_hold_look(struct session *s, uint64_t now_us)
{
	if (s->hold != 0 && now_us >= s->hold_until_us)
		session_hold_end(s);
}
