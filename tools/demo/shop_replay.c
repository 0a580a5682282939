/*
 * shop_replay.c: the shop's commands once more, in SQLite: what each means for the tables, written for it alone.
 */
#include "tools/demo/shop.h"

#include <string.h>

#include "tools/demo/print.h"

enum { ITEM, MARK, BACK, RELEASE, PAID, STATEMENTS };

static const char *const TEXT[SHOP_KINDS + STATEMENTS] = {
	[SHOP_CUSTOMER] = "INSERT INTO customer VALUES (?1, ?5, ?6, datetime(?3, 'unixepoch'))",
	[SHOP_PRODUCT] = "INSERT INTO product VALUES (?1, ?5, ?6, ?2, ?4)",
	[SHOP_ORDER] = "INSERT INTO orders VALUES (?1, ?7, datetime(?3, 'unixepoch'), 'open')",
	[SHOP_PICK] = "UPDATE product SET stock = stock - ?4 WHERE id = ?1 AND stock >= ?4",
	[SHOP_DELIVERY] = "UPDATE product SET stock = stock + ?4 WHERE id = ?1",
	[SHOP_PAYMENT] = "INSERT INTO payment VALUES (?1, ?6, ?2, datetime(?3, 'unixepoch'))",
	[SHOP_CANCEL] = "UPDATE orders SET status = 'cancelled' WHERE id = ?1 AND status = 'open'",
	[SHOP_PRICE] = "UPDATE product SET price = ?2 WHERE id = ?1",
	[SHOP_RENAME] = "UPDATE customer SET name = ?5 WHERE id = ?1",
	[SHOP_KINDS + ITEM] = "INSERT INTO order_item VALUES (?1, ?2, ?3, ?4, ?5)",
	[SHOP_KINDS + MARK] = "SAVEPOINT one",
	[SHOP_KINDS + BACK] = "ROLLBACK TO one",
	[SHOP_KINDS + RELEASE] = "RELEASE one",
	[SHOP_KINDS + PAID] = "UPDATE orders SET status = 'paid' WHERE id = ?1 AND status = 'open'",
};

struct replay {
	sqlite3 *db;
	sqlite3_stmt *statement[SHOP_KINDS + STATEMENTS];
	struct shop_replay counts;
};

static void bind(sqlite3_stmt *s, const struct shop_command *c)
{
	(void)sqlite3_bind_int64(s, 1, c->key);
	(void)sqlite3_bind_int64(s, 2, c->cents);
	(void)sqlite3_bind_int64(s, 3, c->time);
	(void)sqlite3_bind_int64(s, 4, c->quantity);
	(void)sqlite3_bind_text(s, 5, c->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(s, 6, c->word, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(s, 7, c->customer);
}

/* All items or none. SQLITE_DONE or SQLITE_CONSTRAINT. */
static int insert_items(struct replay *r, const struct shop_command *c)
{
	sqlite3_stmt *s = r->statement[SHOP_KINDS + ITEM];
	int status = SQLITE_DONE;

	for (unsigned i = 0; i < c->nitems && status == SQLITE_DONE; i++) {
		(void)sqlite3_bind_int64(s, 1, c->key);
		(void)sqlite3_bind_int64(s, 2, i + 1);
		(void)sqlite3_bind_int64(s, 3, c->item[i].product);
		(void)sqlite3_bind_int64(s, 4, c->item[i].quantity);
		(void)sqlite3_bind_int64(s, 5, c->item[i].cents);
		status = oracle_step(s);
	}
	return status;
}

static void apply(struct replay *r, const struct shop_command *c)
{
	sqlite3_stmt *s = r->statement[c->kind];
	int status, changes;

	(void)oracle_step(r->statement[SHOP_KINDS + MARK]);
	bind(s, c);
	status = oracle_step(s);
	changes = sqlite3_changes(r->db);
	if (c->kind == SHOP_ORDER && status == SQLITE_DONE)
		status = insert_items(r, c);
	if (c->kind == SHOP_PAYMENT && status == SQLITE_DONE) {
		(void)sqlite3_bind_int64(r->statement[SHOP_KINDS + PAID], 1, c->key);
		status = oracle_step(r->statement[SHOP_KINDS + PAID]);
	}
	if (status != SQLITE_DONE)
		(void)oracle_step(r->statement[SHOP_KINDS + BACK]);
	(void)oracle_step(r->statement[SHOP_KINDS + RELEASE]);
	r->counts.commands++;
	r->counts.refused += status != SQLITE_DONE;
	r->counts.unmatched += status == SQLITE_DONE && changes == 0;
}

struct shop_replay shop_replay(sqlite3 *db, const struct shop_sizes *sizes,
	const struct shop_command *last, unsigned nlast)
{
	struct replay r = { .db = db };
	struct shop *shop = shop_new(sizes);
	struct progress p = progress_begin("SQLite does the same", shop_estimate(sizes));
	struct shop_command c;

	for (unsigned i = 0; i < SHOP_KINDS + STATEMENTS; i++)
		r.statement[i] = oracle_prepare(db, TEXT[i]);
	oracle_run(db, "BEGIN");
	while (shop_next(shop, &c)) {
		apply(&r, &c);
		progress_step(&p, r.counts.commands);
	}
	for (unsigned i = 0; i < nlast; i++)
		apply(&r, &last[i]);
	oracle_run(db, "COMMIT");
	progress_end(&p, r.counts.commands);
	for (unsigned i = 0; i < SHOP_KINDS + STATEMENTS; i++)
		(void)sqlite3_finalize(r.statement[i]);
	shop_free(shop);
	return r.counts;
}
