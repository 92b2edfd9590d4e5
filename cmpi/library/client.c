#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef VIRTCIM_CMPI_SOCKET
#define VIRTCIM_CMPI_SOCKET "/run/virtcim/cmpi.sock"
#endif

enum {
    DEFAULT_TIMEOUT_S = 35,  /* SFCB ends a call after 40 s, and cannot say why; what takes longer has become a job */
    GREETING_MS = 5000,      /* a daemon that is well greets at once */
    IDLE_MAX = 4,            /* connections kept; more are opened while more calls run */
    FIRST_BUFFER = 4096,
    KEPT_BUFFER = 256 * 1024 /* a larger buffer is given back after the call, so that idle memory stays small */
};

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *idle;
static int idle_count;

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t call_timeout_ms(void)
{
    const char *given = secure_getenv("VIRTCIM_CMPI_TIMEOUT");
    char *end = NULL;
    double seconds = given ? strtod(given, &end) : 0;
    if (!given || end == given || *end || !(seconds > 0 && seconds <= 86400))
        seconds = DEFAULT_TIMEOUT_S;
    return (int64_t)(seconds * 1000);
}

const char *socket_path(void)
{
    const char *given = secure_getenv("VIRTCIM_CMPI_SOCKET");
    return given && *given ? given : VIRTCIM_CMPI_SOCKET;
}

/* A process that forks (SFCB does for each provider group) must not share its connections with the child. */
static void before_fork(void)
{
    pthread_mutex_lock(&idle_lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&idle_lock);
}

static void after_fork_child(void)
{
    while (idle) {
        struct connection *connection = idle;
        idle = connection->next;
        connection_close(connection);
    }
    idle_count = 0;
    pthread_mutex_unlock(&idle_lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* Wait until `fd` is ready for `events`. */
static enum fault wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return FAULT_TIMEOUT;
        struct pollfd watched = {.fd = fd, .events = events};
        int ready = poll(&watched, 1, left > 60000 ? 60000 : (int)left);
        if (ready > 0)
            return FAULT_NONE;
        if (ready < 0 && errno != EINTR)
            return FAULT_MEMORY;
    }
}

static enum fault read_whole(int fd, unsigned char *at, size_t size, int64_t deadline)
{
    while (size) {
        ssize_t got = recv(fd, at, size, MSG_DONTWAIT);
        if (got > 0) {
            at += got;
            size -= (size_t)got;
            continue;
        }
        if (got == 0)
            return FAULT_CLOSED;
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum fault fault = wait_for(fd, POLLIN, deadline);
            if (fault)
                return fault;
        } else if (errno != EINTR) {
            return FAULT_CLOSED;
        }
    }
    return FAULT_NONE;
}

enum fault send_frame(struct connection *connection, const struct writer *frame, int64_t deadline)
{
    const unsigned char *at = frame->data;
    size_t left = frame->used;
    while (left) {
        ssize_t sent = send(connection->fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            at += sent;
            left -= (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            enum fault fault = wait_for(connection->fd, POLLOUT, deadline);
            if (fault)
                return fault;
        } else if (errno != EINTR) {
            return FAULT_CLOSED;
        }
    }
    return FAULT_NONE;
}

enum fault receive_frame(struct connection *connection, int64_t deadline, struct reader *reader)
{
    unsigned char header[FRAME_HEADER];
    enum fault fault = read_whole(connection->fd, header, sizeof header, deadline);
    if (fault)
        return fault;
    size_t length = (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    if (length == 0 || length > FRAME_LIMIT)
        return FAULT_CORRUPT;
    if (length > connection->size) {
        size_t size = connection->size ? connection->size : FIRST_BUFFER;
        while (size < length)
            size *= 2;
        free(connection->buffer);
        connection->size = 0;
        connection->buffer = malloc(size);
        if (!connection->buffer)
            return FAULT_MEMORY;
        connection->size = size;
    }
    fault = read_whole(connection->fd, connection->buffer, length, deadline);
    *reader = (struct reader){.data = connection->buffer, .size = length};
    return fault;
}

static enum fault connect_socket(int fd, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = socket_path();
    if (strlen(path) >= sizeof address.sun_path)
        return FAULT_ABSENT;
    strcpy(address.sun_path, path);
    while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == EAGAIN) {
            /* The daemon's queue of new connections is full; poll() cannot wait for a place in it. */
            if (now_ms() >= deadline)
                return FAULT_TIMEOUT;
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        } else if (errno == EACCES || errno == EPERM) {
            return FAULT_DENIED;
        } else if (errno != EINTR) {
            return FAULT_ABSENT;
        }
    }
    return FAULT_NONE;
}

