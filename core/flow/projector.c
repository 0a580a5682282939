/*
 * projector.c: the loop body of a shard.
 *
 * Happy path of a batch: enter the current epoch; for each lane take commands, execute them on the
 * shard's parts, write replies (not published yet); give the changes to the views and publish their
 * rows; send what other shards must know; leave the epoch; publish the replies and wake the ports. In
 * between, stages above 0 run for each epoch once it is ready for them.
 *
 * With a journal the batch's changes are copied into it before they go to the views, so that the disk works meanwhile;
 * its completions are taken at the beginning of each step.
 *
 * It pushes back in two places: a lane whose reply ring has no room is not served until its port has
 * polled, and none is while too much waits for the disk. A refused command changes nothing and is answered with its error. Views fail by themselves
 * (flow.h); the batch goes on.
 *
 * Budget for a small command (64 in a batch, rows in memory not in cache): ring 2 lines, the row and its
 * bucket 2 misses, one reply line; everything else of a batch (epoch, wake-ups) is shared by its
 * commands.
 */
#include "core/flow/projector.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "core/base/clock.h"
#include "core/base/probe.h"
#include "core/flow/once.h"
#include "core/sync/retire.h"

enum {
	FETCH_AHEAD_COMMANDS = 6,
	STEP_RETIRE_MAX = 4096, /* objects freed a step */
	STEP_FREE = 1024,       /* blocks of what was dropped freed a step (mem.h): 0.1 ms */
	STEP_PARTS = 4,         /* parts that a batch looks after … */
	STEP_PART_MAX = 32, /* … with so many steps of each at most: more than a batch can kill */
	LET_GO_WAIT_US = 1000,
	POSTGRES_EPOCH_S = 946684800
};

struct projector {
	struct projector_set *set;
	unsigned shard;
	struct heap *heap;
	struct retire *retire;
	struct flow *flow;
	struct change_log log;
	struct arena scratch, results;
	uint64_t rowids
		[LIMIT_PROJECTORS]; /* the last given, by the shard that gave it: this one's, or seen when
	                                    * recovering */
	unsigned first_lane;        /* where the next batch begins, to be fair */

	unsigned stage; /* being run, and its epoch: what flow's sends are tagged with */
	uint64_t epoch;
	uint64_t finished[LIMIT_STAGES];
	struct exchange_chunk **out; /* by receiving shard: being filled */
	struct exchange_chunk *inbox[LIMIT_STAGES];

	struct part **parts;
	unsigned nparts, parts_cap;
	struct part *condemned; /* readers may still be in them */
	_Atomic bool freeing;   /* there is, or may be, something that can be freed now */
	unsigned failures_seen;
	bool emptying;      /* there are parts of failed views that have something yet */
	unsigned next_part; /* housekeeping goes round */
	/* An index that is being built; part NULL: none, or it has all rows. */
	struct {
		struct part *part;
		const struct index_def *def;
		struct build_progress *progress;
	} index;
	/* A table's part that is being copied, or has been and is kept up till the copy takes its place; copy NULL: none. */
	struct {
		struct part_copy *copy;
		struct build_progress *progress;
		bool over; /* through, or it has failed */
	} copying;
	uint64_t build_epoch; /* of the last slice of a view being built */
	bool no_tidying;      /* what is due could not be taken out for want of memory */

	struct feeds feeds;
	_Atomic(struct feed_request *) feed_requests; /* the newest first */

	struct journal *journal;    /* NULL: none */
	struct event_log *events;   /* NULL: commands are not journaled */
	uint64_t unwritten;         /* as last told to the epochs */
	const struct error *refuse; /* the journal takes nothing: what every command is answered */

	struct answers *answers;
	bool answered_once;                  /* there are answers that the journal does not have */
	_Atomic(struct answers_copy *) copy; /* asked for by a checkpoint */

	struct projector_stats stats;
	struct parker parker;
	_Atomic unsigned nlanes; /* lanes[0, nlanes) may be set */
	_Atomic(struct lane *) lanes[LIMIT_PORTS];
};

