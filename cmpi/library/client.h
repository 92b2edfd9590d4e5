/*
 * Connections to the daemon: made, kept for reuse, watched by a deadline.  Knows frames and nothing of CMPI.
 */
#ifndef VIRTCIM_CLIENT_H
#define VIRTCIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* Where a call went wrong. */
enum fault {
    FAULT_NONE = 0,
    FAULT_ABSENT,   /* nobody listens on the socket */
    FAULT_DENIED,   /* the socket may not be opened, or the daemon hung up before the greeting */
    FAULT_TIMEOUT,  /* the deadline passed */
    FAULT_CLOSED,   /* the daemon hung up in the middle of the call */
    FAULT_VERSION,  /* the daemon speaks another version of the protocol */
    FAULT_CORRUPT,  /* what came is no frame of the protocol */
    FAULT_MEMORY    /* no memory, or a request beyond the frame limit */
};

struct connection {
    struct connection *next; /* of the idle ones */
    int fd;
    unsigned char *buffer;
    size_t size;
    uint64_t peer_version; /* what the daemon said in its greeting, for FAULT_VERSION */
};

/* Milliseconds of the monotonic clock. */
int64_t now_ms(void);
/* The limit of one call in milliseconds: VIRTCIM_CMPI_TIMEOUT in seconds, or the default. */
int64_t call_timeout_ms(void);
/* The socket: VIRTCIM_CMPI_SOCKET, or what was compiled in. */
const char *socket_path(void);

/* Connect and greet.  NULL on a fault; `version` gets the daemon's protocol version on FAULT_VERSION. */
struct connection *connection_open(int64_t deadline, enum fault *fault, uint64_t *version);
/* An idle connection that the daemon has not hung up, or NULL. */
struct connection *connection_idle(void);
/* Hand back a connection whose last answer was read to its end. */
void connection_keep(struct connection *connection);
void connection_close(struct connection *connection);

enum fault send_frame(struct connection *connection, const struct writer *frame, int64_t deadline);
/* The body of the next frame; `reader` stays valid until the next call on this connection. */
enum fault receive_frame(struct connection *connection, int64_t deadline, struct reader *reader);

/* Write to `text` what went wrong and what the administrator is to do about it. */
void describe_fault(enum fault fault, uint64_t version, bool changing, char *text, size_t size);

#endif
