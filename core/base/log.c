#include "core/base/log.h"
#include "core/base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const log_names[] = { "error", "warn", "info", "debug" };

static int log_level_now = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_level_now, (int)level, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return (enum log_level)__atomic_load_n(&log_level_now, __ATOMIC_RELAXED);
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < sizeof(log_names) / sizeof(log_names[0]); i++)
		if (strcmp(name, log_names[i]) == 0)
			return (int)i;
	return -1;
}

/* "2026-03-01T12:00:00.123456Z info  " into line; its length. */
static size_t log_prefix(char *line, size_t cap, enum log_level level)
{
	int64_t now_us = clock_wall_us();
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm t;
	size_t n;

	gmtime_r(&seconds, &t);
	n = strftime(line, cap, "%Y-%m-%dT%H:%M:%S", &t);
	n += (size_t)snprintf(
		line + n, cap - n, ".%06uZ %-5s ", (unsigned)(now_us % 1000000), log_names[level]);
	return n;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char line[LOG_LINE_MAX];
	size_t start, n;
	va_list ap;
	int want;

	if (level > log_get_level())
		return;
	n = start = log_prefix(line, sizeof(line), level);
	va_start(ap, fmt);
	want = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	if (want > 0)
		n += (size_t)want;
	if (n > sizeof(line) - 1)
		n = sizeof(line) - 1; /* vsnprintf has cut it; room for the newline is left */
	for (size_t i = start; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	/* When standard error is gone or full there is nobody left to tell. */
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = saved_errno;
}