/* One more of what others read while it is counted; we are the only ones who write it. */
static void count(uint64_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

/* --- exchange --- */

static int exchange_out(void *arg, unsigned to, unsigned stage, uint32_t view_id, uint32_t edge,
	const void *row, int64_t weight)
{
	struct projector *p = arg;
	struct projector_set *set = p->set;
	uint32_t size = row_size(row);

	for (;;) {
		struct exchange_chunk *k = p->out[to];

		if (k != NULL && k->stage == stage && k->epoch == p->epoch &&
			exchange_append(k, view_id, edge, weight, row, size))
			return 0;
		if (k != NULL)
			exchange_send(&set->channels[to * set->shards + p->shard], k);
		p->out[to] = exchange_chunk_new(&set->budget, stage, p->epoch,
			(uint32_t)sizeof(struct exchange_delta) + size);
		if (p->out[to] == NULL)
			return -1;
	}
}

static void exchange_flush(struct projector *p)
{
	struct projector_set *set = p->set;

	for (unsigned to = 0; to < set->shards; to++) {
		if (p->out[to] == NULL)
			continue;
		exchange_send(&set->channels[to * set->shards + p->shard], p->out[to]);
		p->out[to] = NULL;
	}
}

/* Sort what has arrived by stage. */
static void exchange_collect(struct projector *p)
{
	struct projector_set *set = p->set;

	for (unsigned from = 0; from < set->shards; from++) {
		struct exchange_channel *c = &set->channels[p->shard * set->shards + from];
		struct exchange_chunk *k;

		while ((k = exchange_take(c)) != NULL) {
			ASSERT(k->stage < LIMIT_STAGES);
			k->next = p->inbox[k->stage];
			p->inbox[k->stage] = k;
		}
	}
}

static void chunk_receive(struct projector *p, const struct exchange_chunk *k)
{
	for (uint32_t at = 0; at < k->used;) {
		struct exchange_delta d;
		const unsigned char *row = k->data + at + sizeof(d);

		memcpy(&d, k->data + at, sizeof(d));
		flow_receive(p->flow, d.view_id, d.edge, row, d.weight);
		at += (uint32_t)sizeof(d) + row_size(row);
	}
}

/* A build takes more memory than any batch. The first touch of a huge page may take milliseconds, which commands would
 * wait for: so it goes no faster than memory is touched ahead. */
static bool build_may(const struct projector *p)
{
	return !p->set->paced || !heap_is_behind(p->heap);
}

/* Run one stage of one epoch: everything for it has arrived. */
static void stage_run(struct projector *p, unsigned stage, uint64_t epoch)
{
	struct exchange_chunk **link = &p->inbox[stage];
	struct exchange_chunk *used = NULL;

	PROBE3(stage_begin, p->shard, epoch, stage);
	p->stage = stage;
	p->epoch = epoch;
	while (*link != NULL) {
		struct exchange_chunk *k = *link;

		if (k->epoch != epoch) {
			ASSERT(k->epoch > epoch);
			link = &k->next;
			continue;
		}
		*link = k->next;
		chunk_receive(p, k);
		k->next = used;
		used = k;
	}
	flow_run(p->flow, stage, epoch);
	if (build_may(p))
		flow_build_step(p->flow, stage, epoch);
	while (used != NULL) {
		struct exchange_chunk *next = used->next;

		exchange_chunk_free(&p->set->budget, used);
		used = next;
	}
	exchange_flush(p);
	PROBE3(stage_end, p->shard, epoch, stage);
}

static void wake_others(struct projector *p)
{
	struct projector_set *set = p->set;

	if (set->stages <= 1)
		return;
	for (unsigned s = 0; s < set->shards; s++)
		if (s != p->shard)
			park_wake(&set->projectors[s]->parker);
}

static bool stages_run(struct projector *p)
{
	struct projector_set *set = p->set;
	bool did = false;

	for (unsigned k = 1; k < set->stages; k++) {
		uint64_t ready = epoch_ready(set->epochs, k);

		if (p->finished[k] >= ready)
			continue;
		/* After epoch_ready(): so everything of those epochs is in the channels. */
		exchange_collect(p);
		while (p->finished[k] < ready) {
			uint64_t next = ready;

			for (struct exchange_chunk *c = p->inbox[k]; c != NULL; c = c->next)
				if (c->epoch < next)
					next = c->epoch;
			stage_run(p, k, next);
			p->finished[k] = next;
			epoch_finish(set->epochs, p->shard, k, next);
		}
		epoch_advance(set->epochs);
		wake_others(p);
		did = true;
	}
	return did;
}

/* --- commands --- */

static uint32_t reply_error(struct reply_message *r, const struct error *e)
{
	r->kind = REPLY_ERROR;
	r->nrows = 0;
	memcpy(r + 1, e, sizeof(*e));
	return (uint32_t)(sizeof(*r) + sizeof(*e));
}

/* Copy RETURNING rows into the reply; returns the reply's bytes. */
static uint32_t reply_rows(
	struct reply_message *r, unsigned nrows, const void *const *rows, uint64_t bytes)
{
	unsigned char *at = (unsigned char *)(r + 1);

	if (bytes > REPLY_INLINE_MAX - sizeof(*r)) {
		/* The command is done and its rows must reach the client: no ring fits any number of
		 * them, so they go through the C library's memory. */
		at = bytes <= UINT32_MAX ? malloc(bytes) : NULL;
		if (at == NULL) {
			struct error e;

			error_set(&e, ERR_OUTCOME_UNKNOWN, 0,
				"the command was executed but there is no memory for its rows");
			return reply_error(r, &e);
		}
		r->outside = at;
	}
	r->nrows = nrows;
	r->bytes = (uint32_t)bytes;
	for (unsigned i = 0; i < nrows; i++) {
		uint32_t n = row_size(rows[i]);

		memcpy(at, rows[i], n);
		at += n;
	}
	return (uint32_t)sizeof(*r) + (r->outside != NULL ? 0 : r->bytes);
}

/* command_execute(), of a statement that may be older than the schema: then of the same prepared again. What a command's
 * query gave is of the schema that it was read by. */
static int command_do(struct projector *p, const struct statement *s, const void *params,
	const void *const *sources, const struct row_range *rows, struct command_env *env,
	struct command_result *result, struct error *e)
{
	if (command_execute(s, params, sources, rows, env, result, e) == 0)
		return 0;
	if (!env->stale)
		return -1;
	env->stale = false;
	if (sources != NULL)
		return error_set(e, ERR_SERIALIZATION, 0,
			"a table has been altered since the command's query was read");
	s = p->set->renew(p->set->renew_arg, s, e);
	if (s == NULL || command_stays(s, params, env, e) != 0)
		return -1;
	return command_execute(s, params, NULL, rows, env, result, e);
}

/* command_do(), and the note that the changes it made are its. Not inline: it is for few. */
static __attribute__((noinline)) int event_do(struct projector *p, const struct statement *s,
	const void *params, const void *noted, const void *const *sources,
	const struct row_range *rows, struct command_env *env, struct command_result *result,
	struct error *e)
{
	const struct command_options *o = env->options;
	uint32_t meta = o != NULL && (o->flags & COMMAND_META) ? o->meta_bytes : 0;
	unsigned first = p->log.n;

	/* Before it is executed: afterwards nothing may fail. */
	if (event_log_prepare(p->events, noted, meta > 0 ? o->meta : NULL, meta, e) != 0 ||
		command_do(p, s, params, sources, rows, env, result, e) != 0)
		return -1;
	if (p->log.n > first && !s->unlogged)
		event_log_note(p->events, s, env->now_us, first, p->log.n - first);
	return 0;
}

/* command_do(), and where commands are journaled the note. noted: its parameters as they are written then; NULL: none, or
 * they are those of all parts and would be written with each. */
static inline int command_noted(struct projector *p, const struct statement *s, const void *params,
	const void *noted, const void *const *sources, const struct row_range *rows,
	struct command_env *env, struct command_result *result, struct error *e)
{
	return p->events == NULL ? command_do(p, s, params, sources, rows, env, result, e)
				 : event_do(p, s, params, noted, sources, rows, env, result, e);
}

/* The parameters of a command that is a message by itself, to be noted. */
static const void *message_params(const struct command_message *m)
{
	return m->statement->nparams > 0 ? m + 1 : NULL;
}

/* command_noted() of a command with a request id, or what it gave the first time. *epoch: of the first time; 0: there will
 * not be another time, or the refusal is not remembered. */
static int once_do(struct projector *p, const struct statement *s, const void *params,
	const void *noted, const struct row_range *rows, uint64_t hash, struct command_env *env,
	struct command_result *result, uint64_t *epoch, struct error *e)
{
	const struct command_options *o = env->options;
	bool every = (o->flags & COMMAND_EVERY_SHARD) != 0;
	struct answer_key key = { o->client, o->request, every ? p->shard : rows->first, every };
	const struct answer_record *known;
	struct answer *answer;
	int status = answers_look(p->answers, &key, o->payload, &known, e);

	*epoch = 0;
	if (status < 0)
		return -1;
	if (status > 0) {
		count(&p->stats.repeated);
		*epoch = known->epoch;
		return once_repeat(known, s, &p->results, result, e);
	}
	if (p->refuse != NULL) {
		*e = *p->refuse;
		return -1;
	}
	answer = answers_begin(p->answers, &key, o->payload, hash, e);
	if (answer == NULL)
		return -1;
	status = command_noted(p, s, params, noted, NULL, rows, env, result, e);
	if (once_remember(p->answers, answer, s, env, status, result, e)) {
		*epoch = env->epoch;
		p->answered_once = true;
	}
	return status;
}

/* What it gave as a reply; returns the reply's bytes. */
static inline __attribute__((always_inline)) uint32_t single_reply(
	struct projector *p, const struct command_result *result, struct reply_message *r)
{
	uint32_t size = (uint32_t)sizeof(*r);

	r->count = result->count;
	r->done = 1;
	if (result->nrows > 0) {
		size = reply_rows(r, result->nrows, result->rows, result->returned_bytes);
		arena_reset(&p->results);
	}
	return size;
}

static uint32_t single_once(struct projector *p, struct command_env *env,
	const struct command_message *m, struct reply_message *r)
{
	struct command_result result = { 0 };
	struct error e;

	if (once_do(p, m->statement, m + 1, message_params(m), &m->rows, env->options->hash, env,
		    &result, &r->epoch, &e) == 0)
		return single_reply(p, &result, r);
	count(&p->stats.refused);
	return reply_error(r, &e);
}

/* A command of one part; returns the reply's bytes. Inline: the usual way is one of two that come here. */
static inline __attribute__((always_inline)) uint32_t single_run(struct projector *p,
	struct command_env *env, const struct command_message *m, struct reply_message *r)
{
	struct command_result result = { 0 };
	struct error e;

	if (p->refuse != NULL) {
		count(&p->stats.refused);
		return reply_error(r, p->refuse);
	}
	if (command_noted(p, m->statement, m + 1, message_params(m), NULL, &m->rows, env, &result,
		    &e) != 0) {
		count(&p->stats.refused);
		return reply_error(r, &e);
	}
	r->epoch = env->epoch;
	return single_reply(p, &result, r);
}

/* One part of several. *epoch, 0 before: that it is answered with. */
static int part_run(struct projector *p, struct command_env *env, const struct command_message *m,
	unsigned i, struct command_result *result, uint64_t *epoch, struct error *e)
{
	const struct command_parts *parts = m->parts;

	if (env->options != NULL && (env->options->flags & COMMAND_ONCE) != 0)
		return once_do(p, m->statement, parts->params, NULL, &parts->ranges[i],
			parts->hashes[i], env, result, epoch, e);
	if (p->refuse != NULL) {
		*e = *p->refuse;
		return -1;
	}
	if (command_noted(p, m->statement, parts->params, NULL, parts->sources, &parts->ranges[i],
		    env, result, e) != 0)
		return -1;
	*epoch = env->epoch;
	return 0;
}

/* A command of several parts: each range succeeds or fails by itself, the first error is told. */
static uint32_t parts_run(struct projector *p, struct command_env *env,
	const struct command_message *m, struct reply_message *r)
{
	const struct command_parts *parts = m->parts;
	const void **rows = NULL;
	unsigned nrows = 0;
	uint64_t bytes = 0;
	struct error first = { .code = ERR_OK };
	uint32_t size = (uint32_t)sizeof(*r);

	if (parts->hold_ends != 0) {
		r->epoch = env->epoch;
		r->done = 1;
		hold_end_shard(&p->set->hold, p->set->epochs, parts->hold_ends);
	}
	for (unsigned i = 0; i < parts->n; i++) {
		struct command_result result = { 0 };
		uint64_t epoch = 0;
		struct error e;
		int status = part_run(p, env, m, i, &result, &epoch, &e);

		if (epoch > r->epoch)
			r->epoch = epoch;
		if (status != 0) {
			count(&p->stats.refused);
			if (first.code == ERR_OK)
				first = e;
			continue;
		}
		r->count += result.count;
		r->done++;
		if (result.nrows > 0) {
			const void **all = realloc(rows, (nrows + result.nrows) * sizeof(*all));

			if (all == NULL) {
				error_set(&first, ERR_OUTCOME_UNKNOWN, 0,
					"no memory for the rows returned");
				continue;
			}
			rows = all;
			memcpy(rows + nrows, result.rows, result.nrows * sizeof(*rows));
			nrows += result.nrows;
			bytes += result.returned_bytes;
		}
	}
	if (first.code != ERR_OK)
		size = reply_error(r, &first);
	else if (nrows > 0)
		size = reply_rows(r, nrows, rows, bytes);
	free(rows);
	arena_reset(&p->results);
	return size;
}

/* A command with options. */
static __attribute__((noinline)) uint32_t command_run_with(struct projector *p,
	struct command_env *env, const struct command_message *m, struct reply_message *r)
{
	const unsigned char *params = (const unsigned char *)(m + 1);
	uint32_t size;

	env->options = m->parts != NULL
		? m->parts->options
		: (const struct command_options *)(const void *)(params + row_size(params));
	if (m->parts != NULL)
		size = parts_run(p, env, m, r);
	else if ((env->options->flags & COMMAND_ONCE) != 0)
		size = single_once(p, env, m, r);
	else
		size = single_run(p, env, m, r);
	env->options = NULL;
	return size;
}

/* Execute one message and write its reply; returns the reply's bytes. */
static uint32_t command_run(struct projector *p, struct command_env *env,
	const struct command_message *m, struct reply_message *r)
{
	memset(r, 0, sizeof(*r));
	r->tag = m->tag;
	r->statement = m->statement;
	r->request = m->request;
	r->ack = (uint8_t)m->ack;
	r->kind = REPLY_DONE;
	count(&p->stats.commands);
	if (m->options != 0)
		return command_run_with(p, env, m, r);
	return m->parts == NULL ? single_run(p, env, m, r) : parts_run(p, env, m, r);
}

/* Room for one reply, or NULL with the lane marked. */
static void *lane_room(struct lane *lane)
{
	void *room = ring_reserve(lane->replies, REPLY_INLINE_MAX);

	if (room != NULL)
		return room;
	/* The port clears the mark after it has given back space; looking again after setting it
	 * closes the window between the two. */
	atomic_store(&lane->starved, true);
	room = ring_reserve(lane->replies, REPLY_INLINE_MAX);
	if (room != NULL)
		atomic_store(&lane->starved, false);
	return room;
}

/* Fetch what the next command but some will look up. */
static void lane_fetch(struct lane *lane, uint64_t *ahead, struct command_env *env)
{
	const struct command_message *m = ring_ahead(lane->commands, ahead);

	if (m != NULL && m->parts == NULL)
		command_prefetch(m->statement, m + 1, &m->rows, env);
}

static unsigned lane_run(struct projector *p, struct lane *lane, struct command_env *env)
{
	uint64_t ahead = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < FETCH_AHEAD_COMMANDS; i++)
		lane_fetch(lane, &ahead, env);
	while (n < p->set->batch_max) {
		const struct command_message *m;
		uint32_t len;
		void *room = lane_room(lane);

		if (room == NULL)
			break;
		m = ring_peek(lane->commands, &len);
		if (m == NULL)
			break;
		lane_fetch(lane, &ahead, env);
		ring_commit(lane->replies, command_run(p, env, m, room));
		ring_advance(lane->commands);
		n++;
	}
	if (n > 0)
		ring_release(lane->commands);
	return n;
}

