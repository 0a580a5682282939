/*
 * tpch.h: rows as TPC-H's generator makes them, written anew after the rules of the specification (3.0.1, clause 4.2): row
 * counts, keys, distributions and derived columns are its own. Not its own: the stream of random numbers, so single
 * values are not those of dbgen; texts, which are as long as they should be but words drawn from a list, without a
 * grammar; and below scale factor 0.024 the numbers of a part's suppliers, where its formula gives some twice.
 *
 * Every row follows from the seed and its number alone, so rows can be made in any order and again:
 *
 *     struct tpch t;
 *     struct tpch_row row;
 *     tpch_init(&t, 0.1, 1);
 *     for (uint64_t i = 0; i < t.rows[TPCH_CUSTOMER]; i++)
 *             tpch_row(&t, TPCH_CUSTOMER, i, &row);
 *
 * Columns are in the order of the specification's tables. Rows by scale factor SF: 5 regions, 25 nations, 10,000 SF
 * suppliers, 200,000 SF parts, 4 suppliers of each part, 150,000 SF customers of whom each third has no orders, 10 orders
 * a customer, 1 to 7 lineitems an order.
 */
#ifndef LF_BENCH_TPCH_H
#define LF_BENCH_TPCH_H

#include <stddef.h>
#include <stdint.h>

enum tpch_table {
	TPCH_REGION,
	TPCH_NATION,
	TPCH_SUPPLIER,
	TPCH_PART,
	TPCH_PARTSUPP,
	TPCH_CUSTOMER,
	TPCH_ORDERS,
	TPCH_LINEITEM,
	TPCH_TABLES
};

/* Columns by position, where others than the generator need them. */
enum { O_ORDERKEY, O_CUSTKEY, O_ORDERSTATUS, O_TOTALPRICE, O_ORDERDATE };
enum {
	L_ORDERKEY,
	L_PARTKEY,
	L_SUPPKEY,
	L_LINENUMBER,
	L_QUANTITY,
	L_EXTENDEDPRICE,
	L_DISCOUNT,
	L_TAX,
	L_RETURNFLAG,
	L_LINESTATUS,
	L_SHIPDATE,
	L_COMMITDATE,
	L_RECEIPTDATE
};

enum {
	TPCH_COLUMNS_MAX = 16,
	TPCH_TEXT_MAX = 512, /* of a row's texts, with their ends */
	TPCH_LINES_MAX = 7,
	TPCH_DATE_TEXT = 11
};

/* A table's name, and the kinds of its columns, a letter each: i integer, n decimal with two digits, d date, t text. */
struct tpch_table_form {
	const char *name;
	const char *kinds;
};
extern const struct tpch_table_form TPCH_FORM[TPCH_TABLES];

struct tpch_field {
	int64_t number; /* integers; decimals in hundredths; dates in days since 2000-01-01; texts 0 */
	const char *text; /* ends with a zero; the row's or constant; NULL: it is no text */
};

/* Fields may point into the row itself: it is not to be copied. */
struct tpch_row {
	unsigned n; /* fields */
	struct tpch_field fields[TPCH_COLUMNS_MAX];
	unsigned used;
	char text[TPCH_TEXT_MAX];
};

struct tpch {
	uint64_t seed;
	uint64_t rows[TPCH_TABLES]; /* lineitem: about; only the orders know */
};

/* scale > 0; at least four suppliers, parts and customers. */
void tpch_init(struct tpch *t, double scale, uint64_t seed);

/* Row i of any table but orders and lineitem, 0 <= i < t->rows[table]. */
void tpch_row(const struct tpch *t, enum tpch_table table, uint64_t i, struct tpch_row *row);

/* Order i (there may be more than t->rows[TPCH_ORDERS]) and its lines: so many, or with 0 the specification's 1 to 7.
 * Returns how many. The total, (1 - discount) (1 + tax) of each line's price, is cut to cents after each product, as dbgen
 * does it. */
unsigned tpch_order(const struct tpch *t, uint64_t i, unsigned lines, struct tpch_row *order,
	struct tpch_row line[static TPCH_LINES_MAX]);

/* Call fn for each row of a table, lineitems in the order of their orders. */
void tpch_each(const struct tpch *t, enum tpch_table table,
	void (*fn)(void *arg, const struct tpch_row *row), void *arg);

/* A date of a row as "1992-01-31"; returns out. */
const char *tpch_date_text(int64_t days, char out[static TPCH_DATE_TEXT]);
/* Text of "INSERT INTO name VALUES ($1, …)" for a table; cap bytes, 256 suffice. Returns out. */
const char *tpch_insert_text(enum tpch_table table, char *out, size_t cap);

#endif
