/*
 * shop_generate.c: the shop's days, one command at a time.
 *
 * First the catalogue and the first customers. Then each day begins with deliveries and new prices; its orders
 * are spread over the hours. What follows of an order later (payment, cancellation) waits in a heap by its
 * time. Commands that belong together stand in a short queue.
 */
#include "tools/demo/shop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/demo/print.h"

enum {
	HOURS = 24,
	WEEKDAYS = 7,
	HOUR_S = 3600,
	DAY_S = 86400,
	START = 1735689600 + 5 * DAY_S, /* Monday, 6 January 2025 */
	QUEUE = 16,
	REFUSED_ONE_IN = 700,
	LOW_STOCK = 20
};

struct later {
	int64_t time;
	uint64_t sequence; /* keeps the order of equal times */
	struct shop_command command;
};

struct shop {
	struct shop_sizes sizes;
	uint64_t random;
	double *product_weight, *customer_weight; /* running sums */
	int64_t *price, *stock, *wanted;          /* wanted: pieces, since the morning */
	unsigned customers;                       /* so far */
	int64_t orders;
	unsigned day, hour, left; /* orders left in this hour */
	bool open;                /* the catalogue is out, the days run */
	unsigned morning;         /* next product to look at; all: the day has begun */
	int64_t now;
	struct shop_command queue[QUEUE];
	unsigned head, queued;
	struct later *heap;
	size_t waiting, heap_cap;
	uint64_t sequence;
};

/* --- chance --- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct shop *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static unsigned below(struct shop *s, unsigned n)
{
	return (unsigned)(draw(s) % n);
}

static double unit(struct shop *s)
{
	return (double)(draw(s) >> 11) / (double)(UINT64_C(1) << 53);
}

/* Running sums of Zipf's law: the k-th weighs 1 / k^power. */
static double *zipf(unsigned n, double power)
{
	double *sum = malloc(n * sizeof(*sum)), total = 0;

	if (sum == NULL)
		die("out of memory");
	for (unsigned k = 0; k < n; k++) {
		total += pow(k + 1, -power);
		sum[k] = total;
	}
	return sum;
}