/* --- the journal --- */

static void wake_ports(struct projector *p)
{
	unsigned nlanes = atomic_load_explicit(&p->nlanes, memory_order_acquire);

	for (unsigned i = 0; i < nlanes; i++) {
		struct lane *lane = atomic_load_explicit(&p->lanes[i], memory_order_acquire);

		if (lane != NULL)
			park_wake(lane->port);
	}
}

void projector_set_unwritable(struct projector_set *set, const struct error *why)
{
	bool first;

	pthread_mutex_lock(&set->unwritable_lock);
	first = !atomic_load_explicit(&set->unwritable, memory_order_relaxed);
	if (first)
		set->unwritable_why = *why;
	atomic_store_explicit(&set->unwritable, true, memory_order_release);
	pthread_mutex_unlock(&set->unwritable_lock);
	if (first && set->on_unwritable != NULL)
		set->on_unwritable(set->on_unwritable_arg, &set->unwritable_why);
}

/* Take what has been written, write what waits. */
static bool journal_work(struct projector *p)
{
	uint64_t oldest;

	if (p->journal == NULL || !journal_step(p->journal))
		return false;
	oldest = journal_oldest(p->journal);
	if (oldest != p->unwritten) {
		p->unwritten = oldest;
		epoch_set_unwritten(p->set->epochs, p->shard, oldest);
		epoch_advance(p->set->epochs);
		wake_others(p);
		wake_ports(p);
	}
	if (journal_state(p->journal) == JOURNAL_FAILED) {
		projector_set_unwritable(p->set, journal_error(p->journal));
		wake_ports(p);
	}
	return true;
}

