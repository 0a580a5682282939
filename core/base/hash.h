/*
 * hash.h: non-cryptographic hashes of 64 bits.
 *
 * The shard of a row is computed from these, so they are part of every stored format: a function
 * here never changes its result (golden values in tests/unit/test_hash.c). All 64 bits are good:
 * shards are taken from the high half, buckets and tags from the low one. The seeds are public, so
 * whoever chooses the keys can choose collisions.
 *
 * Sources: hash_u64 is the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable
 * pseudorandom number generators", OOPSLA 2014, with Stafford's variant 13 of the constants);
 * hash_bytes folds 64x64→128-bit products as wyhash does (Wang Yi, "wyhash and wyrand", 2019),
 * with constants from the hexadecimal digits of pi.
 */
#ifndef LF_BASE_HASH_H
#define LF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hash_bytes reads words little-endian");

#define HASH_GOLDEN UINT64_C(0x9e3779b97f4a7c15)
#define HASH_PI_0 UINT64_C(0x243f6a8885a308d3)
#define HASH_PI_1 UINT64_C(0xa4093822299f31d1)

/* A bijection of the 64-bit numbers; 0 does not map to 0. */
static inline uint64_t hash_u64(uint64_t x)
{
	x += HASH_GOLDEN;
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Hash of the pair (a, b), not symmetric: `a` the hash so far, `b` the hash of the next part. */
static inline uint64_t hash_combine(uint64_t a, uint64_t b)
{
	return hash_u64(a * HASH_GOLDEN + b);
}

static inline uint64_t hash_read_u64(const uint8_t *p)
{
	uint64_t x;
	memcpy(&x, p, sizeof(x));
	return x;
}

static inline uint64_t hash_read_u32(const uint8_t *p)
{
	uint32_t x;
	memcpy(&x, p, sizeof(x));
	return x;
}

/* High and low half of the 128-bit product, xored. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Hash of n bytes (p may be NULL when n is 0). */
static inline uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
	const uint8_t *p = bytes;
	uint64_t a = 0, b = 0;
	unsigned __int128 m;

	seed ^= HASH_PI_0;
	if (n > 16) {
		size_t left = n;

		for (; left > 16; left -= 16, p += 16)
			seed = hash_fold(hash_read_u64(p) ^ HASH_PI_1, hash_read_u64(p + 8) ^ seed);
		/* the last 16 bytes, overlapping what the loop has read */
		a = hash_read_u64(p + left - 16);
		b = hash_read_u64(p + left - 8);
	} else if (n >= 8) {
		a = hash_read_u64(p);
		b = hash_read_u64(p + n - 8);
	} else if (n >= 4) {
		a = hash_read_u32(p);
		b = hash_read_u32(p + n - 4);
	} else if (n > 0) {
		a = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
	}
	m = (unsigned __int128)(a ^ HASH_PI_1) * (b ^ seed);
	return hash_fold((uint64_t)m ^ HASH_PI_0 ^ n, (uint64_t)(m >> 64) ^ HASH_PI_1);
}

#endif
