/*
 * The four provider interfaces of CMPI, each operation one request to the daemon.
 */
#define _GNU_SOURCE
#include "provider.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "values.h"

enum {
    MI_VERSION = 200,
    TEXT_SIZE = 1024,
    KEYS_MAX = 16,    /* of one class; CIM_ComputerSystem has two, associations two, devices four */
    MMAP_THRESHOLD = 128 * 1024,
    MARKED_OBJECTS = 16, /* SFCB needs some 10 kB for each until they are released */
    SHAPES_MAX = 4096 /* of one answer: classes times property lists */
};

static const char *const broken_text = "The CIM server could not take an object: it is out of memory.";

/* How one class of objects of an answer looks: properties, or just the keys of paths. */
struct shape {
    char *ns;
    char *class_name;
    size_t count;
    char **names;
    const char **keys; /* ends with NULL */
    CMPIType *types;
    unsigned char *flags;
    bool known; /* to the broker */
};

/* One operation under way. */
struct call {
    const struct provider *provider;
    struct scope scope;
    const CMPIResult *result;
    CMPIArgs *out;
    const char **properties;
    bool changing;     /* must not be repeated */
    bool streaming;    /* many objects: what a batch made is released after it */
    size_t delivered;
    bool returned;     /* the method's return value was handed over */
    struct shape *shapes;
    size_t shape_count;
    CMPIrc rc;
    char text[TEXT_SIZE];
};

static void fail(struct call *call, CMPIrc rc, const char *text)
{
    call->rc = rc;
    snprintf(call->text, sizeof call->text, "%s", text);
}

static CMPIStatus status_of(const struct call *call)
{
    CMPIStatus status = {.rc = call->rc};
    if (call->rc)
        status.msg = call->scope.broker->eft->newString(call->scope.broker, call->text, NULL);
    return status;
}

static void free_shapes(struct call *call)
{
    for (size_t i = 0; i < call->shape_count; i++)
        free(call->shapes[i].names);
    free(call->shapes);
    call->shapes = NULL;
    call->shape_count = 0;
}

/* Copy `text` to `*at` and move on. */
static char *store(char **at, const char *text)
{
    char *kept = *at;
    *at = stpcpy(kept, text) + 1;
    return kept;
}

/* Whether the broker knows a class, which SFCB takes for granted: its HTTP process does not survive others. */
static bool knows_class(const struct call *call, const char *ns, const char *class_name, const char *superclass)
{
    const CMPIBroker *broker = call->scope.broker;
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, ns, class_name, NULL);
    return path && (!superclass || broker->eft->classPathIsA(broker, path, superclass, NULL));
}

/* [..., number, namespace, class, superclass, [[name, type, flags], ...]]: kept in one block behind `names`. */
static bool take_shape(struct reader *reader, struct call *call)
{
    uint64_t number, type, flags;
    char *ns, *class_name, *superclass, *name;
    size_t count, parts;
    if (!take_uint(reader, SHAPES_MAX, &number) || number != call->shape_count || !take_text(reader, &ns) ||
        !take_text(reader, &class_name) || !*class_name || !take_text_or_null(reader, &superclass) ||
        !take_array(reader, &count))
        return false;
    struct shape *shapes = realloc(call->shapes, (call->shape_count + 1) * sizeof *shapes);
    if (!shapes)
        return false;
    call->shapes = shapes;
    size_t texts = reader->size; /* all the names are in this frame */
    struct shape shape = {.count = count};
    shape.names = malloc((2 * count + 1) * sizeof(char *) + count * (sizeof(CMPIType) + 1) + texts);
    if (!shape.names)
        return false;
    shape.keys = (const char **)shape.names + count;
    shape.types = (CMPIType *)(shape.keys + count + 1);
    shape.flags = (unsigned char *)(shape.types + count);
    char *at = (char *)shape.flags + count;
    shape.ns = store(&at, ns);
    shape.class_name = store(&at, class_name);
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) {
        if (!take_array(reader, &parts) || parts != 3 || !take_text(reader, &name) || !*name ||
            !take_uint(reader, UINT16_MAX, &type) || !is_known_type(type) || !take_uint(reader, UINT8_MAX, &flags)) {
            free(shape.names);
            return false;
        }
        shape.names[i] = store(&at, name);
        shape.types[i] = (CMPIType)type;
        shape.flags[i] = (unsigned char)flags;
        if (flags & SHAPE_KEY)
            shape.keys[keys++] = shape.names[i];
    }
    shape.keys[keys] = NULL;
    shape.known = knows_class(call, shape.ns, shape.class_name, superclass);
    if (!shape.known && !call->streaming) {
        fail(call, CMPI_RC_ERR_FAILED, "");
        snprintf(call->text, sizeof call->text,
                 "The CIM server does not know the class %s in %s: its schema is not that of this release of virtcim. "
                 "Register again (virtcim register).",
                 shape.class_name, shape.ns);
    }
    call->shapes[call->shape_count++] = shape;
    return true;
}