/* Whether to wait for the disk before taking more: too much waits for it, or what it holds back is the memory that
 * would be needed. */
static bool journal_holds(const struct projector *p)
{
	if (p->journal == NULL)
		return false;
	return journal_state(p->journal) == JOURNAL_BUSY ||
		(journal_active(p->journal) && retire_bytes(p->retire) > 0 &&
			command_memory_is_short(p->heap));
}

/* Whether commands may be taken, be it to refuse them. */
static bool journal_open_for(struct projector *p)
{
	p->refuse = NULL;
	if (p->journal == NULL)
		return true;
	/* Another shard's, too: the process is about to end. */
	if (atomic_load_explicit(&p->set->unwritable, memory_order_acquire)) {
		p->refuse = &p->set->unwritable_why;
		return true;
	}
	if (journal_holds(p))
		return false;
	switch (journal_state(p->journal)) {
	case JOURNAL_READY: return true;
	case JOURNAL_BUSY: return false;
	case JOURNAL_FULL:
	case JOURNAL_FAILED: break;
	}
	p->refuse = journal_error(p->journal);
	return true;
}

/* What the batch's answers take in the journal. */
struct answers_sum {
	unsigned n;
	uint64_t bytes;
};

static void answer_sum(void *arg, const struct answer_record *r)
{
	struct answers_sum *sum = arg;

	sum->n++;
	sum->bytes += r->size;
}

static void answer_journal(void *arg, const struct answer_record *r)
{
	struct projector *p = arg;

	journal_add(p->journal, ENTRY_ANSWER, 0, r);
}

/* Add the batch's changes, in a block with room for its answers. -1: the journal has failed. */
static int changes_journal(struct projector *p, const struct answers_sum *answers)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < p->log.n; i++) {
		const struct change_entry *c = &p->log.entries[i];

		bytes += row_size(c->new_row != NULL ? c->new_row : c->old_row);
	}
	if (journal_reserve(p->journal, p->epoch, p->log.n + answers->n, bytes + answers->bytes) !=
		0)
		return -1;
	for (unsigned i = 0; i < p->log.n; i++) {
		const struct change_entry *c = &p->log.entries[i];

		if (c->new_row != NULL)
			journal_add(p->journal, ENTRY_PUT, c->part->relation->id, c->new_row);
		else
			journal_add(p->journal, ENTRY_DELETE, c->part->relation->id, c->old_row);
	}
	return 0;
}

/* … with the commands that made them. */
static int commands_journal(struct projector *p, const struct answers_sum *answers)
{
	uint64_t bytes;
	unsigned n;

	event_log_size(p->events, &p->log, &n, &bytes);
	if (journal_reserve(p->journal, p->epoch, n + answers->n, bytes + answers->bytes) != 0) {
		event_log_drop(p->events);
		return -1;
	}
	event_log_write(p->events, &p->log, p->journal);
	return 0;
}

/* The batch's changes, and its answers in the same block: neither is there without the other. The disk begins while the
 * views are computed. */
static void batch_journal(struct projector *p)
{
	struct answers_sum answers = { 0, 0 };
	int status;

	if (p->journal == NULL)
		return;
	if (p->answered_once)
		answers_unwritten(p->answers, answer_sum, &answers);
	status = p->events == NULL ? changes_journal(p, &answers) : commands_journal(p, &answers);
	if (status != 0) {
		projector_set_unwritable(p->set, journal_error(p->journal));
		return;
	}
	if (p->answered_once)
		answers_unwritten(p->answers, answer_journal, p);
	if (p->unwritten == UINT64_MAX && journal_oldest(p->journal) != UINT64_MAX) {
		p->unwritten = journal_oldest(p->journal);
		epoch_set_unwritten(p->set->epochs, p->shard, p->unwritten);
	}
	(void)journal_work(p);
}

static void copy_failed(struct projector *p, const struct error *why);

/* What the batch has changed of a part that is being copied. */
static void copy_changes(struct projector *p)
{
	for (unsigned i = 0; i < p->log.n && p->copying.copy != NULL; i++) {
		const struct change_entry *c = &p->log.entries[i];
		struct error e;

		if (part_copy_is_of(p->copying.copy, c->part) &&
			part_copy_change(p->copying.copy, p->epoch, c->old_row, c->new_row, &e) !=
				0)
			copy_failed(p, &e);
	}
}

