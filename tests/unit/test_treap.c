/*
 * test_treap.c: nodes that come and go in a random order: what is found, how they lie, and that the tree of a set is one
 * and the same whichever way it came about.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/flow/treap.h"

enum { KEYS = 100, STEPS = 4000 };

struct node {
	struct treap tree;
	int key;
	bool there;
};

struct bed {
	struct node nodes[KEYS];
	struct treap *root;
	int sign; /* -1: the order is the other way round */
};

static int compare(const void *arg, const void *key, const struct treap *t)
{
	const struct bed *b = arg;
	int x = *(const int *)key, y = ((const struct node *)t)->key;

	return b->sign * ((x > y) - (x < y));
}

static void add(struct bed *b, struct node *n)
{
	n->tree = (struct treap){ .priority = hash_u64((uint64_t)n->key) };
	n->there = true;
	treap_insert(&b->root, compare, b, &n->key, &n->tree);
}

/* The nodes below t in order, heaped; *last is the last that was seen. How many there are. */
static unsigned check(const struct bed *b, const struct treap *t, const struct treap **last)
{
	unsigned n;

	if (t == NULL)
		return 0;
	assert_true(((const struct node *)t)->there);
	assert_true(t->left == NULL || t->left->priority <= t->priority);
	assert_true(t->right == NULL || t->right->priority <= t->priority);
	n = check(b, t->left, last);
	if (*last != NULL)
		assert_true(compare(b, &((const struct node *)*last)->key, t) < 0);
	*last = t;
	return n + 1 + check(b, t->right, last);
}

static void assert_same(const struct treap *a, const struct treap *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a == NULL)
		return;
	assert_int_equal(((const struct node *)a)->key, ((const struct node *)b)->key);
	assert_same(a->left, b->left);
	assert_same(a->right, b->right);
}

static void run(int sign)
{
	static struct bed came, made;
	uint64_t random = 0;
	unsigned n = 0;

	memset(&came, 0, sizeof(came));
	came.sign = sign;
	for (int i = 0; i < KEYS; i++)
		came.nodes[i].key = i;
	for (unsigned step = 0; step < STEPS; step++) {
		struct node *some;
		struct treap **link;

		random = hash_u64(random + 1);
		some = &came.nodes[random % KEYS];
		link = treap_find(&came.root, compare, &came, &some->key);
		if (some->there) {
			assert_ptr_equal(*link, &some->tree);
			treap_remove(link);
			some->there = false;
			n--;
		} else {
			assert_null(*link);
			add(&came, some);
			n++;
		}
		if (step % 50 == 0 || n == 0) {
			const struct treap *last = NULL;

			assert_int_equal(check(&came, came.root, &last), n);
			memcpy(&made, &came, sizeof(made));
			made.root = NULL;
			for (unsigned i = 0; i < KEYS; i++)
				if (made.nodes[i].there)
					add(&made, &made.nodes[i]);
			assert_same(came.root, made.root);
		}
	}
	for (unsigned i = 0; i < KEYS; i++)
		if (came.nodes[i].there)
			treap_remove(treap_find(&came.root, compare, &came, &came.nodes[i].key));
	assert_null(came.root);
}

static void test_ascending(void **state)
{
	(void)state;
	run(1);
}

static void test_descending(void **state)
{
	(void)state;
	run(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascending),
		cmocka_unit_test(test_descending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
