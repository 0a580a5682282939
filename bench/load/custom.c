/*
 * custom.c: the file of a custom workload, read line by line. A line that does not begin with a blank begins a section;
 * those below it, up to the next, are its text, and in sections with parameters then its generators. Every line read
 * adds one line to the text, empty where it holds something else, so that a place in the text tells its line.
 */
#include "bench/load/custom.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sql/split.h"

enum { WORDS_MAX = 4, WORD_MAX = 64 };

struct parser {
	struct custom *c;
	struct custom_error *e;
	unsigned line;                /* being read */
	struct custom_script *script; /* of the section that is open; NULL: none, or */
	struct custom_step *step;     /* that of one with parameters */
	unsigned section_line;
	char *text; /* of the section, so far */
	size_t len;
};

static void *allocated(void *p)
{
	if (p != NULL)
		return p;
	fputs("leftfold-bench: out of memory\n", stderr);
	exit(1);
}

static int fail(struct parser *p, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct parser *p, unsigned line, const char *fmt, ...)
{
	va_list args;

	p->e->line = line;
	va_start(args, fmt);
	(void)vsnprintf(p->e->message, sizeof(p->e->message), fmt, args);
	va_end(args);
	return -1;
}

static void text_add(struct parser *p, const char *s, size_t n)
{
	p->text = allocated(realloc(p->text, p->len + n + 2));
	memcpy(p->text + p->len, s, n);
	p->len += n;
	p->text[p->len++] = '\n';
	p->text[p->len] = '\0';
}

/* --- the end of a section --- */

static void script_add(struct custom_script *s, const char *text, size_t len, unsigned line)
{
	s->texts = allocated(realloc(s->texts, (s->n + 2) * sizeof(*s->texts)));
	s->lines = allocated(realloc(s->lines, (s->n + 1) * sizeof(*s->lines)));
	s->lines[s->n] = line;
	s->texts[s->n++] = allocated(strndup(text, len));
	s->texts[s->n] = NULL;
}

static unsigned line_of(const struct parser *p, size_t at)
{
	unsigned line = p->section_line + 1;

	for (size_t i = 0; i < at; i++)
		line += p->text[i] == '\n';
	return line;
}

static int script_end(struct parser *p)
{
	size_t at = 0;

	while (at < p->len) {
		struct split s;
		size_t end;

		sql_split_next(p->text + at, p->len - at, false, &s);
		if (s.end != SPLIT_STATEMENT && s.inside != '\0')
			return fail(p, line_of(p, at + strspn(p->text + at, " \t\n")),
				"a %s is not closed",
				s.inside == '*'           ? "comment"
					: s.inside == '(' ? "bracket"
							  : "quote");
		end = at + s.start + s.length;
		while (end > at + s.start && isspace((unsigned char)p->text[end - 1]))
			end--;
		if (s.end != SPLIT_EMPTY)
			script_add(p->script, p->text + at + s.start, end - at - s.start,
				line_of(p, at + s.start));
		at = s.end == SPLIT_EMPTY ? p->len : at + s.start + s.length;
	}
	return 0;
}

static int step_end(struct parser *p)
{
	struct custom_step *s = p->step;
	size_t len = p->len;

	while (len > 0 && isspace((unsigned char)p->text[len - 1]))
		len--;
	if (len == 0)
		return fail(p, s->line, "\"%s\" has no statement", s->name);
	s->text = allocated(strndup(p->text, len));
	for (unsigned i = 0; i < s->nparams; i++)
		if (s->generators[i].kind == NULL)
			return fail(p, s->line, "\"%s\": $%u has no generator", s->name, i + 1);
	return 0;
}

static int section_end(struct parser *p)
{
	int status = p->script != NULL ? script_end(p) : p->step != NULL ? step_end(p) : 0;

	p->script = NULL;
	p->step = NULL;
	p->len = 0;
	return status;
}

/* --- the beginning of one --- */

static bool name_taken(const struct custom_steps *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->p[i].name, name) == 0)
			return true;
	return false;
}

