#include "bench/load/report.h"

#include <limits.h>
#include <string.h>

#define NS_PER_MS 1e6

static const struct {
	const char *name, *key;
	double percent;
} PERCENTILES[] = {
	{ "p50", "p50", 50 },
	{ "p90", "p90", 90 },
	{ "p99", "p99", 99 },
	{ "p99.9", "p99_9", 99.9 },
	{ "p99.99", "p99_99", 99.99 },
};
enum { NPERCENTILES = sizeof(PERCENTILES) / sizeof(PERCENTILES[0]) };

static double per_second(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->operations / r->seconds : 0;
}

/* Seconds of processor per million operations. */
static double per_million(const struct load_result *r, double seconds)
{
	return r->operations > 0 ? seconds * 1e6 / (double)r->operations : 0;
}

static bool has_commands(const struct workload *w)
{
	bool any = false;

	for (unsigned i = 0; i < w->noperations; i++)
		any |= w->operations[i].changes > 0;
	return any;
}

/* Whether the operations are told apart: several that share the load by their weights. */
static bool has_shares(const struct workload *w)
{
	return w->noperations > 1 && !w->operations[1].mixed_in;
}

/* With --reads: of the reads. */
static const struct histogram *read_latency(const struct options *o, const struct load_result *r)
{
	unsigned i = 0;

	while (!o->workload->operations[i].mixed_in)
		i++;
	return r->latency[i];
}

