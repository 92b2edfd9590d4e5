/*
 * Indications: one thread per process listens to the daemon on a connection of its own and delivers what comes.
 *
 * It reconnects with growing pauses and sends the active filters again, so that subscriptions outlive the daemon.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client.h"
#include "provider.h"
#include "values.h"

enum {
    FIRST_PAUSE_MS = 250,
    LONGEST_PAUSE_MS = 30000,
    FRAME_MS = 10000 /* a frame that has begun arrives whole within this */
};

struct filter {
    struct filter *next;
    const struct provider *provider;
    unsigned uses;
    char *principal;
    char *ns;
    char *class_name;
    char *query;
};

/* A provider whose indications are enabled. */
struct source {
    struct source *next;
    const struct provider *provider;
    CMPIContext *master; /* made on a thread of the broker's; contexts of the watcher are derived from it */
    bool enabled;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over all below */
static struct filter *filters;
static struct source *sources;
static unsigned long generation; /* of the filters */
static bool running;
static int wake = -1;

/* Held while a batch is handed to the broker, so that nothing is delivered after disableIndications returned. */
static pthread_mutex_t delivery_lock = PTHREAD_MUTEX_INITIALIZER;

static void free_filter(struct filter *filter)
{
    free(filter->principal);
    free(filter->ns);
    free(filter->class_name);
    free(filter->query);
    free(filter);
}

/* [operation, "", null, null, [[provider, principal, namespace, class, query], ...]]; the lock is held. */
static bool write_filters(struct writer *request)
{
    size_t count = 0;
    for (struct filter *filter = filters; filter; filter = filter->next)
        count++;
    begin_request(request, OP_LISTEN, "", NULL);
    put_null(request);
    put_array(request, count);
    for (struct filter *filter = filters; filter; filter = filter->next) {
        put_array(request, 5);
        put_text(request, filter->provider->name);
        put_text(request, filter->principal);
        put_text(request, filter->ns);
        put_text(request, filter->class_name);
        put_text(request, filter->query);
    }
    return writer_finish(request);
}

/* Tell the daemon that it may forget the indication. */
static bool acknowledge(struct connection *connection)
{
    struct writer request;
    begin_request(&request, OP_TAKEN, "", NULL);
    put_null(&request);
    put_array(&request, 0);
    bool good = writer_finish(&request) && send_frame(connection, &request, now_ms() + FRAME_MS) == FAULT_NONE;
    writer_free(&request);
    return good;
}

/* What the CIM server cannot make, as of a class that it does not know, is left out. */
static void build_and_deliver(const struct source *source, const CMPIContext *context, struct reader *reader,
                              const char *ns, const char *class_name)
{
    const CMPIBroker *broker = source->provider->broker;
    struct scope scope = {.broker = broker, .ns = ns};
    const CMPIGcStat *mark = broker->mft ? broker->mft->mark(broker, NULL) : NULL;
    CMPIInstance *indication = take_instance(reader, &scope, class_name);
    if (indication && at_end(reader))
        broker->bft->deliverIndication(broker, context, ns, indication);
    if (mark)
        broker->mft->release(broker, mark);
}

/* Hand one indication over; false when the frame is none.  It is done on a context made for it: detaching destroys a context in SFCB and in Pegasus. */
static bool deliver(struct reader *reader)
{
    size_t count;
    uint64_t kind;
    char *name, *ns, *class_name;
    if (!take_array(reader, &count) || count != 5 || !take_uint(reader, ANSWER_INDICATION, &kind) ||
        kind != ANSWER_INDICATION || !take_text(reader, &name) || !take_text(reader, &ns) ||
        !take_text(reader, &class_name) || !*class_name)
        return false;
    pthread_mutex_lock(&delivery_lock);
    pthread_mutex_lock(&lock);
    struct source *source = sources;
    while (source && (!source->enabled || strcmp(source->provider->name, name) != 0))
        source = source->next;
    pthread_mutex_unlock(&lock);
    if (source) {
        const CMPIBroker *broker = source->provider->broker;
        CMPIContext *context = broker->bft->prepareAttachThread(broker, source->master);
        if (context) {
            broker->bft->attachThread(broker, context);
            build_and_deliver(source, context, reader, ns, class_name);
            broker->bft->detachThread(broker, context);
        }
    }
    pthread_mutex_unlock(&delivery_lock);
    return true;
}

/* Give back the contexts of providers that were disabled: only detaching frees a context. */
static void retire_sources(void)
{
    pthread_mutex_lock(&lock);
    for (struct source **at = &sources; *at;) {
        struct source *source = *at;
        if (source->enabled) {
            at = &source->next;
            continue;
        }
        *at = source->next;
        const CMPIBroker *broker = source->provider->broker;
        broker->bft->attachThread(broker, source->master);
        broker->bft->detachThread(broker, source->master);
        free(source);
    }
    pthread_mutex_unlock(&lock);
}

/* Until a change of the filters, something to read, or the end of the pause (-1: none). */
static bool wait_for_news(const struct connection *connection, int pause)
{
    struct pollfd watched[] = {{.fd = wake, .events = POLLIN},
                               {.fd = connection ? connection->fd : -1, .events = POLLIN}};
    poll(watched, 2, pause);
    uint64_t count;
    if (watched[0].revents && read(wake, &count, sizeof count) < 0 && errno != EAGAIN)
        return false;
    return watched[1].revents != 0;
}

/* Send the filters when they changed; false when the connection is of no more use. */
static bool update_filters(struct connection *connection, unsigned long *sent)
{
    struct writer request = {0};
    pthread_mutex_lock(&lock);
    bool changed = *sent != generation;
    bool good = !changed || write_filters(&request);
    *sent = generation;
    pthread_mutex_unlock(&lock);
    if (changed && good)
        good = send_frame(connection, &request, now_ms() + FRAME_MS) == FAULT_NONE;
    writer_free(&request);
    return good;
}

/*
 * Whether there is anything to listen for.  A connection is begun only while indications are enabled, and stays as long as
 * there are filters: the daemon keeps what happens for a CIM server that is gone, not for one that wants nothing.
 */
static bool wanted(bool connected)
{
    pthread_mutex_lock(&lock);
    bool enabled = connected;
    for (struct source *source = sources; source; source = source->next)
        enabled = enabled || source->enabled;
    bool result = enabled && filters;
    pthread_mutex_unlock(&lock);
    return result;
}

static void *watch(void *unused)
{
    (void)unused;
    struct connection *connection = NULL;
    unsigned long sent = 0;
    int pause = FIRST_PAUSE_MS;
    for (;;) {
        retire_sources();
        if (!wanted(connection != NULL)) {
            if (connection) {
                update_filters(connection, &sent); /* none */
                connection_close(connection);
            }
            connection = NULL;
            wait_for_news(NULL, -1);
            continue;
        }
        if (!connection) {
            enum fault fault;
            uint64_t version;
            connection = connection_open(now_ms() + FRAME_MS, &fault, &version);
            sent = 0;
            if (!connection) {
                wait_for_news(NULL, pause);
                pause = pause < LONGEST_PAUSE_MS / 2 ? 2 * pause : LONGEST_PAUSE_MS;
                continue;
            }
        }
        bool good = update_filters(connection, &sent);
        if (good && wait_for_news(connection, -1)) {
            struct reader reader;
            good = receive_frame(connection, now_ms() + FRAME_MS, &reader) == FAULT_NONE && deliver(&reader) &&
                   acknowledge(connection);
            if (good)
                pause = FIRST_PAUSE_MS;
        }
        if (!good) {
            connection_close(connection);
            connection = NULL;
            wait_for_news(NULL, pause);
            pause = pause < LONGEST_PAUSE_MS / 2 ? 2 * pause : LONGEST_PAUSE_MS;
        }
    }
    return NULL;
}

/* Start the watcher where there is none, or tell it to look; the lock is held. */
static void notify(void)
{
    if (wake < 0)
        wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!running && wake >= 0) {
        /* The broker's signals are the broker's. */
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_t thread;
        running = pthread_create(&thread, NULL, watch, NULL) == 0;
        if (running)
            pthread_detach(thread);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    uint64_t one = 1;
    if (wake >= 0 && write(wake, &one, sizeof one) < 0)
        return; /* the counter is full: the watcher has enough reason to look */
}

static void before_fork(void)
{
    pthread_mutex_lock(&delivery_lock);
    pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&delivery_lock);
}