static int step_begin(struct parser *p, struct custom_steps *to, const char *name)
{
	struct custom_step *s;

	if (strlen(name) >= CUSTOM_NAME_MAX ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") !=
			strlen(name))
		return fail(p, p->line, "\"%s\" is not a name of letters, digits and _, at most %d",
			name, CUSTOM_NAME_MAX - 1);
	if (name_taken(&p->c->loads, name) || name_taken(&p->c->transactions, name))
		return fail(p, p->line, "there is a \"%s\" already", name);
	to->p = allocated(realloc(to->p, (to->n + 1) * sizeof(*to->p)));
	s = &to->p[to->n++];
	*s = (struct custom_step){ .line = p->line };
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	p->step = s;
	return 0;
}

static int load_begin(struct parser *p, const char *name, const char *times)
{
	char *end;
	long long n = strtoll(times, &end, 10);

	if (*end != '\0' || n < 1)
		return fail(p, p->line, "\"%s\" is not a number of executions", times);
	if (step_begin(p, &p->c->loads, name) != 0)
		return -1;
	p->step->times = (uint64_t)n;
	return 0;
}

static int transaction_begin(struct parser *p, const char *name, const char *weight)
{
	char *end;
	double w = strtod(weight, &end);

	if (*end != '\0' || !isfinite(w) || w <= 0)
		return fail(p, p->line, "\"%s\" is not a weight above 0", weight);
	if (step_begin(p, &p->c->transactions, name) != 0)
		return -1;
	p->step->weight = w;
	return 0;
}

static int section_begin(struct parser *p, const char *line)
{
	char words[WORDS_MAX][WORD_MAX] = { "", "", "", "" };
	int n = sscanf(line, "%63s %63s %63s %63s", words[0], words[1], words[2], words[3]);

	p->section_line = p->line;
	if (n == 1 && strcmp(words[0], "drop") == 0)
		p->script = &p->c->drop;
	else if (n == 1 && strcmp(words[0], "schema") == 0)
		p->script = &p->c->schema;
	else if (n == 1 && strcmp(words[0], "verify") == 0)
		p->script = &p->c->verify;
	else if (n == 3 && strcmp(words[0], "load") == 0)
		return load_begin(p, words[1], words[2]);
	else if ((n == 2 || n == 3) && strcmp(words[0], "transaction") == 0)
		return transaction_begin(p, words[1], n == 3 ? words[2] : "1");
	else
		return fail(p, p->line,
			"\"%s\" is none of: drop, schema, load NAME TIMES, transaction NAME WEIGHT, verify",
			line);
	return 0;
}

/* --- what is in it --- */

/* "$N = …": what stands behind the sign, and N; NULL: the line is none such. */
static const char *generator_line(const char *line, unsigned long *number)
{
	char *at;

	if (line[0] != '$' || !isdigit((unsigned char)line[1]))
		return NULL;
	*number = strtoul(line + 1, &at, 10);
	at += strspn(at, " \t");
	return *at == '=' ? at + 1 + strspn(at + 1, " \t") : NULL;
}

static int generator_add(struct parser *p, unsigned long number, const char *text)
{
	struct custom_step *s = p->step;
	char message[CUSTOM_MESSAGE_MAX];

	if (number < 1 || number > CUSTOM_PARAMS_MAX)
		return fail(p, p->line, "parameters are $1 to $%d", CUSTOM_PARAMS_MAX);
	if (number > s->nparams) {
		s->generators = allocated(realloc(s->generators, number * sizeof(*s->generators)));
		s->lines = allocated(realloc(s->lines, number * sizeof(*s->lines)));
		for (unsigned i = s->nparams; i < number; i++)
			s->generators[i] = (struct generator){ .kind = NULL };
		s->nparams = (unsigned)number;
	}
	if (s->generators[number - 1].kind != NULL)
		return fail(p, p->line, "$%lu has a generator already", number);
	s->lines[number - 1] = p->line;
	if (generator_parse(&s->generators[number - 1], text, message, sizeof(message)) != 0)
		return fail(p, p->line, "%s", message);
	return 0;
}

