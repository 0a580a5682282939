/*
 * utf8.c: see utf8.h. Eight ASCII bytes at a time, else one character at a time.
 */
#include "core/base/utf8.h"

#include <stdint.h>
#include <string.h>

/* Length of the well-formed character at p, 0 when it is not one. */
static size_t character(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return p[0] != 0;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	switch (p[0]) {
	case 0xe0: low = 0xa0; break;
	case 0xed: high = 0x9f; break;
	case 0xf0: low = 0x90; break;
	case 0xf4: high = 0x8f; break;
	default: break;
	}
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0;

	while (i < n) {
		size_t len;
		uint64_t word;

		if (n - i >= sizeof(word)) {
			memcpy(&word, p + i, sizeof(word));
			/* All ASCII and none of them 0. */
			if ((word & UINT64_C(0x8080808080808080)) == 0 &&
				((word - UINT64_C(0x0101010101010101)) &
					UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(word);
				continue;
			}
		}
		len = character(p + i, n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

size_t utf8_length(const char *p, size_t n)
{
	size_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += ((unsigned char)p[i] & 0xc0) != 0x80;
	return chars;
}

size_t utf8_offset(const char *p, size_t n, size_t chars)
{
	size_t i = 0;

	for (; i < n; i++)
		if (((unsigned char)p[i] & 0xc0) != 0x80 && chars-- == 0)
			return i;
	return n;
}

size_t utf8_cut(const char *p, size_t n)
{
	while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}
