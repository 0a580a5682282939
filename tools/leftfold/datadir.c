/*
 * datadir.c: leftfold inspect and leftfold backup, which read a data directory's files.
 *
 * inspect needs no server and changes nothing; beside a running one the end of what is being written may look torn.
 * backup has the server write a checkpoint, then copies the newest one that is whole: all rows at one epoch. A server
 * starts from the copy alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log/segment.h"
#include "core/store/row.h"
#include "tools/leftfold/cli.h"

enum { COPY_BYTES = 1 << 20 };

struct inspect {
	bool blocks, entries;
	bool damaged;
};

/* One shard's journal of one run, or its part of a checkpoint. */
struct part {
	const struct segment_name *names;
	unsigned n;
	struct journal_reader end; /* after the last block */
	uint64_t blocks, entries, bytes, first_epoch, last_epoch;
	int status; /* of the reader */
};

static const char *shard_text(char out[static 16], uint16_t shard)
{
	(void)snprintf(out, 16, shard == SCHEMA_SHARD ? "schema" : "shard %u", shard);
	return out;
}

static unsigned part_length(const struct segment_list *l, unsigned i)
{
	unsigned n = 1;

	while (i + n < l->n && l->at[i + n].kind == l->at[i].kind &&
		l->at[i + n].run == l->at[i].run && l->at[i + n].shard == l->at[i].shard)
		n++;
	return n;
}

static uint32_t last_run(const struct segment_list *l)
{
	uint32_t run = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].kind == SEGMENT_JOURNAL)
			run = l->at[i].run;
	return run;
}

static void answer_print(const struct entry *entry)
{
	static const char *const kinds[] = { [ANSWER_DONE] = "done",
		[ANSWER_REFUSED] = "refused",
		[ANSWER_FORGOTTEN] = "forgotten up to" };
	struct answer_record r = { 0 };

	if (entry->bytes >= sizeof(r))
		memcpy(&r, entry->data, sizeof(r));
	printf("      answer of client %" PRIu64 ", request %" PRIu64 " %s, %u bytes\n", r.client,
		r.request,
		r.kind >= ANSWER_DONE && r.kind <= ANSWER_FORGOTTEN ? kinds[r.kind] : "?",
		entry->bytes);
}

/* Of the event log; that it is well-formed is seen by the walk over the block. */
static void command_print(const struct entry *entry)
{
	struct command_form_head head;
	struct statement_form statement;
	size_t at;

	if (entry->form == FORM_COMMAND && entry->bytes >= sizeof(head)) {
		memcpy(&head, entry->data, sizeof(head));
		printf("      command: statement %u, %u changes, key %016" PRIx64
		       ", %u bytes of parameters, %u of metadata\n",
			entry->relation, head.changes, head.hash, head.params_bytes,
			head.meta_bytes);
	} else if (entry->form == FORM_STATEMENT && entry->bytes >= sizeof(statement)) {
		memcpy(&statement, entry->data, sizeof(statement));
		at = sizeof(statement) + statement.nparams * sizeof(struct type);
		if (at <= entry->bytes && statement.text_bytes <= entry->bytes - at)
			printf("      statement %u: %.*s\n", entry->relation,
				(int)statement.text_bytes, (const char *)entry->data + at);
	} else {
		printf("      columns of relation %u, %u bytes\n", entry->relation, entry->bytes);
	}
}

/* The commands of a block are as the event log says. */
static int commands_check(const struct block *b, struct error *e)
{
	struct event_walk w = { 0 };
	struct event ev;
	int status;

	event_walk_open(&w, b->body, b->bytes);
	while ((status = event_walk_next(&w, &ev, e)) > 0)
		;
	event_walk_close(&w);
	return status;
}

static int entries_print(const struct block *b, struct error *e)
{
	struct entry entry;
	uint64_t at = 0;
	int status;

	while ((status = block_entry(b, &at, &entry, e)) > 0) {
		if (entry.kind == ENTRY_SCHEMA)
			printf("      schema, next id %u: %.*s\n", entry.relation, (int)entry.bytes,
				(const char *)entry.data);
		else if (entry.kind == ENTRY_ANSWER)
			answer_print(&entry);
		else if (entry.kind == ENTRY_COMMAND)
			command_print(&entry);
		else
			printf("      %s in relation %u, %u bytes\n",
				entry.kind == ENTRY_PUT ? "row" : "row deleted", entry.relation,
				entry.bytes);
	}
	return status;
}