static int content(struct parser *p, const char *line)
{
	unsigned long number;
	const char *generator = p->step != NULL ? generator_line(line, &number) : NULL;

	if (p->script == NULL && p->step == NULL)
		return fail(p, p->line, "a section begins without a blank before it");
	if (generator != NULL)
		return generator_add(p, number, generator);
	if (p->step != NULL && p->step->nparams > 0)
		return fail(p, p->line, "the statement ends where its first generator stands");
	text_add(p, line, strlen(line));
	return 0;
}

/* One line, without its end and the blanks before that. */
static int line_parse(struct parser *p, const char *line)
{
	const char *begin = line + strspn(line, " \t");

	if (*begin == '\0' || *begin == '#') {
		text_add(p, "", 0);
		return 0;
	}
	if (begin != line)
		return content(p, begin);
	if (section_end(p) != 0)
		return -1;
	return section_begin(p, line);
}

static int lines_parse(struct parser *p, const char *text)
{
	int status = 0;

	while (status == 0 && *text != '\0') {
		size_t len = strcspn(text, "\n"), used = len;
		char *line;

		while (used > 0 && isspace((unsigned char)text[used - 1]))
			used--;
		line = allocated(strndup(text, used));
		p->line++;
		status = line_parse(p, line);
		free(line);
		text += len + (text[len] == '\n');
	}
	return status == 0 ? section_end(p) : -1;
}

/* --- all of it --- */

static const struct custom_step *step_named(
	const struct custom_steps *s, const char *name, size_t len)
{
	for (unsigned i = 0; i < s->n; i++)
		if (strlen(s->p[i].name) == len && strncmp(s->p[i].name, name, len) == 0)
			return &s->p[i];
	return NULL;
}

char *custom_expand(const struct custom *c, const char *text, char *name)
{
	char *out = NULL;
	size_t size;
	FILE *f = allocated(open_memstream(&out, &size));

	while (*text != '\0') {
		size_t plain = strcspn(text, "{"), len;
		const struct custom_step *s;

		(void)fwrite(text, 1, plain, f);
		text += plain;
		if (*text == '\0')
			break;
		len = strcspn(++text, "}");
		s = step_named(&c->loads, text, len);
		if (s == NULL)
			s = step_named(&c->transactions, text, len);
		if (s == NULL) {
			(void)snprintf(name, CUSTOM_NAME_MAX, "%.*s", (int)len, text);
			(void)fclose(f);
			free(out);
			return NULL;
		}
		fprintf(f, "%llu", (unsigned long long)s->filled);
		text += len + (text[len] == '}');
	}
	(void)fclose(f);
	return allocated(out);
}

static int names_check(struct parser *p)
{
	const struct custom_script *s = &p->c->verify;
	char name[CUSTOM_NAME_MAX];

	for (unsigned i = 0; i < s->n; i++) {
		char *text = custom_expand(p->c, s->texts[i], name);

		if (text == NULL)
			return fail(p, s->lines[i], "{%s} is no load or transaction", name);
		free(text);
	}
	return 0;
}

struct custom *custom_parse(const char *text, struct custom_error *e)
{
	struct parser p = { .c = allocated(calloc(1, sizeof(struct custom))), .e = e };
	int status = lines_parse(&p, text);

	if (status == 0 && p.c->transactions.n == 0)
		status = fail(&p, p.line > 0 ? p.line : 1, "there is no transaction");
	if (status == 0)
		status = names_check(&p);
	free(p.text);
	if (status == 0)
		return p.c;
	custom_free(p.c);
	return NULL;
}

static void script_free(struct custom_script *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->texts[i]);
	free(s->texts);
	free(s->lines);
}

static void steps_free(struct custom_steps *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		for (unsigned k = 0; k < s->p[i].nparams; k++)
			generator_free(&s->p[i].generators[k]);
		free(s->p[i].generators);
		free(s->p[i].lines);
		free(s->p[i].text);
	}
	free(s->p);
}

void custom_free(struct custom *c)
{
	script_free(&c->drop);
	script_free(&c->schema);
	script_free(&c->verify);
	steps_free(&c->loads);
	steps_free(&c->transactions);
	free(c);
}
