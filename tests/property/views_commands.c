/*
 * views_commands.c: random commands, each in Leftfold's SQL and in the oracle's form of it.
 *
 * Keys come from small sets, and a few of them much oftener than the others, so that rows meet: the same
 * group fills and empties, the same row changes several times in an epoch. A command that must fail carries
 * a probe: the oracle's count of the rows on which it does.
 */
#include "tests/property/views.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 20, NUMBERS = 6, WAREHOUSES = 6, PRODUCTS = 10, CELL_MAX = 96, ROWS_MAX = 6 };
/* Aggregates: customers and warehouses by their number, products behind them. */
enum { AGGREGATE_PRODUCT = 1000 };

uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned random_below(struct random *r, unsigned n)
{
	return (unsigned)((random_next(r) >> 32) * n >> 32);
}

bool random_one_in(struct random *r, unsigned n)
{
	return random_below(r, n) == 0;
}

/* --- texts --- */

__attribute__((format(printf, 3, 4))) static void append(char *to, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(to);
	va_list ap;

	va_start(ap, fmt);
	if ((size_t)vsnprintf(to + n, cap - n, fmt, ap) >= cap - n)
		abort();
	va_end(ap);
}

/* The same for both. */
__attribute__((format(printf, 2, 3))) static void both(struct command *c, const char *fmt, ...)
{
	char text[COMMAND_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(c->text, sizeof(c->text), "%s", text);
	append(c->oracle, sizeof(c->oracle), "%s", text);
}

__attribute__((format(printf, 3, 4))) static void refuse(
	struct command *c, const char *sqlstate, const char *fmt, ...)
{
	va_list ap;

	memcpy(c->sqlstate, sqlstate, sizeof(c->sqlstate));
	va_start(ap, fmt);
	(void)vsnprintf(c->probe, sizeof(c->probe), fmt, ap);
	va_end(ap);
}

/* --- values --- */

/* One value in both forms. */
struct cell {
	char text[CELL_MAX], oracle[CELL_MAX];
};

static struct cell cell_same(const char *text)
{
	struct cell c;

	(void)snprintf(c.text, sizeof(c.text), "%s", text);
	(void)snprintf(c.oracle, sizeof(c.oracle), "%s", text);
	return c;
}

static struct cell cell_int(int64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)v);
	return cell_same(text);
}

static struct cell cell_numeric(int64_t units, unsigned scale)
{
	struct cell c = cell_int(units);
	int64_t one = 1, whole = units < 0 ? -units : units;

	for (unsigned i = 0; i < scale; i++)
		one *= 10;
	(void)snprintf(c.text, sizeof(c.text), "%s%lld.%0*lld", units < 0 ? "-" : "",
		(long long)(whole / one), (int)scale, (long long)(whole % one));
	return c;
}

static struct cell cell_pick(struct random *r, const char *const *list, unsigned n)
{
	return cell_same(list[random_below(r, n)]);
}
#define PICK(r, list) cell_pick(r, list, sizeof(list) / sizeof((list)[0]))

static int hot(struct random *r, unsigned n)
{
	return (int)(random_one_in(r, 2) ? random_below(r, 2) : random_below(r, n));
}

static struct cell random_product(struct random *r)
{
	char text[16];

	if (random_one_in(r, 12))
		return cell_same(random_one_in(r, 2) ? "NULL" : "''");
	(void)snprintf(text, sizeof(text), "'p%d'", hot(r, PRODUCTS));
	return cell_same(text);
}

static struct cell random_text(struct random *r)
{
	static const char *const TEXTS[] = { "NULL", "NULL", "''", "'a'", "'ab'", "'a_b'", "'50%'",
		"'50% off'", "'B'", "'xyz'", "'it''s'", "'Äpfel'", "'日本'", "'aab'", "'Zb'" };

	return PICK(r, TEXTS);
}

static struct cell random_date(struct random *r)
{
	static const char *const DATES[] = { "NULL", "'2023-12-31'", "'2024-01-01'", "'2024-01-05'",
		"'2024-02-10'", "'2024-02-29'", "'1999-07-04'" };

	return PICK(r, DATES);
}

static struct cell random_time(struct random *r)
{
	static const char *const TIMES[] = { "NULL", "'2024-01-01 00:00:00'",
		"'2024-01-31 23:59:59'", "'2024-02-01 12:00:00'", "'2024-02-01 12:34:56'",
		"'2023-05-06 07:08:09'", "'2024-01-20 00:00:00'" };

	return PICK(r, TIMES);
}

