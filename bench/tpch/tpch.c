/*
 * tpch.c: the generator. A row is filled column after column by put_…(), with random numbers of a generator that is seeded
 * by the row's table and number.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/load/random.h"
#include "bench/tpch/tpch.h"
#include "bench/tpch/words.h"

/* Clause 4.2.2.12, as days since 2000-01-01: 1992-01-01, 1995-06-17, and 151 days before 1998-12-31. */
enum { FIRST_ORDER = -2922, TODAY = -1659, LAST_ORDER = -517 };
enum { DAYS_TO_2000 = 10957, SECONDS_A_DAY = 86400 };
enum {
	SUPPLIERS_OF_PART = 4,
	SUPPLIERS_FOR_STEPS = 12 * 20,
	ORDERS_OF_CUSTOMER = 10,
	NATIONS = 25
};

const struct tpch_table_form TPCH_FORM[TPCH_TABLES] = {
	[TPCH_REGION] = { "region", "itt" },
	[TPCH_NATION] = { "nation", "itit" },
	[TPCH_SUPPLIER] = { "supplier", "ittitnt" },
	[TPCH_PART] = { "part", "ittttitnt" },
	[TPCH_PARTSUPP] = { "partsupp", "iiint" },
	[TPCH_CUSTOMER] = { "customer", "ittitntt" },
	[TPCH_ORDERS] = { "orders", "iitndttit" },
	[TPCH_LINEITEM] = { "lineitem", "iiiinnnnttdddttt" },
};

void tpch_init(struct tpch *t, double scale, uint64_t seed)
{
	static const double AT_SCALE_1[TPCH_TABLES] = {
		[TPCH_SUPPLIER] = 10000, [TPCH_PART] = 200000, [TPCH_CUSTOMER] = 150000
	};

	t->seed = seed;
	for (unsigned i = 0; i < TPCH_TABLES; i++) {
		t->rows[i] = (uint64_t)(AT_SCALE_1[i] * scale + 0.5);
		if (t->rows[i] < SUPPLIERS_OF_PART)
			t->rows[i] = SUPPLIERS_OF_PART;
	}
	t->rows[TPCH_REGION] = WORDS_REGION.n;
	t->rows[TPCH_NATION] = NATIONS;
	t->rows[TPCH_PARTSUPP] = SUPPLIERS_OF_PART * t->rows[TPCH_PART];
	t->rows[TPCH_ORDERS] = ORDERS_OF_CUSTOMER * t->rows[TPCH_CUSTOMER];
	t->rows[TPCH_LINEITEM] = (1 + TPCH_LINES_MAX) * t->rows[TPCH_ORDERS] / 2;
}

/* --- what columns are made of --- */

static struct random row_random(const struct tpch *t, enum tpch_table table, uint64_t i)
{
	struct random r = { t->seed ^ (uint64_t)table << 56 };

	r.state = random_next(&r) + i;
	r.state = random_next(&r);
	return r;
}

static int64_t between(struct random *r, int64_t least, int64_t most)
{
	return least + (int64_t)random_below(r, (uint64_t)(most - least + 1));
}

static const char *word(struct random *r, const struct words *from)
{
	return from->words[random_below(r, from->n)];
}

static void put_number(struct tpch_row *row, int64_t n)
{
	row->fields[row->n++] = (struct tpch_field){ .number = n };
}

static void put_constant(struct tpch_row *row, const char *text)
{
	row->fields[row->n++] = (struct tpch_field){ .text = text };
}

/* Room for a text of so many bytes and its end, which becomes the next field. */
static char *put_room(struct tpch_row *row, size_t len)
{
	char *p = row->text + row->used;

	assert(row->used + len < TPCH_TEXT_MAX);
	row->used += (unsigned)len + 1;
	p[len] = '\0';
	put_constant(row, p);
	return p;
}

static void put_format(struct tpch_row *row, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void put_format(struct tpch_row *row, const char *format, ...)
{
	char text[64];
	int len;
	va_list args;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < sizeof(text));
	memcpy(put_room(row, (size_t)len), text, (size_t)len);
}

