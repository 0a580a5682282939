/*
 * failure.c: see failure.h.
 */
#include "tools/pgfeed/failure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int(fail)(struct failure *f, enum failure_kind kind, const char *fmt, ...)
{
	va_list ap;

	f->kind = kind;
	f->remedy[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -1;
}

int(fail_remedy)(struct failure *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(f->remedy, sizeof(f->remedy), fmt, ap);
	va_end(ap);
	return -1;
}

int(fail_memory)(struct failure *f)
{
	return fail(f, FAILURE_RETRY, "out of memory");
}

/* Connections, resources, the server's end, an unknown outcome, what is to be tried again. */
static bool is_transient(const char *state)
{
	static const char *const STATES[] = { "08", "53", "57P0", "LF001", "LF003", "LF005",
		"40001", "55006" };

	for (unsigned i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++)
		if (strncmp(state, STATES[i], strlen(STATES[i])) == 0)
			return strcmp(state, "08P01") != 0;
	return false;
}

int fail_leftfold(struct failure *f, const struct lf_client_error *e, const char *what)
{
	fail(f, is_transient(e->sqlstate) ? FAILURE_RETRY : FAILURE_FATAL, "%s: %s: %s%s%s", what,
		e->sqlstate, e->message, e->detail[0] != '\0' ? ". " : "", e->detail);
	if (e->hint[0] != '\0')
		fail_remedy(f, "%s", e->hint);
	return -1;
}

void say(const char *fmt, ...)
{
	char time_of_day[32], text[2048];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;

	(void)gmtime_r(&now, &tm);
	(void)strftime(time_of_day, sizeof(time_of_day), "%Y-%m-%d %H:%M:%SZ", &tm);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "%s %s\n", time_of_day, text);
}

void say_failure(const struct failure *f)
{
	say("%s%s", f->kind == FAILURE_FATAL ? "error: " : "", f->text);
	if (f->remedy[0] != '\0')
		say("remedy: %s", f->remedy);
}

const char *lsn_text(uint64_t lsn, char *buf)
{
	(void)snprintf(
		buf, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return buf;
}

int lsn_parse(const char *text, uint64_t *lsn)
{
	uint32_t high, low;
	char rest;

	if (sscanf(text, "%8" SCNx32 "/%8" SCNx32 "%c", &high, &low, &rest) != 2)
		return -1;
	*lsn = (uint64_t)high << 32 | low;
	return 0;
}

uint64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 - LF_EPOCH_UNIX_US;
}
