/*
 * spool.c: see spool.h. A record is its length and its bytes. What is newest is in memory until there is enough of it for one
 * write; reading goes by a window of the file.
 */
#include "tools/pgfeed/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WINDOW = 256 << 10 };

struct spool {
	char *dir;
	size_t memory;
	int fd; /* -1: all is in memory */
	uint64_t written;
	char *tail; /* behind what is written */
	size_t ntail, tail_cap;
	char *window;
	uint64_t window_at;
	size_t nwindow, window_cap;
};

struct spool *spool_new(const char *dir, size_t memory)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->fd = -1;
	s->memory = memory;
	s->dir = strdup(dir);
	if (s->dir == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->dir);
	free(s->tail);
	free(s->window);
	free(s);
}

static int room(char **p, size_t *cap, size_t n)
{
	size_t want = *cap == 0 ? 4096 : *cap;
	char *grown;

	while (want < n)
		want *= 2;
	if (want == *cap)
		return 0;
	grown = realloc(*p, want);
	if (grown == NULL)
		return -1;
	*p = grown;
	*cap = want;
	return 0;
}

static int file_open(struct spool *s)
{
	char name[4096];

	if ((size_t)snprintf(name, sizeof(name), "%s/leftfold-pgfeed-XXXXXX", s->dir) >=
		sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	s->fd = mkostemp(name, O_CLOEXEC);
	if (s->fd < 0)
		return -1;
	(void)unlink(name);
	return 0;
}

static int tail_write(struct spool *s)
{
	size_t done = 0;

	if (s->fd < 0 && file_open(s) != 0)
		return -1;
	while (done < s->ntail) {
		ssize_t n = pwrite(
			s->fd, s->tail + done, s->ntail - done, (off_t)(s->written + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	s->written += s->ntail;
	s->ntail = 0;
	return 0;
}

int spool_add(struct spool *s, const void *bytes, size_t n, uint64_t *at)
{
	uint32_t length = (uint32_t)n;
	size_t most = s->fd < 0 ? s->memory : WINDOW;

	if (n > UINT32_MAX - sizeof(length)) {
		errno = EFBIG;
		return -1;
	}
	if (s->ntail > 0 && s->ntail + n + sizeof(length) > most && tail_write(s) != 0)
		return -1;
	if (room(&s->tail, &s->tail_cap, s->ntail + n + sizeof(length)) != 0)
		return -1;
	*at = s->written + s->ntail;
	memcpy(s->tail + s->ntail, &length, sizeof(length));
	if (n > 0)
		memcpy(s->tail + s->ntail + sizeof(length), bytes, n);
	s->ntail += n + sizeof(length);
	return 0;
}

uint64_t spool_end(const struct spool *s)
{
	return s->written + s->ntail;
}

/* Have `n` bytes of the file from `at` in the window. */
static int window_have(struct spool *s, uint64_t at, size_t n)
{
	size_t want = n > WINDOW ? n : WINDOW;

	if (at >= s->window_at && at + n <= s->window_at + s->nwindow)
		return 0;
	if (want > s->written - at)
		want = (size_t)(s->written - at);
	if (room(&s->window, &s->window_cap, want) != 0)
		return -1;
	s->window_at = at;
	s->nwindow = 0;
	while (s->nwindow < want) {
		ssize_t got = pread(
			s->fd, s->window + s->nwindow, want - s->nwindow, (off_t)(at + s->nwindow));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got == 0 ? EIO : errno;
			return -1;
		}
		s->nwindow += (size_t)got;
	}
	return 0;
}

int spool_read(struct spool *s, uint64_t *at, const void **bytes, size_t *n)
{
	uint32_t length;
	const char *p;

	if (*at >= spool_end(s))
		return 0;
	if (*at >= s->written) {
		p = s->tail + (*at - s->written);
		memcpy(&length, p, sizeof(length));
	} else {
		if (window_have(s, *at, sizeof(length)) != 0)
			return -1;
		memcpy(&length, s->window + (*at - s->window_at), sizeof(length));
		if (window_have(s, *at, sizeof(length) + (size_t)length) != 0)
			return -1;
		p = s->window + (*at - s->window_at);
	}
	*bytes = p + sizeof(length);
	*n = length;
	*at += sizeof(length) + (uint64_t)length;
	return 1;
}