/* Words with a blank between them, cut to a length within the bounds; `given` first, if not NULL. */
static void put_text(
	struct tpch_row *row, struct random *r, int64_t least, int64_t most, const char *given)
{
	size_t len = (size_t)between(r, least, most), at = 0;
	char *p = put_room(row, len);

	while (at < len) {
		const char *w = given != NULL ? given : word(r, &WORDS_TEXT);
		size_t n = strlen(w);

		given = NULL;
		if (n > len - at)
			n = len - at;
		memcpy(p + at, w, n);
		at += n;
		if (at < len)
			p[at++] = ' ';
	}
	if (p[len - 1] == ' ')
		p[len - 1] = '.';
}

/* 10 to 40 characters. */
static void put_address(struct tpch_row *row, struct random *r)
{
	static const char CHARACTERS[] =
		"0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,";
	size_t len = (size_t)between(r, 10, 40);
	char *p = put_room(row, len);

	for (size_t i = 0; i < len; i++)
		p[i] = CHARACTERS[random_below(r, sizeof(CHARACTERS) - 1)];
	/* Blanks at the end are none in char(n). */
	p[len - 1] = '.';
}

/* Nation, and a telephone number that tells it. */
static void put_nation_and_phone(struct tpch_row *row, struct random *r)
{
	int64_t nation = between(r, 0, NATIONS - 1), a = between(r, 100, 999),
		b = between(r, 100, 999), c = between(r, 1000, 9999);

	put_number(row, nation);
	put_format(row, "%02d-%03d-%03d-%04d", (int)nation + 10, (int)a, (int)b, (int)c);
}

/* In cents. */
static int64_t retail_price(int64_t part)
{
	return 90000 + part / 10 % 20001 + 100 * (part % 1000);
}

/* The i-th of the four suppliers of a part, spread over all of them. Parts have numbers up to 20 s, and the step from
 * one supplier to the next must not be a half or a third of s, which it can be with few. */
static int64_t supplier_of(const struct tpch *t, int64_t part, int64_t i)
{
	int64_t s = (int64_t)t->rows[TPCH_SUPPLIER];
	int64_t step = s / SUPPLIERS_OF_PART + (s >= SUPPLIERS_FOR_STEPS ? (part - 1) / s : 0);

	return (part + i * step) % s + 1;
}

/* --- tables --- */

static void region(struct tpch_row *row, struct random *r, uint64_t i)
{
	put_number(row, (int64_t)i);
	put_constant(row, WORDS_REGION.words[i]);
	put_text(row, r, 31, 115, NULL);
}

static void nation(struct tpch_row *row, struct random *r, uint64_t i)
{
	put_number(row, (int64_t)i);
	put_constant(row, WORDS_NATION.words[i]);
	put_number(row, WORDS_NATION_REGION[i]);
	put_text(row, r, 31, 114, NULL);
}

/* Five in ten thousand suppliers are complained of in their comment, and as many recommended. */
static void supplier(struct tpch_row *row, struct random *r, uint64_t i)
{
	const char *said = NULL;

	put_number(row, (int64_t)i + 1);
	put_format(row, "Supplier#%09u", (unsigned)i + 1);
	put_address(row, r);
	put_nation_and_phone(row, r);
	put_number(row, between(r, -99999, 999999));
	switch (random_below(r, 2000)) {
	case 0: said = "Customer Complaints"; break;
	case 1: said = "Customer Recommends"; break;
	default: break;
	}
	put_text(row, r, 25, 100, said);
}

/* Five different words. */
static void put_part_name(struct tpch_row *row, struct random *r)
{
	const char *w[5];

	for (unsigned i = 0; i < 5;) {
		bool again = false;

		w[i] = word(r, &WORDS_PART_NAME);
		for (unsigned k = 0; k < i; k++)
			again |= w[k] == w[i];
		i += !again;
	}
	put_format(row, "%s %s %s %s %s", w[0], w[1], w[2], w[3], w[4]);
}

