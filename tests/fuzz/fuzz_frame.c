/*
 * fuzz_frame.c: arbitrary bytes from a client: a session on a stepped engine, without sockets.
 *
 * The first byte says how the rest is used: 1 a hello is sent first; 2 a schema is made and statements are
 * prepared first (handles 0…3); 4 the rest is not bytes of the stream but records (u8 type, u8 request, u16
 * length, body) that are given well-formed headers, so that what lies behind the header is reached often: the type's
 * three highest bits are the flags ONCE, EXPECT and META. The
 * second byte is the size of the pieces in which the stream arrives, 0: in one. Nothing may crash or leak,
 * and every answer must be a well-formed frame.
 */
#include "net/wire/wire.h"
#include "tests/unit/session_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIRST_HELLO = 1, FIRST_SCHEMA = 2, RECORDS = 4, STREAM_MAX = 1 << 20 };

/* An engine is used for many inputs, since opening one takes longer than most of them do; not for ever, so that
 * what an input needs from those before it is bounded. */
enum { INPUTS_AN_ENGINE = 200 };

static struct {
	struct lf_engine *engine;
	bool made; /* the schema */
	unsigned inputs;
} shared[2]; /* with one and with two projectors */

static void rows_check(struct wire_reader *r)
{
	struct wire_rows head;

	wire_get(r, &head, sizeof(head));
	for (uint32_t i = 0; i < head.count && !r->bad; i++) {
		uint32_t n = 0;

		ASSERT(r->left >= 8);
		memcpy(&n, r->p, sizeof(n));
		ASSERT(n >= 8 && n % 8 == 0);
		(void)wire_take(r, n);
	}
}

static void changes_check(struct wire_reader *r)
{
	struct wire_changes head;

	wire_get(r, &head, sizeof(head));
	ASSERT(head.kind >= WIRE_CHANGES_SNAPSHOT && head.kind <= WIRE_CHANGES_END);
	ASSERT(head.last <= 1 && head.zero == 0);
	ASSERT(head.kind <= WIRE_CHANGES_GROUP || head.count == 0);
	for (uint32_t i = 0; i < head.count && !r->bad; i++) {
		struct wire_change item = { .op = WIRE_INSERTED };

		if (head.kind == WIRE_CHANGES_GROUP) {
			wire_get(r, &item, sizeof(item));
			ASSERT(item.times > 0);
			ASSERT(item.op >= WIRE_INSERTED && item.op <= WIRE_DELETED);
		}
		for (unsigned k = item.op == WIRE_UPDATED ? 2 : 1; k > 0; k--) {
			uint32_t n = 0;

			ASSERT(r->left >= 8);
			memcpy(&n, r->p, sizeof(n));
			ASSERT(n >= 8 && n % 8 == 0);
			(void)wire_take(r, n);
		}
	}
}

static void prepared_check(struct wire_reader *r)
{
	struct wire_prepared head;

	wire_get(r, &head, sizeof(head));
	ASSERT(head.kind <= WIRE_KIND_SCHEMA && head.zero == 0);
	(void)wire_take(r, 4 * (size_t)head.nparams);
	for (unsigned i = 0; i < head.nresults; i++) {
		uint16_t n;

		(void)wire_take(r, 4);
		wire_get(r, &n, sizeof(n));
		(void)wire_take(r, n);
	}
	(void)wire_take(r, (size_t)head.notice_length + head.tag_length);
}

static void error_check(struct wire_reader *r)
{
	struct wire_error head;

	wire_get(r, &head, sizeof(head));
	ASSERT(head.zero == 0 && head.position >= 0);
	for (unsigned i = 0; i < sizeof(head.sqlstate); i++)
		ASSERT((head.sqlstate[i] >= '0' && head.sqlstate[i] <= '9') ||
			(head.sqlstate[i] >= 'A' && head.sqlstate[i] <= 'Z'));
	(void)wire_take(r, (size_t)head.message_length + head.detail_length + head.hint_length);
}