/* The child has no watcher and must not read its parent's wake-ups. */
static void after_fork_child(void)
{
    running = false;
    if (wake >= 0)
        close(wake);
    wake = -1;
    after_fork_parent();
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static const char *query_of(const CMPISelectExp *filter)
{
    const char *query = filter ? text_of(filter->ft->getString(filter, NULL)) : NULL;
    return query ? query : "";
}

static const char *namespace_of(const CMPIObjectPath *path)
{
    const char *ns = path ? text_of(path->ft->getNameSpace(path, NULL)) : NULL;
    return ns ? ns : "";
}

CMPIStatus indications_authorize(const struct provider *provider, const CMPIContext *context,
                                 const CMPISelectExp *filter, const char *class_name, const CMPIObjectPath *path)
{
    struct writer request;
    begin_request(&request, OP_AUTHORIZE, provider->name, principal_of(context));
    put_null(&request);
    put_array(&request, 3);
    put_text(&request, namespace_of(path));
    put_text(&request, class_name);
    put_text(&request, query_of(filter));
    CMPIStatus status = {.rc = CMPI_RC_OK};
    enum fault fault = FAULT_NONE;
    uint64_t version, kind, rc;
    int64_t deadline = now_ms() + call_timeout_ms();
    struct connection *connection = writer_finish(&request) ? connection_open(deadline, &fault, &version) : NULL;
    if (connection) {
        struct reader reader;
        size_t count;
        char *text;
        fault = send_frame(connection, &request, deadline);
        if (!fault)
            fault = receive_frame(connection, deadline, &reader);
        /* While the daemon is away filters are taken: a CIM server reads them before anything else at its start.
           The daemon looks at them again when they are sent to it. */
        if (!fault && take_array(&reader, &count) && count == 3 && take_uint(&reader, ANSWER_ERROR, &kind) &&
            kind == ANSWER_ERROR && take_uint(&reader, UINT8_MAX, &rc) && take_text(&reader, &text)) {
            status.rc = rc && rc <= CMPI_RC_ERR_METHOD_NOT_FOUND ? (CMPIrc)rc : CMPI_RC_ERR_FAILED;
            status.msg = provider->broker->eft->newString(provider->broker, text, NULL);
        }
        connection_close(connection);
    }
    writer_free(&request);
    return status;
}

/* The link that points to this filter, or to the end; the lock is held. */
static struct filter **find_filter(const struct provider *provider, const CMPISelectExp *filter,
                                   const char *class_name, const CMPIObjectPath *path)
{
    struct filter **at = &filters;
    while (*at && ((*at)->provider != provider || strcmp((*at)->ns, namespace_of(path)) != 0 ||
                   strcmp((*at)->class_name, class_name) != 0 || strcmp((*at)->query, query_of(filter)) != 0))
        at = &(*at)->next;
    return at;
}

CMPIStatus indications_activate(const struct provider *provider, const CMPIContext *context,
                                const CMPISelectExp *filter, const char *class_name, const CMPIObjectPath *path)
{
    class_name = class_name ? class_name : "";
    /* OpenPegasus does not have filters authorized. */
    CMPIStatus status = indications_authorize(provider, context, filter, class_name, path);
    if (status.rc != CMPI_RC_OK)
        return status;
    pthread_mutex_lock(&lock);
    struct filter *known = *find_filter(provider, filter, class_name, path);
    if (known) {
        known->uses++;
    } else {
        const char *principal = principal_of(context);
        struct filter *added = calloc(1, sizeof *added);
        if (added) {
            *added = (struct filter){.next = filters, .provider = provider, .uses = 1};
            added->principal = strdup(principal ? principal : "");
            added->ns = strdup(namespace_of(path));
            added->class_name = strdup(class_name);
            added->query = strdup(query_of(filter));
        }
        if (added && added->principal && added->ns && added->class_name && added->query) {
            filters = added;
            generation++;
        } else {
            if (added)
                free_filter(added);
            status.rc = CMPI_RC_ERR_FAILED;
        }
    }
    notify();
    pthread_mutex_unlock(&lock);
    return status;
}

CMPIStatus indications_deactivate(const struct provider *provider, const CMPISelectExp *filter,
                                  const char *class_name, const CMPIObjectPath *path)
{
    pthread_mutex_lock(&lock);
    struct filter **at = find_filter(provider, filter, class_name ? class_name : "", path);
    struct filter *known = *at;
    if (known && --known->uses == 0) {
        *at = known->next;
        free_filter(known);
        generation++;
        notify();
    }
    pthread_mutex_unlock(&lock);
    return (CMPIStatus){.rc = CMPI_RC_OK};
}

CMPIStatus indications_enable(const struct provider *provider, const CMPIContext *context)
{
    CMPIStatus status = {.rc = CMPI_RC_OK};
    pthread_mutex_lock(&lock);
    struct source *source = sources;
    while (source && (source->provider != provider || !source->enabled))
        source = source->next;
    if (!source) {
        source = calloc(1, sizeof *source);
        CMPIContext *master = source ? provider->broker->bft->prepareAttachThread(provider->broker, context) : NULL;
        if (master) {
            *source = (struct source){.next = sources, .provider = provider, .master = master, .enabled = true};
            sources = source;
            generation++;
        } else {
            free(source);
            status.rc = CMPI_RC_ERR_FAILED;
        }
    }
    notify();
    pthread_mutex_unlock(&lock);
    return status;
}

CMPIStatus indications_disable(const struct provider *provider)
{
    pthread_mutex_lock(&delivery_lock);
    pthread_mutex_lock(&lock);
    for (struct source *source = sources; source; source = source->next)
        if (source->provider == provider)
            source->enabled = false;
    if (running)
        notify();
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&delivery_lock);
    return (CMPIStatus){.rc = CMPI_RC_OK};
}
