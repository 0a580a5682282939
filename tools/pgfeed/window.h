/*
 * window.h: changes that may be in Leftfold already, from before the feed was interrupted.
 *
 * Doing them again one after the other would end well, but on the way rows would go back to what they had been. So they are
 * kept until all are there, and then of each row only what it has become in the end is sent: no reader sees a row that is older
 * than one it has seen. (TRUNCATE is done again, where it was: rows that came behind it go for a moment.)
 *
 * What an UPDATE did not send, since it was unchanged, is looked for in the changes before it, and is else in Leftfold still. But
 * when the row got another key, it is there under the one key or the other, and rows of others may have had, or have, these
 * keys. So before such a move is sent at all, the values are fetched from under the key before and kept, durably, by the move's
 * place in the log (leftfold_pgfeed_kept). If a move has them, they are what it needs; if it has not, nothing from there on
 * was sent, and the row is where it was before.
 */
#ifndef LF_TOOLS_PGFEED_WINDOW_H
#define LF_TOOLS_PGFEED_WINDOW_H

#include "tools/pgfeed/sender.h"
#include "tools/pgfeed/state.h"

struct window;

/* NULL: out of memory. */
struct window *window_new(const char *spool_dir, size_t memory);
void window_free(struct window *w);

/* A row as it is now; moved: its key before, NULL: the same; m: if values are UNCHANGED, too. Values by column of the
 * message. */
int window_put(struct window *w, const struct version *v, const struct pgoutput_value *values,
	const struct pgoutput_value *moved, struct move m, struct failure *f);
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
/* Have the values that are UNCHANGED of a row that moves: those that were kept, else those that it has under the key before,
 * which are then kept. *memory, to be given to free(), holds them. */
int apply_fetch(struct sender *s, struct version *v, struct pgoutput_value *values,
	const struct pgoutput_value *key, struct move m, char **memory);
/* Only those that were kept. 1; 0 there are none; -1. */
int apply_kept(struct sender *s, const struct version *v, struct pgoutput_value *values,
	struct move m, char **memory);
/* Whether a value that is fed is UNCHANGED, the key's not. without (by column of the message; may be NULL) is set. */
bool apply_lacks(const struct version *v, const struct pgoutput_value *values, uint8_t *without);

#endif
