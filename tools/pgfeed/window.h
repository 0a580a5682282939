/*
 * window.h: changes that may be in Leftfold already, from before the feed was interrupted.
 *
 * Doing them again one after the other would end well, but on the way rows would go back to what they had been. So they are
 * kept until all are there, and then of each row only what it has become in the end is sent: no reader sees a row that is older
 * than one it has seen. (TRUNCATE is done again, where it was: rows that came behind it go for a moment.)
 *
 * What an UPDATE did not send, since it was unchanged, is looked for in the changes before it. Where a row got another key that
 * way and what it had is in none of them, it is fetched from Leftfold, where it is under the one key or the other.
 */
#ifndef LF_TOOLS_PGFEED_WINDOW_H
#define LF_TOOLS_PGFEED_WINDOW_H

#include "tools/pgfeed/sender.h"

struct window;

/* NULL: out of memory. */
struct window *window_new(const char *spool_dir, size_t memory);
void window_free(struct window *w);

/* A row as it is now; moved: its key before, NULL: the same. Values by column of the message. */
int window_put(struct window *w, const struct version *v, const struct pgoutput_value *values,
	const struct pgoutput_value *moved, struct failure *f);
int window_erase(struct window *w, const struct version *v, const struct pgoutput_value *key,
	struct failure *f);
int window_truncate(struct window *w, struct table *t, struct failure *f);
/* How many rows it has. */
size_t window_rows(const struct window *w);
/* Send what counts. */
int window_send(struct window *w, struct sender *s);

/* --- how a change is sent (apply.c), for the window and for what comes after it --- */

/* A row as it is now. Values that are UNCHANGED are left as they are in Leftfold. */
int apply_put(struct sender *s, struct version *v, const struct pgoutput_value *values);
int apply_erase(struct sender *s, struct version *v, const struct pgoutput_value *key);
/* A row that had one of `n` other keys, and has values that are UNCHANGED: they are fetched, and the row is durable before
 * this returns. values are changed. */
int apply_moved(struct sender *s, struct version *v, struct pgoutput_value *values,
	const struct pgoutput_value *const *keys, unsigned n);
/* Whether a value that is fed is UNCHANGED, the key's not. without (by column of the message; may be NULL) is set. */
bool apply_lacks(const struct version *v, const struct pgoutput_value *values, uint8_t *without);

#endif
