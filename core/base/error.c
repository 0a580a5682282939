#include "core/base/error.h"
#include "core/base/assert.h"

#include <stdio.h>
#include <string.h>

static const struct {
	char state[6];
	const char *text;
} error_table[ERR_COUNT] = {
#define X(name, sqlstate, default_text) [name] = { sqlstate, default_text },
	ERROR_TABLE(X)
#undef X
};

/* Format into buf and, when that cuts a UTF-8 sequence, drop its remains: messages quote what a
 * client sent and go back to it as text. */
static void error_format(char *buf, size_t cap, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void error_format(char *buf, size_t cap, const char *fmt, va_list ap)
{
	int want = vsnprintf(buf, cap, fmt, ap);
	size_t n, lead;

	if (want < 0) {
		buf[0] = '\0';
		return;
	}
	if ((size_t)want < cap)
		return;
	n = cap - 1;
	for (lead = n; lead > 0 && n - lead < 3 && ((unsigned char)buf[lead - 1] & 0xc0) == 0x80;)
		lead--;
	if (lead > 0 && (unsigned char)buf[lead - 1] >= 0xc0) {
		unsigned char c = (unsigned char)buf[lead - 1];
		size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

		if (n - (lead - 1) < length)
			buf[lead - 1] = '\0';
	}
}

#undef error_set
#undef error_detail
#undef error_hint

int error_set(struct error *e, enum error_code code, int position, const char *fmt, ...)
{
	va_list ap;

	ASSERT(code > ERR_OK && code < ERR_COUNT);
	e->code = code;
	e->state[0] = '\0';
	e->position = position;
	e->detail[0] = e->hint[0] = '\0';
	if (!fmt) {
		snprintf(e->message, sizeof(e->message), "%s", error_table[code].text);
		return -1;
	}
	va_start(ap, fmt);
	error_format(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return -1;
}

int error_detail(struct error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_format(e->detail, sizeof(e->detail), fmt, ap);
	va_end(ap);
	return -1;
}

int error_hint(struct error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_format(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return -1;
}

const char *error_sqlstate(enum error_code code)
{
	return (unsigned)code < ERR_COUNT ? error_table[code].state
					  : error_table[ERR_INTERNAL].state;
}

const char *error_text(enum error_code code)
{
	return (unsigned)code < ERR_COUNT ? error_table[code].text : error_table[ERR_INTERNAL].text;
}

enum error_code error_from_sqlstate(const char *state)
{
	for (int i = 0; i < ERR_COUNT; i++)
		if (strcmp(error_table[i].state, state) == 0)
			return (enum error_code)i;
	return ERR_INTERNAL;
}
