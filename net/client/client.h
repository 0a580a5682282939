/*
 * client.h: a connection to leftfoldd: frames out, frames in. libc only.
 *
 * Pipelining is plain: send any number of frames, flush, receive the answers, matched by request id. What the
 * frames hold is in net/PROTOCOL.md and net/wire/wire.h.
 */
#ifndef LF_NET_CLIENT_CLIENT_H
#define LF_NET_CLIENT_CLIENT_H

#include "net/wire/wire.h"

struct lfc;

/* A frame received; body is valid until the next lfc_receive(). */
struct lfc_frame {
	struct wire_header header;
	const unsigned char *body;
};

/* Connect to "ADDR:PORT" and say hello. NULL with a text of what failed in message (cap bytes). */
struct lfc *lfc_open(const char *address, char *message, size_t cap);
void lfc_close(struct lfc *c);
/* What the server said in its hello. */
const struct wire_hello_ok *lfc_server(const struct lfc *c);

/* Append a frame to the output: a head and a body (either may be empty). 0, or -1 out of memory. */
int lfc_send(struct lfc *c, enum wire_type type, uint64_t request, const void *head, size_t nhead,
	const void *body, size_t nbody);
/* Write the output. 0, or -1 (errno). */
int lfc_flush(struct lfc *c);
/* The next frame, waiting for it. 1; 0: the server has closed the connection; -1 (errno). */
int lfc_receive(struct lfc *c, struct lfc_frame *f);

#endif
