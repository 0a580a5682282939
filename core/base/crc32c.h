/*
 * crc32c.h: the checksum of what is written to disk: CRC-32C (Castagnoli, reflected polynomial 0x82f63b78, as in
 * RFC 3720 and RFC 9260).
 */
#ifndef LF_BASE_CRC32C_H
#define LF_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n more bytes; crc is 0 or what an earlier call returned. crc32c(0, "123456789", 9) == 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);
/* The same without the processor's instruction, for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t n);

#endif