/* Give the batch's changes to the views. */
static void batch_project(struct projector *p)
{
	PROBE3(stage_begin, p->shard, p->epoch, 0);
	p->stage = 0;
	if (p->copying.copy != NULL)
		copy_changes(p);
	for (unsigned i = 0; i < p->log.n; i++) {
		const struct change_entry *c = &p->log.entries[i];

		if (c->part->feed != NULL)
			feed_add(c->part->feed,
				part_key_hash(
					c->part, c->new_row != NULL ? c->new_row : c->old_row),
				p->epoch, c->old_row, c->new_row);
		flow_push(p->flow, c->part->relation, c->old_row, c->new_row, NULL);
	}
	flow_run(p->flow, 0, p->epoch);
	change_log_reset(&p->log);
	exchange_flush(p);
	PROBE3(stage_end, p->shard, p->epoch, 0);
}

static int64_t now_us(const struct projector_set *set)
{
	if (set->fixed_now_us != 0)
		return set->fixed_now_us;
	return clock_wall_us() - (int64_t)POSTGRES_EPOCH_S * 1000000;
}

static bool lane_ready(struct lane *lane)
{
	return lane != NULL && !ring_empty(lane->commands) && lane_room(lane) != NULL;
}

/* A lane whose port has gone: forget it, and let the port free it. */
static struct lane *lane_get(struct projector *p, unsigned i)
{
	struct lane *lane = atomic_load_explicit(&p->lanes[i], memory_order_acquire);

	if (lane != NULL && atomic_load_explicit(&lane->closing, memory_order_acquire)) {
		atomic_store_explicit(&p->lanes[i], NULL, memory_order_relaxed);
		atomic_store_explicit(&lane->closed, true, memory_order_release);
		return NULL;
	}
	return lane;
}

/* A reader who found a view sound has a pin below any epoch that is entered after the failure was seen: it would have found
 * it failed, had that epoch been visible to it. So this one says when what failed views have may be freed. */
static void failed_parts_date(struct projector *p)
{
	for (unsigned i = 0; p->emptying && i < p->nparts; i++)
		if (p->parts[i]->empty_at == PART_EMPTY_LATER)
			p->parts[i]->empty_at = p->epoch;
}

static bool failed_parts_undated(const struct projector *p)
{
	for (unsigned i = 0; p->emptying && i < p->nparts; i++)
		if (p->parts[i]->empty_at == PART_EMPTY_LATER)
			return true;
	return false;
}

static void failed_parts_empty(struct projector *p, uint64_t reclaimable)
{
	bool left = false;
	size_t all = SIZE_MAX;

	for (unsigned i = 0; i < p->nparts; i++) {
		struct part *part = p->parts[i];

		if (part->empty_at == 0 || part->empty_at == PART_EMPTIED)
			continue;
		if (part->empty_at > reclaimable || !part_empty(part)) {
			left = true;
			continue;
		}
		part->empty_at = PART_EMPTIED;
		if (command_memory_is_short(p->heap))
			(void)part_free_rest(part, reclaimable, &all);
	}
	p->emptying = left;
}

/* Take out dead keys of some parts, inside an epoch. */
static void parts_step(struct projector *p)
{
	uint64_t reclaimable = epoch_reclaimable(p->set->epochs);

	failed_parts_date(p);
	for (unsigned i = 0; i < STEP_PARTS && i < p->nparts; i++) {
		unsigned n = 0;

		p->next_part = (p->next_part + 1) % p->nparts;
		while (part_step(p->parts[p->next_part], reclaimable, p->epoch) &&
			++n < STEP_PART_MAX)
			;
	}
}

/* The same when there are no commands: an epoch of its own, if it would free something. What needs memory that is not
 * there waits for the next commands: an epoch has others work as well, and all would go round for ever. */
static bool parts_tidy(struct projector *p)
{
	struct epochs *epochs = p->set->epochs;
	uint64_t reclaimable = epoch_reclaimable(epochs);
	struct part *part;
	unsigned i = 0;

	/* What failed views have is freed without taking memory first. */
	if (p->nparts == 0 || (p->no_tidying && !failed_parts_undated(p)))
		return false;
	while (i < p->nparts && !part_due(p->parts[i], reclaimable))
		i++;
	if (i == p->nparts && !failed_parts_undated(p))
		return false;
	if (i == p->nparts)
		i = 0;
	part = p->parts[i];
	p->next_part = (i + p->nparts - 1) % p->nparts;
	p->epoch = epoch_enter(epochs, p->shard);
	parts_step(p);
	p->no_tidying = part_due(part, reclaimable) && !part_step(part, reclaimable, p->epoch) &&
		part_due(part, reclaimable);
	batch_journal(p);
	epoch_leave(epochs, p->shard);
	epoch_advance(epochs);
	wake_others(p);
	return true;
}

static bool batch_run(struct projector *p)
{
	struct projector_set *set = p->set;
	unsigned nlanes = atomic_load_explicit(&p->nlanes, memory_order_acquire);
	struct lane *served[LIMIT_PORTS];
	unsigned nserved = 0;
	struct command_env env;
	unsigned n = 0;

	for (unsigned i = 0; i < nlanes; i++) {
		struct lane *lane = lane_get(p, (p->first_lane + i) % nlanes);

		if (lane_ready(lane))
			served[nserved++] = lane;
	}
	if (nserved == 0 || !journal_open_for(p))
		return false;
	p->first_lane = (p->first_lane + 1) % nlanes;
	p->epoch = epoch_enter(set->epochs, p->shard);
	PROBE2(batch_begin, p->shard, p->epoch);
	env = (struct command_env){
		.heap = p->heap,
		.shard = p->shard,
		.shards = set->shards,
		.log = &p->log,
		.scratch = &p->scratch,
		.results = &p->results,
		.epoch = p->epoch,
		.base_epoch = set->base_epoch,
		.now_us = now_us(set),
		.next_rowid = &p->rowids[p->shard],
	};
	for (unsigned i = 0; i < nserved; i++)
		n += lane_run(p, served[i], &env);
	PROBE3(batch_drained, p->shard, p->epoch, n);
	batch_journal(p);
	PROBE3(journal_added, p->shard, p->epoch, p->log.n);
	if (p->answered_once) {
		p->answered_once = false;
		answers_written(p->answers);
		answers_trim(p->answers, env.now_us);
	}
	batch_project(p);
	parts_step(p);
	p->no_tidying = false;
	epoch_leave(set->epochs, p->shard);
	epoch_advance(set->epochs);
	for (unsigned i = 0; i < nserved; i++)
		if (ring_publish(served[i]->replies))
			park_wake(served[i]->port);
	wake_others(p);
	PROBE3(batch_end, p->shard, p->epoch, n);
	count(&p->stats.batches);
	return n > 0;
}

/* --- feeds --- */

