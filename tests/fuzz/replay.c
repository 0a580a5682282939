/*
 * replay.c: runs a fuzz target without a fuzzer: over the files given, or over all of its corpus (for
 * fuzz_NAME the directory tests/fuzz/corpus/NAME). So the tests of every variant see what fuzzing has found.
 */
#include <dirent.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t n = 0, got, cap = 0;

	if (f == NULL) {
		perror(path);
		return 1;
	}
	do {
		if (n == cap) {
			cap = cap == 0 ? 65536 : 2 * cap;
			data = realloc(data, cap);
			if (data == NULL)
				abort();
		}
		got = fread(data + n, 1, cap - n, f);
		n += got;
	} while (got > 0);
	fclose(f);
	/* The exact size, so that a sanitizer sees what is read beyond it. */
	data = realloc(data, n > 0 ? n : 1);
	(void)LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	char path[4096], *name = basename(argv[0]);
	unsigned n = 0;
	int failed = 0;
	const struct dirent *entry;
	DIR *d;

	for (int i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	if (argc > 1)
		return failed;
	(void)snprintf(path, sizeof(path), "tests/fuzz/corpus/%s",
		strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
	d = opendir(path);
	if (d == NULL) {
		perror(path);
		return 1;
	}
	while ((entry = readdir(d)) != NULL) {
		char file[8192];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		failed |= replay(file);
		n++;
	}
	closedir(d);
	printf("%u inputs of %s\n", n, path);
	return failed || n == 0;
}