/* Note what the broker said to an object.  Without marks, as in Pegasus, it is released here: what is left until
   the end of the call are its arrays and dates. */
static bool handed_over(struct call *call, CMPIStatus status, CMPIObjectPath *path, CMPIInstance *instance)
{
    call->delivered++;
    if (status.rc)
        fail(call, status.rc, broken_text);
    if (call->streaming && !call->scope.broker->mft) {
        if (instance)
            instance->ft->release(instance);
        path->ft->release(path);
    }
    return true;
}

/* One object of a shape, handed to the broker.  Keys come first, since a new instance takes its path's keys along. */
static bool take_object(struct reader *reader, struct call *call, const struct shape *shape, bool is_instance)
{
    const CMPIBroker *broker = call->scope.broker;
    struct scope scope = {.broker = broker, .ns = shape->ns};
    size_t count, i = 0;
    if (!take_array(reader, &count) || count != shape->count)
        return false;
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, shape->ns, shape->class_name, NULL);
    CMPIData keys[KEYS_MAX];
    for (; path && i < count && i < KEYS_MAX && shape->flags[i] & SHAPE_KEY; i++) {
        if (!take_value(reader, &scope, shape->types[i], &keys[i]))
            return false;
        if (!(keys[i].state & CMPI_nullValue))
            path->ft->addKey(path, shape->names[i], value_pointer(&keys[i]), keys[i].type);
    }
    CMPIInstance *instance = path && is_instance ? broker->eft->newInstance(broker, path, NULL) : NULL;
    if (!path || (is_instance && !instance)) {
        fail(call, CMPI_RC_ERR_FAILED, broken_text);
        return true;
    }
    if (!instance) {
        if (i < count)
            return false;
        return handed_over(call, call->result->ft->returnObjectPath(call->result, path), path, NULL);
    }
    if (call->properties)
        instance->ft->setPropertyFilter(instance, call->properties, shape->keys);
    for (size_t key = 0; key < i; key++)
        instance->ft->setProperty(instance, shape->names[key], value_pointer(&keys[key]), keys[key].type);
    for (; i < count; i++) {
        CMPIData data;
        if (!(shape->flags[i] & SHAPE_HAS_DEFAULT) && take_null(reader))
            continue; /* most properties of an instance */
        if (!take_value(reader, &scope, shape->types[i], &data))
            return false;
        if (!(data.state & CMPI_nullValue) || shape->flags[i] & SHAPE_HAS_DEFAULT)
            instance->ft->setProperty(instance, shape->names[i], value_pointer(&data), data.type);
    }
    return handed_over(call, call->result->ft->returnInstance(call->result, instance), path, instance);
}

/* [..., shape, is instance, [object, ...]] */
static bool take_objects(struct reader *reader, struct call *call)
{
    uint64_t number;
    bool is_instance;
    size_t count;
    if (!take_uint(reader, SHAPES_MAX, &number) || number >= call->shape_count || !take_bool(reader, &is_instance) ||
        !take_array(reader, &count))
        return false;
    if (!call->shapes[number].known) {
        reader->used = reader->size; /* left out, so that the others can be shown */
        return true;
    }
    const CMPIBroker *broker = call->scope.broker;
    bool marking = call->streaming && broker->mft;
    bool good = true;
    for (size_t i = 0; good && i < count && !call->rc;) {
        const CMPIGcStat *mark = marking ? broker->mft->mark(broker, NULL) : NULL;
        for (size_t end = i + MARKED_OBJECTS; good && i < count && i < end && !call->rc; i++)
            good = take_object(reader, call, &call->shapes[number], is_instance);
        if (mark)
            broker->mft->release(broker, mark);
    }
    return good;
}