/* One of the first n, by their weights. */
static unsigned weighted(struct shop *s, const double *sum, unsigned n)
{
	double x = unit(s) * sum[n - 1];
	unsigned low = 0, high = n - 1;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (sum[middle] > x)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The rank of a product or customer says nothing about its number: a fixed permutation. */
static int64_t shuffled(unsigned rank, unsigned n)
{
	unsigned step = 7919;

	while (n % step == 0)
		step += 2;
	return (int64_t)((uint64_t)rank * step % n) + 1;
}

/* --- words --- */

struct share {
	const char *word;
	unsigned percent;
};

static const struct share COUNTRIES[] = { { "Germany", 24 }, { "France", 15 }, { "Italy", 11 },
	{ "Poland", 9 }, { "Spain", 8 }, { "Netherlands", 7 }, { "Austria", 6 }, { "Sweden", 5 },
	{ "Denmark", 4 }, { "Portugal", 4 }, { "Finland", 3 }, { "Estonia", 2 }, { "Malta", 1 },
	{ "Iceland", 1 } };
static const struct share METHODS[] = { { "card", 52 }, { "bank transfer", 23 }, { "invoice", 17 },
	{ "voucher", 8 } };
static const char *const CATEGORIES[] = { "kitchen", "garden", "books", "toys", "tools", "lamps",
	"music", "sport" };
static const char *const MATERIALS[] = { "Oak", "Walnut", "Steel", "Brass", "Linen", "Wool",
	"Glass", "Cork", "Slate", "Copper", "Bamboo", "Paper", "Clay", "Felt" };
static const char *const THINGS[][5] = { { "Bowl", "Ladle", "Kettle", "Board", "Jar" },
	{ "Trowel", "Pot", "Bench", "Rake", "Lantern" },
	{ "Atlas", "Novel", "Diary", "Almanac", "Reader" },
	{ "Kite", "Train", "Puzzle", "Top", "Bear" },
	{ "Chisel", "Clamp", "Saw", "Plane", "Gauge" },
	{ "Desk Lamp", "Floor Lamp", "Spot", "Globe", "Candle" },
	{ "Flute", "Drum", "Metronome", "Stand", "Strap" },
	{ "Ball", "Racket", "Bottle", "Mat", "Whistle" } };
static const char *const FIRST[] = { "Anna", "Jonas", "Marie", "Luca", "Sofia", "Piotr", "Elena",
	"Hugo", "Clara", "Mats", "Ines", "Tomas", "Freya", "Paul", "Nora", "Emil", "Alba", "Otto",
	"Lotte", "Ivo" };
static const char *const SECOND[] = { "Berg", "Moreau", "Rossi", "Nowak", "Vega", "Bakker",
	"Gruber", "Lind", "Holm", "Costa", "Laine", "Tamm", "Vella", "Weber", "Petit", "Ricci",
	"Kowal", "Ruiz", "Visser", "Huber", "Dahl", "Juhl", "Alves", "Virta" };

#define COUNT(a) (unsigned)(sizeof(a) / sizeof((a)[0]))

static const char *share_of(struct shop *s, const struct share *list, unsigned n)
{
	unsigned x = below(s, 100), i = 0;

	while (i + 1 < n && x >= list[i].percent)
		x -= list[i++].percent;
	return list[i].word;
}

static void name_customer(struct shop *s, char *out)
{
	const char *first = FIRST[below(s, COUNT(FIRST))],
		   *second = SECOND[below(s, COUNT(SECOND))];

	(void)snprintf(out, SHOP_NAME_MAX, "%s %s", first, second);
}

/* --- the queue and the heap --- */

static struct shop_command *push(struct shop *s, enum shop_kind kind, int64_t key)
{
	struct shop_command *c = &s->queue[(s->head + s->queued++) % QUEUE];

	if (s->queued > QUEUE)
		die("the shop's queue is too short");
	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->key = key;
	c->time = s->now;
	return c;
}

static bool sooner(const struct later *a, const struct later *b)
{
	return a->time != b->time ? a->time < b->time : a->sequence < b->sequence;
}

static void put_later(struct shop *s, int64_t time, const struct shop_command *c)
{
	struct later l = { time, s->sequence++, *c };
	size_t i = s->waiting++;

	if (s->waiting > s->heap_cap) {
		s->heap_cap = s->heap_cap == 0 ? 1024 : 2 * s->heap_cap;
		s->heap = realloc(s->heap, s->heap_cap * sizeof(*s->heap));
		if (s->heap == NULL)
			die("out of memory");
	}
	for (; i > 0 && sooner(&l, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = l;
	s->heap[i].command.time = time;
}

static struct shop_command take_soonest(struct shop *s)
{
	struct shop_command first = s->heap[0].command;
	struct later last = s->heap[--s->waiting];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->waiting) {
		if (child + 1 < s->waiting && sooner(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!sooner(&s->heap[child], &last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return first;
}

/* --- what happens --- */

static void new_customer(struct shop *s)
{
	struct shop_command *c = push(s, SHOP_CUSTOMER, ++s->customers);

	name_customer(s, c->name);
	c->word = share_of(s, COUNTRIES, COUNT(COUNTRIES));
}

static void new_product(struct shop *s, unsigned i)
{
	struct shop_command *c = push(s, SHOP_PRODUCT, i + 1);
	unsigned category = below(s, COUNT(CATEGORIES));
	const char *material = MATERIALS[below(s, COUNT(MATERIALS))];

	c->word = CATEGORIES[category];
	(void)snprintf(c->name, sizeof(c->name), "%s %s No. %u", material,
		THINGS[category][below(s, COUNT(THINGS[0]))], i + 1);
	c->cents = s->price[i] = (int64_t)(exp(unit(s) * 4 + 1.5) * 100) / 5 * 5 + 99;
	c->quantity = s->stock[i] = 20 + below(s, 60);
}

/* Payment, mostly soon; a cancellation; both; or nothing for a long time. */
static void what_follows(struct shop *s, const struct shop_command *order, int64_t cents)
{
	struct shop_command c = { .key = order->key };
	unsigned fate = below(s, 100);
	int64_t delay = 30 + (int64_t)(-log(1 - unit(s)) * (below(s, 4) == 0 ? 2 * DAY_S : HOUR_S));

	if (fate < 92) {
		c.kind = SHOP_PAYMENT;
		c.cents = cents;
		c.word = share_of(s, METHODS, COUNT(METHODS));
		put_later(s, order->time + delay, &c);
	}
	if (fate >= 90 && fate < 97) {
		c = (struct shop_command){ .kind = SHOP_CANCEL, .key = order->key };
		put_later(s, order->time + 60 + below(s, DAY_S), &c);
	}
}

/* One of the first customers, by their weights; now and then one of those who came later. */
static int64_t who_orders(struct shop *s)
{
	unsigned first = s->sizes.customers, came = s->customers - first;

	if (came > 0 && below(s, 10) == 0)
		return first + 1 + below(s, came);
	return shuffled(weighted(s, s->customer_weight, first), first);
}

static void new_order(struct shop *s)
{
	struct shop_command *o = push(s, SHOP_ORDER, ++s->orders), order;
	unsigned extra = below(s, 100);
	int64_t cents = 0;

	o->customer = who_orders(s);
	o->nitems = extra < 45 ? 1 : extra < 72 ? 2 : extra < 88 ? 3 : extra < 96 ? 4 : 5;
	for (unsigned i = 0; i < o->nitems; i++) {
		int64_t product = shuffled(
			weighted(s, s->product_weight, s->sizes.products), s->sizes.products);

		o->item[i] = (struct shop_item){ product, below(s, 10) < 7 ? 1 : 1 + below(s, 6),
			s->price[product - 1] };
		cents += o->item[i].quantity * o->item[i].cents;
	}
	if (below(s, REFUSED_ONE_IN) == 0) {
		o->item[o->nitems - 1].quantity = 0;
		return;
	}
	order = *o;
	what_follows(s, &order, cents);
	for (unsigned i = 0; i < order.nitems; i++) {
		int64_t *stock = &s->stock[order.item[i].product - 1], n = order.item[i].quantity;

		push(s, SHOP_PICK, order.item[i].product)->quantity = n;
		s->wanted[order.item[i].product - 1] += n;
		*stock -= *stock >= n ? n : 0;
	}
	if (below(s, 25) == 0)
		new_customer(s);
	if (below(s, 100) == 0)
		name_customer(s, push(s, SHOP_RENAME, 1 + below(s, s->customers))->name);
}

/* Deliveries and new prices; true: one was queued. */
static bool morning(struct shop *s)
{
	while (s->morning < s->sizes.products) {
		unsigned i = s->morning++;

		if (s->stock[i] < LOW_STOCK + s->wanted[i] && below(s, 5) > 0) {
			struct shop_command *c = push(s, SHOP_DELIVERY, i + 1);

			c->quantity = 40 + 10 * below(s, 8) + 2 * s->wanted[i];
			s->stock[i] += c->quantity;
		}
		s->wanted[i] = 0;
		if (below(s, 60) == 0) {
			int64_t change = (int64_t)below(s, 31) - 12; /* percent */

			s->price[i] += s->price[i] * change / 100;
			push(s, SHOP_PRICE, i + 1)->cents = s->price[i];
		}
		if (s->queued > 0)
			return true;
	}
	return false;
}

static void start_hour(struct shop *s)
{
	/* Per mille of a day, and per cent of an average day from Monday on. */
	static const unsigned RHYTHM[HOURS] = { 12, 6, 4, 3, 3, 6, 14, 30, 48, 56, 58, 60, 66, 58,
		50, 48, 50, 58, 68, 80, 88, 70, 42, 22 };
	static const unsigned WEEK[WEEKDAYS] = { 98, 92, 94, 96, 104, 124, 92 };
	double orders = s->sizes.orders_a_day * RHYTHM[s->hour] / 1000.0 * WEEK[s->day % WEEKDAYS] /
		100.0;

	s->left = (unsigned)(orders * (0.85 + 0.3 * unit(s)) + unit(s));
	s->now = START + (int64_t)s->day * DAY_S + (int64_t)s->hour * HOUR_S;
}

/* Queue something; false: the last day is over. */
static bool advance(struct shop *s)
{
	for (;;) {
		int64_t end = START + (int64_t)s->day * DAY_S + (int64_t)(s->hour + 1) * HOUR_S;

		if (morning(s))
			return true;
		if (s->left > 0) {
			int64_t at = s->now + (end - s->now) / (s->left + 1);

			if (s->waiting > 0 && s->heap[0].time <= at)
				break;
			s->now = at;
			s->left--;
			new_order(s);
			return true;
		}
		if (s->waiting > 0 && s->heap[0].time < end)
			break;
		if (++s->hour == HOURS) {
			s->hour = 0;
			s->morning = 0;
			if (++s->day == s->sizes.days)
				return false;
		}
		start_hour(s);
	}
	s->queue[(s->head + s->queued++) % QUEUE] = take_soonest(s);
	return true;
}

static bool open_shop(struct shop *s)
{
	if (s->morning < s->sizes.products) {
		new_product(s, s->morning++);
		return true;
	}
	if (s->customers < s->sizes.customers) {
		new_customer(s);
		return true;
	}
	s->open = true;
	s->morning = 0;
	start_hour(s);
	return advance(s);
}

bool shop_next(struct shop *s, struct shop_command *out)
{
	if (s->day == s->sizes.days || (s->queued == 0 && !(s->open ? advance(s) : open_shop(s))))
		return false;
	*out = s->queue[s->head];
	s->head = (s->head + 1) % QUEUE;
	s->queued--;
	return true;
}

struct shop *shop_new(const struct shop_sizes *sizes)
{
	struct shop *s = calloc(1, sizeof(*s));

	if (s == NULL)
		die("out of memory");
	s->sizes = *sizes;
	s->random = sizes->seed;
	s->now = START;
	s->product_weight = zipf(sizes->products, 0.85);
	s->customer_weight = zipf(sizes->customers, 0.6);
	s->price = calloc(sizes->products, sizeof(*s->price));
	s->stock = calloc(sizes->products, sizeof(*s->stock));
	s->wanted = calloc(sizes->products, sizeof(*s->wanted));
	if (s->price == NULL || s->stock == NULL || s->wanted == NULL)
		die("out of memory");
	return s;
}

void shop_free(struct shop *s)
{
	free(s->product_weight);
	free(s->customer_weight);
	free(s->price);
	free(s->stock);
	free(s->wanted);
	free(s->heap);
	free(s);
}

uint64_t shop_estimate(const struct shop_sizes *sizes)
{
	/* An order with its picks, its payment, and its share of all else. */
	return sizes->customers + sizes->products +
		(uint64_t)((double)sizes->days * sizes->orders_a_day * 4.2);
}
