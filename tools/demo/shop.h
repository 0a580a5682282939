/*
 * shop.h: the first act's shop: what it is made of, and a generator of what happens in it.
 *
 * The generator is a function of its seed and sizes: two of them give the same commands. One feeds the server, a
 * second one SQLite. Products, customers and countries are skewed as in life (a few are most of it), orders
 * follow the hours of the day and the days of the week, shelves run empty, people pay late, or not, or cancel, and
 * now and then somebody orders nothing of something, which the schema refuses.
 */
#ifndef LF_TOOLS_DEMO_SHOP_H
#define LF_TOOLS_DEMO_SHOP_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/demo/oracle.h"

/* --- schema --- */

extern const struct relation SHOP_TABLES[];
extern const struct relation SHOP_VIEWS[];

/* --- commands --- */

enum { SHOP_ITEMS_MAX = 5, SHOP_NAME_MAX = 64 };

enum shop_kind {
	SHOP_CUSTOMER, /* key, time, name, word: country */
	SHOP_PRODUCT,  /* key, name, word: category, cents: price, quantity: stock */
	SHOP_ORDER,    /* key, customer, time, items: one aggregate */
	SHOP_PICK,     /* key: product, quantity: taken from the shelf, when there are so many */
	SHOP_DELIVERY, /* key: product, quantity */
	SHOP_PAYMENT,  /* key: order, time, word: method, cents */
	SHOP_CANCEL,   /* key: order; only when it is open */
	SHOP_PRICE,    /* key: product, cents */
	SHOP_RENAME,   /* key: customer, name */
	SHOP_KINDS
};

struct shop_item {
	int64_t product, quantity, cents;
};

struct shop_command {
	enum shop_kind kind;
	int64_t key; /* of the aggregate that it changes */
	int64_t customer;
	int64_t time; /* Unix seconds */
	int64_t cents, quantity;
	const char *word;
	char name[SHOP_NAME_MAX];
	unsigned nitems;
	struct shop_item item[SHOP_ITEMS_MAX];
};

struct shop_sizes {
	uint64_t seed;
	unsigned customers, products, days, orders_a_day;
};

struct shop;

struct shop *shop_new(const struct shop_sizes *sizes);
void shop_free(struct shop *s);
/* False: the time is over. */
bool shop_next(struct shop *s, struct shop_command *out);
/* Commands that it will give, roughly. */
uint64_t shop_estimate(const struct shop_sizes *sizes);

/* --- SQLite's side --- */

struct shop_replay {
	uint64_t commands, refused, unmatched;
};
/* Apply all of a generator's commands and then `last` to the tables. */
struct shop_replay shop_replay(sqlite3 *db, const struct shop_sizes *sizes,
	const struct shop_command *last, unsigned nlast);

#endif
