/*
 * wire.h: the binary protocol's frames and numbers, as drawn in net/PROTOCOL.md. libc only: shared by the
 * server and the client library.
 */
#ifndef LF_NET_WIRE_WIRE_H
#define LF_NET_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

enum { WIRE_MAGIC = 0x444c464c /* "LFLD" */, WIRE_VERSION = 1, WIRE_HEADER = 16 };

enum wire_type {
	/* client to server */
	WIRE_HELLO = 1,
	WIRE_PREPARE,
	WIRE_CLOSE,
	WIRE_EXECUTE,
	WIRE_EXECUTE_BATCH,
	WIRE_QUERY,
	WIRE_PING,
	WIRE_INFO,
	WIRE_SCHEMA,
	WIRE_READ,
	WIRE_SUBSCRIBE,
	WIRE_UNSUBSCRIBE,
	WIRE_EVENTS,
	WIRE_CONSUME,
	WIRE_ACKNOWLEDGE,
	WIRE_HOLD = 17,
	WIRE_RELEASE,
	/* server to client */
	WIRE_HELLO_OK = 64,
	WIRE_PREPARED,
	WIRE_CLOSED,
	WIRE_DONE,
	WIRE_ROWS,
	WIRE_ERROR,
	WIRE_PONG,
	WIRE_INFO_OK,
	WIRE_DONE_BATCH,
	WIRE_SCHEMA_OK,
	WIRE_SUBSCRIBED,
	WIRE_CHANGES,
	WIRE_EVENTS_ARE,
	WIRE_REQUEUED
};

/* Header of every frame; `length` bytes follow it. */
struct wire_header {
	uint32_t length;
	uint8_t type;
	uint8_t flags;
	uint16_t zero;
	uint64_t request;
};
_Static_assert(sizeof(struct wire_header) == WIRE_HEADER, "drawn in PROTOCOL.md");

enum { WIRE_FLAG_MORE = 1, WIRE_FLAG_ASYNC = 2 };
/* Of EXECUTE and EXECUTE_BATCH: what stands between the head and the rows, in this order. */
enum {
	WIRE_FLAG_ONCE = 4,
	WIRE_FLAG_EXPECT = 8,
	WIRE_FLAG_META = 16,
	WIRE_FLAGS_EXECUTE = WIRE_FLAG_ONCE | WIRE_FLAG_EXPECT | WIRE_FLAG_META
};

/* Feature bits: EXECUTE takes those flags. */
enum { WIRE_FEATURE_OPTIONS = 1, WIRE_FEATURES = WIRE_FEATURE_OPTIONS };

/* SOURCE: the name of the source that the client is stands behind the hello. ALONE: connections of that source made before are
 * over. */
enum { WIRE_FEATURE_SOURCE = 16, WIRE_FEATURE_ALONE = 32 };

struct wire_hello {
	uint32_t magic;
	uint16_t version_min, version_max;
	uint64_t features;
};
struct wire_hello_ok {
	uint16_t version, shards;
	uint32_t frame_max, statements_max, requests_max;
	uint64_t features;
	uint64_t visible;
};
/* The head of EXECUTE and EXECUTE_BATCH; packed parameter rows follow (`count` of them). */
struct wire_execute {
	uint32_t handle;
	uint8_t ack;
	uint8_t zero[3];
	uint32_t timeout_ms;
	uint32_t count;
	uint64_t at_least;
};
/* WIRE_FLAG_ONCE; the next executions of a batch count `request` up. */
struct wire_once {
	uint64_t client, request;
};
/* WIRE_FLAG_EXPECT */
struct wire_expect {
	uint64_t epoch;
};
/* WIRE_FLAG_META: u32 bytes, the bytes, zeros up to a multiple of 8. */
enum { WIRE_META_MAX = 4096 };
static inline size_t wire_meta_size(size_t bytes)
{
	return (sizeof(uint32_t) + bytes + 7) & ~(size_t)7;
}
/* The head of READ; `count` times an item and its packed parameter row follow. */
struct wire_read {
	uint32_t count;
	uint32_t timeout_ms;
	uint64_t at_least;
};
struct wire_read_item {
	uint32_t handle;
	uint32_t zero;
};
/* HOLD. RELEASE has no body. */
struct wire_hold {
	uint32_t timeout_ms;
	uint32_t zero;
};
/* The head of QUERY; the text follows. */
struct wire_query {
	uint8_t ack;
	uint8_t zero[3];
	uint32_t timeout_ms;
	uint64_t at_least;
};
/* The head of EVENTS; the table's name and the key's text follow. */
enum wire_events_flags {
	WIRE_EVENTS_FOLLOW = 1,
	WIRE_EVENTS_OLDEST = 2,
	WIRE_EVENTS_NOW = 4,
	WIRE_EVENTS_STOP = 8,
	WIRE_EVENTS_FLAGS = 15
};
struct wire_events_from {
	uint32_t flags;
	uint16_t table_length, key_length;
	uint64_t epoch;
	uint32_t shard, number;
	uint64_t zero;
};
/* The head of EVENTS_ARE; `events` times a struct event_head (core/log/entry.h) and its entries follow. */
struct wire_events {
	uint64_t epoch;
	uint32_t shard, number;
	uint32_t events;
	uint32_t zero;
};
/* The head of CONSUME; the name follows. Flags: of EVENTS OLDEST, NOW and STOP, and these. */
enum { WIRE_CONSUME_REQUEUE = 16, WIRE_CONSUME_ALL = 32, WIRE_CONSUME_RESET = 64 };
struct wire_consume {
	uint32_t flags;
	uint16_t name_length, zero;
	uint64_t epoch;
	uint32_t shard, number;
	uint32_t ack_ms, attempts_max, inflight_max;
	uint32_t zero_too;
};
/* The head of ACKNOWLEDGE; `count` ids follow. */
enum { WIRE_ACKNOWLEDGE_MAX = 4096 };
struct wire_acknowledge {
	uint32_t how; /* 0 acknowledged, 1 rejected, 2 dead */
	uint32_t count;
};
struct wire_event_id {
	uint64_t epoch;
	uint32_t shard, number;
};
struct wire_requeued {
	uint64_t count;
};
/* The head of PREPARE; ndeclared type numbers (a byte each), then the text. */
struct wire_prepare {
	uint16_t ndeclared;
	uint16_t zero;
	uint32_t text_length;
};
/* The head of PREPARED; then for each parameter 4 bytes (type, scale, length or precision), for each result
 * column 4 bytes of type, u16 length of its name and the name, then the notice's bytes. */
