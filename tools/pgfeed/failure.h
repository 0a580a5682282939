/*
 * failure.h: why something could not be done, what is to be done about it, and whether trying again helps.
 */
#ifndef LF_TOOLS_PGFEED_FAILURE_H
#define LF_TOOLS_PGFEED_FAILURE_H

#include <stdint.h>

#include "net/client/leftfold.h"

enum failure_kind {
	FAILURE_NONE,
	FAILURE_STOPPED, /* by a signal, or since it was to end here: no failure at all */
	FAILURE_ANEW,    /* what is fed has changed: begin a new session at once */
	FAILURE_RETRY,  /* a connection or a resource is missing: begin a new session in a moment */
	FAILURE_IN_USE, /* another feed has the slot: the same, but not for ever */
	FAILURE_FATAL   /* somebody has to do something */
};

struct failure {
	enum failure_kind kind;
	char text[1024];
	char remedy[768]; /* "": none */
};

/* Fill *f; the remedy becomes empty. Always -1. */
int fail(struct failure *f, enum failure_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Add what is to be done. Always -1. */
int fail_remedy(struct failure *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fail_memory(struct failure *f);
/* What Leftfold answered to `what`. */
int fail_leftfold(struct failure *f, const struct lf_client_error *e, const char *what);

/* Analysers look at one source file at a time: this shows them what these return. */
#ifdef __clang_analyzer__
#define fail_returns(call) \
	({ \
		(void)(call); \
		-1; \
	})
#define fail(...) fail_returns((fail)(__VA_ARGS__))
#define fail_remedy(...) fail_returns((fail_remedy)(__VA_ARGS__))
#define fail_memory(f) fail_returns((fail_memory)(f))
#endif

/* One line on standard error, with the time before it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_failure(const struct failure *f);

/* Where in the write-ahead log, as PostgreSQL prints it: 16/B374D848. buf: 18 bytes. Returns buf. */
enum { LSN_TEXT_MAX = 18 };
const char *lsn_text(uint64_t lsn, char *buf);
/* 0, or -1: it is not one. */
int lsn_parse(const char *text, uint64_t *lsn);

uint64_t now_ms(void); /* of a clock that only goes forward */
int64_t now_us(void);  /* of the day, since 2000-01-01, as PostgreSQL counts */

#endif
