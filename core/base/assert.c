#include "core/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_fail(const char *expression, const char *file, int line, const char *function)
{
	fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, expression);
	abort();
}
