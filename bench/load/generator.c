/*
 * generator.c: one table of kinds: how its arguments are read, the types that it has values for, how the next value is
 * made.
 */
#include "bench/load/generator.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TYPE(id) (UINT32_C(1) << (id))
#define NUMBERS \
	(TYPE(LF_TYPE_INT2) | TYPE(LF_TYPE_INT4) | TYPE(LF_TYPE_INT8) | TYPE(LF_TYPE_NUMERIC) | \
		TYPE(LF_TYPE_FLOAT4) | TYPE(LF_TYPE_FLOAT8))
#define TEXTS (TYPE(LF_TYPE_TEXT) | TYPE(LF_TYPE_VARCHAR) | TYPE(LF_TYPE_CHAR))
#define TIMES (TYPE(LF_TYPE_DATE) | TYPE(LF_TYPE_TIMESTAMP) | TYPE(LF_TYPE_TIMESTAMPTZ))
#define EVERY_TYPE UINT32_MAX

enum { UUID_TEXT = 36, NUMBER_TEXT = 24 };

struct generator_kind {
	const char *name;
	const char *arguments; /* as its form is told to someone who has it wrong */
	uint32_t types;        /* bits of enum lf_type_id */
	bool (*parse)(struct generator *g, const char *arguments);
	void (*set)(struct generator *g, struct lf_params *p, unsigned param);
};

/* --- arguments --- */

/* An integer, and the comma behind it unless it is the last. */
static bool take_integer(const char **at, int64_t *out, bool last)
{
	char *end;

	errno = 0;
	*out = strtoll(*at, &end, 10);
	if (errno != 0 || end == *at)
		return false;
	end += strspn(end, " \t");
	*at = end + (*end != '\0');
	return *end == (last ? '\0' : ',');
}

static bool take_decimal(const char **at, long double *out, bool last)
{
	char *end;

	*out = strtold(*at, &end);
	if (end == *at || !isfinite(*out))
		return false;
	end += strspn(end, " \t");
	*at = end + (*end != '\0');
	return *end == (last ? '\0' : ',');
}

static bool parse_nothing(struct generator *g, const char *arguments)
{
	(void)g;
	return arguments[0] == '\0';
}

static bool parse_sequence(struct generator *g, const char *arguments)
{
	return arguments[0] == '\0' || take_integer(&arguments, &g->from, true);
}

static bool parse_uniform(struct generator *g, const char *arguments)
{
	int64_t to;

	if (!take_integer(&arguments, &g->from, false) || !take_integer(&arguments, &to, true) ||
		to < g->from)
		return false;
	g->width = (uint64_t)to - (uint64_t)g->from;
	return true;
}

static bool parse_zipf(struct generator *g, const char *arguments)
{
	long double skew;
	int64_t n;

	if (!take_integer(&arguments, &n, false) || !take_decimal(&arguments, &skew, true) ||
		n < 1 || skew < 0 || skew > 20)
		return false;
	keys_init(&g->keys, (uint64_t)n, (double)skew, 0);
	return true;
}

static bool parse_numeric(struct generator *g, const char *arguments)
{
	long double from, to, most = 0x1p62L;
	int64_t scale;

	if (!take_decimal(&arguments, &from, false) || !take_decimal(&arguments, &to, false) ||
		!take_integer(&arguments, &scale, true) || scale < 0 || scale > GENERATOR_SCALE_MAX)
		return false;
	from = roundl(from * powl(10, (long double)scale));
	to = roundl(to * powl(10, (long double)scale));
	if (from < -most || to > most || to < from)
		return false;
	g->scale = (unsigned)scale;
	g->from = (int64_t)from;
	g->width = (uint64_t)((int64_t)to - (int64_t)from);
	return true;
}

static bool parse_text(struct generator *g, const char *arguments)
{
	int64_t length;

	if (!take_integer(&arguments, &length, true) || length < 0 || length > GENERATOR_LENGTH_MAX)
		return false;
	g->length = (size_t)length;
	g->text = malloc(g->length + 1);
	return g->text != NULL;
}

