/*
 * debian_read.c: stanzas of "Field: value" lines, from files as they are or through apt's own decompressor.
 *
 * Values are pieces of the files' text, which stays in memory. Lines that continue a field (they begin with a
 * space) belong to no field that is used here. Of packages that several files name, the one of the file with the
 * least rank counts: security updates before updates before the release before what dpkg knows itself.
 */
#include "tools/demo/debian.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/demo/print.h"

#define STATUS "/var/lib/dpkg/status"
#define LISTS "/var/lib/apt/lists/*_Packages*"
#define APT_HELPER "/usr/lib/apt/apt-helper"

enum { RANK_STATUS = 9, TEXT_FIRST = 1 << 20 };

/* --- files --- */

/* All of a descriptor, ended with a zero byte; NULL: it could not be read. */
static char *read_all(int fd, size_t *len)
{
	size_t cap = TEXT_FIRST, n = 0;
	char *text = malloc(cap);
	ssize_t got = 0;

	while (text != NULL && (got = read(fd, text + n, cap - n - 1)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		n += (size_t)got;
		if (n + 1 == cap) {
			cap *= 2;
			text = realloc(text, cap);
		}
	}
	if (text == NULL)
		die("out of memory");
	text[n] = '\0';
	*len = n;
	if (got < 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Through apt-helper, which knows all compressions that apt uses. NULL: it failed. */
static char *read_compressed(const char *path, size_t *len)
{
	int ends[2], status = 1;
	char *text;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
		die("pipe: %s", strerror(errno));
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(126);
		execl(APT_HELPER, APT_HELPER, "cat-file", path, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	text = child < 0 ? NULL : read_all(ends[0], len);
	(void)close(ends[0]);
	if (child > 0)
		(void)waitpid(child, &status, 0);
	if (status == 0 && text != NULL && *len > 0)
		return text;
	free(text);
	return NULL;
}

static char *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0)
		return NULL;
	text = read_all(fd, len);
	(void)close(fd);
	return text;
}

/* --- stanzas --- */

static const struct field {
	const char *name;
	size_t at; /* in struct debian_package */
} FIELDS[] = {
#define FIELD(name, member) \
	{ \
		name ":", offsetof(struct debian_package, member) \
	}
	FIELD("Package", name), FIELD("Version", version), FIELD("Architecture", architecture),
	FIELD("Section", section), FIELD("Priority", priority), FIELD("Maintainer", maintainer),
	FIELD("Source", source), FIELD("Installed-Size", installed_kib), FIELD("Size", download),
	FIELD("Depends", needs[DEPENDS]), FIELD("Pre-Depends", needs[PRE_DEPENDS]),
	FIELD("Recommends", needs[RECOMMENDS]), FIELD("Suggests", needs[SUGGESTS])
#undef FIELD
};

/* The file is told to hold UTF-8; where it does not, bytes beyond ASCII become question marks. */
static void make_utf8(char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)s[i];
		size_t more = c < 0x80          ? 0
			: c >= 0xc2 && c < 0xe0 ? 1
			: c >= 0xe1 && c < 0xf0 ? 2
						: 3;
		bool good = c < 0x80 || (c >= 0xc2 && c < 0xf0 && c != 0xe0 && c != 0xed);

		for (size_t k = 1; good && k <= more; k++)
			good = i + k < n && ((unsigned char)s[i + k] & 0xc0) == 0x80;
		if (!good) {
			s[i++] = '?';
			continue;
		}
		i += more + 1;
	}
}

static void take_field(struct debian_package *p, char *line, size_t n, bool *is_installed)
{
	static const char INSTALLED[] = "Status: install ok installed";

	if (n == sizeof(INSTALLED) - 1 && memcmp(line, INSTALLED, n) == 0)
		*is_installed = true;
	for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
		size_t name = strlen(FIELDS[i].name);
		struct span *to = (struct span *)((char *)p + FIELDS[i].at);

		if (n <= name || memcmp(line, FIELDS[i].name, name) != 0)
			continue;
		while (name < n && line[name] == ' ')
			name++;
		make_utf8(line + name, n - name);
		*to = (struct span){ line + name, n - name };
		return;
	}
}

static void add(struct debian_package **list, size_t *n, const struct debian_package *p)
{
	/* Doubles whenever n is a power of two. */
	if ((*n & (*n - 1)) == 0) {
		*list = realloc(*list, (*n == 0 ? 1 : 2 * *n) * sizeof(**list));
		if (*list == NULL)
			die("out of memory");
	}
	(*list)[(*n)++] = *p;
}

static void fill(struct span *s, const char *text)
{
	if (s->text == NULL)
		*s = (struct span){ text, strlen(text) };
}

static void end_stanza(struct debian *d, struct debian_package *p)
{
	if (p->name.text == NULL || p->version.text == NULL)
		return;
	fill(&p->architecture, "unknown");
	fill(&p->section, "unknown");
	fill(&p->priority, "unknown");
	fill(&p->maintainer, "unknown");
	if (p->source.text == NULL)
		p->source = p->name;
	/* "name (version)" */
	for (size_t i = 0; i < p->source.n; i++)
		if (p->source.text[i] == ' ')
			p->source.n = i;
	if (p->rank < RANK_STATUS || p->installed)
		add(&d->package, &d->packages, p);
	if (p->installed)
		add(&d->installed, &d->ninstalled, p);
}