struct wire_prepared {
	uint32_t handle;
	uint8_t kind; /* enum wire_kind */
	uint8_t zero;
	uint16_t nparams;
	uint16_t nresults;
	uint16_t tag_length; /* the command tag's bytes come last, behind the notice */
	uint32_t notice_length;
};
enum wire_kind { WIRE_KIND_COMMAND, WIRE_KIND_QUERY, WIRE_KIND_SCHEMA };
struct wire_done {
	uint64_t epoch, count;
	uint32_t parts, parts_all;
};
/* DONE_BATCH: `count` of these, for requests that all succeeded. */
struct wire_done_item {
	uint64_t request, epoch, count;
};
/* The head of ROWS; packed rows follow, back to back. */
struct wire_rows {
	uint64_t epoch;
	uint32_t count;
	uint32_t zero;
};
/* SUBSCRIBE; one packed parameter row follows. */
struct wire_subscribe {
	uint32_t handle;
	uint8_t flags; /* enum wire_subscribe_flag */
	uint8_t zero[3];
	uint32_t timeout_ms;
	uint32_t zero2;
	uint64_t from;
};
enum wire_subscribe_flag { WIRE_SUBSCRIBE_LATEST = 1, WIRE_SUBSCRIBE_STRICT = 2 };
struct wire_subscribed {
	uint64_t visible;
	uint64_t zero;
};
/* The head of CHANGES. Of a snapshot `count` packed rows follow, of a group so many changes. */
struct wire_changes {
	uint64_t epoch;
	uint32_t count;
	uint8_t kind; /* enum wire_changes_kind */
	uint8_t last; /* 1: the snapshot or group ends here */
	uint16_t zero;
};
enum wire_changes_kind {
	WIRE_CHANGES_SNAPSHOT = 1,
	WIRE_CHANGES_GROUP,
	WIRE_CHANGES_PROGRESS,
	WIRE_CHANGES_GAP,
	WIRE_CHANGES_END
};
/* One change; the old row (updated, deleted) and the new one (inserted, updated) follow. */
struct wire_change {
	uint32_t times;
	uint8_t op; /* enum wire_change_op */
	uint8_t zero[3];
};
enum wire_change_op { WIRE_INSERTED = 1, WIRE_UPDATED, WIRE_DELETED };
/* The head of ERROR; message, detail and hint follow. */
struct wire_error {
	char sqlstate[5];
	uint8_t zero;
	uint16_t message_length, detail_length, hint_length;
	int32_t position;
};
_Static_assert(sizeof(struct wire_hello) == 16 && sizeof(struct wire_hello_ok) == 32 &&
		sizeof(struct wire_execute) == 24 && sizeof(struct wire_read) == 16 &&
		sizeof(struct wire_once) == 16 && sizeof(struct wire_expect) == 8 &&
		sizeof(struct wire_hold) == 8 && sizeof(struct wire_read_item) == 8 &&
		sizeof(struct wire_query) == 16 && sizeof(struct wire_prepare) == 8 &&
		sizeof(struct wire_prepared) == 16 && sizeof(struct wire_done) == 24 &&
		sizeof(struct wire_done_item) == 24 && sizeof(struct wire_rows) == 16 &&
		sizeof(struct wire_error) == 16 && sizeof(struct wire_subscribe) == 24 &&
		sizeof(struct wire_subscribed) == 16 && sizeof(struct wire_changes) == 16 &&
		sizeof(struct wire_change) == 8 && sizeof(struct wire_events_from) == 32 &&
		sizeof(struct wire_events) == 24 && sizeof(struct wire_consume) == 40 &&
		sizeof(struct wire_acknowledge) == 8 && sizeof(struct wire_event_id) == 16 &&
		sizeof(struct wire_requeued) == 8,
	"drawn in PROTOCOL.md");

/* --- reading bytes that cannot be trusted --- */

struct wire_reader {
	const unsigned char *p;
	size_t left;
	bool bad; /* something was asked for that is not there */
};

static inline const void *wire_take(struct wire_reader *r, size_t n)
{
	const void *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static inline bool wire_get(struct wire_reader *r, void *out, size_t n)
{
	const void *p = wire_take(r, n);

	if (p == NULL) {
		memset(out, 0, n);
		return false;
	}
	memcpy(out, p, n);
	return true;
}

#endif
