/*
 * print.c: text and progress on standard output; tables are in table.c.
 */
#include "tools/demo/print.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 98, INDENT = 2, TEXT_MAX = 4096, BAR = 24, DRAW_NS = 100000000, NS = 1000000000 };

static bool terminal;

void print_start(void)
{
	const char *term = getenv("TERM");

	terminal = isatty(STDOUT_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

void die(const char *format, ...)
{
	va_list ap;

	(void)fflush(stdout);
	fputs(terminal ? "\n\ndemo: " : "demo: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void rule(char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		putchar(c);
	putchar('\n');
}

void print_heading(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("\n%s%s%s\n", terminal ? "\033[1m" : "", text, terminal ? "\033[0m" : "");
	rule('=', WIDTH);
}

void print_subheading(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	printf("\n  %s%s%s\n", terminal ? "\033[1m" : "", text, terminal ? "\033[0m" : "");
}

void print_text(const char *format, ...)
{
	char text[TEXT_MAX];
	size_t column = 0;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (const char *s = text; *s != '\0';) {
		size_t n = strcspn(s, " \n");

		if (column > 0 && column + 1 + n > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (n > 0 || column > 0)
			column += (size_t)printf(
				"%*s%.*s", column == 0 ? INDENT : 1, "", (int)n, s);
		s += n;
		if (*s == '\n') {
			putchar('\n');
			column = 0;
		}
		s += *s != '\0';
	}
	putchar('\n');
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static char *turn(void)
{
	static char buffers[8][48];
	static unsigned next;

	return buffers[next++ % 8];
}

void group_digits(const char *text, char *out, size_t cap)
{
	const char *digits = text + (*text == '-');
	size_t whole = strspn(digits, "0123456789"), n = 0;
	const char *rest = digits + whole;

	if (whole == 0 || (*rest != '\0' && *rest != '.') || strlen(text) * 2 >= cap) {
		(void)snprintf(out, cap, "%s", text);
		return;
	}
	if (digits != text)
		out[n++] = '-';
	for (size_t i = 0; i < whole; i++) {
		if (i > 0 && (whole - i) % 3 == 0)
			out[n++] = ',';
		out[n++] = digits[i];
	}
	(void)snprintf(out + n, cap - n, "%s", rest);
}

const char *number(int64_t n)
{
	char plain[24], *out = turn();

	(void)snprintf(plain, sizeof(plain), "%lld", (long long)n);
	group_digits(plain, out, 48);
	return out;
}

const char *amount(int64_t hundredths)
{
	char plain[24], *out = turn();
	long long n = hundredths;

	(void)snprintf(plain, sizeof(plain), "%s%lld.%02lld", n < 0 ? "-" : "", llabs(n) / 100,
		llabs(n) % 100);
	group_digits(plain, out, 48);
	return out;
}

struct progress progress_begin(const char *what, uint64_t total)
{
	struct progress p = { what, total, now_ns(), 0 };

	return p;
}

static double seconds_since(uint64_t ns)
{
	return (double)(now_ns() - ns) / NS;
}

static int64_t rate(uint64_t done, double seconds)
{
	return seconds > 0 ? (int64_t)((double)done / seconds) : 0;
}

void progress_step(struct progress *p, uint64_t done)
{
	size_t full = p->total > 0 ? (size_t)(done * BAR / p->total) : 0;
	uint64_t now;

	if (!terminal)
		return;
	now = now_ns();
	if (now - p->drawn_ns < DRAW_NS)
		return;
	p->drawn_ns = now;
	printf("\r\033[K  %-28s ", p->what);
	if (p->total > 0) {
		putchar('[');
		for (size_t i = 0; i < BAR; i++)
			putchar(i < full ? '#' : '.');
		printf("] ");
	}
	printf("%11s  %9s/s", number((int64_t)done),
		number(rate(done, seconds_since(p->start_ns))));
	(void)fflush(stdout);
}

double progress_end(struct progress *p, uint64_t done)
{
	double seconds = seconds_since(p->start_ns);

	printf("%s  %-28s %11s in %6.2f s  %11s/s\n", terminal ? "\r\033[K" : "", p->what,
		number((int64_t)done), seconds, number(rate(done, seconds)));
	return seconds;
}