/* [..., type, value] */
static bool take_return(struct reader *reader, struct call *call)
{
    uint64_t type;
    CMPIData data;
    if (call->returned || !take_uint(reader, UINT16_MAX, &type) || !is_known_type(type) ||
        !take_value(reader, &call->scope, (CMPIType)type, &data))
        return false;
    call->returned = true;
    call->delivered++;
    if (!(data.state & CMPI_nullValue))
        call->result->ft->returnData(call->result, value_pointer(&data), data.type);
    return true;
}

/* [..., name, type, value] */
static bool take_out(struct reader *reader, struct call *call)
{
    char *name;
    uint64_t type;
    CMPIData data;
    if (!call->out || !take_text(reader, &name) || !*name || !take_uint(reader, UINT16_MAX, &type) || !is_known_type(type) ||
        !take_value(reader, &call->scope, (CMPIType)type, &data))
        return false;
    if (!(data.state & CMPI_nullValue))
        call->out->ft->addArg(call->out, name, value_pointer(&data), data.type);
    return true;
}

static bool take_error(struct reader *reader, struct call *call)
{
    uint64_t rc;
    char *text;
    if (!take_uint(reader, UINT8_MAX, &rc) || rc == 0 || !take_text(reader, &text))
        return false;
    /* CIM status codes above 17 have no CMPI return code. */
    fail(call, rc <= CMPI_RC_ERR_METHOD_NOT_FOUND ? (CMPIrc)rc : CMPI_RC_ERR_FAILED, text);
    return true;
}

/* One frame of an answer; `*done` when it was the last one. */
static bool take_answer(struct reader *reader, struct call *call, bool *done)
{
    static const size_t parts[] = {1, 3, 6, 4, 3, 4};
    size_t count;
    uint64_t kind;
    if (!take_array(reader, &count) || !take_uint(reader, ANSWER_OUT, &kind) || count != parts[kind])
        return false;
    *done = kind == ANSWER_DONE || kind == ANSWER_ERROR;
    bool good = kind == ANSWER_DONE      ? true
                : kind == ANSWER_ERROR   ? take_error(reader, call)
                : kind == ANSWER_SHAPE   ? take_shape(reader, call)
                : kind == ANSWER_OBJECTS ? take_objects(reader, call)
                : kind == ANSWER_VALUE   ? take_return(reader, call)
                                         : take_out(reader, call);
    return good && (call->rc || at_end(reader));
}

static enum fault converse(struct connection *connection, const struct writer *request, struct call *call,
                           int64_t deadline)
{
    enum fault fault = send_frame(connection, request, deadline);
    bool done = false;
    while (!fault && !done && !call->rc) {
        struct reader reader;
        fault = receive_frame(connection, deadline, &reader);
        if (!fault && !take_answer(&reader, call, &done))
            fault = FAULT_CORRUPT;
    }
    /* After a failure of the broker's the rest of the answer is still on its way: such a connection is not kept. */
    if (fault || !done)
        connection_close(connection);
    else
        connection_keep(connection);
    return fault;
}

/* Carry out a call.  A reading call is repeated once when the daemon hung up before anything was handed over. */
static CMPIStatus run(struct call *call, struct writer *request)
{
    enum fault fault = writer_finish(request) ? FAULT_NONE : FAULT_MEMORY;
    uint64_t version = 0;
    if (!fault) {
        int64_t deadline = now_ms() + call_timeout_ms();
        struct connection *connection = connection_idle();
        bool fresh = !connection;
        for (;;) {
            if (!connection)
                connection = connection_open(deadline, &fault, &version);
            if (!connection)
                break;
            fault = converse(connection, request, call, deadline);
            connection = NULL;
            if (fault != FAULT_CLOSED || call->changing || call->delivered || fresh)
                break;
            fresh = true;
            free_shapes(call);
        }
    }
    writer_free(request);
    free_shapes(call);
    if (fault) {
        call->rc = CMPI_RC_ERR_FAILED;
        describe_fault(fault, version, call->changing, call->text, sizeof call->text);
    } else if (!call->rc) {
        call->result->ft->returnDone(call->result);
    }
    return status_of(call);
}

const char *text_of(const CMPIString *string)
{
    return string ? string->ft->getCharPtr(string, NULL) : NULL;
}

