#define _GNU_SOURCE
#include "broker.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ALIVE = 0x0B1EC7, FILL = 0xEE };

enum kind { KIND_STRING, KIND_PATH, KIND_INSTANCE, KIND_ARGS, KIND_ARRAY, KIND_DATETIME, KIND_CONTEXT, KIND_RESULT,
            KIND_SELECT };

struct member {
    char *name;
    CMPIData data;
};

/* Every object begins as CMPI lays it out: a handle and a function table. */
struct object {
    void *hdl;
    const void *ft;
    unsigned alive;
    enum kind kind;
    struct object *next; /* of the heap */
    char *ns;
    char *text; /* of a string, date, principal, query; the class of a path or an instance */
    struct member *members;
    size_t count;
    CMPIType type; /* of an array */
    const char **filter, **filter_keys;
    struct outcome *outcome; /* of a result */
    struct object *path;     /* of an instance */
};

/* What a thread made since it began or since a mark. */
struct heap {
    struct heap *below;
    struct object *objects;
};

static atomic_long live;
static _Thread_local struct heap *heap;
static _Thread_local unsigned marks;
static indication_sink sink;
static enum imitation imitated;
static CMPIBroker broker;

static char forgotten[128];

void forget_class(const char *class_name)
{
    snprintf(forgotten, sizeof forgotten, "%s", class_name);
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("testbroker: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

long live_objects(void)
{
    return atomic_load(&live);
}

static bool valid_utf8(const char *given)
{
    const unsigned char *text = (const unsigned char *)given;
    while (*text) {
        int more = *text < 0x80 ? 0 : *text >= 0xF0 ? 3 : *text >= 0xE0 ? 2 : *text >= 0xC2 ? 1 : -1;
        if (more < 0 || *text > 0xF4)
            return false;
        for (text++; more; more--, text++)
            if ((*text & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static char *copy_text(const char *text)
{
    if (!text)
        return NULL;
    if (!valid_utf8(text))
        complain("a text is not UTF-8");
    char *copy = strdup(text);
    if (!copy)
        complain("out of memory");
    return copy;
}

static struct object *object_of(const void *given, enum kind kind)
{
    struct object *object = (struct object *)(uintptr_t)given;
    if (!object)
        complain("a NULL object of kind %d", kind);
    if (object->alive != ALIVE || object->kind != kind)
        complain("a dead or foreign object where kind %d is due", kind);
    return object;
}

static const void *const tables[];

static struct object *make(enum kind kind, bool on_heap)
{
    struct object *object = calloc(1, sizeof *object);
    if (!object)
        complain("out of memory");
    *object = (struct object){.ft = tables[kind], .alive = ALIVE, .kind = kind};
    object->hdl = object;
    if (on_heap) {
        if (!heap)
            complain("an object of kind %d is made on a thread that is not attached", kind);
        object->next = heap->objects;
        heap->objects = object;
    }
    atomic_fetch_add(&live, 1);
    return object;
}

static void destroy(struct object *object)
{
    for (size_t i = 0; i < object->count; i++)
        free(object->members[i].name);
    free(object->members);
    free(object->ns);
    free(object->text);
    memset(object, FILL, sizeof *object);
    free(object);
    atomic_fetch_sub(&live, 1);
}

static void push_heap(void)
{
    struct heap *above = calloc(1, sizeof *above);
    if (!above)
        complain("out of memory");
    above->below = heap;
    heap = above;
}

static void pop_heap(void)
{
    struct heap *top = heap;
    heap = top->below;
    while (top->objects) {
        struct object *object = top->objects;
        top->objects = object->next;
        destroy(object);
    }
    free(top);
}

void thread_begin(void)
{
    if (heap)
        complain("the thread is attached already");
    push_heap();
}

void thread_end(void)
{
    if (!heap)
        complain("the thread is not attached");
    if (marks)
        complain("%u marks were not released", marks);
    pop_heap();
}

static bool is_type(CMPIType type)
{
    static const CMPIType known[] = {CMPI_boolean, CMPI_char16, CMPI_real32, CMPI_real64, CMPI_uint8,  CMPI_uint16,
                                     CMPI_uint32,  CMPI_uint64, CMPI_sint8,  CMPI_sint16, CMPI_sint32, CMPI_sint64,
                                     CMPI_ref,     CMPI_string, CMPI_chars,  CMPI_dateTime, CMPI_instance};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == type)
            return true;
    return false;
}

static CMPIData copy_data(const CMPIValue *value, CMPIType type);

static struct object *copy_object(const struct object *from)
{
    struct object *copy = make(from->kind, true);
    copy->ns = copy_text(from->ns);
    copy->text = copy_text(from->text);
    copy->type = from->type;
    copy->path = from->path ? copy_object(from->path) : NULL;
    copy->members = calloc(from->count ? from->count : 1, sizeof *copy->members);
    if (!copy->members)
        complain("out of memory");
    copy->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        const CMPIData *data = &from->members[i].data;
        copy->members[i].name = copy_text(from->members[i].name);
        copy->members[i].data = copy_data(data->state & CMPI_nullValue ? NULL : &data->value, data->type);
    }
    return copy;
}

static void *copy_of(const void *given, enum kind kind)
{
    return copy_object(object_of(given, kind));
}

static CMPIString *make_string(const char *text)
{
    struct object *string = make(KIND_STRING, true);
    string->text = copy_text(text);
    return (CMPIString *)string;
}

/* As brokers do, keep a copy of a value: of strings as CMPIString, of objects as objects. */
static CMPIData copy_data(const CMPIValue *value, CMPIType type)
{
    if (!is_type((CMPIType)(type & ~CMPI_ARRAY)))
        complain("a value of the unknown type 0x%x", type);
    CMPIData data = {.type = type == CMPI_chars ? CMPI_string : type, .state = value ? 0 : CMPI_nullValue};
    if (!value)
        return data;
    if (type & CMPI_ARRAY) {
        data.value.array = copy_of(value->array, KIND_ARRAY);
        if ((object_of(value->array, KIND_ARRAY)->type | CMPI_ARRAY) != type)
            complain("an array of 0x%x given as 0x%x", object_of(value->array, KIND_ARRAY)->type, type);
        return data;
    }
    switch (type) {
    case CMPI_chars:
        data.value.string = make_string((const char *)value);
        break;
    case CMPI_string:
        data.value.string = copy_of(value->string, KIND_STRING);
        break;
    case CMPI_dateTime:
        data.value.dateTime = copy_of(value->dateTime, KIND_DATETIME);
        break;
    case CMPI_ref:
        data.value.ref = copy_of(value->ref, KIND_PATH);
        break;
    case CMPI_instance:
        data.value.inst = copy_of(value->inst, KIND_INSTANCE);
        break;
    default:
        data.value = *value;
    }
    return data;
}

static void set_member(struct object *object, const char *name, const CMPIValue *value, CMPIType type)
{
    if (!name || !*name)
        complain("a member without a name");
    CMPIData data = copy_data(value, type);
    for (size_t i = 0; i < object->count; i++)
        if (strcasecmp(object->members[i].name, name) == 0) {
            object->members[i].data = data;
            return;
        }
    struct member *members = realloc(object->members, (object->count + 1) * sizeof *members);
    if (!members)
        complain("out of memory");
    object->members = members;
    members[object->count++] = (struct member){copy_text(name), data};
}

static CMPIData member_at(const struct object *object, CMPICount index, CMPIString **name, CMPIStatus *status)
{
    if (index >= object->count)
        complain("member %u of %zu", index, object->count);
    if (name)
        *name = make_string(object->members[index].name);
    if (status)
        *status = (CMPIStatus){0};
    return object->members[index].data;
}

static CMPIStatus good(void)
{
    return (CMPIStatus){0};
}

static void set_status(CMPIStatus *status)
{
    if (status)
        *status = good();
}

static void unexpected(void)
{
    complain("a function is called that not every CIM server has");
}

/* Pegasus takes an object back at once; SFCB keeps what belongs to it until the mark or the thread ends. */
static CMPIStatus release_object(void *given)
{
    struct object *object = given;
    if (imitated == LIKE_SFCB)
        complain("an object is released by hand where marks are to be used");
    if (object->alive != ALIVE)
        complain("a dead object is released");
    struct object **at = &heap->objects;
    while (*at && *at != object)
        at = &(*at)->next;
    if (!*at)
        complain("an object of another thread is released");
    *at = object->next;
    destroy(object);
    return good();
}

/* String, DateTime, SelectExp */

static char *string_characters(const CMPIString *string, CMPIStatus *status)
{
    set_status(status);
    return object_of(string, KIND_STRING)->text;
}

static CMPIString *datetime_text(const CMPIDateTime *datetime, CMPIStatus *status)
{
    set_status(status);
    return make_string(object_of(datetime, KIND_DATETIME)->text);
}

static CMPIString *select_text(const CMPISelectExp *select, CMPIStatus *status)
{
    set_status(status);
    return make_string(object_of(select, KIND_SELECT)->text);
}

CMPISelectExp *select_make(const char *query)
{
    struct object *select = make(KIND_SELECT, true);
    select->text = copy_text(query);
    return (CMPISelectExp *)select;
}

/* ObjectPath */

static CMPIString *path_namespace(const CMPIObjectPath *path, CMPIStatus *status)
{
    set_status(status);
    return make_string(object_of(path, KIND_PATH)->ns);
}

static CMPIString *path_class(const CMPIObjectPath *path, CMPIStatus *status)
{
    set_status(status);
    return make_string(object_of(path, KIND_PATH)->text);
}

static CMPIStatus path_add(CMPIObjectPath *path, const char *name, const CMPIValue *value, CMPIType type)
{
    if (!value)
        complain("the key %s is NULL", name);
    set_member(object_of(path, KIND_PATH), name, value, type);
    return good();
}

void path_add_null(CMPIObjectPath *path, const char *name, CMPIType type)
{
    set_member(object_of(path, KIND_PATH), name, NULL, type);
}

static CMPIData path_key(const CMPIObjectPath *path, CMPICount index, CMPIString **name, CMPIStatus *status)
{
    return member_at(object_of(path, KIND_PATH), index, name, status);
}

static CMPICount path_count(const CMPIObjectPath *path, CMPIStatus *status)
{
    set_status(status);
    return (CMPICount)object_of(path, KIND_PATH)->count;
}

/* Instance */

static bool listed(const char **names, const char *name)
{
    for (; names && *names; names++)
        if (strcasecmp(*names, name) == 0)
            return true;
    return false;
}

static CMPIStatus instance_set(const CMPIInstance *instance, const char *name, const CMPIValue *value, CMPIType type)
{
    struct object *object = object_of(instance, KIND_INSTANCE);
    if (!object->filter || listed(object->filter, name) || listed(object->filter_keys, name))
        set_member(object, name, value, type);
    return good();
}

static CMPIData instance_property(const CMPIInstance *instance, CMPICount index, CMPIString **name,
                                  CMPIStatus *status)
{
    return member_at(object_of(instance, KIND_INSTANCE), index, name, status);
}

static CMPICount instance_count(const CMPIInstance *instance, CMPIStatus *status)
{
    set_status(status);
    return (CMPICount)object_of(instance, KIND_INSTANCE)->count;
}

static CMPIObjectPath *instance_path(const CMPIInstance *instance, CMPIStatus *status)
{
    set_status(status);
    const struct object *object = object_of(instance, KIND_INSTANCE);
    struct object *path = make(KIND_PATH, true);
    path->ns = copy_text(object->ns);
    path->text = copy_text(object->text);
    return (CMPIObjectPath *)path;
}

static CMPIStatus instance_filter(CMPIInstance *instance, const char **properties, const char **keys)
{
    struct object *object = object_of(instance, KIND_INSTANCE);
    if (object->count)
        complain("the property filter is set after properties");
    object->filter = properties;
    object->filter_keys = keys;
    return good();
}

/* Args */

static CMPIStatus args_add(CMPIArgs *args, const char *name, const CMPIValue *value, CMPIType type)
{
    set_member(object_of(args, KIND_ARGS), name, value, type);
    return good();
}

static CMPIData args_at(const CMPIArgs *args, CMPICount index, CMPIString **name, CMPIStatus *status)
{
    return member_at(object_of(args, KIND_ARGS), index, name, status);
}

static CMPICount args_count(const CMPIArgs *args, CMPIStatus *status)
{
    set_status(status);
    return (CMPICount)object_of(args, KIND_ARGS)->count;
}

/* Array */

static CMPICount array_size(const CMPIArray *array, CMPIStatus *status)
{
    set_status(status);
    return (CMPICount)object_of(array, KIND_ARRAY)->count;
}

static CMPIType array_type(const CMPIArray *array, CMPIStatus *status)
{
    set_status(status);
    return object_of(array, KIND_ARRAY)->type;
}

static CMPIData array_get(const CMPIArray *array, CMPICount index, CMPIStatus *status)
{
    return member_at(object_of(array, KIND_ARRAY), index, NULL, status);
}

static CMPIStatus array_set(CMPIArray *array, CMPICount index, const CMPIValue *value, CMPIType type)
{
    struct object *object = object_of(array, KIND_ARRAY);
    if (index >= object->count)
        complain("element %u of %zu", index, object->count);
    if (type != object->type)
        complain("an element of type 0x%x in an array of 0x%x", type, object->type);
    object->members[index].data = copy_data(value, type);
    return good();
}

/* Context */

static CMPIData context_entry(const CMPIContext *context, const char *name, CMPIStatus *status)
{
    struct object *object = object_of(context, KIND_CONTEXT);
    if (strcmp(name, "CMPIPrincipal") != 0 || !object->text) {
        if (status)
            *status = (CMPIStatus){.rc = CMPI_RC_ERR_NO_SUCH_PROPERTY};
        return (CMPIData){.state = CMPI_notFound};
    }
    set_status(status);
    return (CMPIData){.type = CMPI_string, .value.string = make_string(object->text)};
}

CMPIContext *context_make(const char *principal)
{
    struct object *context = make(KIND_CONTEXT, true);
    context->text = copy_text(principal);
    return (CMPIContext *)context;
}

/* JSON */

void print_text(FILE *out, const char *text)
{
    if (!text) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

static void print_members(FILE *out, const struct object *object)
{
    fputc('{', out);
    for (size_t i = 0; i < object->count; i++) {
        fputs(i ? ", " : "", out);
        print_text(out, object->members[i].name);
        fputs(": ", out);
        print_data(out, &object->members[i].data);
    }
    fputc('}', out);
}

static void print_path(FILE *out, const struct object *path)
{
    fputs("{\"namespace\": ", out);
    print_text(out, path->ns);
    fputs(", \"class\": ", out);
    print_text(out, path->text);
    fputs(", \"keys\": ", out);
    print_members(out, path);
    fputc('}', out);
}

static void print_instance(FILE *out, const struct object *instance)
{
    fputs("{\"path\": ", out);
    print_path(out, instance->path);
    fputs(", \"properties\": ", out);
    print_members(out, instance);
    fputc('}', out);
}

static const char *type_name(CMPIType type)
{
    switch (type & ~CMPI_ARRAY) {
    case CMPI_boolean: return "boolean";
    case CMPI_char16: return "char16";
    case CMPI_real32: return "real32";
    case CMPI_real64: return "real64";
    case CMPI_uint8: return "uint8";
    case CMPI_uint16: return "uint16";
    case CMPI_uint32: return "uint32";
    case CMPI_uint64: return "uint64";
    case CMPI_sint8: return "sint8";
    case CMPI_sint16: return "sint16";
    case CMPI_sint32: return "sint32";
    case CMPI_sint64: return "sint64";
    case CMPI_ref: return "reference";
    case CMPI_instance: return "instance";
    case CMPI_dateTime: return "datetime";
    default: return "string";
    }
}

static void print_value(FILE *out, const CMPIData *data)
{
    if (data->state & CMPI_nullValue) {
        fputs("null", out);
        return;
    }
    if (data->type & CMPI_ARRAY) {
        struct object *array = object_of(data->value.array, KIND_ARRAY);
        fputc('[', out);
        for (size_t i = 0; i < array->count; i++) {
            fputs(i ? ", " : "", out);
            print_value(out, &array->members[i].data);
        }
        fputc(']', out);
        return;
    }
    const CMPIValue *value = &data->value;
    switch (data->type) {
    case CMPI_boolean: fputs(value->boolean ? "true" : "false", out); break;
    case CMPI_char16: fprintf(out, "%u", value->char16); break;
    case CMPI_real32: fprintf(out, "%.9g", (double)value->real32); break;
    case CMPI_real64: fprintf(out, "%.17g", value->real64); break;
    case CMPI_uint8: fprintf(out, "%u", value->uint8); break;
    case CMPI_uint16: fprintf(out, "%u", value->uint16); break;
    case CMPI_uint32: fprintf(out, "%u", value->uint32); break;
    case CMPI_uint64: fprintf(out, "%llu", (unsigned long long)value->uint64); break;
    case CMPI_sint8: fprintf(out, "%d", value->sint8); break;
    case CMPI_sint16: fprintf(out, "%d", value->sint16); break;
    case CMPI_sint32: fprintf(out, "%d", value->sint32); break;
    case CMPI_sint64: fprintf(out, "%lld", (long long)value->sint64); break;
    case CMPI_ref: print_path(out, object_of(value->ref, KIND_PATH)); break;
    case CMPI_instance: print_instance(out, object_of(value->inst, KIND_INSTANCE)); break;
    case CMPI_dateTime: print_text(out, object_of(value->dateTime, KIND_DATETIME)->text); break;
    default: print_text(out, object_of(value->string, KIND_STRING)->text);
    }
}

void print_data(FILE *out, const CMPIData *data)
{
    fprintf(out, "[\"%s%s\", ", type_name(data->type), data->type & CMPI_ARRAY ? "[]" : "");
    print_value(out, data);
    fputc(']', out);
}

void print_args(FILE *out, const CMPIArgs *args)
{
    print_members(out, object_of(args, KIND_ARGS));
}

/* Result */

static struct outcome *open_outcome(const CMPIResult *result)
{
    struct outcome *outcome = object_of(result, KIND_RESULT)->outcome;
    if (outcome->done)
        complain("a result after returnDone");
    if (marks && !outcome->streaming)
        complain("a result inside a mark, where SFCB keeps it on the marked heap");
    if (outcome->count++)
        fputs(", ", outcome->results);
    return outcome;
}

static CMPIStatus result_data(const CMPIResult *result, const CMPIValue *value, CMPIType type)
{
    if (type == CMPI_ref)
        complain("a reference is returned as data, on which SFCB aborts");
    struct outcome *outcome = open_outcome(result);
    CMPIData data = copy_data(value, type);
    print_data(outcome->results, &data);
    return good();
}

static CMPIStatus result_instance(const CMPIResult *result, const CMPIInstance *instance)
{
    print_instance(open_outcome(result)->results, object_of(instance, KIND_INSTANCE));
    return good();
}

static CMPIStatus result_path(const CMPIResult *result, const CMPIObjectPath *path)
{
    print_path(open_outcome(result)->results, object_of(path, KIND_PATH));
    return good();
}

static CMPIStatus result_done(const CMPIResult *result)
{
    struct outcome *outcome = object_of(result, KIND_RESULT)->outcome;
    if (outcome->done)
        complain("returnDone is called twice");
    outcome->done = true;
    return good();
}

CMPIResult *result_make(struct outcome *outcome)
{
    struct object *result = make(KIND_RESULT, true);
    result->outcome = outcome;
    return (CMPIResult *)result;
}

/* Broker */

static CMPIString *new_string(const CMPIBroker *given, const char *text, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (!text)
        complain("a string of NULL");
    return make_string(text);
}

static CMPIObjectPath *new_path(const CMPIBroker *given, const char *ns, const char *class_name, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (!ns || !class_name)
        complain("a path without namespace or class");
    struct object *path = make(KIND_PATH, true);
    path->ns = copy_text(ns);
    path->text = copy_text(class_name);
    return (CMPIObjectPath *)path;
}

static CMPIInstance *new_instance(const CMPIBroker *given, const CMPIObjectPath *path, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    struct object *of = object_of(path, KIND_PATH);
    if (strcasecmp(of->text, forgotten) == 0)
        complain("an instance of a class that is not known, which ends SFCB's HTTP process");
    struct object *instance = make(KIND_INSTANCE, true);
    instance->ns = copy_text(of->ns);
    instance->text = copy_text(of->text);
    instance->path = copy_object(of);
    return (CMPIInstance *)instance;
}

static CMPIBoolean is_a(const CMPIBroker *given, const CMPIObjectPath *path, const char *ancestor, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (!ancestor)
        complain("is-a of NULL");
    const char *class_name = object_of(path, KIND_PATH)->text;
    return strcasecmp(class_name, ancestor) == 0 || strcasecmp(class_name, forgotten) != 0;
}

static CMPIArgs *new_args(const CMPIBroker *given, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    return (CMPIArgs *)make(KIND_ARGS, true);
}

static CMPIArray *new_array(const CMPIBroker *given, CMPICount count, CMPIType type, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (!is_type(type) || type == CMPI_chars)
        complain("an array of 0x%x", type);
    struct object *array = make(KIND_ARRAY, true);
    array->type = type;
    array->members = calloc(count ? count : 1, sizeof *array->members);
    if (!array->members)
        complain("out of memory");
    array->count = count;
    for (CMPICount i = 0; i < count; i++)
        array->members[i].data = (CMPIData){.type = type, .state = CMPI_nullValue};
    return (CMPIArray *)array;
}

static CMPIDateTime *new_datetime(const CMPIBroker *given, const char *text, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (strlen(text) != 25)
        complain("a datetime of %zu characters", strlen(text));
    struct object *datetime = make(KIND_DATETIME, true);
    datetime->text = copy_text(text);
    return (CMPIDateTime *)datetime;
}

/* Contexts for other threads belong to no heap: they live until they are detached. */
static CMPIContext *prepare_thread(const CMPIBroker *given, const CMPIContext *context)
{
    (void)given;
    struct object *copy = make(KIND_CONTEXT, false);
    copy->text = copy_text(object_of(context, KIND_CONTEXT)->text);
    return (CMPIContext *)copy;
}

static CMPIStatus attach_thread(const CMPIBroker *given, const CMPIContext *context)
{
    (void)given;
    object_of(context, KIND_CONTEXT);
    thread_begin();
    return good();
}

static CMPIStatus detach_thread(const CMPIBroker *given, const CMPIContext *context)
{
    (void)given;
    struct object *object = object_of(context, KIND_CONTEXT);
    thread_end();
    destroy(object);
    return good();
}

static CMPIStatus deliver(const CMPIBroker *given, const CMPIContext *context, const char *ns,
                          const CMPIInstance *indication)
{
    (void)given;
    object_of(context, KIND_CONTEXT);
    if (imitated == LIKE_SFCB && !marks)
        complain("an indication is made outside of a mark, where SFCB keeps it until the thread ends");
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        complain("out of memory");
    print_instance(out, object_of(indication, KIND_INSTANCE));
    fclose(out);
    sink(ns, text);
    free(text);
    return good();
}

static CMPIGcStat *mark(const CMPIBroker *given, CMPIStatus *status)
{
    (void)given;
    set_status(status);
    if (!heap)
        complain("a mark on a thread that is not attached");
    push_heap();
    marks++;
    return heap;
}

static CMPIStatus release(const CMPIBroker *given, const CMPIGcStat *marked)
{
    (void)given;
    if (marked != heap || !marks)
        complain("marks are released out of order");
    marks--;
    pop_heap();
    return good();
}

#define SLOT(name) .name = unexpected
#define RELEASE(type) .release = release_##type
#define DEFINE_RELEASE(type) \
    static CMPIStatus release_##type(type *object) \
    { \
        return release_object(object); \
    }

DEFINE_RELEASE(CMPIString)
DEFINE_RELEASE(CMPIDateTime)
DEFINE_RELEASE(CMPISelectExp)
DEFINE_RELEASE(CMPIObjectPath)
DEFINE_RELEASE(CMPIInstance)
DEFINE_RELEASE(CMPIArgs)
DEFINE_RELEASE(CMPIArray)
DEFINE_RELEASE(CMPIContext)
DEFINE_RELEASE(CMPIResult)

static const CMPIStringFT string_table = {.ftVersion = 200, RELEASE(CMPIString), SLOT(clone),
                                          .getCharPtr = string_characters};
static const CMPIDateTimeFT datetime_table = {.ftVersion = 200, RELEASE(CMPIDateTime), SLOT(clone),
                                              SLOT(getBinaryFormat), .getStringFormat = datetime_text,
                                              SLOT(isInterval)};
static const CMPISelectExpFT select_table = {.ftVersion = 200, RELEASE(CMPISelectExp), SLOT(clone), SLOT(evaluate),
                                             .getString = select_text, SLOT(getDOC), SLOT(getCOD),
                                             SLOT(evaluateUsingAccessor)};
static const CMPIObjectPathFT path_table = {
    .ftVersion = 200, RELEASE(CMPIObjectPath), SLOT(clone), SLOT(setNameSpace), .getNameSpace = path_namespace,
    SLOT(setHostname), SLOT(getHostname), SLOT(setClassName), .getClassName = path_class, .addKey = path_add,
    SLOT(getKey), .getKeyAt = path_key, .getKeyCount = path_count, SLOT(setNameSpaceFromObjectPath),
    SLOT(setHostAndNameSpaceFromObjectPath), SLOT(getClassQualifier), SLOT(getPropertyQualifier),
    SLOT(getMethodQualifier), SLOT(getParameterQualifier), SLOT(toString)};
static const CMPIInstanceFT instance_table = {
    .ftVersion = 200, RELEASE(CMPIInstance), SLOT(clone), .getPropertyAt = instance_property,
    .getPropertyCount = instance_count, .setProperty = instance_set, .getObjectPath = instance_path,
    .setPropertyFilter = instance_filter, SLOT(setObjectPath), SLOT(setPropertyWithOrigin)};
static const CMPIArgsFT args_table = {.ftVersion = 200, RELEASE(CMPIArgs), SLOT(clone), .addArg = args_add,
                                      SLOT(getArg), .getArgAt = args_at, .getArgCount = args_count};
static const CMPIArrayFT array_table = {.ftVersion = 200, RELEASE(CMPIArray), SLOT(clone), .getSize = array_size,
                                        .getSimpleType = array_type, .getElementAt = array_get,
                                        .setElementAt = array_set};
static const CMPIContextFT context_table = {.ftVersion = 200, RELEASE(CMPIContext), SLOT(clone),
                                            .getEntry = context_entry, SLOT(getEntryAt), SLOT(getEntryCount),
                                            SLOT(addEntry)};
static const CMPIResultFT result_table = {.ftVersion = 200, RELEASE(CMPIResult), SLOT(clone),
                                          .returnData = result_data, .returnInstance = result_instance,
                                          .returnObjectPath = result_path, .returnDone = result_done,
                                          SLOT(returnError)};

static const void *const tables[] = {
    [KIND_STRING] = &string_table,   [KIND_PATH] = &path_table,         [KIND_INSTANCE] = &instance_table,
    [KIND_ARGS] = &args_table,       [KIND_ARRAY] = &array_table,       [KIND_DATETIME] = &datetime_table,
    [KIND_CONTEXT] = &context_table, [KIND_RESULT] = &result_table,     [KIND_SELECT] = &select_table,
};

static CMPIBrokerEncFT make_table = {
    .ftVersion = 200, .newInstance = new_instance, .newObjectPath = new_path, .newArgs = new_args,
    .newString = new_string, .newArray = new_array, SLOT(newDateTime), SLOT(newDateTimeFromBinary),
    .newDateTimeFromChars = new_datetime, SLOT(newSelectExp), .classPathIsA = is_a, SLOT(toString), SLOT(isOfType),
    SLOT(getType), SLOT(getMessage), SLOT(logMessage), SLOT(trace), SLOT(newCMPIError), SLOT(openMessageFile),
    SLOT(closeMessageFile), SLOT(getMessage2)};
static CMPIBrokerFT service_table = {
    .brokerVersion = 200, .brokerName = "testbroker", .prepareAttachThread = prepare_thread,
    .attachThread = attach_thread, .detachThread = detach_thread, .deliverIndication = deliver,
    SLOT(enumerateInstanceNames), SLOT(getInstance), SLOT(createInstance), SLOT(modifyInstance), SLOT(deleteInstance),
    SLOT(execQuery), SLOT(enumerateInstances), SLOT(associators), SLOT(associatorNames), SLOT(references),
    SLOT(referenceNames), SLOT(invokeMethod), SLOT(setProperty), SLOT(getProperty)};
static CMPIBrokerMemFT memory_table = {
    .ftVersion = 200, .mark = mark, .release = release, SLOT(cmpiMalloc), SLOT(cmpiCalloc), SLOT(cmpiRealloc),
    SLOT(cmpiStrDup), SLOT(cmpiFree), SLOT(freeInstance), SLOT(freeObjectPath), SLOT(freeArgs), SLOT(freeString),
    SLOT(freeArray), SLOT(freeDateTime), SLOT(freeSelectExp)};

const CMPIBroker *broker_make(enum imitation imitation, indication_sink given)
{
    imitated = imitation;
    sink = given;
    broker = (CMPIBroker){.bft = &service_table, .eft = &make_table,
                          .mft = imitation == LIKE_SFCB ? &memory_table : NULL};
    return &broker;
}
