/*
 * assert.h: assertions, for our own bugs only. Bad input is an error (error.h), never an assertion.
 *
 * ASSERT(x) is on in every build: when x is false it prints `file:line: function: x` to standard
 * error and aborts. DEBUG_ASSERT(x) is for the hottest loops: on when LF_DEBUG is defined (debug
 * and sanitizer builds), otherwise compiled for its types only and never evaluated.
 */
#ifndef LF_BASE_ASSERT_H
#define LF_BASE_ASSERT_H

#define ASSERT(x) \
	(__builtin_expect(!!(x), 1) ? (void)0 : assert_fail(#x, __FILE__, __LINE__, __func__))

#ifdef LF_DEBUG
#define DEBUG_ASSERT(x) ASSERT(x)
#else
#define DEBUG_ASSERT(x) ((void)sizeof(!!(x)))
#endif

/* Where the compiler cannot see that a switch or loop never gets here. */
#define UNREACHABLE() assert_fail("unreachable", __FILE__, __LINE__, __func__)

/* Prints one line and aborts. */
void assert_fail(const char *expression, const char *file, int line, const char *function)
	__attribute__((noreturn, cold));

#endif