const char *principal_of(const CMPIContext *context)
{
    CMPIStatus status = {.rc = CMPI_RC_OK};
    CMPIData data = context->ft->getEntry(context, "CMPIPrincipal", &status);
    if (status.rc || data.state & (CMPI_nullValue | CMPI_notFound))
        return NULL;
    if (data.type == CMPI_string)
        return text_of(data.value.string);
    return data.type == CMPI_chars ? data.value.chars : NULL;
}

/* [operation, provider, principal, path, [... */
static struct call begin(const struct provider *provider, enum operation operation, const CMPIContext *context,
                         const CMPIResult *result, const CMPIObjectPath *path, size_t arguments,
                         struct writer *request)
{
    struct call call = {.provider = provider, .result = result};
    call.scope.broker = provider->broker;
    call.scope.ns = text_of(path->ft->getNameSpace(path, NULL));
    if (!call.scope.ns)
        call.scope.ns = "";
    call.changing = operation == OP_CREATE || operation == OP_MODIFY || operation == OP_DELETE ||
                    operation == OP_INVOKE;
    call.streaming = operation == OP_ENUMERATE || operation == OP_ENUMERATE_NAMES ||
                     (operation >= OP_ASSOCIATORS && operation <= OP_REFERENCE_NAMES);
    begin_request(request, operation, provider->name, principal_of(context));
    if (!put_path(request, path))
        request->failed = true;
    put_array(request, arguments);
    return call;
}

void begin_request(struct writer *request, enum operation operation, const char *provider, const char *principal)
{
    writer_begin(request);
    put_array(request, 5);
    put_uint(request, operation);
    put_text(request, provider);
    put_text(request, principal);
}

/* Instance provider. */

static CMPIStatus enumerate_names(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                                  const CMPIObjectPath *path)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_ENUMERATE_NAMES, context, result, path, 0, &request);
    return run(&call, &request);
}

static CMPIStatus read_instances(enum operation operation, CMPIInstanceMI *mi, const CMPIContext *context,
                                 const CMPIResult *result, const CMPIObjectPath *path, const char **properties)
{
    struct writer request;
    struct call call = begin(mi->hdl, operation, context, result, path, 1, &request);
    call.properties = properties;
    put_names(&request, properties);
    return run(&call, &request);
}

static CMPIStatus enumerate_instances(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                                      const CMPIObjectPath *path, const char **properties)
{
    return read_instances(OP_ENUMERATE, mi, context, result, path, properties);
}

static CMPIStatus get_instance(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                               const CMPIObjectPath *path, const char **properties)
{
    return read_instances(OP_GET, mi, context, result, path, properties);
}

static CMPIStatus create_instance(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                                  const CMPIObjectPath *path, const CMPIInstance *instance)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_CREATE, context, result, path, 1, &request);
    if (!put_instance(&request, instance))
        request.failed = true;
    return run(&call, &request);
}

static CMPIStatus modify_instance(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                                  const CMPIObjectPath *path, const CMPIInstance *instance, const char **properties)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_MODIFY, context, result, path, 2, &request);
    if (!put_instance(&request, instance))
        request.failed = true;
    put_names(&request, properties);
    return run(&call, &request);
}

static CMPIStatus delete_instance(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                                  const CMPIObjectPath *path)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_DELETE, context, result, path, 0, &request);
    return run(&call, &request);
}

static CMPIStatus exec_query(CMPIInstanceMI *mi, const CMPIContext *context, const CMPIResult *result,
                             const CMPIObjectPath *path, const char *query, const char *language)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_QUERY, context, result, path, 2, &request);
    put_text(&request, query);
    put_text(&request, language);
    return run(&call, &request);
}

/* Association provider. */

static CMPIStatus associators(CMPIAssociationMI *mi, const CMPIContext *context, const CMPIResult *result,
                              const CMPIObjectPath *path, const char *association_class, const char *result_class,
                              const char *role, const char *result_role, const char **properties)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_ASSOCIATORS, context, result, path, 5, &request);
    call.properties = properties;
    put_text(&request, association_class);
    put_text(&request, result_class);
    put_text(&request, role);
    put_text(&request, result_role);
    put_names(&request, properties);
    return run(&call, &request);
}