void projector_request_feed(struct projector *p, struct feed_request *r)
{
	r->next = atomic_load_explicit(&p->feed_requests, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(
		&p->feed_requests, &r->next, r, memory_order_release, memory_order_relaxed))
		;
}

static void feed_request_do(struct projector *p, const struct feed_request *r)
{
	struct part *part;

	if (r->finish) {
		part = r->feed->logs[p->shard].part;
		feed_log_finish(r->feed, p->shard);
	} else {
		feed_log_begin(&p->feeds, r->feed, p->shard, p->epoch);
		part = r->feed->logs[p->shard].part;
	}
	/* A feed that a schema change has ended has none. */
	if (part != NULL)
		flow_watch(p->flow, part);
}

/* In an epoch of their own: what was changed in it before is not in a log that begins, what comes later is. */
static bool feeds_serve(struct projector *p)
{
	struct epochs *epochs = p->set->epochs;
	struct feed_request *r = atomic_exchange_explicit(
				    &p->feed_requests, NULL, memory_order_acquire),
			    *turned = NULL;

	while (r != NULL) {
		struct feed_request *next = r->next;

		r->next = turned;
		turned = r;
		r = next;
	}
	p->epoch = epoch_enter(epochs, p->shard);
	while (turned != NULL) {
		/* The last request of a feed may be the end of it. */
		struct feed_request *next = turned->next;

		feed_request_do(p, turned);
		turned = next;
	}
	batch_journal(p);
	epoch_leave(epochs, p->shard);
	epoch_advance(epochs);
	wake_others(p);
	return true;
}

static bool feeds_due(const struct projector *p)
{
	return atomic_load_explicit(&p->feed_requests, memory_order_relaxed) != NULL;
}

/* --- building views --- */

/* Whether this shard has something to do for one: in stage 0 it goes on by itself; later ones wait for the others, and
 * for epochs. */
static bool build_due(const struct projector *p)
{
	return p->index.part != NULL || (p->copying.copy != NULL && !p->copying.over) ||
		flow_building(p->flow, 1) ||
		(flow_building(p->flow, p->set->stages) &&
			epoch_visible(p->set->epochs) >= p->build_epoch);
}

static void index_slice(struct projector *p)
{
	struct build_progress *b = p->index.progress;
	unsigned n = b->slice;
	struct error e;
	int status = part_build_index(p->index.part, p->index.def, p->epoch, &n, &e);

	atomic_fetch_add_explicit(&b->rows, n, memory_order_relaxed);
	if (status > 0)
		return;
	p->index.part = NULL;
	if (status == 0)
		atomic_fetch_add_explicit(&b->finished[0], 1, memory_order_release);
	else
		(void)failure_set(&b->failure, &e);
}

bool projector_build_waits(const struct projector *p)
{
	return build_due(p) && !build_may(p);
}

static void copy_failed(struct projector *p, const struct error *why)
{
	p->copying.over = true;
	part_copy_free(p->copying.copy);
	p->copying.copy = NULL;
	(void)failure_set(&p->copying.progress->failure, why);
}

static void copy_slice(struct projector *p)
{
	struct build_progress *b = p->copying.progress;
	unsigned n = b->slice;
	struct error e;
	int status = part_copy_slice(p->copying.copy, p->epoch, &n, &e);

	atomic_fetch_add_explicit(&b->rows, n, memory_order_relaxed);
	if (status > 0)
		return;
	if (status < 0) {
		copy_failed(p, &e);
		return;
	}
	p->copying.over = true;
	atomic_fetch_add_explicit(&b->finished[0], 1, memory_order_release);
}

/* A slice, in an epoch that commands may share; after their batch, whose answers do not wait for it. */
static bool build_step(struct projector *p)
{
	struct epochs *epochs = p->set->epochs;

	if (!build_due(p) || !build_may(p))
		return false;
	p->epoch = p->build_epoch = epoch_enter(epochs, p->shard);
	PROBE2(build_begin, p->shard, p->epoch);
	p->stage = 0;
	flow_build_step(p->flow, 0, p->epoch);
	if (p->index.part != NULL)
		index_slice(p);
	if (p->copying.copy != NULL && !p->copying.over)
		copy_slice(p);
	exchange_flush(p);
	batch_journal(p);
	epoch_leave(epochs, p->shard);
	epoch_advance(epochs);
	wake_others(p);
	PROBE2(build_end, p->shard, p->epoch);
	return true;
}

/* --- housekeeping --- */

static void failures_check(struct projector *p)
{
	unsigned failures = atomic_load_explicit(&p->set->failures, memory_order_acquire);

	if (failures == p->failures_seen)
		return;
	p->failures_seen = failures;
	for (unsigned i = 0; i < p->nparts; i++) {
		const struct relation *r = p->parts[i]->relation;
		struct parts *parts = r->user;

		if (parts == NULL || p->parts[i]->all != parts || !failure_seen(&parts->failure))
			continue;
		flow_stop_view(p->flow, r);
		if (p->parts[i]->empty_at == 0) {
			p->parts[i]->empty_at = PART_EMPTY_LATER;
			p->emptying = true;
		}
	}
}

/* Of what was taken away what nobody can be in, in slices, so that no command waits for all of it; but if memory is short
 * commands, and views, wait for that. True: there is more. */
static bool remains_free(struct projector *p, uint64_t reclaimable, size_t left)
{
	struct part **link = &p->condemned;

	if (!flow_free_some(p->flow, &left))
		return true;
	while (*link != NULL) {
		struct part *part = *link, *next = part->next_condemned;

		if (part->condemned > reclaimable) {
			link = &part->next_condemned;
			continue;
		}
		if (left == 0 || !part_free_some(part, &left))
			return true;
		*link = next;
	}
	return false;
}

/* True while it has more to free. */
static bool housekeep(struct projector *p)
{
	uint64_t reclaimable = epoch_reclaimable(p->set->epochs);
	bool more;

	failures_check(p);
	retire_run(p->retire, reclaimable, STEP_RETIRE_MAX);
	if (p->emptying)
		failed_parts_empty(p, reclaimable);
	if (p->condemned == NULL && !flow_frees(p->flow) &&
		!atomic_load_explicit(&p->freeing, memory_order_relaxed))
		return false;
	more = remains_free(
		p, reclaimable, command_memory_is_short(p->heap) ? SIZE_MAX : STEP_FREE);
	atomic_store_explicit(&p->freeing, more, memory_order_release);
	return more;
}

void projector_free_remains(struct projector *p)
{
	(void)remains_free(p, epoch_reclaimable(p->set->epochs), SIZE_MAX);
}

bool projector_is_freeing(const struct projector *p)
{
	return atomic_load_explicit(&p->freeing, memory_order_acquire);
}

/* --- answers for a checkpoint --- */