static bool parse_constant(struct generator *g, const char *arguments)
{
	g->text = strdup(arguments);
	g->choices[0] = g->text;
	g->nchoices = 1;
	return g->text != NULL;
}

static bool parse_choice(struct generator *g, const char *arguments)
{
	g->text = strdup(arguments);
	for (char *rest = g->text, *one; (one = strsep(&rest, "|")) != NULL;) {
		if (g->nchoices == GENERATOR_CHOICES_MAX)
			return false;
		g->choices[g->nchoices++] = one;
	}
	return g->nchoices > 0;
}

/* --- values --- */

static void set_text(struct generator *g, struct lf_params *p, unsigned param)
{
	for (size_t i = 0; i < g->length;) {
		uint64_t r = random_next(&g->random);

		/* Seven letters of eight bits each, whose bias is below a tenth. */
		for (unsigned k = 0; k < 7 && i < g->length; k++, r >>= 8)
			g->text[i++] = (char)('a' + (r & 0xff) % 26);
	}
	if (g->type.id == LF_TYPE_BYTEA)
		lf_params_set_bytes(p, param, g->text, g->length);
	else
		lf_params_set_text(p, param, g->text, g->length);
}

static void set_choice(struct generator *g, struct lf_params *p, unsigned param)
{
	uint64_t i = g->nchoices == 1 ? 0 : random_below(&g->random, g->nchoices);

	lf_params_parse(p, param, g->choices[i], SIZE_MAX);
}

static void set_integer(struct generator *g, struct lf_params *p, unsigned param, int64_t v)
{
	char text[NUMBER_TEXT];

	switch (g->type.id) {
	case LF_TYPE_FLOAT4:
	case LF_TYPE_FLOAT8: lf_params_set_double(p, param, (double)v); break;
	case LF_TYPE_DATE:
		/* What no date can be stays so, and the server refuses it. */
		lf_params_set_date(p, param,
			v <= INT32_MIN           ? INT32_MIN + 1
				: v >= INT32_MAX ? INT32_MAX - 1
						 : (int32_t)v);
		break;
	case LF_TYPE_TIMESTAMP:
	case LF_TYPE_TIMESTAMPTZ: lf_params_set_timestamp(p, param, v); break;
	case LF_TYPE_TEXT:
	case LF_TYPE_VARCHAR:
	case LF_TYPE_CHAR:
		(void)snprintf(text, sizeof(text), "%lld", (long long)v);
		lf_params_set_text(p, param, text, SIZE_MAX);
		break;
	default: lf_params_set_int(p, param, v); break;
	}
}

static void set_sequence(struct generator *g, struct lf_params *p, unsigned param)
{
	set_integer(g, p, param, g->from);
	g->from = (int64_t)((uint64_t)g->from + 1);
}

static int64_t range_next(struct generator *g)
{
	uint64_t r = g->width == UINT64_MAX ? random_next(&g->random)
					    : random_below(&g->random, g->width + 1);

	return (int64_t)((uint64_t)g->from + r);
}

static void set_uniform(struct generator *g, struct lf_params *p, unsigned param)
{
	set_integer(g, p, param, range_next(g));
}

static void set_zipf(struct generator *g, struct lf_params *p, unsigned param)
{
	set_integer(g, p, param, (int64_t)keys_next(&g->keys));
}

static void set_numeric(struct generator *g, struct lf_params *p, unsigned param)
{
	int64_t coefficient = range_next(g);

	if (g->type.id == LF_TYPE_NUMERIC)
		lf_params_set_decimal(p, param, coefficient, g->scale);
	else
		lf_params_set_double(p, param, (double)coefficient / pow(10, g->scale));
}

static void set_now(struct generator *g, struct lf_params *p, unsigned param)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (g->type.id == LF_TYPE_DATE)
		lf_params_set_date(p, param, (int32_t)(t.tv_sec / 86400 - LF_EPOCH_UNIX_DAYS));
	else
		lf_params_set_timestamp(p, param,
			(int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 - LF_EPOCH_UNIX_US);
}