/* Say who we are and hear who answers: [name, version, text] in both directions. */
static enum fault greet(struct connection *connection, int64_t deadline)
{
    struct writer frame;
    writer_begin(&frame);
    put_array(&frame, 3);
    put_text(&frame, PROTOCOL_NAME);
    put_uint(&frame, PROTOCOL_VERSION);
    put_text(&frame, "libvirtcim");
    enum fault fault = writer_finish(&frame) ? send_frame(connection, &frame, deadline) : FAULT_MEMORY;
    writer_free(&frame);
    if (fault)
        return fault == FAULT_CLOSED ? FAULT_DENIED : fault;
    struct reader reader;
    fault = receive_frame(connection, deadline, &reader);
    if (fault)
        return fault == FAULT_CLOSED ? FAULT_DENIED : fault;
    size_t count;
    char *name;
    if (!take_array(&reader, &count) || count < 2 || !take_text(&reader, &name) || strcmp(name, PROTOCOL_NAME) != 0 ||
        !take_uint(&reader, UINT32_MAX, &connection->peer_version))
        return FAULT_CORRUPT;
    return connection->peer_version == PROTOCOL_VERSION ? FAULT_NONE : FAULT_VERSION;
}

struct connection *connection_open(int64_t deadline, enum fault *fault, uint64_t *version)
{
    int64_t limit = now_ms() + GREETING_MS;
    if (deadline > limit)
        deadline = limit;
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        *fault = FAULT_MEMORY;
        return NULL;
    }
    connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *fault = connection->fd < 0 ? FAULT_MEMORY : connect_socket(connection->fd, deadline);
    if (!*fault)
        *fault = greet(connection, deadline);
    if (!*fault)
        return connection;
    *version = connection->peer_version;
    connection_close(connection);
    return NULL;
}

struct connection *connection_idle(void)
{
    for (;;) {
        pthread_mutex_lock(&idle_lock);
        struct connection *connection = idle;
        if (connection) {
            idle = connection->next;
            idle_count--;
        }
        pthread_mutex_unlock(&idle_lock);
        if (!connection)
            return NULL;
        struct pollfd watched = {.fd = connection->fd, .events = POLLIN};
        if (poll(&watched, 1, 0) == 0)
            return connection;
        /* Readable while nothing was asked: the daemon is gone or confused. */
        connection_close(connection);
    }
}

void connection_keep(struct connection *connection)
{
    if (connection->size > KEPT_BUFFER) {
        free(connection->buffer);
        connection->buffer = NULL;
        connection->size = 0;
    }
    pthread_mutex_lock(&idle_lock);
    bool kept = idle_count < IDLE_MAX;
    if (kept) {
        connection->next = idle;
        idle = connection;
        idle_count++;
    }
    pthread_mutex_unlock(&idle_lock);
    if (!kept)
        connection_close(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->buffer);
    free(connection);
}

void describe_fault(enum fault fault, uint64_t version, bool changing, char *text, size_t size)
{
    const char *unsure = changing ? " Whether the change was made is not known: look before you repeat it." : "";
    switch (fault) {
    case FAULT_ABSENT:
        snprintf(text, size,
                 "The virtcim daemon is not running: nobody listens on %s. Start it (systemctl start virtcim), with the "
                 "CMPI socket enabled in its settings.",
                 socket_path());
        break;
    case FAULT_DENIED:
        snprintf(text, size,
                 "The virtcim daemon refuses this process (user %u) on %s. Run the CIM server as a user that the "
                 "daemon's CMPI settings allow; the daemon's log names the refusal.",
                 (unsigned)geteuid(), socket_path());
        break;
    case FAULT_TIMEOUT:
        snprintf(text, size,
                 "The virtcim daemon did not answer in time.%s See its log (journalctl -u virtcim). A call may take %lld "
                 "s: VIRTCIM_CMPI_TIMEOUT in the environment of the CIM server.",
                 unsure, (long long)(call_timeout_ms() / 1000));
        break;
    case FAULT_CLOSED:
        snprintf(text, size,
                 "The virtcim daemon went away during the call.%s See its state and log (systemctl status virtcim).",
                 unsure);
        break;
    case FAULT_VERSION:
        snprintf(text, size,
                 "libvirtcim.so speaks version %d of the bridge protocol and the virtcim daemon version %llu. Install "
                 "both from one release, then restart the daemon and the CIM server.",
                 PROTOCOL_VERSION, (unsigned long long)version);
        break;
    case FAULT_CORRUPT:
        snprintf(text, size,
                 "What came from %s is not the bridge protocol.%s Check that the virtcim daemon owns this socket, and "
                 "that it and libvirtcim.so are of one release.",
                 socket_path(), unsure);
        break;
    default:
        snprintf(text, size,
                 "The request cannot be passed to the virtcim daemon: it has more than %d bytes or a value of no CIM "
                 "type, or this process is out of memory or files.",
                 FRAME_LIMIT);
        break;
    }
}