static struct cell with_zone(struct cell c)
{
	if (c.text[0] == '\'')
		(void)snprintf(c.text + strlen(c.text) - 1, 8, "+00'");
	return c;
}

/* A multiple of a quarter, so that every sum of them is exact. */
static struct cell random_float(struct random *r)
{
	static const char *const FLOATS[] = { "NULL", "0.0", "0.25", "0.5", "1.5", "2.5", "-0.75",
		"1.75", "100.0", "-3.5", "1024.25" };

	return PICK(r, FLOATS);
}

static struct cell random_bool(struct random *r)
{
	static const char *const BOOLS[] = { "NULL", "TRUE", "FALSE", "TRUE" };

	return PICK(r, BOOLS);
}

static struct cell random_numeric(struct random *r, unsigned scale, bool negative)
{
	static const int PRICES[] = { 0, 1, 99, 100, 500, 700, 1250, 5000, 9999, 10000, 20000,
		51000 };
	int64_t v = PRICES[random_below(r, sizeof(PRICES) / sizeof(PRICES[0]))];

	if (random_one_in(r, 6))
		return cell_same("NULL");
	if (random_one_in(r, 3))
		v = random_below(r, 60000);
	if (scale == 4)
		v *= random_one_in(r, 2) ? 100 : 37;
	return cell_numeric(negative && random_one_in(r, 3) ? -v : v, scale);
}

static struct cell random_small(struct random *r, int from, int to)
{
	return random_one_in(r, 7)
		? cell_same("NULL")
		: cell_int(from + (int)random_below(r, (unsigned)(to - from + 1)));
}

static struct cell random_tag(struct random *r)
{
	static const char *const TAGS[][2] = { { "NULL", "NULL" }, { "'a'", "'a  '" },
		{ "'ab'", "'ab '" }, { "'abc'", "'abc'" }, { "''", "'   '" }, { "'b '", "'b  '" } };
	const char *const *tag = TAGS[random_below(r, 6)];
	struct cell c = cell_same(tag[0]);

	(void)snprintf(c.oracle, sizeof(c.oracle), "%s", tag[1]);
	return c;
}

/* --- rows --- */

struct row {
	struct cell cells[8];
	unsigned n;
};

static struct cell random_country(struct random *r)
{
	static const char *const COUNTRIES[] = { "NULL", "'DE'", "'DE'", "'FR'", "'IT'", "'US'",
		"''" };

	return PICK(r, COUNTRIES);
}

static struct cell random_name(struct random *r)
{
	static const char *const NAMES[] = { "'Ada'", "'Bob'", "'Cleo'", "'abba'", "'DE'", "'d'",
		"'Bea'" };

	return PICK(r, NAMES);
}

static void row_random(struct random *r, unsigned table, int key, struct row *row)
{
	static const char *const REFS[] = { "NULL", "'6b1f4d2e-0000-4000-8000-000000000001'",
		"'6b1f4d2e-0000-4000-8000-0000000000ff'",
		"'00000000-0000-0000-0000-000000000000'" };
	static const char *const DATA[] = { "NULL", "'\\x'", "'\\x00'", "'\\x0aff'",
		"'\\x616263'" };
	struct cell *c = row->cells;
	char code[16];

	switch (table) {
	case TABLE_CUSTOMER:
		c[0] = cell_int(key);
		c[1] = random_name(r);
		c[2] = random_country(r);
		c[3] = random_numeric(r, 2, true);
		c[4] = random_date(r);
		c[5] = random_bool(r);
		row->n = 6;
		break;
	case TABLE_ORDERS:
		c[0] = cell_int(key);
		c[1] = cell_int(random_below(r, NUMBERS));
		c[2] = random_product(r);
		c[3] = random_time(r);
		c[4] = random_numeric(r, 2, false);
		c[5] = random_float(r);
		c[6] = random_text(r);
		row->n = 7;
		break;
	case TABLE_STOCK:
		(void)snprintf(code, sizeof(code), "'p%d'", hot(r, PRODUCTS));
		c[0] = cell_same(code);
		c[1] = cell_int(key);
		c[2] = random_small(r, -3, 100);
		c[3] = random_numeric(r, 4, true);
		c[4] = with_zone(random_time(r));
		row->n = 5;
		break;
	case TABLE_EVENT:
		c[0] = random_small(r, 0, 5);
		c[1] = random_small(r, 0, CUSTOMERS);
		c[2] = with_zone(random_time(r));
		c[3] = random_one_in(r, 9) ? cell_int(9007199254740993) : random_small(r, -9, 99);
		c[4] = random_float(r);
		c[5] = random_tag(r);
		c[6] = PICK(r, REFS);
		c[7] = PICK(r, DATA);
		row->n = 8;
		break;
	default:
		(void)snprintf(code, sizeof(code), "'p%d'", key);
		c[0] = cell_same(code);
		c[1] = random_text(r);
		c[2] = random_numeric(r, 2, true);
		c[3] = random_product(r);
		c[4] = random_small(r, -2, 9);
		row->n = 5;
	}
}

