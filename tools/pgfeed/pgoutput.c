/*
 * pgoutput.c: see pgoutput.h. A reader that remembers that it ran out of bytes, so that fields are taken one after the other
 * and the question whether they were there is asked once.
 */
#include "tools/pgfeed/pgoutput.h"

#include "tools/pgfeed/bytes.h"

struct reader {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	static const uint8_t ZEROS[8];
	const uint8_t *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return ZEROS;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint8_t u8(struct reader *r)
{
	return *take(r, 1);
}

static uint16_t u16(struct reader *r)
{
	return get_u16(take(r, 2));
}

static uint32_t u32(struct reader *r)
{
	return get_u32(take(r, 4));
}

static uint64_t u64(struct reader *r)
{
	return get_u64(take(r, 8));
}

static const char *string(struct reader *r)
{
	const uint8_t *end = r->left == 0 ? NULL : memchr(r->p, 0, r->left);

	if (r->bad || end == NULL) {
		r->bad = true;
		return "";
	}
	return (const char *)take(r, (size_t)(end - r->p) + 1);
}

static void tuple(struct reader *r, struct pgoutput_tuple *t)
{
	t->n = u16(r);
	t->p = r->p;
	for (unsigned i = 0; i < t->n && !r->bad; i++) {
		switch (u8(r)) {
		case PGOUTPUT_NULL:
		case PGOUTPUT_UNCHANGED: break;
		case PGOUTPUT_TEXT: (void)take(r, u32(r)); break;
		default: r->bad = true; break;
		}
	}
	t->bytes = (size_t)(r->p - t->p);
}

static void relation(struct reader *r, struct pgoutput_message *m)
{
	m->relation = u32(r);
	m->schema = string(r);
	m->name = string(r);
	m->identity = (char)u8(r);
	m->n = u16(r);
	m->list = r->p;
	for (unsigned i = 0; i < m->n && !r->bad; i++) {
		(void)u8(r);
		(void)string(r);
		(void)take(r, 8);
	}
}

static void change(struct reader *r, struct pgoutput_message *m)
{
	char kind;

	m->relation = u32(r);
	kind = (char)u8(r);
	if (m->type != PGOUTPUT_INSERT && (kind == 'K' || kind == 'O')) {
		m->old_kind = kind;
		tuple(r, &m->old);
		if (m->type == PGOUTPUT_DELETE)
			return;
		kind = (char)u8(r);
	}
	if (kind != 'N' || m->type == PGOUTPUT_DELETE) {
		r->bad = true;
		return;
	}
	tuple(r, &m->new);
}

static void truncation(struct reader *r, struct pgoutput_message *m)
{
	m->ntables = u32(r);
	(void)u8(r);
	m->list = r->p;
	if (m->ntables > r->left / 4)
		r->bad = true;
	else
		(void)take(r, 4 * (size_t)m->ntables);
}

static void logical(struct reader *r)
{
	(void)u8(r);
	(void)u64(r);
	(void)string(r);
	(void)take(r, u32(r));
}

static void commit(struct reader *r, struct pgoutput_message *m)
{
	(void)u8(r);
	m->lsn = u64(r);
	m->end_lsn = u64(r);
	m->time_us = (int64_t)u64(r);
}

static bool belongs_to_stream(uint8_t type)
{
	return type != 0 && strchr("RYIUDTM", type) != NULL;
}

static bool body(struct reader *r, struct pgoutput_message *m)
{
	switch (m->type) {
	case PGOUTPUT_BEGIN:
		m->lsn = u64(r);
		m->time_us = (int64_t)u64(r);
		m->xid = u32(r);
		return true;
	case PGOUTPUT_COMMIT: commit(r, m); return true;
	case PGOUTPUT_ORIGIN:
		(void)u64(r);
		(void)string(r);
		return true;
	case PGOUTPUT_RELATION: relation(r, m); return true;
	case PGOUTPUT_TYPE:
		(void)u32(r);
		(void)string(r);
		(void)string(r);
		return true;
	case PGOUTPUT_INSERT:
	case PGOUTPUT_UPDATE:
	case PGOUTPUT_DELETE: change(r, m); return true;
	case PGOUTPUT_TRUNCATE: truncation(r, m); return true;
	case PGOUTPUT_LOGICAL: logical(r); return true;
	case PGOUTPUT_STREAM_START:
		m->xid = u32(r);
		(void)u8(r);
		return true;
	case PGOUTPUT_STREAM_STOP: return true;
	case PGOUTPUT_STREAM_COMMIT:
		m->xid = u32(r);
		commit(r, m);
		return true;
	case PGOUTPUT_STREAM_ABORT:
		m->xid = u32(r);
		m->subxid = u32(r);
		return true;
	}
	return false;
}

int pgoutput_decode(
	struct pgoutput_message *m, const void *bytes, size_t n, bool streamed, const char **why)
{
	struct reader r = { bytes, n, n == 0 };
	uint8_t type = u8(&r);

	*m = (struct pgoutput_message){ .type = (enum pgoutput_type)type };
	if (streamed && belongs_to_stream(type))
		m->xid = u32(&r);
	if (!r.bad && !body(&r, m)) {
		*why = "unknown type of message";
		return -1;
	}
	if (r.bad || r.left != 0) {
		*why = "malformed message";
		return -1;
	}
	return 0;
}

void pgoutput_next(const struct pgoutput_tuple *t, size_t *at, struct pgoutput_value *v)
{
	const uint8_t *p = t->p + *at;

	*v = (struct pgoutput_value){ .kind = (enum pgoutput_kind)p[0] };
	(*at)++;
	if (v->kind != PGOUTPUT_TEXT)
		return;
	v->len = get_u32(p + 1);
	v->bytes = (const char *)p + 5;
	*at += 4 + (size_t)v->len;
}

void pgoutput_column(const struct pgoutput_message *m, size_t *at, struct pgoutput_column *c)
{
	const uint8_t *p = m->list + *at;
	size_t name;

	c->key = (p[0] & 1) != 0;
	c->name = (const char *)p + 1;
	name = strlen(c->name) + 1;
	c->type = get_u32(p + 1 + name);
	c->modifier = (int32_t)get_u32(p + 5 + name);
	*at += 9 + name;
}

uint32_t pgoutput_truncated(const struct pgoutput_message *m, uint32_t i)
{
	return get_u32(m->list + 4 * (size_t)i);
}
