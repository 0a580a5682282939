/*
 * limbs.h: whole numbers of many words, least first, for the exact sums of aggregates (sum.c, variance.c). Signed ones
 * are in two's complement.
 */
#ifndef LF_SQL_LIMBS_H
#define LF_SQL_LIMBS_H

#include <stdbool.h>
#include <stdint.h>

enum { LIMBS_MAX = 80 };

/* Add m × 2^bit to n words, or subtract it; carries as far as needed. */
static inline void limbs_add(uint64_t *w, unsigned n, uint64_t m, unsigned bit, bool negative)
{
	unsigned at = bit / 64, shift = bit % 64;
	uint64_t part[2] = { m << shift, shift == 0 ? 0 : m >> (64 - shift) };
	uint64_t carry = 0;

	for (unsigned i = at; i < n; i++) {
		uint64_t add = i - at < 2 ? part[i - at] : 0, old = w[i];

		if (i - at >= 2 && carry == 0)
			break;
		if (negative) {
			w[i] = old - add - carry;
			carry = old < add || (carry && old == add);
		} else {
			w[i] = old + add + carry;
			carry = w[i] < old || (carry && w[i] == old);
		}
	}
}

/* Add words × weight × 2^bit to n words, or subtract it; words are without sign. */
static inline void limbs_add_times(uint64_t *w, unsigned n, const uint64_t *words, unsigned nwords,
	unsigned bit, uint64_t weight, bool negative)
{
	for (unsigned i = 0; i < nwords; i++) {
		unsigned __int128 p = (unsigned __int128)words[i] * weight;

		limbs_add(w, n, (uint64_t)p, bit + 64 * i, negative);
		if (p >> 64 != 0)
			limbs_add(w, n, (uint64_t)(p >> 64), bit + 64 * i + 64, negative);
	}
}

static inline bool limbs_negative(const uint64_t *w, unsigned n)
{
	return w[n - 1] >> 63;
}
void limbs_negate(uint64_t *w, unsigned n);
bool limbs_zero(const uint64_t *w, unsigned n);
/* a -= b, both of n words. */
void limbs_sub(uint64_t *a, const uint64_t *b, unsigned n);
/* w *= m, what does not fit is lost. */
void limbs_scale(uint64_t *w, unsigned n, uint64_t m);
/* out (na + nb words) = a × b, both without sign. */
void limbs_mul(uint64_t *out, const uint64_t *a, unsigned na, const uint64_t *b, unsigned nb);
/* w /= d, without sign; the remainder. 0 < d < 2^127. */
unsigned __int128 limbs_div(uint64_t *w, unsigned n, unsigned __int128 d);
/* The nearest double of w × 2^-bias, ties to even; n <= LIMBS_MAX. */
double limbs_double(const uint64_t *w, unsigned n, int bias);

#endif