static void set_uuid(struct generator *g, struct lf_params *p, unsigned param)
{
	uint64_t r[2] = { random_next(&g->random), random_next(&g->random) };
	char text[UUID_TEXT + 1];
	uint8_t u[16];

	memcpy(u, r, sizeof(u));
	u[6] = (uint8_t)(0x40 | (u[6] & 0x0f));
	u[8] = (uint8_t)(0x80 | (u[8] & 0x3f));
	if (g->type.id == LF_TYPE_UUID) {
		lf_params_set_uuid(p, param, u);
		return;
	}
	(void)snprintf(text, sizeof(text),
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
		u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
		u[15]);
	lf_params_set_text(p, param, text, UUID_TEXT);
}

static const struct generator_kind KINDS[] = {
	{ "sequence", "sequence or sequence(START)", NUMBERS | TEXTS | TIMES, parse_sequence,
		set_sequence },
	{ "uniform", "uniform(MIN, MAX), integers", NUMBERS | TEXTS | TIMES, parse_uniform,
		set_uniform },
	{ "zipf", "zipf(N, S), S from 0 to 20", NUMBERS | TEXTS | TIMES, parse_zipf, set_zipf },
	{ "numeric", "numeric(MIN, MAX, SCALE), SCALE from 0 to 18",
		TYPE(LF_TYPE_NUMERIC) | TYPE(LF_TYPE_FLOAT4) | TYPE(LF_TYPE_FLOAT8), parse_numeric,
		set_numeric },
	{ "text", "text(LENGTH), at most 1048576", TEXTS | TYPE(LF_TYPE_BYTEA), parse_text,
		set_text },
	{ "constant", "constant(TEXT)", EVERY_TYPE, parse_constant, set_choice },
	{ "choice", "choice(TEXT|TEXT...), at most 256", EVERY_TYPE, parse_choice, set_choice },
	{ "now", "now", TIMES, parse_nothing, set_now },
	{ "uuid", "uuid", TEXTS | TYPE(LF_TYPE_UUID), parse_nothing, set_uuid },
};
enum { NKINDS = sizeof(KINDS) / sizeof(KINDS[0]) };

/* --- all of them --- */

static const struct generator_kind *kind_named(const char *name, size_t len)
{
	for (unsigned i = 0; i < NKINDS; i++)
		if (strlen(KINDS[i].name) == len && strncmp(KINDS[i].name, name, len) == 0)
			return &KINDS[i];
	return NULL;
}

/* What stands between the brackets, or "" where there are none; the caller's to free. NULL: it does not end well. */
static char *arguments_of(const char *rest)
{
	size_t len = strlen(rest);

	if (len == 0)
		return strdup("");
	if (len < 2 || rest[0] != '(' || rest[len - 1] != ')')
		return NULL;
	return strndup(rest + 1, len - 2);
}

int generator_parse(struct generator *out, const char *text, char *message, size_t cap)
{
	size_t len = 0;
	char *arguments;
	bool well;

	while (isalpha((unsigned char)text[len]))
		len++;
	*out = (struct generator){ .kind = kind_named(text, len) };
	if (out->kind == NULL) {
		(void)snprintf(message, cap, "there is no generator \"%.*s\"", (int)len, text);
		return -1;
	}
	arguments = arguments_of(text + len);
	well = arguments != NULL && out->kind->parse(out, arguments);
	free(arguments);
	if (well)
		return 0;
	(void)snprintf(message, cap, "\"%s\" is not %s", text, out->kind->arguments);
	generator_free(out);
	return -1;
}

void generator_free(struct generator *g)
{
	free(g->text);
	*g = (struct generator){ .kind = NULL };
}

void generator_seed(struct generator *g, uint64_t seed)
{
	g->random.state = seed;
	g->keys.random.state = seed;
}

const char *generator_name(const struct generator *g)
{
	return g->kind->name;
}

bool generator_fits(const struct generator *g, struct lf_type type)
{
	return (g->kind->types & TYPE(type.id)) != 0;
}

void generator_set(struct generator *g, struct lf_params *p, unsigned param)
{
	g->kind->set(g, p, param);
}