static int random_key(struct random *r, unsigned table)
{
	switch (table) {
	case TABLE_CUSTOMER:
	case TABLE_ORDERS: return hot(r, CUSTOMERS);
	case TABLE_STOCK: return hot(r, WAREHOUSES);
	default: return hot(r, PRODUCTS);
	}
}

static int aggregate_of(unsigned table, int key)
{
	if (table == TABLE_EVENT)
		return AGGREGATE_NONE;
	return table == TABLE_PRODUCT ? AGGREGATE_PRODUCT + key : key;
}

/* --- INSERT --- */

static void values(struct command *c, const struct row *row)
{
	both(c, "(");
	for (unsigned i = 0; i < row->n; i++) {
		append(c->text, sizeof(c->text), "%s%s", i > 0 ? ", " : "", row->cells[i].text);
		append(c->oracle, sizeof(c->oracle), "%s%s", i > 0 ? ", " : "",
			row->cells[i].oracle);
	}
	both(c, ")");
}

/* No two rows with one key: a statement may not update a row twice. */
static bool key_seen(const struct row *rows, unsigned n, unsigned table)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(rows[i].cells[0].text, rows[n].cells[0].text) == 0 &&
			(table == TABLE_CUSTOMER || table == TABLE_PRODUCT ||
				strcmp(rows[i].cells[1].text, rows[n].cells[1].text) == 0))
			return true;
	return false;
}

static void on_conflict_update(struct random *r, struct command *c, unsigned table)
{
	switch (table) {
	case TABLE_CUSTOMER:
		both(c,
			" ON CONFLICT (id) DO UPDATE SET country = excluded.country,"
			" credit = customer.credit + excluded.credit");
		if (random_one_in(r, 2))
			both(c, " WHERE customer.active OR excluded.credit IS NULL");
		break;
	case TABLE_ORDERS:
		both(c,
			" ON CONFLICT (customer_id, number) DO UPDATE SET product = excluded.product,"
			" total = COALESCE(orders.total, excluded.total), weight = excluded.weight");
		break;
	case TABLE_STOCK:
		both(c,
			" ON CONFLICT (sku, warehouse) DO UPDATE SET qty = excluded.qty - stock.qty,"
			" price = excluded.price WHERE stock.qty IS DISTINCT FROM excluded.qty");
		break;
	default:
		both(c,
			" ON CONFLICT (code) DO UPDATE SET parent = excluded.parent,"
			" title = COALESCE(product.title, '') || 'x', price = excluded.price");
	}
}

static void insert(struct random *r, struct command *c, unsigned table, int key, bool many)
{
	struct row rows[ROWS_MAX];
	unsigned n = random_one_in(r, 2) ? 1 : 1 + random_below(r, ROWS_MAX), kept = 0;
	unsigned conflict = table == TABLE_EVENT ? 0 : many ? 1 : random_below(r, 3);

	if (!many && (table == TABLE_CUSTOMER || table == TABLE_PRODUCT))
		n = 1;
	for (unsigned i = 0; i < n; i++) {
		row_random(r, table, many ? random_key(r, table) : key, &rows[kept]);
		if (conflict != 2 || !key_seen(rows, kept, table))
			kept++;
	}
	both(c, "INSERT INTO %s VALUES ", TABLE_DEFS[table].name);
	for (unsigned i = 0; i < kept; i++) {
		if (i > 0)
			both(c, ", ");
		values(c, &rows[i]);
	}
	if (conflict == 1)
		both(c, " ON CONFLICT DO NOTHING");
	else if (conflict == 2)
		on_conflict_update(r, c, table);
}

/* --- UPDATE and DELETE --- */

static void where_key(struct random *r, struct command *c, unsigned table, int key)
{
	switch (table) {
	case TABLE_CUSTOMER: both(c, " WHERE id = %d", key); break;
	case TABLE_ORDERS:
		both(c, " WHERE customer_id = %d AND number = %u", key, random_below(r, NUMBERS));
		break;
	case TABLE_STOCK:
		both(c, " WHERE sku = 'p%d' AND warehouse = %d", hot(r, PRODUCTS), key);
		break;
	default: both(c, " WHERE code = 'p%d'", key);
	}
}