/* Returns the number of stanzas. */
static size_t parse(struct debian *d, char *text, unsigned rank)
{
	struct debian_package p = { .rank = rank };
	size_t stanzas = 0;

	d->text = realloc(d->text, (d->ntexts + 1) * sizeof(*d->text));
	if (d->text == NULL)
		die("out of memory");
	d->text[d->ntexts++] = text;
	for (char *line = text; *line != '\0';) {
		size_t n = strcspn(line, "\n");
		char *next = line + n + (line[n] == '\n');

		if (n > 0)
			take_field(&p, line, n, &p.installed);
		if ((n == 0 || *next == '\0') && p.name.text != NULL) {
			end_stanza(d, &p);
			stanzas++;
			p = (struct debian_package){ .rank = rank };
		}
		line = next;
	}
	return stanzas;
}

/* --- all of them --- */

static int by_name(const void *a, const void *b)
{
	const struct debian_package *x = a, *y = b;
	size_t n = x->name.n < y->name.n ? x->name.n : y->name.n;
	int c = memcmp(x->name.text, y->name.text, n);

	if (c != 0)
		return c;
	if (x->name.n != y->name.n)
		return x->name.n < y->name.n ? -1 : 1;
	/* Of one rank, two versions: any order will do that is always the same. */
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->name.text < y->name.text ? -1 : x->name.text > y->name.text;
}

/* Sort, and keep the first of each name. */
static void settle(struct debian_package *list, size_t *n)
{
	size_t kept = 0;

	if (*n == 0)
		return;
	qsort(list, *n, sizeof(*list), by_name);
	for (size_t i = 0; i < *n; i++)
		if (kept == 0 || list[i].name.n != list[kept - 1].name.n ||
			memcmp(list[i].name.text, list[kept - 1].name.text, list[i].name.n) != 0)
			list[kept++] = list[i];
	*n = kept;
}

static unsigned rank_of(const char *path)
{
	return strstr(path, "security") != NULL     ? 0
		: strstr(path, "-updates") != NULL  ? 1
		: strstr(path, "backports") != NULL ? 3
						    : 2;
}

static void read_lists(struct debian *d)
{
	glob_t found;

	if (glob(LISTS, 0, NULL, &found) != 0) {
		print_text(
			"apt has no lists here (apt-get update would fetch them), so the packages are those"
			" that are installed.");
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i], *name = strrchr(path, '/') + 1;
		size_t len, suffix = strlen("_Packages"), n = strlen(path);
		bool plain = n > suffix && strcmp(path + n - suffix, "_Packages") == 0;
		char *text = plain ? read_file(path, &len) : read_compressed(path, &len);

		if (text == NULL)
			printf("   skipped  %.86s (it could not be read)\n", name);
		else
			printf("  %8s  %.86s\n", number((int64_t)parse(d, text, rank_of(path))),
				name);
	}
	globfree(&found);
}

void debian_read(struct debian *d, bool small)
{
	size_t len;
	char *text = read_file(STATUS, &len);

	*d = (struct debian){ 0 };
	if (text == NULL)
		die("%s: %s", STATUS, strerror(errno));
	printf("  packages  file\n  %8s  %s\n", number((int64_t)parse(d, text, RANK_STATUS)),
		STATUS);
	if (small)
		print_text("apt's lists are left out in a small run.");
	else
		read_lists(d);
	settle(d->package, &d->packages);
	settle(d->installed, &d->ninstalled);
}

void debian_free(struct debian *d)
{
	for (size_t i = 0; i < d->ntexts; i++)
		free(d->text[i]);
	free(d->text);
	free(d->package);
	free(d->installed);
}

/* --- needs --- */

static struct span trimmed(const char *from, const char *to)
{
	while (from < to && *from == ' ')
		from++;
	while (to > from && to[-1] == ' ')
		to--;
	return (struct span){ from, (size_t)(to - from) };
}

/* "libc6:any (>= 2.34) [linux-any]" */
static void parse_need(struct span s, struct debian_need *out)
{
	const char *end = s.text + s.n, *name = s.text, *open, *close;

	while (name < end && strchr(" :([<", *name) == NULL)
		name++;
	out->target = (struct span){ s.text, (size_t)(name - s.text) };
	out->bound = (struct span){ NULL, 0 };
	open = memchr(s.text, '(', s.n);
	close = open == NULL ? NULL : memchr(open, ')', (size_t)(end - open));
	if (close != NULL)
		out->bound = trimmed(open + 1, close);
}

bool debian_next(const struct debian_package *p, struct debian_needs *at, struct debian_need *out)
{
	static const char *const KINDS[DEBIAN_KINDS] = { "depends", "pre-depends", "recommends",
		"suggests" };

	for (; at->kind < DEBIAN_KINDS; at->kind++, at->begun = false) {
		if (!at->begun) {
			at->rest = p->needs[at->kind];
			at->position = at->alternative = 1;
			at->begun = true;
		}
		while (at->rest.n > 0) {
			const char *s = at->rest.text, *end = s + at->rest.n, *stop = s;
			struct span one;

			while (stop < end && *stop != ',' && *stop != '|')
				stop++;
			one = trimmed(s, stop);
			*out = (struct debian_need){ .kind = KINDS[at->kind],
				.position = at->position,
				.alternative = at->alternative };
			at->position += stop < end && *stop == ',';
			at->alternative = stop < end && *stop == '|' ? at->alternative + 1 : 1;
			stop += stop < end;
			at->rest = (struct span){ stop, (size_t)(end - stop) };
			parse_need(one, out);
			if (out->target.n > 0)
				return true;
		}
	}
	return false;
}
