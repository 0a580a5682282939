/*
 * md5.h: the MD5 digest (RFC 1321), for SQL's md5().
 */
#ifndef LF_SQL_MD5_H
#define LF_SQL_MD5_H

#include <stddef.h>
#include <stdint.h>

enum { MD5_BYTES = 16 };

void md5(const void *p, size_t n, uint8_t digest[MD5_BYTES]);

#endif
