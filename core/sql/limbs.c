/*
 * limbs.c: see limbs.h.
 */
#include "core/sql/limbs.h"

#include <math.h>
#include <string.h>

#include "core/base/assert.h"

typedef unsigned __int128 uint128;

void limbs_negate(uint64_t *w, unsigned n)
{
	uint64_t carry = 1;

	for (unsigned i = 0; i < n; i++) {
		w[i] = ~w[i] + carry;
		carry = carry && w[i] == 0;
	}
}

bool limbs_zero(const uint64_t *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (w[i] != 0)
			return false;
	return true;
}

void limbs_sub(uint64_t *a, const uint64_t *b, unsigned n)
{
	uint64_t borrow = 0;

	for (unsigned i = 0; i < n; i++) {
		uint128 d = (uint128)a[i] - b[i] - borrow;

		a[i] = (uint64_t)d;
		borrow = d >> 64 != 0;
	}
}

void limbs_scale(uint64_t *w, unsigned n, uint64_t m)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < n; i++) {
		uint128 p = (uint128)w[i] * m + carry;

		w[i] = (uint64_t)p;
		carry = (uint64_t)(p >> 64);
	}
}

void limbs_mul(uint64_t *out, const uint64_t *a, unsigned na, const uint64_t *b, unsigned nb)
{
	memset(out, 0, (na + nb) * sizeof(*out));
	for (unsigned i = 0; i < na; i++) {
		uint64_t carry = 0;

		if (a[i] == 0)
			continue;
		for (unsigned k = 0; k < nb; k++) {
			uint128 p = (uint128)a[i] * b[k] + out[i + k] + carry;

			out[i + k] = (uint64_t)p;
			carry = (uint64_t)(p >> 64);
		}
		out[i + nb] = carry;
	}
}

uint128 limbs_div(uint64_t *w, unsigned n, uint128 d)
{
	uint128 rest = 0;

	DEBUG_ASSERT(d > 0 && d >> 127 == 0);
	while (n > 0 && w[n - 1] == 0)
		n--;
	if (d >> 64 == 0) {
		for (unsigned i = n; i-- > 0;) {
			uint128 part = rest << 64 | w[i];

			w[i] = (uint64_t)(part / d);
			rest = part % d;
		}
		return rest;
	}
	for (unsigned i = n; i-- > 0;) {
		uint64_t quotient = 0;

		for (int bit = 63; bit >= 0; bit--) {
			rest = rest << 1 | (w[i] >> bit & 1);
			quotient <<= 1;
			if (rest >= d) {
				rest -= d;
				quotient |= 1;
			}
		}
		w[i] = quotient;
	}
	return rest;
}

/* high × 2^exponent, where high has its upper bit set and its lowest stands for all that is below: to 53 bits, or as many
 * as there are above 2^-1074. */
static double round_64(uint64_t high, int exponent)
{
	int drop = exponent + 63 >= -1022 ? 11 : -1074 - exponent;
	uint64_t kept, rest, half;

	if (drop > 64)
		return 0;
	kept = drop == 64 ? 0 : high >> drop;
	rest = drop == 64 ? high : high & ((UINT64_C(1) << drop) - 1);
	half = UINT64_C(1) << (drop - 1);
	if (rest > half || (rest == half && (kept & 1)))
		kept++;
	return ldexp((double)kept, exponent + drop);
}

double limbs_double(const uint64_t *w, unsigned n, int bias)
{
	uint64_t limbs[LIMBS_MAX], high, low;
	bool negative = limbs_negative(w, n);
	int top = (int)n - 1;
	unsigned shift;
	double d;

	DEBUG_ASSERT(n <= LIMBS_MAX);
	memcpy(limbs, w, n * sizeof(*limbs));
	if (negative)
		limbs_negate(limbs, n);
	while (top >= 0 && limbs[top] == 0)
		top--;
	if (top < 0)
		return 0;
	high = limbs[top];
	low = top > 0 ? limbs[top - 1] : 0;
	shift = (unsigned)__builtin_clzll(high);
	if (shift > 0) {
		high = high << shift | low >> (64 - shift);
		low <<= shift;
	}
	if (low != 0 || (top > 1 && !limbs_zero(limbs, (unsigned)top - 1)))
		high |= 1;
	d = round_64(high, top * 64 - bias - (int)shift);
	return negative ? -d : d;
}
