/*
 * debian.h: the second act's data: this machine's package database, as its files have it.
 */
#ifndef LF_TOOLS_DEMO_DEBIAN_H
#define LF_TOOLS_DEMO_DEBIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/demo/oracle.h"

extern const struct relation DEBIAN_TABLES[];
extern const struct relation DEBIAN_VIEWS[];

/* --- reading --- */

/* A piece of a file's text; text NULL: there is none. */
struct span {
	const char *text;
	size_t n;
};

enum debian_kind { DEPENDS, PRE_DEPENDS, RECOMMENDS, SUGGESTS, DEBIAN_KINDS };

struct debian_package {
	struct span name, version, architecture, section, priority, maintainer, source;
	struct span installed_kib, download; /* numbers; download is not known of some */
	struct span needs[DEBIAN_KINDS];
	unsigned rank; /* of its file: of one name the least counts */
	bool installed;
};

struct debian {
	struct debian_package *package; /* one of a name, by name */
	size_t packages;
	struct debian_package *installed; /* of dpkg's status, by name */
	size_t ninstalled;
	void **text; /* the files */
	size_t ntexts;
};

/* Read dpkg's status and, unless `small`, apt's lists, and say which files were read and which could not be. */
void debian_read(struct debian *d, bool small);
void debian_free(struct debian *d);

struct debian_need {
	const char *kind;               /* "depends", "pre-depends", "recommends", "suggests" */
	unsigned position, alternative; /* "a, b | c": 1.1, 2.1, 2.2 */
	struct span target, bound;      /* bound: ">= 2.34"; no text: none */
};
/* The needs of a package one after another; false: no more. Start with an iterator of zeroes. */
struct debian_needs {
	unsigned kind, position, alternative;
	struct span rest;
	bool begun;
};
bool debian_next(const struct debian_package *p, struct debian_needs *at, struct debian_need *out);

#endif