static CMPIStatus associator_names(CMPIAssociationMI *mi, const CMPIContext *context, const CMPIResult *result,
                                   const CMPIObjectPath *path, const char *association_class,
                                   const char *result_class, const char *role, const char *result_role)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_ASSOCIATOR_NAMES, context, result, path, 4, &request);
    put_text(&request, association_class);
    put_text(&request, result_class);
    put_text(&request, role);
    put_text(&request, result_role);
    return run(&call, &request);
}

static CMPIStatus references(CMPIAssociationMI *mi, const CMPIContext *context, const CMPIResult *result,
                             const CMPIObjectPath *path, const char *result_class, const char *role,
                             const char **properties)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_REFERENCES, context, result, path, 3, &request);
    call.properties = properties;
    put_text(&request, result_class);
    put_text(&request, role);
    put_names(&request, properties);
    return run(&call, &request);
}

static CMPIStatus reference_names(CMPIAssociationMI *mi, const CMPIContext *context, const CMPIResult *result,
                                  const CMPIObjectPath *path, const char *result_class, const char *role)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_REFERENCE_NAMES, context, result, path, 2, &request);
    put_text(&request, result_class);
    put_text(&request, role);
    return run(&call, &request);
}

/* Method provider. */

static CMPIStatus invoke_method(CMPIMethodMI *mi, const CMPIContext *context, const CMPIResult *result,
                                const CMPIObjectPath *path, const char *method, const CMPIArgs *in, CMPIArgs *out)
{
    struct writer request;
    struct call call = begin(mi->hdl, OP_INVOKE, context, result, path, 2, &request);
    call.out = out;
    put_text(&request, method);
    if (!put_args(&request, in))
        request.failed = true;
    return run(&call, &request);
}

/* Indication provider. */

static CMPIStatus authorize_filter(CMPIIndicationMI *mi, const CMPIContext *context, const CMPISelectExp *filter,
                                   const char *class_name, const CMPIObjectPath *path, const char *owner)
{
    (void)owner;
    return indications_authorize(mi->hdl, context, filter, class_name, path);
}

static CMPIStatus must_poll(CMPIIndicationMI *mi, const CMPIContext *context, const CMPISelectExp *filter,
                            const char *class_name, const CMPIObjectPath *path)
{
    (void)mi, (void)context, (void)filter, (void)class_name, (void)path;
    return (CMPIStatus){.rc = CMPI_RC_ERR_NOT_SUPPORTED};
}

static CMPIStatus activate_filter(CMPIIndicationMI *mi, const CMPIContext *context, const CMPISelectExp *filter,
                                  const char *class_name, const CMPIObjectPath *path, CMPIBoolean first)
{
    (void)first;
    return indications_activate(mi->hdl, context, filter, class_name, path);
}

static CMPIStatus deactivate_filter(CMPIIndicationMI *mi, const CMPIContext *context, const CMPISelectExp *filter,
                                    const char *class_name, const CMPIObjectPath *path, CMPIBoolean last)
{
    (void)context, (void)last;
    return indications_deactivate(mi->hdl, filter, class_name, path);
}

static CMPIStatus enable_indications(CMPIIndicationMI *mi, const CMPIContext *context)
{
    return indications_enable(mi->hdl, context);
}

static CMPIStatus disable_indications(CMPIIndicationMI *mi, const CMPIContext *context)
{
    (void)context;
    return indications_disable(mi->hdl);
}

/* The library stays loaded: its watcher thread and its fork handlers would otherwise run in unmapped code. */
static CMPIStatus never_unload(void)
{
    return (CMPIStatus){.rc = CMPI_RC_NEVER_UNLOAD};
}

static CMPIStatus cleanup_instance(CMPIInstanceMI *mi, const CMPIContext *context, CMPIBoolean terminating)
{
    (void)mi, (void)context, (void)terminating;
    return never_unload();
}

static CMPIStatus cleanup_association(CMPIAssociationMI *mi, const CMPIContext *context, CMPIBoolean terminating)
{
    (void)mi, (void)context, (void)terminating;
    return never_unload();
}

static CMPIStatus cleanup_method(CMPIMethodMI *mi, const CMPIContext *context, CMPIBoolean terminating)
{
    (void)mi, (void)context, (void)terminating;
    return never_unload();
}