static void part(struct tpch_row *row, struct random *r, uint64_t i)
{
	unsigned maker = (unsigned)between(r, 1, 5), brand = (unsigned)between(r, 1, 5);
	const char *w[3];

	put_number(row, (int64_t)i + 1);
	put_part_name(row, r);
	put_format(row, "Manufacturer#%u", maker);
	put_format(row, "Brand#%u%u", maker, brand);
	w[0] = word(r, &WORDS_TYPE_1);
	w[1] = word(r, &WORDS_TYPE_2);
	w[2] = word(r, &WORDS_TYPE_3);
	put_format(row, "%s %s %s", w[0], w[1], w[2]);
	put_number(row, between(r, 1, 50));
	w[0] = word(r, &WORDS_CONTAINER_1);
	w[1] = word(r, &WORDS_CONTAINER_2);
	put_format(row, "%s %s", w[0], w[1]);
	put_number(row, retail_price((int64_t)i + 1));
	put_text(row, r, 5, 22, NULL);
}

static void partsupp(const struct tpch *t, struct tpch_row *row, struct random *r, uint64_t i)
{
	int64_t of = (int64_t)(i / SUPPLIERS_OF_PART) + 1;

	put_number(row, of);
	put_number(row, supplier_of(t, of, (int64_t)(i % SUPPLIERS_OF_PART)));
	put_number(row, between(r, 1, 9999));
	put_number(row, between(r, 100, 100000));
	put_text(row, r, 49, 198, NULL);
}

static void customer(struct tpch_row *row, struct random *r, uint64_t i)
{
	put_number(row, (int64_t)i + 1);
	put_format(row, "Customer#%09u", (unsigned)i + 1);
	put_address(row, r);
	put_nation_and_phone(row, r);
	put_number(row, between(r, -99999, 999999));
	put_constant(row, word(r, &WORDS_SEGMENT));
	put_text(row, r, 29, 116, NULL);
}

void tpch_row(const struct tpch *t, enum tpch_table table, uint64_t i, struct tpch_row *row)
{
	struct random r = row_random(t, table, i);

	row->n = row->used = 0;
	switch (table) {
	case TPCH_REGION: region(row, &r, i); break;
	case TPCH_NATION: nation(row, &r, i); break;
	case TPCH_SUPPLIER: supplier(row, &r, i); break;
	case TPCH_PART: part(row, &r, i); break;
	case TPCH_PARTSUPP: partsupp(t, row, &r, i); break;
	case TPCH_CUSTOMER: customer(row, &r, i); break;
	case TPCH_ORDERS:
	case TPCH_LINEITEM:
	case TPCH_TABLES: assert(!"orders have a function of their own");
	}
}

/* --- orders --- */

/* Of 32 numbers the first 8 are used. */
static int64_t order_key(uint64_t i)
{
	return (int64_t)(i / 8 * 32 + i % 8 + 1);
}

/* A customer whose number three does not divide. */
static int64_t customer_who_orders(const struct tpch *t, struct random *r)
{
	uint64_t customers = t->rows[TPCH_CUSTOMER], i = random_below(r, customers - customers / 3);

	return (int64_t)(i / 2 * 3 + i % 2 + 1);
}

static void lineitem(const struct tpch *t, struct tpch_row *row, struct random *r, int64_t order,
	unsigned number, int64_t ordered)
{
	int64_t of = between(r, 1, (int64_t)t->rows[TPCH_PART]), quantity = between(r, 1, 50);
	int64_t shipped = ordered + between(r, 1, 121), committed = ordered + between(r, 30, 90);
	int64_t received = shipped + between(r, 1, 30);

	row->n = row->used = 0;
	put_number(row, order);
	put_number(row, of);
	put_number(row, supplier_of(t, of, between(r, 0, SUPPLIERS_OF_PART - 1)));
	put_number(row, number);
	put_number(row, 100 * quantity);
	put_number(row, quantity * retail_price(of));
	put_number(row, between(r, 0, 10));
	put_number(row, between(r, 0, 8));
	put_constant(row, received > TODAY ? "N" : between(r, 0, 1) == 0 ? "R" : "A");
	put_constant(row, shipped > TODAY ? "O" : "F");
	put_number(row, shipped);
	put_number(row, committed);
	put_number(row, received);
	put_constant(row, word(r, &WORDS_INSTRUCTION));
	put_constant(row, word(r, &WORDS_MODE));
	put_text(row, r, 10, 43, NULL);
}

