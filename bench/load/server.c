#include "bench/load/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLAGS_MAX = 64, START_SECONDS = 60, STOP_SECONDS = 60 };

struct server {
	pid_t pid;
	char directory[64];
	char port_file[80];
	char address[64];
};

static void sleep_ms(unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* In the child: never returns. */
static void server_exec(const struct server *s, const char *path, char *flags, int cpu)
{
	const char *args[FLAGS_MAX + 9] = { path, "--listen", "127.0.0.1:0", "--port-file",
		s->port_file, "--log-level", "warn" };
	unsigned n = 7;
	char *rest = flags;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (char *flag; n < FLAGS_MAX + 8 && (flag = strtok_r(rest, " ", &rest)) != NULL;)
		args[n++] = flag;
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (null >= 0)
		(void)dup2(null, STDOUT_FILENO);
	if (cpu < 0 || cpu_pin(cpu) == 0)
		(void)execv(path, (char *const *)(uintptr_t)args);
	fprintf(stderr, "leftfold-bench: %s: %s\n", path, strerror(errno));
	_exit(127);
}

static bool address_read(struct server *s)
{
	FILE *f = fopen(s->port_file, "re");
	bool got;

	if (f == NULL)
		return false;
	got = fscanf(f, "%63s", s->address) == 1;
	fclose(f);
	return got;
}

struct server *server_start(const char *path, const char *flags, int cpu)
{
	struct server *s = calloc(1, sizeof(*s));
	char *own = strdup(flags);
	int status = 0;

	if (s == NULL || own == NULL) {
		fprintf(stderr, "leftfold-bench: out of memory\n");
		free(own);
		free(s);
		return NULL;
	}
	(void)snprintf(s->directory, sizeof(s->directory), "/tmp/leftfold-bench-XXXXXX");
	if (mkdtemp(s->directory) == NULL) {
		fprintf(stderr, "leftfold-bench: %s: %s\n", s->directory, strerror(errno));
		free(own);
		free(s);
		return NULL;
	}
	(void)snprintf(s->port_file, sizeof(s->port_file), "%s/port", s->directory);
	fflush(NULL);
	s->pid = fork();
	if (s->pid == 0)
		server_exec(s, path, own, cpu);
	free(own);
	for (unsigned waited = 0; s->pid > 0 && waited < START_SECONDS * 1000; waited += 5) {
		if (address_read(s))
			return s;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = -1;
			break;
		}
		sleep_ms(5);
	}
	fprintf(stderr, "leftfold-bench: %s did not start\n", path);
	(void)server_stop(s);
	return NULL;
}

const char *server_address(const struct server *s)
{
	return s->address;
}

pid_t server_pid(const struct server *s)
{
	return s->pid;
}

int server_stop(struct server *s)
{
	int status = 1;

	if (s == NULL)
		return 0;
	if (s->pid > 0) {
		unsigned waited = 0;

		(void)kill(s->pid, SIGTERM);
		while (waitpid(s->pid, &status, WNOHANG) == 0) {
			if (waited >= STOP_SECONDS * 1000)
				(void)kill(s->pid, SIGKILL);
			sleep_ms(5);
			waited += 5;
		}
	}
	(void)unlink(s->port_file);
	(void)rmdir(s->directory);
	free(s);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* --- processor time --- */

/* A /proc/…/stat: its name, and fields 14 and 15. The name may hold anything, so fields count from its end. */
static bool stat_read(const char *path, char name[CPU_NAME_MAX], double *user, double *system)
{
	char text[1024];
	unsigned long long u, s;
	char *begin, *end;
	size_t n;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	begin = strchr(text, '(');
	end = strrchr(text, ')');
	if (begin == NULL || end == NULL ||
		sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &u, &s) !=
			2)
		return false;
	*end = '\0';
	(void)snprintf(name, CPU_NAME_MAX, "%.*s", CPU_NAME_MAX - 1, begin + 1);
	*user = (double)u / (double)sysconf(_SC_CLK_TCK);
	*system = (double)s / (double)sysconf(_SC_CLK_TCK);
	return true;
}

bool cpu_usage_read(struct cpu_usage *u, pid_t pid)
{
	char path[64], name[CPU_NAME_MAX];
	struct dirent *entry;
	DIR *tasks;

	u->nthreads = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!stat_read(path, name, &u->user, &u->system))
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks != NULL && u->nthreads < CPU_THREADS_MAX && (entry = readdir(tasks)) != NULL) {
		struct cpu_thread *t = &u->threads[u->nthreads];

		t->id = atoi(entry->d_name);
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)t->id);
		u->nthreads += t->id > 0 && stat_read(path, t->name, &t->user, &t->system);
	}
	if (tasks != NULL)
		closedir(tasks);
	return true;
}

void cpu_usage_since(struct cpu_usage *u, const struct cpu_usage *before)
{
	u->user -= before->user;
	u->system -= before->system;
	for (unsigned i = 0; i < u->nthreads; i++)
		for (unsigned k = 0; k < before->nthreads; k++)
			if (u->threads[i].id == before->threads[k].id) {
				u->threads[i].user -= before->threads[k].user;
				u->threads[i].system -= before->threads[k].system;
			}
}

int cpu_allowed(unsigned i)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &set) && i-- == 0)
			return cpu;
	return -1;
}

int cpu_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}
