/*
 * words.h: the lists of clause 4.2.2.13 from which texts are drawn, and 4.2.3's regions and nations.
 */
#ifndef LF_BENCH_TPCH_WORDS_H
#define LF_BENCH_TPCH_WORDS_H

struct words {
	unsigned n;
	const char *const *words;
};

extern const struct words WORDS_REGION, WORDS_NATION, WORDS_PART_NAME, WORDS_TYPE_1, WORDS_TYPE_2,
	WORDS_TYPE_3, WORDS_CONTAINER_1, WORDS_CONTAINER_2, WORDS_SEGMENT, WORDS_PRIORITY,
	WORDS_INSTRUCTION, WORDS_MODE;
/* The specification's nouns, verbs, adjectives and adverbs, some of them, without its grammar. */
extern const struct words WORDS_TEXT;
/* By nation: the region's number. */
extern const unsigned char WORDS_NATION_REGION[];

#endif