/* The lines' sum, and whether none (F), all (O) or some (P) are still to be shipped. */
static int64_t sum_up(const struct tpch_row *line, unsigned lines, const char **status)
{
	int64_t total = 0;
	unsigned open = 0;

	for (unsigned i = 0; i < lines; i++) {
		const struct tpch_field *f = line[i].fields;

		total += f[L_EXTENDEDPRICE].number * (100 - f[L_DISCOUNT].number) / 100 *
			(100 + f[L_TAX].number) / 100;
		open += f[L_LINESTATUS].text[0] == 'O';
	}
	*status = open == 0 ? "F" : open == lines ? "O" : "P";
	return total;
}

unsigned tpch_order(const struct tpch *t, uint64_t i, unsigned lines, struct tpch_row *order,
	struct tpch_row line[static TPCH_LINES_MAX])
{
	struct random r = row_random(t, TPCH_ORDERS, i), of_lines = row_random(t, TPCH_LINEITEM, i);
	int64_t key = order_key(i), ordered = between(&r, FIRST_ORDER, LAST_ORDER), total;
	/* A clerk for a thousand orders and a half: 1000 at scale factor 1. */
	int64_t clerks = ((int64_t)t->rows[TPCH_ORDERS] + 1499) / 1500;
	const char *status;

	if (lines == 0)
		lines = (unsigned)between(&r, 1, TPCH_LINES_MAX);
	for (unsigned k = 0; k < lines; k++)
		lineitem(t, &line[k], &of_lines, key, k + 1, ordered);
	total = sum_up(line, lines, &status);
	order->n = order->used = 0;
	put_number(order, key);
	put_number(order, customer_who_orders(t, &r));
	put_constant(order, status);
	put_number(order, total);
	put_number(order, ordered);
	put_constant(order, word(&r, &WORDS_PRIORITY));
	put_format(order, "Clerk#%09u", (unsigned)between(&r, 1, clerks));
	put_number(order, 0);
	put_text(order, &r, 19, 78, NULL);
	return lines;
}

void tpch_each(const struct tpch *t, enum tpch_table table,
	void (*fn)(void *arg, const struct tpch_row *row), void *arg)
{
	bool with_lines = table == TPCH_LINEITEM;
	uint64_t n = t->rows[with_lines ? TPCH_ORDERS : table];
	struct tpch_row row, line[TPCH_LINES_MAX];

	for (uint64_t i = 0; i < n; i++) {
		unsigned lines = 0;

		if (with_lines || table == TPCH_ORDERS)
			lines = tpch_order(t, i, 0, &row, line);
		else
			tpch_row(t, table, i, &row);
		for (unsigned k = 0; with_lines && k < lines; k++)
			fn(arg, &line[k]);
		if (!with_lines)
			fn(arg, &row);
	}
}

/* --- texts --- */

const char *tpch_date_text(int64_t days, char out[static TPCH_DATE_TEXT])
{
	time_t seconds = (time_t)((days + DAYS_TO_2000) * SECONDS_A_DAY);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	(void)strftime(out, TPCH_DATE_TEXT, "%Y-%m-%d", &tm);
	return out;
}

const char *tpch_insert_text(enum tpch_table table, char *out, size_t cap)
{
	size_t columns = strlen(TPCH_FORM[table].kinds);
	int at = snprintf(out, cap, "INSERT INTO %s VALUES (", TPCH_FORM[table].name);

	for (size_t i = 1; i <= columns; i++) {
		assert(at > 0 && (size_t)at < cap);
		at += snprintf(out + at, cap - (size_t)at, "$%zu%s", i, i < columns ? ", " : ")");
	}
	assert((size_t)at < cap);
	return out;
}