static void set_cell(struct command *c, const char *column, struct cell cell)
{
	append(c->text, sizeof(c->text), "%s = %s", column, cell.text);
	append(c->oracle, sizeof(c->oracle), "%s = %s", column, cell.oracle);
}

static void set(struct random *r, struct command *c, unsigned table)
{
	both(c, "UPDATE %s SET ", TABLE_DEFS[table].name);
	switch (table) {
	case TABLE_CUSTOMER:
		switch (random_below(r, 5)) {
		case 0: set_cell(c, "country", random_country(r)); break;
		case 1:
			set_cell(c, "active", random_bool(r));
			both(c, ", ");
			set_cell(c, "name", random_name(r));
			break;
		case 2: set_cell(c, "credit", random_numeric(r, 2, true)); break;
		case 3:
			append(c->text, sizeof(c->text), "credit = 100 - credit");
			append(c->oracle, sizeof(c->oracle), "credit = 10000 - credit");
			break;
		default: set_cell(c, "since", random_date(r));
		}
		break;
	case TABLE_ORDERS:
		switch (random_below(r, 5)) {
		case 0: set_cell(c, "product", random_product(r)); break;
		case 1: set_cell(c, "placed", random_time(r)); break;
		case 2: set_cell(c, "total", random_numeric(r, 2, false)); break;
		case 3: set_cell(c, "weight", random_float(r)); break;
		default: set_cell(c, "note", random_text(r));
		}
		break;
	case TABLE_STOCK:
		switch (random_below(r, 3)) {
		case 0: both(c, "qty = qty - 1"); break;
		case 1: set_cell(c, "price", random_numeric(r, 4, true)); break;
		default: set_cell(c, "qty", random_small(r, -3, 100));
		}
		break;
	case TABLE_EVENT:
		if (random_one_in(r, 2))
			set_cell(c, "tag", random_tag(r));
		else
			both(c, "kind = kind + 1");
		break;
	default:
		switch (random_below(r, 3)) {
		case 0: set_cell(c, "parent", random_product(r)); break;
		case 1: set_cell(c, "price", random_numeric(r, 2, true)); break;
		default: set_cell(c, "title", random_text(r));
		}
	}
}

static void guard(struct random *r, struct command *c, unsigned table)
{
	static const char *const GUARDS[TABLES][2] = { { "active", "country = 'DE'" },
		{ "weight > 1", "note IS NOT NULL" }, { "qty >= 5", "price IS NULL" },
		{ "kind = 1", "amount > 5" }, { "grade > 3", "parent IS NULL" } };

	both(c, " AND %s", GUARDS[table][random_below(r, 2)]);
}

static void change_by_key(struct random *r, struct command *c, unsigned table, int key)
{
	if (random_one_in(r, 3))
		both(c, "DELETE FROM %s", TABLE_DEFS[table].name);
	else
		set(r, c, table);
	where_key(r, c, table, key);
	if (random_one_in(r, 3))
		guard(r, c, table);
}

static void change_any(struct random *r, struct command *c, unsigned table)
{
	static const char *const WHERE[TABLES][3] = {
		{ "country = 'DE'", "id > 12 AND active", "credit IS NULL" },
		{ "number = 2", "product = 'p1' AND weight IS NULL", "customer_id IN (1, 7, 9)" },
		{ "qty < 0", "sku = 'p0'", "warehouse = 1 OR price IS NULL" },
		{ "kind > 4", "tag = 'ab' AND ratio > 0", "amount < 50" },
		{ "grade IS NULL", "parent = 'p0'", "code > 'p7'" },
	};
	unsigned which = random_below(r, 3);

	/* A unique column may not become equal in many rows. */
	if (random_one_in(r, 3))
		both(c, "DELETE FROM %s", TABLE_DEFS[table].name);
	else if (table == TABLE_ORDERS)
		both(c, "UPDATE orders SET weight = weight + 0.25, product = 'p2'");
	else
		set(r, c, table);
	both(c, " WHERE ");
	if (table == TABLE_EVENT && which == 1) {
		append(c->text, sizeof(c->text), "%s", WHERE[table][1]);
		append(c->oracle, sizeof(c->oracle), "rtrim(tag) = 'ab' AND ratio > 0");
	} else {
		both(c, "%s", WHERE[table][which]);
	}
}