void projector_copy_answers(struct projector *p, struct answers_copy *c)
{
	if (!c->begun)
		answers_walk_begin(p->answers, &c->walk, c->walk.epoch);
	c->begun = true;
	c->bytes = answers_walk_next(p->answers, &c->walk, c->out, c->cap, &c->entries);
}

void projector_ask_copy(struct projector *p, struct answers_copy *c)
{
	atomic_store_explicit(&p->copy, c, memory_order_release);
	park_wake(&p->parker);
}

bool projector_has_copied(struct projector *p)
{
	return atomic_load_explicit(&p->copy, memory_order_acquire) == NULL;
}

static bool copy_step(struct projector *p)
{
	struct answers_copy *c = atomic_load_explicit(&p->copy, memory_order_acquire);

	if (c == NULL)
		return false;
	projector_copy_answers(p, c);
	atomic_store_explicit(&p->copy, NULL, memory_order_release);
	return true;
}

bool projector_step(struct projector *p)
{
	int pause = atomic_load_explicit(&p->set->pause, memory_order_acquire);
	bool did;

	if (pause == PAUSE_STOP)
		return false;
	did = journal_work(p);
	did |= stages_run(p);
	did |= copy_step(p);
	if (pause == PAUSE_NONE) {
		if (feeds_due(p))
			did |= feeds_serve(p);
		did |= batch_run(p);
		did |= build_step(p);
		did = did || parts_tidy(p);
	}
	did |= housekeep(p);
	return did;
}

bool projector_has_work(struct projector *p)
{
	struct projector_set *set = p->set;
	unsigned nlanes = atomic_load_explicit(&p->nlanes, memory_order_acquire);

	for (unsigned k = 1; k < set->stages; k++)
		if (p->finished[k] < epoch_ready(set->epochs, k))
			return true;
	if (!projector_has_copied(p))
		return true;
	if (atomic_load_explicit(&set->pause, memory_order_acquire) != PAUSE_NONE ||
		journal_holds(p))
		return false;
	if ((build_due(p) && build_may(p)) || feeds_due(p))
		return true;
	for (unsigned i = 0; i < nlanes; i++) {
		struct lane *lane = atomic_load_explicit(&p->lanes[i], memory_order_acquire);

		if (lane != NULL &&
			(atomic_load_explicit(&lane->closing, memory_order_acquire) ||
				lane_ready(lane)))
			return true;
	}
	return false;
}

/* --- recovery --- */

enum { RESTORE_AHEAD = 8 };

void projector_restore_begin(struct projector *p)
{
	p->epoch = epoch_enter(p->set->epochs, p->shard);
}

void projector_restore_end(struct projector *p)
{
	parts_step(p);
	epoch_leave(p->set->epochs, p->shard);
	epoch_advance(p->set->epochs);
	(void)housekeep(p);
}

static void rowid_note(struct projector *p, const struct part *part, const void *row)
{
	const struct relation *r = part->relation;
	struct value v;

	if (r->rowid < 0)
		return;
	row_get(&part->layout, row, (unsigned)r->rowid, &v);
	command_note_rowid((uint64_t)v.i, p->rowids);
}

static int restore_one(struct projector *p, const struct restored *r, struct error *e)
{
	struct part *part = r->part;
	const struct version *there = table_find(
		part->table, r->hash, &part->layout, r->row, part->key);
	const void *old = version_row(there);
	int status;

	rowid_note(p, part, r->row);
	if (r->dead && old == NULL)
		return 0;
	if (there == NULL)
		return part_insert(part, r->hash, p->epoch, r->row) == 0
			? 0
			: error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	if (old != NULL) {
		/* The row in the table may be changed in place: see part_put(). */
		void *copy = arena_alloc(&p->scratch, row_size(old));

		if (copy == NULL)
			return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
		old = memcpy(copy, old, row_size(old));
	}
	status = r->dead ? part_delete(part, r->hash, p->epoch, old)
			 : part_put(part, r->hash, p->epoch, old, r->row);
	arena_reset(&p->scratch);
	return status == 0 ? 0 : error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
}

void projector_restore_coming(struct restored *r)
{
	r->hash = part_key_hash(r->part, r->row);
	table_prefetch(r->part->table, r->hash);
}

int projector_restore(struct projector *p, const struct restored *list, unsigned n, struct error *e)
{
	for (unsigned i = 0; i < n; i++) {
		if (i + RESTORE_AHEAD < n)
			table_prefetch_version(
				list[i + RESTORE_AHEAD].part->table, list[i + RESTORE_AHEAD].hash);
		if (restore_one(p, &list[i], e) != 0)
			return -1;
	}
	return 0;
}

int projector_restore_answer(
	struct projector *p, const struct answer_record *r, bool same, struct error *e)
{
	return answers_restore(p->answers, r, same, e);
}

int projector_restored_answers(struct projector *p, struct error *e)
{
	return answers_restored(p->answers, now_us(p->set), e);
}

uint64_t *projector_rowids(struct projector *p)
{
	return p->rowids;
}

/* --- making and freeing --- */

static void view_failed(void *arg, const struct relation *view, const struct error *why)
{
	struct projector *p = arg;
	struct parts *parts = view->user;

	if (failure_set(&parts->failure, why))
		projector_views_failed(p->set);
}

void projector_views_failed(struct projector_set *set)
{
	atomic_fetch_add_explicit(&set->failures, 1, memory_order_release);
	/* They have memory to free, with commands or without. */
	for (unsigned s = 0; s < set->shards; s++)
		if (set->projectors[s] != NULL)
			park_wake(&set->projectors[s]->parker);
}