/* With thousands separated. */
static const char *grouped(uint64_t n, char buf[32])
{
	char digits[24], *out = buf;
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

static void text_duration(FILE *out, double ns)
{
	if (ns < 1e6)
		fprintf(out, "%8.1f us", ns / 1e3);
	else
		fprintf(out, "%8.2f ms", ns / 1e6);
}

static void text_latency(FILE *out, const char *what, const struct histogram *h)
{
	fprintf(out, "%-8s ", what);
	for (unsigned i = 0; i < NPERCENTILES; i++) {
		fprintf(out, "%s", PERCENTILES[i].name);
		text_duration(out, (double)histogram_percentile(h, PERCENTILES[i].percent));
		fputs("  ", out);
	}
	fputs("max", out);
	text_duration(out, (double)histogram_max(h));
	fputc('\n', out);
}

static void text_cpu(
	FILE *out, const char *whose, const struct cpu_usage *u, const struct load_result *r)
{
	fprintf(out,
		"%s CPU  %.3f s per million operations (user %.3f, kernel %.3f), %.0f%% of a core\n",
		whose, per_million(r, u->user + u->system), per_million(r, u->user),
		per_million(r, u->system),
		r->seconds > 0 ? 100 * (u->user + u->system) / r->seconds : 0);
}

static void text_keys(FILE *out, const struct options *o)
{
	char buf[32];

	fprintf(out, "%s %s, ", grouped(o->rows, buf), o->workload->rows_are);
	if (o->reads > 0)
		fprintf(out, "%g%% reads, ", o->reads);
	if (o->skew > 0)
		fprintf(out, "Zipf %g\n", o->skew);
	else
		fputs("uniform\n", out);
}

static void text_operations(FILE *out, const struct options *o, const struct load_result *r)
{
	const struct workload *w = o->workload;
	char buf[32];

	for (unsigned i = 0; i < w->noperations && has_shares(w); i++) {
		fprintf(out, "  %s, weight %g: %s\n  ", w->operations[i].name,
			w->operations[i].weight, grouped(histogram_count(r->latency[i]), buf));
		text_latency(out, "latency", r->latency[i]);
	}
	if (o->reads > 0)
		text_latency(out, "of reads", read_latency(o, r));
}

void report_text(FILE *out, const struct options *o, const struct load_result *r,
	const char *checked, bool equal)
{
	char buf[32];

	fprintf(out, "%s: %u connections, depth %u, batch %u, ", o->workload->name, o->connections,
		o->depth, o->batch);
	if (has_commands(o->workload))
		fprintf(out, "ack %s, ", ack_name(o->ack));
	if (o->file != NULL)
		fprintf(out, "%s\n", o->file);
	else
		text_keys(out, o);
	if (o->rate > 0) {
		fprintf(out, "%s asked for a second", grouped((uint64_t)o->rate, buf));
		if (r->unsent > 0)
			fprintf(out, ", %s were due at the end and not sent",
				grouped(r->unsent, buf));
		fputc('\n', out);
	}
	fprintf(out, "%s operations/s", grouped((uint64_t)per_second(r), buf));
	fprintf(out, " (%s in %.2f s)\n", grouped(r->operations, buf), r->seconds);
	text_latency(out, "latency", r->all_latency);
	text_operations(out, o, r);
	if (r->server_known) {
		text_cpu(out, "server", &r->server, r);
		for (unsigned i = 0; i < r->server.nthreads; i++) {
			const struct cpu_thread *t = &r->server.threads[i];

			if (t->user + t->system > 0)
				fprintf(out, "  %-15s %5.1f%% of a core (kernel %.1f%%)\n", t->name,
					100 * (t->user + t->system) / r->seconds,
					100 * t->system / r->seconds);
		}
	}
	text_cpu(out, "client", &r->client, r);
	if (r->errors > 0)
		fprintf(out, "%s errors, the first: %s: %s\n", grouped(r->errors, buf),
			r->error.sqlstate, r->error.message);
	if (r->wrong > 0)
		fprintf(out, "%s wrong answers\n", grouped(r->wrong, buf));
	if (checked[0] != '\0')
		fprintf(out, "%s: %s\n", equal ? "checked" : "WRONG", checked);
}

/* Text as a JSON string. Bytes beyond ASCII are UTF-8 already. */
static void json_string(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\":\"", key);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < 0x20)
			fprintf(out, "\\u%04x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static void json_latency(FILE *out, const char *key, const struct histogram *h)
{
	fprintf(out, ",\"%s\":{", key);
	for (unsigned i = 0; i < NPERCENTILES; i++)
		fprintf(out, "\"%s\":%.3f,", PERCENTILES[i].key,
			(double)histogram_percentile(h, PERCENTILES[i].percent) / 1e3);
	fprintf(out, "\"mean\":%.3f,\"max\":%.3f}", histogram_mean(h) / 1e3,
		(double)histogram_max(h) / 1e3);
}

static void json_operations(FILE *out, const struct workload *w, const struct load_result *r)
{
	if (!has_shares(w))
		return;
	fputs(",\"transactions\":[", out);
	for (unsigned i = 0; i < w->noperations; i++) {
		fputs(i == 0 ? "{" : ",{", out);
		json_string(out, "name", w->operations[i].name);
		fprintf(out, ",\"weight\":%g,\"operations\":%llu", w->operations[i].weight,
			(unsigned long long)histogram_count(r->latency[i]));
		json_latency(out, "latency_us", r->latency[i]);
		fputc('}', out);
	}
	fputc(']', out);
}

static void json_cpu(
	FILE *out, const char *whose, const struct cpu_usage *u, const struct load_result *r)
{
	fprintf(out,
		",\"%s_cpu_s_per_million\":%.4f,\"%s_cpu_user_s\":%.2f,\"%s_cpu_kernel_s\":%.2f",
		whose, per_million(r, u->user + u->system), whose, u->user, whose, u->system);
}

void report_json(FILE *out, const struct options *o, const struct load_result *r,
	const char *checked, bool equal)
{
	fputc('{', out);
	json_string(out, "workload", o->workload->name);
	fputc(',', out);
	json_string(out, "ack", has_commands(o->workload) ? ack_name(o->ack) : "");
	if (o->file != NULL) {
		fputc(',', out);
		json_string(out, "file", o->file);
	}
	fprintf(out,
		",\"connections\":%u,\"depth\":%u,\"batch\":%u,\"rows\":%llu,\"zipf\":%g,\"seed\":%llu",
		o->connections, o->depth, o->batch, (unsigned long long)o->rows, o->skew,
		(unsigned long long)o->seed);
	fprintf(out,
		",\"seconds\":%.4f,\"operations\":%llu,\"operations_per_s\":%.1f,\"errors\":%llu"
		",\"wrong\":%llu,",
		r->seconds, (unsigned long long)r->operations, per_second(r),
		(unsigned long long)r->errors, (unsigned long long)r->wrong);
	json_string(out, "error_sqlstate", r->error.sqlstate);
	fputc(',', out);
	json_string(out, "error", r->error.message);
	json_latency(out, "latency_us", r->all_latency);
	json_operations(out, o->workload, r);
	if (o->rate > 0)
		fprintf(out, ",\"rate\":%g,\"unsent\":%llu", o->rate,
			(unsigned long long)r->unsent);
	if (o->reads > 0) {
		fprintf(out, ",\"reads\":%g", o->reads);
		json_latency(out, "read_latency_us", read_latency(o, r));
	}
	json_cpu(out, "client", &r->client, r);
	if (r->server_known) {
		json_cpu(out, "server", &r->server, r);
		fputs(",\"server_threads\":[", out);
		for (unsigned i = 0; i < r->server.nthreads; i++) {
			fputs(i == 0 ? "{" : ",{", out);
			json_string(out, "name", r->server.threads[i].name);
			fprintf(out, ",\"user_s\":%.2f,\"kernel_s\":%.2f}",
				r->server.threads[i].user, r->server.threads[i].system);
		}
		fputc(']', out);
	}
	fputc(',', out);
	json_string(out, "checked", checked);
	fprintf(out, ",\"equal\":%s}\n", equal ? "true" : "false");
}

static int hgrm_write(const char *prefix, const char *name, const struct histogram *h)
{
	char path[PATH_MAX];
	int n = snprintf(
		path, sizeof(path), "%s%s%s.hgrm", prefix, name[0] != '\0' ? "." : "", name);
	FILE *f = n < PATH_MAX ? fopen(path, "we") : NULL;
	bool failed = f == NULL;

	if (f != NULL) {
		histogram_write(h, f, NS_PER_MS);
		failed = ferror(f) != 0;
		failed |= fclose(f) != 0;
	}
	if (failed)
		fprintf(stderr, "leftfold-bench: %s: cannot be written\n", path);
	return failed ? -1 : 0;
}

int report_hgrm(const char *prefix, const struct workload *w, const struct load_result *r)
{
	int status = hgrm_write(prefix, "", r->all_latency);

	for (unsigned i = 0; status == 0 && i < w->noperations && w->noperations > 1; i++)
		if (histogram_count(r->latency[i]) > 0)
			status = hgrm_write(prefix, w->operations[i].name, r->latency[i]);
	return status;
}
