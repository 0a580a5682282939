#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tpch/sql.h"

enum { FIRST_DATE = -2922 /* 1992-01-01 */, LAST_DATE = -517 /* 1998-08-02 */, TODAY = -1659 };

static void test_row_counts(void **state)
{
	struct tpch t;

	(void)state;
	tpch_init(&t, 0.1, 1);
	assert_int_equal(t.rows[TPCH_REGION], 5);
	assert_int_equal(t.rows[TPCH_NATION], 25);
	assert_int_equal(t.rows[TPCH_SUPPLIER], 1000);
	assert_int_equal(t.rows[TPCH_PART], 20000);
	assert_int_equal(t.rows[TPCH_PARTSUPP], 80000);
	assert_int_equal(t.rows[TPCH_CUSTOMER], 15000);
	assert_int_equal(t.rows[TPCH_ORDERS], 150000);
}

/* Text and numbers of a row in one number. */
static void add_row(void *arg, const struct tpch_row *row)
{
	uint64_t *sum = arg;

	for (unsigned i = 0; i < row->n; i++) {
		*sum = *sum * 31 + (uint64_t)row->fields[i].number;
		for (const char *p = row->fields[i].text; p != NULL && *p != '\0'; p++)
			*sum = *sum * 31 + (unsigned char)*p;
	}
}

static uint64_t sum_of(enum tpch_table table, uint64_t seed)
{
	struct tpch t;
	uint64_t sum = 0;

	tpch_init(&t, 0.001, seed);
	tpch_each(&t, table, add_row, &sum);
	return sum;
}

static void test_rows_follow_from_the_seed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TPCH_TABLES; i++) {
		assert_true(sum_of(i, 1) == sum_of(i, 1));
		assert_true(sum_of(i, 1) != sum_of(i, 2));
	}
}

/* Every field that a table's form calls a text is one, and no other. */
static void check_form(void *arg, const struct tpch_row *row)
{
	const struct tpch_table_form *form = arg;

	assert_int_equal(row->n, strlen(form->kinds));
	for (unsigned i = 0; i < row->n; i++)
		assert_int_equal(row->fields[i].text != NULL, form->kinds[i] == 't');
}

static void test_rows_have_their_form(void **state)
{
	struct tpch t;

	(void)state;
	tpch_init(&t, 0.002, 3);
	for (unsigned i = 0; i < TPCH_TABLES; i++)
		tpch_each(&t, i, check_form, (void *)&TPCH_FORM[i]);
}

static void test_suppliers_of_a_part_differ(void **state)
{
	static const double SCALES[] = { 0.0001, 0.001, 0.02, 0.024, 0.1 };

	(void)state;
	for (unsigned k = 0; k < sizeof(SCALES) / sizeof(SCALES[0]); k++) {
		struct tpch t;
		int64_t of[4];

		tpch_init(&t, SCALES[k], 1);
		for (uint64_t i = 0; i < t.rows[TPCH_PARTSUPP]; i++) {
			struct tpch_row row;

			tpch_row(&t, TPCH_PARTSUPP, i, &row);
			assert_int_equal(row.fields[0].number, i / 4 + 1);
			of[i % 4] = row.fields[1].number;
			assert_in_range(of[i % 4], 1, t.rows[TPCH_SUPPLIER]);
			for (unsigned before = 0; before < i % 4; before++)
				assert_int_not_equal(of[before], of[i % 4]);
		}
	}
}

static void check_line(const struct tpch *t, const struct tpch_row *order,
	const struct tpch_row *line, unsigned number)
{
	const struct tpch_field *o = order->fields, *l = line->fields;
	int64_t part = l[L_PARTKEY].number, days = l[L_SHIPDATE].number - o[O_ORDERDATE].number;
	int64_t price = 90000 + part / 10 % 20001 + 100 * (part % 1000);
	bool supplied = false;

	assert_int_equal(l[L_ORDERKEY].number, o[O_ORDERKEY].number);
	assert_int_equal(l[L_LINENUMBER].number, number);
	assert_in_range(part, 1, t->rows[TPCH_PART]);
	assert_in_range(l[L_QUANTITY].number, 100, 5000);
	assert_int_equal(l[L_EXTENDEDPRICE].number, l[L_QUANTITY].number / 100 * price);
	assert_in_range(l[L_DISCOUNT].number, 0, 10);
	assert_in_range(l[L_TAX].number, 0, 8);
	assert_in_range(days, 1, 121);
	assert_in_range(l[L_COMMITDATE].number - o[O_ORDERDATE].number, 30, 90);
	assert_in_range(l[L_RECEIPTDATE].number - l[L_SHIPDATE].number, 1, 30);
	assert_string_equal(l[L_LINESTATUS].text, l[L_SHIPDATE].number > TODAY ? "O" : "F");
	assert_int_equal(l[L_RETURNFLAG].text[0] == 'N', l[L_RECEIPTDATE].number > TODAY);
	for (unsigned i = 0; i < 4; i++) {
		struct tpch_row row;

		tpch_row(t, TPCH_PARTSUPP, (uint64_t)(part - 1) * 4 + i, &row);
		supplied |= row.fields[1].number == l[L_SUPPKEY].number;
	}
	assert_true(supplied);
}

