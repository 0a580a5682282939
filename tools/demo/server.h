/*
 * server.h: the demo's own leftfoldd, and who cleans up after it.
 */
#ifndef LF_TOOLS_DEMO_SERVER_H
#define LF_TOOLS_DEMO_SERVER_H

/* Start build/leftfoldd on a free port of the loopback interface with a temporary data directory, run play(arg, its
 * address) in a child process, stop the server with SIGTERM and remove the directory: also when the play fails or
 * crashes and when this process gets SIGINT, SIGTERM or SIGHUP. Returns the exit code: the play's, 1 when the
 * server could not start or ended otherwise than with 0, or 128 + the signal. */
int server_run(const char *build, int (*play)(void *arg, const char *address), void *arg);

#endif
