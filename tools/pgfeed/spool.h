/*
 * spool.h: records put aside, in the order in which they came: in memory, and beyond a limit in a file that has no name.
 */
#ifndef LF_TOOLS_PGFEED_SPOOL_H
#define LF_TOOLS_PGFEED_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct spool;

/* memory: bytes kept in memory before a file in `dir` is made. NULL: out of memory. */
struct spool *spool_new(const char *dir, size_t memory);
void spool_free(struct spool *s);

/* Put a record behind the others; *at is where it stands. 0; -1 with errno. */
int spool_add(struct spool *s, const void *bytes, size_t n, uint64_t *at);
/* The record at *at, which is advanced to the one behind it. The bytes are valid until the next call. 1; 0 there is none; -1
 * with errno. */
int spool_read(struct spool *s, uint64_t *at, const void **bytes, size_t *n);
/* Where the next record will stand. */
uint64_t spool_end(const struct spool *s);

#endif