/* Several statements on one customer, or on one warehouse. */
static void block(struct random *r, struct command *c, int *key)
{
	unsigned n = 2 + random_below(r, 3);
	bool stock = random_one_in(r, 4);

	*key = random_key(r, stock ? TABLE_STOCK : TABLE_CUSTOMER);
	for (unsigned i = 0; i < n; i++) {
		unsigned table = stock        ? TABLE_STOCK
			: random_one_in(r, 2) ? TABLE_CUSTOMER
					      : TABLE_ORDERS;

		if (i > 0)
			both(c, "; ");
		if (random_one_in(r, 2))
			insert(r, c, table, *key, false);
		else
			change_by_key(r, c, table, *key);
	}
}

/* A command that fails, on some state of the tables. */
static void failing(struct random *r, struct command *c, int *aggregate)
{
	int key = random_key(r, TABLE_CUSTOMER);
	unsigned number = random_below(r, NUMBERS);

	*aggregate = key;
	switch (random_below(r, 8)) {
	case 0:
		both(c, "UPDATE orders SET total = total / 0 WHERE customer_id = %d AND number = %u",
			key, number);
		refuse(c, "22012",
			"SELECT count(*) FROM orders WHERE customer_id = %d AND number = %u"
			" AND total IS NOT NULL",
			key, number);
		break;
	case 1:
		key = *aggregate = random_key(r, TABLE_STOCK);
		both(c, "UPDATE stock SET qty = qty + 2147483647 WHERE sku = 'p0' AND warehouse = %d",
			key);
		refuse(c, "22003",
			"SELECT count(*) FROM stock WHERE sku = 'p0' AND warehouse = %d AND qty > 0",
			key);
		/* What does not fail may not leave a number that makes the views fail. */
		both(c, " AND qty > 0");
		break;
	case 2:
		both(c,
			"UPDATE orders SET total = total + 123456789012 WHERE customer_id = %d"
			" AND number = %u",
			key, number);
		refuse(c, "22003",
			"SELECT count(*) FROM orders WHERE customer_id = %d AND number = %u"
			" AND total IS NOT NULL",
			key, number);
		break;
	case 3:
		both(c, "UPDATE customer SET country = country || ' much too long' WHERE id = %d",
			key);
		refuse(c, "22001",
			"SELECT count(*) FROM customer WHERE id = %d AND country IS NOT NULL", key);
		break;
	case 4: both(c, "UPDATE customer SET name = NULL WHERE id = %d", key); break;
	case 5:
		both(c, "UPDATE orders SET total = -1 WHERE customer_id = %d AND number = %u", key,
			number);
		break;
	case 6:
		/* The first statements work, the last does not: none may stay. */
		both(c,
			"UPDATE customer SET country = 'US' WHERE id = %d;"
			"DELETE FROM orders WHERE customer_id = %d AND number = %u;"
			"INSERT INTO orders VALUES (%d, %u, 'p1', NULL, -5, NULL, NULL)",
			key, key, number, key, number);
		break;
	default:
		*aggregate = AGGREGATE_MANY;
		both(c, "UPDATE customer SET credit = 1 / (id - id)");
		refuse(c, "22012", "SELECT count(*) FROM customer");
	}
}

static void many(struct random *r, struct command *c)
{
	unsigned table = random_below(r, TABLES);

	if (random_one_in(r, 25)) {
		append(c->text, sizeof(c->text), "TRUNCATE %s", TABLE_DEFS[table].name);
		append(c->oracle, sizeof(c->oracle), "DELETE FROM %s", TABLE_DEFS[table].name);
		c->count_known = false;
	} else if (random_one_in(r, 3)) {
		insert(r, c, table, 0, true);
	} else {
		change_any(r, c, table);
	}
}

void command_random(struct random *r, bool quiet, struct command *out)
{
	unsigned table = random_below(r, TABLES), kind = random_below(r, 20);
	int key = random_key(r, table);

	memset(out, 0, sizeof(*out));
	out->count_known = true;
	out->aggregate = aggregate_of(table, key);
	if (kind == 0) {
		do {
			out->text[0] = out->oracle[0] = out->probe[0] = out->sqlstate[0] = '\0';
			failing(r, out, &out->aggregate);
		} while (out->aggregate == AGGREGATE_MANY && !quiet);
	} else if (quiet && kind <= 4) {
		out->aggregate = AGGREGATE_MANY;
		many(r, out);
	} else if (kind <= 7) {
		block(r, out, &out->aggregate);
	} else if (kind <= 13 || table == TABLE_EVENT) {
		insert(r, out, table, key, false);
	} else {
		change_by_key(r, out, table, key);
	}
}