/* Whole, well-formed frames and nothing else. */
static void answers_check(struct buffer *out)
{
	while (buffer_length(out) > 0) {
		struct wire_header h;
		struct wire_reader r;

		ASSERT(buffer_length(out) >= sizeof(h));
		memcpy(&h, out->data + out->head, sizeof(h));
		ASSERT(buffer_length(out) - sizeof(h) >= h.length);
		ASSERT(h.zero == 0 && (h.flags & ~(WIRE_FLAG_MORE | WIRE_FLAG_ASYNC)) == 0);
		r = (struct wire_reader){ out->data + out->head + sizeof(h), h.length, false };
		switch ((enum wire_type)h.type) {
		case WIRE_HELLO_OK: (void)wire_take(&r, sizeof(struct wire_hello_ok)); break;
		case WIRE_PREPARED: prepared_check(&r); break;
		case WIRE_CLOSED:
		case WIRE_PONG: break;
		case WIRE_DONE: (void)wire_take(&r, sizeof(struct wire_done)); break;
		case WIRE_ROWS: rows_check(&r); break;
		case WIRE_ERROR: error_check(&r); break;
		case WIRE_SUBSCRIBED: (void)wire_take(&r, sizeof(struct wire_subscribed)); break;
		case WIRE_CHANGES: changes_check(&r); break;
		case WIRE_INFO_OK:
		case WIRE_SCHEMA_OK: (void)wire_take(&r, h.length); break;
		case WIRE_DONE_BATCH:
			ASSERT(h.length > 0 && h.length % sizeof(struct wire_done_item) == 0);
			(void)wire_take(&r, h.length);
			break;
		default: ASSERT(false);
		}
		ASSERT(!r.bad && r.left == 0);
		buffer_consume(out, sizeof(h) + h.length);
	}
}

static void send_frame(struct bed *b, enum wire_type type, const void *head, size_t nhead,
	const void *body, size_t nbody)
{
	struct wire_header h = { (uint32_t)(nhead + nbody), (uint8_t)type, 0, 0, 1 };

	bed_input(b, &h, sizeof(h));
	if (nhead > 0)
		bed_input(b, head, nhead);
	if (nbody > 0)
		bed_input(b, body, nbody);
}

static void schema_make(struct bed *b, bool made)
{
	static const char *const MADE[] = {
		"CREATE TABLE t (id bigint PRIMARY KEY, n int CHECK (n >= 0), s text, x numeric(12,2), d date)",
		"CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c, sum(x) AS sx FROM t GROUP BY n",
		"CREATE UNIQUE INDEX ON v (n)",
	};
	static const char *const PREPARED[] = {
		"INSERT INTO t VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET n = excluded.n",
		"SELECT * FROM t WHERE id = $1",
		"DELETE FROM t WHERE id = $1 RETURNING *",
		"SELECT c, sx FROM v WHERE n = $1",
	};

	for (size_t i = 0; !made && i < sizeof(MADE) / sizeof(*MADE); i++) {
		struct wire_query q = { .ack = LF_VISIBLE };

		send_frame(b, WIRE_QUERY, &q, sizeof(q), MADE[i], strlen(MADE[i]));
	}
	for (size_t i = 0; i < sizeof(PREPARED) / sizeof(*PREPARED); i++) {
		struct wire_prepare p = { .text_length = (uint32_t)strlen(PREPARED[i]) };

		send_frame(b, WIRE_PREPARE, &p, sizeof(p), PREPARED[i], strlen(PREPARED[i]));
	}
}

/* Records to a stream of frames; its length. */
static size_t records_frame(const uint8_t *data, size_t size, unsigned char *out)
{
	size_t n = 0;

	while (size >= 4) {
		struct wire_header h = { .type = data[0] & 31,
			.flags = (uint8_t)(data[0] >> 5 << 2),
			.request = data[1] };
		size_t length = data[2] | (size_t)data[3] << 8;

		data += 4;
		size -= 4;
		if (length > size)
			length = size;
		if (n + sizeof(h) + length > STREAM_MAX)
			break;
		h.length = (uint32_t)length;
		memcpy(out + n, &h, sizeof(h));
		memcpy(out + n + sizeof(h), data, length);
		n += sizeof(h) + length;
		data += length;
		size -= length;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char stream[STREAM_MAX];
	struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, WIRE_VERSION, 0 };
	struct bed b;
	uint8_t mode;
	size_t piece;
	unsigned second;

	if (size < 2 || size > STREAM_MAX / 8)
		return 0;
	mode = data[0];
	piece = data[1];
	data += 2;
	size -= 2;
	if (mode & RECORDS) {
		size = records_frame(data, size, stream);
		data = stream;
	}
	second = mode >> 7;
	if (shared[second].engine == NULL)
		shared[second].engine = bed_engine(1 + second);
	bed_open(&b, shared[second].engine, 1 + second);
	if (mode & (FIRST_HELLO | FIRST_SCHEMA))
		send_frame(&b, WIRE_HELLO, &hello, sizeof(hello), NULL, 0);
	if (mode & FIRST_SCHEMA) {
		schema_make(&b, shared[second].made);
		shared[second].made = true;
	}
	if (piece == 0)
		piece = size;
	for (size_t at = 0; at < size && !b.c.closing; at += piece) {
		bed_input(&b, data + at, at + piece <= size ? piece : size - at);
		answers_check(&b.c.out);
		b.c.batch_open = false;
	}
	answers_check(&b.c.out);
	bed_close(&b);
	if (++shared[second].inputs >= INPUTS_AN_ENGINE) {
		lf_engine_close(shared[second].engine);
		memset(&shared[second], 0, sizeof(shared[second]));
	}
	return 0;
}
