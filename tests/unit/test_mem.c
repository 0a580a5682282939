#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/mem.h"

enum { BLOCKS = 4000, MEBIBYTE = 1024 * 1024 };

struct block {
	unsigned char *p;
	size_t size;
};

static size_t size_of(uint64_t r)
{
	return r % 16 == 0 ? 1 + r / 16 % 200000 : 1 + r / 16 % 500;
}

static void block_open(struct heap *h, struct block *b, uint64_t r)
{
	b->size = size_of(r);
	b->p = heap_alloc(h, b->size);
	assert_non_null(b->p);
	memset(b->p, (int)(b->size % 251), b->size);
}

static void block_close(struct heap *h, struct block *b)
{
	for (size_t i = 0; i < b->size; i += b->size / 7 + 1)
		assert_int_equal(b->p[i], b->size % 251);
	heap_free(h, b->p, b->size);
	b->p = NULL;
}

/* Blocks come and go in random order and hold what was put into them; zeroed ones are zero. */
static void churn(struct heap *h)
{
	static struct block blocks[BLOCKS];
	uint64_t used = 0;

	memset(blocks, 0, sizeof(blocks));
	for (uint64_t i = 0; i < 10 * BLOCKS; i++) {
		uint64_t r = hash_u64(i);
		struct block *b = &blocks[r % BLOCKS];
		unsigned char *z;

		if (b->p != NULL) {
			used -= b->size;
			block_close(h, b);
		} else {
			block_open(h, b, r >> 16);
			used += b->size;
		}
		assert_int_equal(heap_used(h), used);
		if (i % 64 != 0)
			continue;
		z = heap_zalloc(h, 4000);
		for (unsigned k = 0; k < 4000; k++)
			assert_int_equal(z[k], 0);
		memset(z, 0xff, 4000);
		heap_free(h, z, 4000);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		if (blocks[i].p != NULL)
			block_close(h, &blocks[i]);
	assert_int_equal(heap_used(h), 0);
}

static void test_heap(void **state)
{
	struct heap *h = heap_new(NULL);

	(void)state;
	churn(h);
	heap_free_all(h);
}

/* A heap that outgrows its prefaulted memory works on, and gives everything back at its end. */
static void test_prefaulted(void **state)
{
	(void)state;
	for (size_t size = 1; size < 64u * MEBIBYTE; size *= 37) {
		struct heap *h = heap_new_shard(NULL, size);
		void *kept;

		assert_non_null(h);
		churn(h);
		kept = heap_alloc(h, 3 * MEBIBYTE);
		assert_non_null(kept);
		memset(kept, 1, 3 * MEBIBYTE);
		heap_free_all(h);
	}
}

enum { OWNERS = 4, GROWTH = 24 };

/* Grow beyond where memory is touched ahead, shrink, and grow again into what was free. */
static void *grow_and_shrink(void *arg)
{
	static char failed;

	(void)arg;
	for (unsigned round = 0; round < 3; round++) {
		struct heap *h = heap_new_shard(NULL, round * MEBIBYTE);
		unsigned char *blocks[GROWTH];
		size_t wrong = 0;

		if (h == NULL)
			return &failed;
		for (unsigned again = 0; again < 2; again++) {
			for (unsigned i = 0; i < GROWTH; i++) {
				blocks[i] = heap_zalloc(h, MEBIBYTE);
				if (blocks[i] == NULL)
					return &failed;
				for (unsigned at = 0; at < MEBIBYTE; at += 512)
					wrong += blocks[i][at] != 0;
				memset(blocks[i], 0xa5 + (int)i, MEBIBYTE);
			}
			for (unsigned i = 0; i < GROWTH; i++) {
				for (unsigned at = 0; at < MEBIBYTE; at += 512)
					wrong += blocks[i][at] != (unsigned char)(0xa5 + i);
				heap_free(h, blocks[i], MEBIBYTE);
			}
		}
		heap_free_all(h);
		if (wrong > 0)
			return &failed;
	}
	return NULL;
}

/* Shards of several threads come and go while memory is touched ahead for them. */
static void test_shards_come_and_go(void **state)
{
	pthread_t owners[OWNERS];
	void *error;

	(void)state;
	for (unsigned i = 0; i < OWNERS; i++)
		assert_int_equal(pthread_create(&owners[i], NULL, grow_and_shrink, NULL), 0);
	for (unsigned i = 0; i < OWNERS; i++) {
		assert_int_equal(pthread_join(owners[i], &error), 0);
		assert_null(error);
	}
}

/* Who waits until memory has been touched ahead goes on in the end, however large the heap has become meanwhile. */
static void test_waiting_for_touched(void **state)
{
	struct heap *h = heap_new_shard(NULL, 0), *other = heap_new(NULL);

	(void)state;
	assert_false(heap_is_behind(other));
	for (unsigned i = 0; i < 16; i++) {
		assert_non_null(heap_alloc(h, 4 * MEBIBYTE));
		while (heap_is_behind(h))
			usleep(1000);
	}
	for (unsigned i = 0; i < 16; i++)
		assert_non_null(heap_alloc(h, 4 * MEBIBYTE));
	while (heap_is_behind(h))
		usleep(1000);
	heap_free_all(h);
	heap_free_all(other);
}

static void test_common(void **state)
{
	struct heap_budget budget = { 0 };
	struct heap *h = heap_new_common(&budget);

	(void)state;
	churn(h);
	heap_free_all(h);
	assert_int_equal(budget.used, 0);
}

/* Beyond the limit nothing is given, and what is freed can be had again. */
static void test_limit(void **state)
{
	struct heap_budget budget = { .limit = 4 * MEBIBYTE };
	struct heap *a = heap_new(&budget), *b = heap_new(&budget);
	void *p = heap_alloc(a, 3 * MEBIBYTE);

	(void)state;
	assert_non_null(p);
	assert_null(heap_alloc(b, 2 * MEBIBYTE));
	assert_false(heap_would_fit(b, 2 * MEBIBYTE));
	heap_free(a, p, 3 * MEBIBYTE);
	p = heap_alloc(b, 2 * MEBIBYTE);
	assert_non_null(p);
	heap_free_all(a);
	heap_free_all(b);
	assert_int_equal(budget.used, 0);
}

/* Blocks of all small sizes come and go in no order: each is its owner's alone, aligned, and zero where that was asked. */
static void test_small_blocks(void **state)
{
	enum { COUNT = 4000, ROUNDS = 40000, LARGEST = 600 };
	static struct {
		unsigned char *p;
		size_t size;
	} blocks[COUNT];
	struct heap *h = heap_new(NULL);
	uint64_t random = 1;

	(void)state;
	assert_non_null(h);
	for (unsigned n = 0; n < ROUNDS; n++) {
		unsigned i = (unsigned)(random >> 33) % COUNT;

		random = random * 6364136223846793005u + 1442695040888963407u;
		if (blocks[i].p != NULL) {
			for (size_t k = 0; k < blocks[i].size; k++)
				assert_int_equal(blocks[i].p[k], i % 251);
			heap_free(h, blocks[i].p, blocks[i].size);
			blocks[i].p = NULL;
			continue;
		}
		blocks[i].size = 1 + (random >> 40) % LARGEST;
		blocks[i].p = n % 2 == 0 ? heap_zalloc(h, blocks[i].size)
					 : heap_alloc(h, blocks[i].size);
		assert_non_null(blocks[i].p);
		assert_int_equal((uintptr_t)blocks[i].p % 16, 0);
		for (size_t k = 0; n % 2 == 0 && k < blocks[i].size; k++)
			assert_int_equal(blocks[i].p[k], 0);
		memset(blocks[i].p, (int)(i % 251), blocks[i].size);
	}
	for (unsigned i = 0; i < COUNT; i++)
		heap_free(h, blocks[i].p, blocks[i].size);
	assert_int_equal(heap_used(h), 0);
	heap_free_all(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_blocks),
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_prefaulted),
		cmocka_unit_test(test_shards_come_and_go),
		cmocka_unit_test(test_waiting_for_touched),
		cmocka_unit_test(test_common),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
