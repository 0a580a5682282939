/*
 * json.h: the types json and jsonb. Both are kept as text: json as it was written, jsonb as PostgreSQL prints it (keys by
 * length, then by bytes, the last of those that are equal; one blank behind : and ,; numbers as numeric prints them).
 */
#ifndef LF_SQL_JSON_H
#define LF_SQL_JSON_H

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/store/value.h"

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* A part of a JSON text that is well-formed. */
struct json {
	const char *p;
	size_t n;
};

/* Check text (valid UTF-8), and for jsonb write it anew. The result's bytes lie in the arena. 0, or -1: 22P02; 22P05 a
 * character jsonb cannot hold; 22003 a number of too many digits; 54001 nested too deeply; 53200. */
int json_parse(struct value *out, enum type_id type, const char *s, size_t len, struct arena *a,
	struct error *e);

/* Without the blanks around. */
struct json json_of(const struct value *v);
enum json_kind json_kind(struct json j);
/* The value of a key in an object, the last one; an element of an array, from its end when k < 0. False: there is none. */
bool json_member(
	struct json object, const char *key, size_t len, struct arena *a, struct json *out);
bool json_element(struct json array, int64_t k, struct json *out);
/* The members of an object one by one: *at is NULL at first. The key has its quotes. False: there is no other. */
bool json_next(struct json object, const char **at, struct json *key, struct json *value);
/* The elements of an array, likewise. */
bool json_next_element(struct json array, const char **at, struct json *out);
/* Whether jsonb `a` contains `b`, as PostgreSQL's @> has it. */
bool json_contains(struct json a, struct json b, struct arena *arena);
/* Elements of an array. */
int64_t json_length(struct json array);
/* A value as text: strings without quotes and escapes. *out may point into j. 0, or -1: 22P05, 53200. */
int json_text(struct json j, struct json *out, struct arena *a, struct error *e);

#endif