static int part_read(
	struct part *p, const struct disk *d, bool newest, const struct inspect *x, struct error *e)
{
	struct journal_reader r;
	struct block b;

	journal_reader_open(&r, d, p->names, p->n);
	r.lenient = newest;
	r.followed = p->names->kind == SEGMENT_JOURNAL && !newest;
	r.packed = !x->entries;
	while ((p->status = journal_reader_next(&r, &b, e)) > 0) {
		if (p->blocks++ == 0)
			p->first_epoch = b.header->epoch;
		p->last_epoch = b.header->epoch;
		p->entries += b.header->entries;
		p->bytes += sizeof(*b.header) + b.header->body_bytes;
		if (x->blocks)
			printf("    block %" PRIu64 ": epoch %" PRIu64
			       ", %u entries, %u bytes, segment %" PRIu64 " at offset %" PRIu64
			       "\n",
				b.header->sequence, b.header->epoch, b.header->entries,
				b.header->body_bytes, b.segment->number, b.offset);
		if (x->entries && (entries_print(&b, e) < 0 || commands_check(&b, e) < 0)) {
			p->status = -1;
			break;
		}
	}
	journal_reader_close(&r);
	p->end = r;
	return p->status;
}

static void part_print(const struct part *p)
{
	const struct journal_reader *end = &p->end;
	char shard[16];

	printf("%s %u, %s: %u file%s, %" PRIu64 " blocks, %" PRIu64 " entries, %" PRIu64 " bytes",
		p->names->kind == SEGMENT_JOURNAL ? "run" : "checkpoint", p->names->run,
		shard_text(shard, p->names->shard), p->n, p->n == 1 ? "" : "s", p->blocks,
		p->entries, p->bytes);
	if (p->blocks > 0)
		printf(", epochs %" PRIu64 " to %" PRIu64, p->first_epoch, p->last_epoch);
	if (p->status == 0)
		fputs(end->closed ? ", ended in order" : ", open end", stdout);
	putchar('\n');
	if (p->status == 0 && end->torn) {
		char name[SEGMENT_NAME_BYTES];

		segment_file_name(name, &p->names[end->torn_at]);
		printf("  %s: from offset %" PRIu64 " on %" PRIu64
		       " bytes in which no write is whole%s\n",
			name, end->torn_offset, p->names[end->torn_at].bytes - end->torn_offset,
			end->lost ? ", and whole ones behind them" : "");
	}
}

static int inspect(const char *path, struct inspect *x)
{
	struct segment_list l = { 0 };
	struct disk d = { 0 };
	struct error e;
	int status = disk_open_readonly(&d, path, &e);

	if (status == 0)
		status = segment_list_read(&l, &d, &e);
	for (unsigned i = 0; status == 0 && i < l.n;) {
		struct part p = { .names = &l.at[i], .n = part_length(&l, i) };

		if (part_read(&p, &d, l.at[i].run == last_run(&l), x, &e) < 0) {
			x->damaged = true;
			fflush(stdout);
			fprintf(stderr, "leftfold: %s\n", e.message);
		}
		part_print(&p);
		i += p.n;
	}
	if (status != 0)
		fprintf(stderr, "leftfold: %s\n", e.message);
	else if (l.n == 0)
		printf("%s has neither journal nor checkpoint\n", path);
	segment_list_free(&l);
	disk_close(&d);
	return status != 0 || x->damaged;
}

int inspect_command(int argc, char **argv)
{
	struct inspect x = { 0 };
	const char *path = NULL;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--blocks") == 0) {
			x.blocks = true;
		} else if (strcmp(argv[i], "--entries") == 0) {
			x.blocks = x.entries = true;
		} else if (argv[i][0] != '-' && path == NULL) {
			path = argv[i];
		} else {
			path = NULL;
			break;
		}
	}
	if (path == NULL) {
		fputs("Usage: leftfold inspect DIR [--blocks | --entries]\n", stderr);
		return 2;
	}
	return inspect(path, &x);
}

/* --- backup --- */

static int complain(const char *what, const char *name)
{
	fprintf(stderr, "leftfold: %s %s: %s\n", what, name, strerror(errno));
	return -1;
}

