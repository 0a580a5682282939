/*
 * log.h: the server's log, one line a message on standard error:
 *
 *   2026-03-01T12:00:00.123456Z info  listening on 127.0.0.1:7654
 *
 * Each line is one write(2), so lines of several threads do not mix. Control characters in a
 * message (it may quote what a client sent) become '?', so a message is always one line; it is cut
 * at LOG_LINE_MAX bytes. Errors that are returned to a caller are not logged too.
 */
#ifndef LF_BASE_LOG_H
#define LF_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_MAX = 1024 };

/* Messages above the level are dropped. The default is LOG_LEVEL_INFO. From any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Level of a name ("error", "warn", "info", "debug"); -1 when it is none. */
int log_level_parse(const char *name);

/* Write a line when the level is on. errno is preserved. */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The arguments are not evaluated when the level is off. */
#define LOG_AT(level, ...) \
	do { \
		if ((level) <= log_get_level()) \
			log_write((level), __VA_ARGS__); \
	} while (0)
#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
