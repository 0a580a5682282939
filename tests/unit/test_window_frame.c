/*
 * window_frame.h: frames of ROWS and GROUPS, and what EXCLUDE leaves of them, against a look at every row.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/flow/window_frame.h"

enum { N = 9 };

/* Peers: 0 | 1 2 3 | 4 5 | 6 | 7 8. */
static uint64_t first[N] = { 0, 1, 1, 1, 4, 4, 6, 7, 7 };
static uint64_t last[N] = { 0, 3, 3, 3, 5, 5, 6, 8, 8 };
static const int64_t group[N] = { 0, 1, 1, 1, 2, 2, 3, 4, 4 };
static const struct rows ROWS = { .n = N, .first = first, .last = last };

static bool wanted(const struct window_frame *f, int64_t i, int64_t k)
{
	int64_t distance = f->mode == FRAME_ROWS ? k - i : group[k] - group[i];

	if (!f->from_first && distance < f->from)
		return false;
	if (!f->to_last && distance > f->to)
		return false;
	switch (f->exclude) {
	case EXCLUDE_ROW: return k != i;
	case EXCLUDE_GROUP: return group[k] != group[i];
	case EXCLUDE_TIES: return k == i || group[k] != group[i];
	default: return true;
	}
}

static void check(const struct window_frame *f)
{
	struct window w = { .norder = 1 };
	struct arena a;
	struct frame *list;

	arena_init(&a, NULL);
	list = frames_of(&w, f, &ROWS, &a);
	assert_non_null(list);
	for (int64_t i = 0; i < N; i++) {
		struct frame pieces[FRAME_PIECES];
		int64_t next = 0;

		if (i > 0)
			assert_true(
				list[i].from >= list[i - 1].from && list[i].to >= list[i - 1].to);
		frame_pieces(f, &ROWS, (uint64_t)i, list[i], pieces);
		/* In order, and exactly the rows wanted. */
		for (unsigned p = 0; p < FRAME_PIECES; p++)
			for (int64_t k = pieces[p].from; k < pieces[p].to; k++) {
				assert_true(k >= next && k < N && wanted(f, i, k));
				while (next < k)
					assert_false(wanted(f, i, next++));
				next = k + 1;
			}
		while (next < N)
			assert_false(wanted(f, i, next++));
	}
	arena_free(&a);
}

static void test_frames(void **unused)
{
	static const enum frame_mode MODES[] = { FRAME_ROWS, FRAME_GROUPS };
	struct window_frame f = { .key = -1, .from_bound = -1, .to_bound = -1 };

	(void)unused;
	for (unsigned m = 0; m < 2; m++)
		for (int ends = 0; ends < 4; ends++)
			for (int x = EXCLUDE_NOTHING; x <= EXCLUDE_TIES; x++)
				for (f.from = -4; f.from <= 4; f.from++)
					for (f.to = -4; f.to <= 12; f.to++) {
						f.mode = MODES[m];
						f.exclude = (enum frame_exclude)x;
						f.from_first = ends & 1;
						f.to_last = ends & 2;
						check(&f);
					}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_frames) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
