#include "core/base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned shift;
} UNITS[] = { { "TB", 40 }, { "GB", 30 }, { "MB", 20 }, { "kB", 10 }, { "B", 0 } };

enum { NUNITS = sizeof(UNITS) / sizeof(UNITS[0]) };

static const char BLANKS[] = " \t\n\r\f\v";

enum size_status size_parse(const char *text, uint64_t *bytes)
{
	const char *p = text + strspn(text, BLANKS);
	unsigned unit = NUNITS - 1;
	double number;
	char *end;

	/* No names of numbers, and no hexadecimal ones. */
	if (strspn(p, "+-.0123456789") == 0 || strpbrk(p, "xXpPnNiI") != NULL)
		return SIZE_SYNTAX;
	number = strtod(p, &end);
	if (end == p)
		return SIZE_SYNTAX;
	p = end + strspn(end, BLANKS);
	if (*p != '\0') {
		for (unit = 0; unit < NUNITS; unit++)
			if (strncmp(p, UNITS[unit].name, strlen(UNITS[unit].name)) == 0)
				break;
		if (unit == NUNITS)
			return SIZE_SYNTAX;
		p += strlen(UNITS[unit].name);
		if (p[strspn(p, BLANKS)] != '\0')
			return SIZE_SYNTAX;
	}
	number = nearbyint(ldexp(number, (int)UNITS[unit].shift));
	if (!(number >= 1) || number >= 0x1p63)
		return SIZE_RANGE;
	*bytes = (uint64_t)number;
	return SIZE_OK;
}

const char *size_print(uint64_t bytes, char text[SIZE_TEXT_MAX])
{
	unsigned unit = 0;

	while (bytes % (UINT64_C(1) << UNITS[unit].shift) != 0)
		unit++;
	if (bytes == 0)
		unit = NUNITS - 1;
	(void)snprintf(
		text, SIZE_TEXT_MAX, "%" PRIu64 "%s", bytes >> UNITS[unit].shift, UNITS[unit].name);
	return text;
}