/* The files [*from, *to) of the newest checkpoint that is whole. */
static int newest_checkpoint(const struct disk *d, const struct segment_list *l, unsigned *from,
	unsigned *to, struct error *e)
{
	const struct inspect quiet = { 0 };

	for (unsigned end = l->n; end > 0 && l->at[end - 1].kind == SEGMENT_CHECKPOINT;) {
		unsigned begin = end - 1;
		bool whole = l->at[begin].shard == SCHEMA_SHARD;

		while (begin > 0 && l->at[begin - 1].kind == SEGMENT_CHECKPOINT &&
			l->at[begin - 1].run == l->at[begin].run)
			begin--;
		for (unsigned i = begin; whole && i < end;) {
			struct part p = { .names = &l->at[i], .n = part_length(l, i) };

			whole = part_read(&p, d, false, &quiet, e) == 0 && p.end.closed;
			i += p.n;
		}
		if (whole) {
			*from = begin;
			*to = end;
			return 0;
		}
		end = begin;
	}
	return error_set(e, ERR_OBJECT_STATE, 0, "there is no checkpoint that is whole");
}

static int copy(int in, int out)
{
	char *buffer = need(malloc(COPY_BYTES));
	ssize_t n = 0;
	int status = 0;

	while (status == 0 && (n = read(in, buffer, COPY_BYTES)) > 0)
		for (ssize_t at = 0; status == 0 && at < n;) {
			ssize_t written = write(out, buffer + at, (size_t)(n - at));

			if (written < 0)
				status = -1;
			else
				at += written;
		}
	free(buffer);
	return n < 0 || status != 0 || fsync(out) != 0 ? -1 : 0;
}

static int copy_file(int from, int to, const char *name)
{
	int in = openat(from, name, O_RDONLY | O_CLOEXEC), out, status;

	if (in < 0)
		return complain("opening", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	status = out < 0 ? -1 : copy(in, out);
	if (status != 0)
		(void)complain("copying", name);
	close(in);
	if (out >= 0 && close(out) != 0)
		status = -1;
	return status;
}

static int copy_checkpoint(const char *data, const char *target)
{
	struct segment_list l = { 0 };
	struct disk d = { 0 };
	struct error e;
	unsigned from = 0, to = 0;
	int in = -1, out = -1, status = disk_open_readonly(&d, data, &e);

	if (status == 0)
		status = segment_list_read(&l, &d, &e);
	if (status == 0)
		status = newest_checkpoint(&d, &l, &from, &to, &e);
	if (status != 0) {
		fprintf(stderr, "leftfold: %s\n", e.message);
	} else {
		in = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		out = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (in < 0 || out < 0)
			status = complain("opening", in < 0 ? data : target);
	}
	for (unsigned i = from; status == 0 && i < to; i++) {
		char name[SEGMENT_NAME_BYTES];

		segment_file_name(name, &l.at[i]);
		status = copy_file(in, out, name);
	}
	if (status == 0 && fsync(out) != 0)
		status = complain("syncing", target);
	if (status == 0)
		printf("checkpoint %u: %u files\n", l.at[from].run, to - from);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	segment_list_free(&l);
	disk_close(&d);
	return status;
}

static int checkpoint(const char *address)
{
	static const char CHECKPOINT[] = "CHECKPOINT";
	struct lf_client_options o = lf_client_options_default();
	struct lf_result *r = need(lf_result_new());
	struct lf_client *c;
	struct lf_client_error e;
	int status;

	o.address = address;
	status = lf_client_open(&c, &o, &e);
	if (status == 0) {
		status = lf_client_query(c, CHECKPOINT, strlen(CHECKPOINT), NULL, r, &e);
		lf_client_close(c);
	}
	if (status != 0)
		fprintf(stderr, "leftfold: %s: %s\n", e.sqlstate, e.message);
	lf_result_free(r);
	return status;
}

int backup_command(int argc, char **argv)
{
	const char *address = getenv("LEFTFOLD_CONNECT");

	if (argc == 5 && strcmp(argv[3], "--connect") == 0) {
		address = argv[4];
	} else if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-') {
		fputs("Usage: leftfold backup DATA-DIR NEW-DIR [--connect ADDR:PORT]\n", stderr);
		return 2;
	}
	if (checkpoint(address != NULL ? address : "127.0.0.1:5466") != 0)
		return 1;
	if (mkdir(argv[2], 0700) != 0)
		return complain("making", argv[2]), 1;
	return copy_checkpoint(argv[1], argv[2]) == 0 ? 0 : 1;
}
