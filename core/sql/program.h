/*
 * program.h: compiled expressions from inside: shared by program.c (compiler) and program_ops.c
 * (instructions). Not for anyone else.
 *
 * A program is a list of instructions over registers. An instruction is a function that does its
 * work and returns the next instruction, or NULL at the end (machine.status 0) and after an error
 * (-1). An operand >= 0 is a register, a negative one the constant ~operand, so that constants are
 * never copied. Jumps are indices into the code.
 */
#ifndef LF_SQL_PROGRAM_H
#define LF_SQL_PROGRAM_H

#include "core/sql/expr.h"

struct machine {
	struct value *registers;
	const struct value *constants;
	const void *const *rows;
	struct value *out;
	struct program_env *env;
	const struct insn *code;
	int status;
};

struct insn;
typedef const struct insn *(*insn_fn)(const struct insn *i, struct machine *m);

/* The constants of an IN list, without NULLs. Sorted by value_compare() when there are many. */
struct in_set {
	const struct value *values;
	uint32_t n;
	bool has_null;
	bool sorted;
};
enum { IN_LINEAR_MAX = 16 };

struct insn {
	insn_fn run;
	int32_t dst;      /* a register; of OUT instructions: the tree's number */
	int32_t a, b;     /* operands; CALL: first argument register and their number */
	uint32_t to;      /* where a jump goes */
	struct type type; /* of the result */
	int32_t position;
	union {
		struct {
			uint32_t offset;    /* of the slot in the row */
			uint16_t null_byte; /* offset of the byte with the NULL bit */
			uint8_t null_mask;
			uint8_t source;
		} load;
		const struct function *fn;
		const struct in_set *set;
		bool flag; /* negated, explicit */
	};
};

/* A comparison of a whole number's column with a constant. */
struct column_test {
	uint8_t accepts; /* bits 0, 1, 2: the column is less, equal, greater; 0: the program is something else */
	uint8_t width; /* 2, 4 or 8 bytes */
	uint8_t null_mask, source;
	uint16_t null_byte;
	uint32_t offset;
	int64_t constant;
};

struct program {
	unsigned n; /* trees */
	unsigned nregisters;
	const struct insn *code;
	const struct value *constants;
	const struct expr **columns; /* by tree: not NULL when it is a plain column */
	const int32_t *operands;     /* by tree */
	struct column_test test;     /* when it is one tree and no more than that */
};

static inline const struct value *operand(const struct machine *m, int32_t o)
{
	return o >= 0 ? &m->registers[o] : &m->constants[~o];
}

/* --- instructions --- */

/* The load of a column of this type; NULL for a type that rows do not hold. */
insn_fn insn_load(enum type_id t);
/* A specialised form of a two-argument function, working on operands a and b; NULL when there is
 * none and insn_call must be used. */
insn_fn insn_binary(const struct function *fn);
/* Which orders of its operands a comparison of whole numbers accepts, as column_test has it; 0: it is another. */
uint8_t insn_accepts(insn_fn run);
/* Bytes that the load of a whole number reads; 0: it is another. */
uint8_t insn_load_width(insn_fn run);
/* A specialised cast that only changes representation within registers; NULL: insn_cast. */
insn_fn insn_cast_fast(enum type_id from, struct type to);

/* Have sequences of instructions that are frequent run as one: the first of them does the work of all, in the usual case, and
 * the others are still there for any other and for jumps. sum(quantity * price): 85 instructions less a row. */
void insns_fuse(struct insn *code, unsigned n);

#define INSN(name) const struct insn *name(const struct insn *i, struct machine *m)
INSN(insn_end);
INSN(insn_move); /* dst = a */
INSN(insn_out);  /* out[dst] = a */
INSN(insn_call); /* dst = fn(registers a … a+b) */
INSN(insn_cast); /* dst = cast of a; flag: explicit */
INSN(insn_now);
INSN(insn_jump);
INSN(insn_jump_unless);   /* jump unless a is true */
INSN(insn_jump_not_null); /* jump when a is not NULL */
INSN(insn_and);           /* dst = dst and a; jump when false */
INSN(insn_or);            /* dst = dst or a; jump when true */
INSN(insn_not);
INSN(insn_is_null);  /* flag: negated */
INSN(insn_is_bool);  /* flag: negated; b: the test */
INSN(insn_distinct); /* flag: negated */
INSN(insn_only);     /* 21000 when a is above 1 */
INSN(insn_reject);   /* fails with the message a; flag: and the SQLSTATE b */
INSN(insn_nullif);   /* dst = NULL when a is true */
INSN(insn_in_set);   /* dst = a in set; jump when that is final */
INSN(insn_in_step);  /* dst = dst or a = b; jump when true */
INSN(insn_greatest); /* dst = greatest of dst and a */
INSN(insn_least);
#undef INSN

#endif