int projector_new(
	struct projector **out, struct projector_set *set, unsigned shard, struct error *e)
{
	struct projector *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);

	if (p == NULL)
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	memset(p, 0, sizeof(*p));
	p->set = set;
	p->shard = shard;
	p->unwritten = UINT64_MAX;
	parker_init(&p->parker, NULL, NULL);
	p->heap = heap_new_shard(&set->budget, set->prefault);
	p->out = calloc(set->shards, sizeof(*p->out));
	if (p->heap != NULL && p->out != NULL) {
		struct flow_io io = { p, exchange_out, view_failed };

		p->retire = retire_new(p->heap);
		feeds_init(&p->feeds, p->heap, p->retire, set->history, &set->feed_newest);
		p->flow = flow_new(p->heap, shard, set->shards, &io);
		change_log_init(&p->log, p->heap);
		arena_init(&p->scratch, NULL);
		arena_init(&p->results, NULL);
	}
	if (p->retire == NULL || p->flow == NULL) {
		projector_free(p);
		return error_set(e, ERR_OUT_OF_MEMORY, 0, NULL);
	}
	if (answers_new(&p->answers, p->heap, shard, set->shards, &set->once, e) != 0) {
		projector_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

static void chunks_free(struct projector *p, struct exchange_chunk *k)
{
	while (k != NULL) {
		struct exchange_chunk *next = k->next;

		exchange_chunk_free(&p->set->budget, k);
		k = next;
	}
}

void projector_free(struct projector *p)
{
	if (p == NULL)
		return;
	for (unsigned i = 0; i < LIMIT_STAGES; i++)
		chunks_free(p, p->inbox[i]);
	if (p->flow != NULL) {
		flow_free(p->flow);
		arena_free(&p->scratch);
		arena_free(&p->results);
		change_log_free(&p->log);
	}
	while (p->condemned != NULL) {
		struct part *next = p->condemned->next_condemned;

		part_free(p->condemned);
		p->condemned = next;
	}
	part_copy_free(p->copying.copy);
	for (unsigned i = 0; i < p->nparts; i++)
		part_free(p->parts[i]);
	answers_free(p->answers);
	if (p->retire != NULL)
		retire_free(p->retire);
	if (p->heap != NULL)
		heap_free_all(p->heap);
	event_log_free(p->events);
	free(p->parts);
	free(p->out);
	free(p);
}

static void sleeper_wake(void *arg)
{
	struct projector *p = arg;

	journal_wake(p->journal);
}

void projector_wake(void *projector)
{
	struct projector *p = projector;

	park_wake(&p->parker);
}

void projector_set_journal(struct projector *p, struct journal *j)
{
	p->journal = j;
	parker_init(&p->parker, sleeper_wake, p);
}

void projector_set_event_log(struct projector *p, struct event_log *l)
{
	p->events = l;
}

void projector_sleep(struct projector *p, uint64_t timeout_us)
{
	if (p->journal == NULL) {
		park_wait(&p->parker, timeout_us);
		return;
	}
	journal_wait(p->journal, timeout_us);
	park_cancel(&p->parker);
}

void projector_let_go(struct projector *p)
{
	while (p->journal != NULL && journal_writing(p->journal)) {
		journal_wait(p->journal, LET_GO_WAIT_US);
		(void)journal_work(p);
	}
}

int projector_lead(struct projector *p, struct parker *leader, int event_fd)
{
	int status = p->journal == NULL ? 0 : journal_notify(p->journal, event_fd);

	if (status >= 0)
		parker_follow(&p->parker, leader);
	return status < 0 ? status : 0;
}

void projector_awake(struct projector *p)
{
	park_cancel(&p->parker);
	if (p->journal != NULL)
		journal_look_late(p->journal);
}

struct parker *projector_parker(struct projector *p)
{
	return &p->parker;
}

struct heap *projector_heap(struct projector *p)
{
	return p->heap;
}

struct flow *projector_flow(struct projector *p)
{
	return p->flow;
}

struct retire *projector_retire(struct projector *p)
{
	return p->retire;
}

void projector_stats(const struct projector *p, struct projector_stats *out)
{
	out->commands = __atomic_load_n(&p->stats.commands, __ATOMIC_RELAXED);
	out->refused = __atomic_load_n(&p->stats.refused, __ATOMIC_RELAXED);
	out->batches = __atomic_load_n(&p->stats.batches, __ATOMIC_RELAXED);
	out->repeated = __atomic_load_n(&p->stats.repeated, __ATOMIC_RELAXED);
	answers_stats(p->answers, &out->answers);
	out->view_rows = flow_published(p->flow);
}

void projector_attach(struct projector *p, unsigned port, struct lane *lane)
{
	unsigned n = atomic_load(&p->nlanes);

	atomic_store_explicit(&p->lanes[port], lane, memory_order_release);
	while (n <= port && !atomic_compare_exchange_weak(&p->nlanes, &n, port + 1))
		;
}

int projector_add_part(struct projector *p, struct part *part)
{
	if (p->nparts == p->parts_cap) {
		unsigned cap = p->parts_cap ? 2 * p->parts_cap : 16;
		struct part **parts = realloc(p->parts, cap * sizeof(*parts));

		if (parts == NULL)
			return -1;
		p->parts = parts;
		p->parts_cap = cap;
	}
	p->parts[p->nparts++] = part;
	return 0;
}

void projector_remove_part(struct projector *p, struct part *part)
{
	for (unsigned i = 0; i < p->nparts; i++)
		if (p->parts[i] == part) {
			p->parts[i] = p->parts[--p->nparts];
			return;
		}
}

void projector_build_index(struct projector *p, struct part *part, const struct index_def *index,
	struct build_progress *progress)
{
	p->index.part = part;
	p->index.def = index;
	p->index.progress = progress;
}

void projector_build_copy(
	struct projector *p, struct part_copy *copy, struct build_progress *progress)
{
	part_copy_free(p->copying.copy);
	p->copying.copy = copy;
	p->copying.progress = progress;
	p->copying.over = false;
}

void projector_condemn(struct projector *p, struct part *part, uint64_t epoch)
{
	part->condemned = epoch;
	part->next_condemned = p->condemned;
	p->condemned = part;
	atomic_store(&p->freeing, true);
}

void projector_drop_view(struct projector *p, const struct relation *view)
{
	flow_drop_view(p->flow, view);
	atomic_store(&p->freeing, true);
}

void projector_note_remains(struct projector *p)
{
	if (flow_frees(p->flow))
		atomic_store(&p->freeing, true);
}

/* Oldest first. */
static void inbox_turn(struct exchange_chunk **inbox)
{
	struct exchange_chunk *turned = NULL;

	while (*inbox != NULL) {
		struct exchange_chunk *k = *inbox;

		*inbox = k->next;
		k->next = turned;
		turned = k;
	}
	*inbox = turned;
}

void projector_build_stage(
	struct projector *p, const struct relation *only, unsigned stage, uint64_t epoch, bool last)
{
	struct exchange_chunk **inbox = &p->inbox[stage];

	p->stage = stage;
	p->epoch = epoch;
	if (stage > 0)
		exchange_collect(p);
	/* Chunk by chunk a row must not go before it has come. */
	inbox_turn(inbox);
	while (*inbox != NULL) {
		struct exchange_chunk *k = *inbox;

		ASSERT(k->epoch == epoch);
		*inbox = k->next;
		chunk_receive(p, k);
		flow_build(p->flow, only, stage, epoch, false);
		exchange_chunk_free(&p->set->budget, k);
	}
	flow_build(p->flow, only, stage, epoch, last);
	exchange_flush(p);
}

void projector_set_finished(struct projector *p, uint64_t epoch)
{
	for (unsigned k = 0; k < LIMIT_STAGES; k++)
		p->finished[k] = epoch;
}
