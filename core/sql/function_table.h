/*
 * function_table.h: all functions and operators; for function.c only.
 */
#ifndef LF_SQL_FUNCTION_TABLE_H
#define LF_SQL_FUNCTION_TABLE_H

#include "core/sql/function.h"

const struct function *function_table(unsigned *count);

#endif