static CMPIStatus cleanup_indication(CMPIIndicationMI *mi, const CMPIContext *context, CMPIBoolean terminating)
{
    (void)context;
    if (terminating)
        indications_disable(mi->hdl);
    return never_unload();
}

static CMPIInstanceMIFT instance_functions = {
    .ftVersion = MI_VERSION,
    .miVersion = MI_VERSION,
    .miName = "virtcim",
    .cleanup = cleanup_instance,
    .enumerateInstanceNames = enumerate_names,
    .enumerateInstances = enumerate_instances,
    .getInstance = get_instance,
    .createInstance = create_instance,
    .modifyInstance = modify_instance,
    .deleteInstance = delete_instance,
    .execQuery = exec_query,
};

static CMPIAssociationMIFT association_functions = {
    .ftVersion = MI_VERSION,
    .miVersion = MI_VERSION,
    .miName = "virtcim",
    .cleanup = cleanup_association,
    .associators = associators,
    .associatorNames = associator_names,
    .references = references,
    .referenceNames = reference_names,
};

static CMPIMethodMIFT method_functions = {
    .ftVersion = MI_VERSION,
    .miVersion = MI_VERSION,
    .miName = "virtcim",
    .cleanup = cleanup_method,
    .invokeMethod = invoke_method,
};

static CMPIIndicationMIFT indication_functions = {
    .ftVersion = MI_VERSION,
    .miVersion = MI_VERSION,
    .miName = "virtcim",
    .cleanup = cleanup_indication,
    .authorizeFilter = authorize_filter,
    .mustPoll = must_poll,
    .activateFilter = activate_filter,
    .deActivateFilter = deactivate_filter,
    .enableIndications = enable_indications,
    .disableIndications = disable_indications,
};

static pthread_mutex_t providers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct provider *providers;

/* The provider of this name: made once, and kept, since the broker keeps what it was given. */
static struct provider *find_provider(const CMPIBroker *broker, const char *name, CMPIStatus *status)
{
    /* Pegasus hands over "location:provider". */
    const char *colon = strrchr(name, ':');
    if (colon)
        name = colon + 1;
    pthread_mutex_lock(&providers_lock);
    struct provider *provider = providers;
    while (provider && (provider->broker != broker || strcmp(provider->name, name) != 0))
        provider = provider->next;
    if (!provider) {
        provider = calloc(1, sizeof *provider + strlen(name) + 1);
        if (provider) {
            strcpy(provider->name, name);
            provider->broker = broker;
            provider->instance = (CMPIInstanceMI){provider, &instance_functions};
            provider->association = (CMPIAssociationMI){provider, &association_functions};
            provider->method = (CMPIMethodMI){provider, &method_functions};
            provider->indication = (CMPIIndicationMI){provider, &indication_functions};
            provider->next = providers;
            providers = provider;
            /* SFCB keeps whole answers in our process for clients that take no chunks.  With glibc's threshold
               for mmap fixed, such buffers go back to the system at once. */
            if (broker->mft)
                mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
        }
    }
    pthread_mutex_unlock(&providers_lock);
    if (status)
        *status = (CMPIStatus){.rc = provider ? CMPI_RC_OK : CMPI_RC_ERR_FAILED};
    return provider;
}

CMPIInstanceMI *_Generic_Create_InstanceMI(const CMPIBroker *broker, const CMPIContext *context,
                                           const char *name, CMPIStatus *status)
{
    (void)context;
    struct provider *provider = find_provider(broker, name, status);
    return provider ? &provider->instance : NULL;
}

CMPIAssociationMI *_Generic_Create_AssociationMI(const CMPIBroker *broker, const CMPIContext *context,
                                                 const char *name, CMPIStatus *status)
{
    (void)context;
    struct provider *provider = find_provider(broker, name, status);
    return provider ? &provider->association : NULL;
}

CMPIMethodMI *_Generic_Create_MethodMI(const CMPIBroker *broker, const CMPIContext *context,
                                       const char *name, CMPIStatus *status)
{
    (void)context;
    struct provider *provider = find_provider(broker, name, status);
    return provider ? &provider->method : NULL;
}

CMPIIndicationMI *_Generic_Create_IndicationMI(const CMPIBroker *broker, const CMPIContext *context,
                                               const char *name, CMPIStatus *status)
{
    (void)context;
    struct provider *provider = find_provider(broker, name, status);
    return provider ? &provider->indication : NULL;
}