/* Status and total, which follow from the lines. */
static void check_derived(const struct tpch_row *order, const struct tpch_row *line, unsigned lines)
{
	unsigned shipped = 0;
	double total = 0;

	for (unsigned k = 0; k < lines; k++) {
		const struct tpch_field *l = line[k].fields;

		shipped += l[L_LINESTATUS].text[0] == 'F';
		total += (double)l[L_EXTENDEDPRICE].number *
			(1 - (double)l[L_DISCOUNT].number / 100) *
			(1 + (double)l[L_TAX].number / 100);
	}
	assert_string_equal(order->fields[O_ORDERSTATUS].text,
		shipped == lines       ? "F"
			: shipped == 0 ? "O"
				       : "P");
	/* Each line loses up to a cent twice. */
	assert_true((double)order->fields[O_TOTALPRICE].number <= total + 1e-3);
	assert_true((double)order->fields[O_TOTALPRICE].number > total - 2.1 * lines);
}

static void test_orders(void **state)
{
	struct tpch t;
	struct tpch_row order, line[TPCH_LINES_MAX];
	uint64_t of[TPCH_LINES_MAX + 1] = { 0 };
	int64_t first = LAST_DATE, last = FIRST_DATE;

	(void)state;
	tpch_init(&t, 0.01, 5);
	for (uint64_t i = 0; i < t.rows[TPCH_ORDERS]; i++) {
		unsigned lines = tpch_order(&t, i, 0, &order, line);
		const struct tpch_field *o = order.fields;

		assert_in_range(lines, 1, TPCH_LINES_MAX);
		of[lines]++;
		assert_int_equal(o[O_ORDERKEY].number, i / 8 * 32 + i % 8 + 1);
		assert_in_range(o[O_CUSTKEY].number, 1, t.rows[TPCH_CUSTOMER]);
		assert_int_not_equal(o[O_CUSTKEY].number % 3, 0);
		first = o[O_ORDERDATE].number < first ? o[O_ORDERDATE].number : first;
		last = o[O_ORDERDATE].number > last ? o[O_ORDERDATE].number : last;
		for (unsigned k = 0; k < lines; k++)
			check_line(&t, &order, &line[k], k + 1);
		check_derived(&order, line, lines);
	}
	assert_int_equal(first, FIRST_DATE);
	assert_int_equal(last, LAST_DATE);
	for (unsigned k = 1; k <= TPCH_LINES_MAX; k++)
		assert_in_range(of[k] * 100 / t.rows[TPCH_ORDERS], 13, 15);
}

static void test_so_many_lines(void **state)
{
	struct tpch t;
	struct tpch_row order, line[TPCH_LINES_MAX];

	(void)state;
	tpch_init(&t, 0.001, 5);
	for (unsigned lines = 1; lines <= TPCH_LINES_MAX; lines++) {
		assert_int_equal(tpch_order(&t, 1000000, lines, &order, line), lines);
		check_derived(&order, line, lines);
	}
}

static void test_texts(void **state)
{
	char text[256];

	(void)state;
	assert_string_equal(tpch_date_text(FIRST_DATE, text), "1992-01-01");
	assert_string_equal(tpch_date_text(0, text), "2000-01-01");
	assert_string_equal(tpch_insert_text(TPCH_REGION, text, sizeof(text)),
		"INSERT INTO region VALUES ($1, $2, $3)");
	assert_true(strlen(tpch_insert_text(TPCH_LINEITEM, text, sizeof(text))) < sizeof(text) - 1);
}

static void test_queries_are_all_there(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TPCH_QUERIES; i++) {
		assert_int_equal(atoi(TPCH_QUERY[i].name + 1), i + 1);
		for (unsigned k = 0; k < TPCH_TABLES; k++)
			assert_true((TPCH_QUERY[i].tables >> k & 1) <=
				(strstr(TPCH_QUERY[i].text, TPCH_FORM[k].name) != NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row_counts),
		cmocka_unit_test(test_rows_follow_from_the_seed),
		cmocka_unit_test(test_rows_have_their_form),
		cmocka_unit_test(test_suppliers_of_a_part_differ),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_so_many_lines),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_queries_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
