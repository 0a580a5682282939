/*
 * fuzz_pgoutput.c: arbitrary bytes as a message of PostgreSQL's. The first says whether it stands within a stream. Nothing may
 * be read outside of what is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/assert.h"
#include "tools/pgfeed/pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char seen;

static void touch(const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		seen ^= ((const unsigned char *)bytes)[i];
}

static void walk(const struct pgoutput_tuple *t)
{
	size_t at = 0;

	for (unsigned i = 0; i < t->n; i++) {
		struct pgoutput_value v;

		pgoutput_next(t, &at, &v);
		touch(v.bytes, v.len);
	}
	ASSERT(at == t->bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgoutput_message m;
	const char *why = NULL;
	unsigned char *copy;
	size_t at = 0;

	if (size == 0)
		return 0;
	/* Of its exact size, so that what is read behind it is noticed. */
	copy = malloc(size);
	ASSERT(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (pgoutput_decode(&m, copy, size - 1, (data[0] & 1) != 0, &why) == 0) {
		walk(&m.old);
		walk(&m.new);
		for (unsigned i = 0; i < m.n; i++) {
			struct pgoutput_column c;

			pgoutput_column(&m, &at, &c);
			touch(c.name, strlen(c.name));
		}
		for (uint32_t i = 0; i < m.ntables; i++)
			seen ^= (unsigned char)pgoutput_truncated(&m, i);
	} else {
		ASSERT(why != NULL);
	}
	free(copy);
	return 0;
}
