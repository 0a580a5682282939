/* CRC-32C against the vectors of RFC 3720, and the instruction against the table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/crc32c.h"
#include "core/base/hash.h"

static void test_vectors(void **state)
{
	unsigned char data[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
	memset(data, 0, sizeof(data));
	assert_int_equal(crc32c(0, data, 32), 0x8a9136aa);
	memset(data, 0xff, sizeof(data));
	assert_int_equal(crc32c(0, data, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		data[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, data, 32), 0x46dd794e);
	for (unsigned i = 0; i < 32; i++)
		data[i] = (unsigned char)(31 - i);
	assert_int_equal(crc32c(0, data, 32), 0x113fdb5c);
}

static void test_against_table(void **state)
{
	unsigned char data[600];

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)hash_u64(i);
	for (unsigned i = 0; i < 2000; i++) {
		size_t from = hash_u64(3 * i) % 64, n = hash_u64(3 * i + 1) % 500,
		       cut = n == 0 ? 0 : hash_u64(3 * i + 2) % n;
		uint32_t whole = crc32c(0, data + from, n);

		assert_int_equal(whole, crc32c_portable(0, data + from, n));
		/* In two pieces. */
		assert_int_equal(
			whole, crc32c(crc32c(0, data + from, cut), data + from + cut, n - cut));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_against_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
