/*
 * testbroker [--pegasus] [--fork] LIBRARY: load a CMPI library and carry out the operations on standard input.
 *
 * Each line is one operation, as in script.h, and yields one line of JSON.  tests/cmpi/testbroker.py writes them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"
#include "script.h"

enum { PROVIDERS_MAX = 64, NAMES_MAX = 64, PART_MAX = 16 };

struct loaded {
    char *name;
    CMPIInstanceMI *instance;
    CMPIAssociationMI *association;
    CMPIMethodMI *method;
    CMPIIndicationMI *indication;
};

static enum imitation imitation = LIKE_SFCB;
static const char *library_path;
static void *library;
static const CMPIBroker *broker;
static struct loaded providers[PROVIDERS_MAX];
static size_t provider_count;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static char *principal;

/* Indications that came, as JSON values divided by commas. */
static pthread_mutex_t indication_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t indication_came = PTHREAD_COND_INITIALIZER;
static char *indications;
static size_t indication_count;

static void take_indication(const char *ns, const char *json)
{
    pthread_mutex_lock(&indication_lock);
    char *more;
    if (asprintf(&more, "%s%s{\"namespace\": \"%s\", \"instance\": %s}", indications ? indications : "",
                 indication_count ? ", " : "", ns, json) < 0)
        complain("out of memory");
    free(indications);
    indications = more;
    indication_count++;
    pthread_cond_broadcast(&indication_came);
    pthread_mutex_unlock(&indication_lock);
}

static void open_library(void)
{
    library = dlopen(library_path, (imitation == LIKE_SFCB ? RTLD_NOW : RTLD_LAZY) | RTLD_GLOBAL);
    if (!library)
        complain("%s", dlerror());
}

typedef void *(*entry_point)(const CMPIBroker *, const CMPIContext *, const char *, CMPIStatus *);

static void *create(const CMPIBroker *for_broker, const char *kind, const char *name)
{
    char *symbol, *full;
    if (asprintf(&symbol, "_Generic_Create_%sMI", kind) < 0 ||
        asprintf(&full, "%s%s", imitation == LIKE_PEGASUS ? "virtcim:" : "", name) < 0)
        complain("out of memory");
    entry_point entry;
    *(void **)&entry = dlsym(library, symbol);
    if (!entry)
        complain("%s: %s", symbol, dlerror());
    CMPIStatus status = {.rc = 0};
    CMPIContext *context = context_make(principal);
    void *mi = entry(for_broker, context, full, &status);
    if (!mi || status.rc)
        complain("%s made no provider %s", symbol, full);
    free(symbol);
    free(full);
    return mi;
}

static struct loaded *find_provider(const char *name)
{
    pthread_mutex_lock(&load_lock);
    struct loaded *found = NULL;
    for (size_t i = 0; i < provider_count && !found; i++)
        if (strcmp(providers[i].name, name) == 0)
            found = &providers[i];
    if (!found) {
        if (provider_count == PROVIDERS_MAX)
            complain("too many providers");
        found = &providers[provider_count++];
        *found = (struct loaded){strdup(name), create(broker, "Instance", name), create(broker, "Association", name),
                                 create(broker, "Method", name), create(broker, "Indication", name)};
    }
    pthread_mutex_unlock(&load_lock);
    return found;
}

/* Ask every provider to clean up, and unload the library although it says never: what remains must be harmless. */
static void unload(CMPIBoolean terminating, FILE *out)
{
    CMPIContext *context = context_make(principal);
    bool never = true;
    for (size_t i = 0; i < provider_count; i++) {
        struct loaded *loaded = &providers[i];
        never = never && loaded->instance->ft->cleanup(loaded->instance, context, terminating).rc == CMPI_RC_NEVER_UNLOAD;
        never = never &&
                loaded->association->ft->cleanup(loaded->association, context, terminating).rc == CMPI_RC_NEVER_UNLOAD;
        never = never && loaded->method->ft->cleanup(loaded->method, context, terminating).rc == CMPI_RC_NEVER_UNLOAD;
        never = never &&
                loaded->indication->ft->cleanup(loaded->indication, context, terminating).rc == CMPI_RC_NEVER_UNLOAD;
        free(loaded->name);
    }
    provider_count = 0;
    dlclose(library);
    bool resident = dlopen(library_path, RTLD_NOW | RTLD_NOLOAD) != NULL;
    fprintf(out, ", \"never_unload\": %s, \"resident\": %s", never ? "true" : "false", resident ? "true" : "false");
    if (resident)
        dlclose(dlopen(library_path, RTLD_NOW | RTLD_NOLOAD));
}

/* From the script to CMPI. */

static const struct node *item(const struct node *node, size_t index)
{
    if (index >= node->count)
        complain("an operation has too few parts");
    return &node->items[index];
}

static const char *word(const struct node *node, size_t index)
{
    const char *text = item(node, index)->text;
    if (!text)
        complain("part %zu is not a word", index);
    return text;
}

static CMPIType type_of(const char *name)
{
    static const struct {
        const char *name;
        CMPIType type;
    } types[] = {{"boolean", CMPI_boolean}, {"char16", CMPI_char16}, {"real32", CMPI_real32}, {"real64", CMPI_real64},
                 {"uint8", CMPI_uint8},     {"uint16", CMPI_uint16}, {"uint32", CMPI_uint32}, {"uint64", CMPI_uint64},
                 {"sint8", CMPI_sint8},     {"sint16", CMPI_sint16}, {"sint32", CMPI_sint32}, {"sint64", CMPI_sint64},
                 {"string", CMPI_string},   {"chars", CMPI_chars},   {"datetime", CMPI_dateTime},
                 {"reference", CMPI_ref},   {"instance", CMPI_instance}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    complain("no type %s", name);
}

static CMPIObjectPath *make_path(const struct node *node);
static CMPIInstance *make_instance(const char *ns, const struct node *node);

static CMPIData make_scalar(CMPIType type, const struct node *node)
{
    CMPIData data = {.type = type};
    const CMPIBroker *by = broker;
    if (type == CMPI_ref) {
        data.value.ref = make_path(node);
    } else if (type == CMPI_instance) {
        data.value.inst = make_instance("root/virt", node);
    } else if (!node->text) {
        data.state = CMPI_nullValue;
    } else if (type == CMPI_string || type == CMPI_chars) {
        data.type = CMPI_string;
        data.value.string = by->eft->newString(by, node->text, NULL);
    } else if (type == CMPI_dateTime) {
        data.value.dateTime = by->eft->newDateTimeFromChars(by, node->text, NULL);
    } else if (type == CMPI_boolean) {
        data.value.boolean = strcmp(node->text, "true") == 0;
    } else if (type == CMPI_real32) {
        data.value.real32 = strtof(node->text, NULL);
    } else if (type == CMPI_real64) {
        data.value.real64 = strtod(node->text, NULL);
    } else if (node->text[0] == '-') {
        int64_t number = strtoll(node->text, NULL, 10);
        memcpy(&data.value, &number, sizeof number);
    } else {
        data.value.uint64 = strtoull(node->text, NULL, 10);
    }
    return data;
}

/* (type value) or (array type value ...) */
static CMPIData make_data(const struct node *node)
{
    if (strcmp(word(node, 0), "array") != 0)
        return make_scalar(type_of(word(node, 0)), item(node, 1));
    CMPIType type = type_of(word(node, 1));
    CMPIArray *array = broker->eft->newArray(broker, (CMPICount)(node->count - 2), type, NULL);
    for (size_t i = 2; i < node->count; i++) {
        CMPIData element = make_scalar(type, item(node, i));
        if (!element.state)
            array->ft->setElementAt(array, (CMPICount)(i - 2), &element.value, element.type);
    }
    return (CMPIData){.type = (CMPIType)(type | CMPI_ARRAY), .value.array = array};
}

/* (namespace class (key name value) ...) */
static CMPIObjectPath *make_path(const struct node *node)
{
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, word(node, 0), word(node, 1), NULL);
    for (size_t i = 2; i < node->count; i++) {
        CMPIData data = make_data(item(item(node, i), 2));
        if (data.state & CMPI_nullValue)
            path_add_null(path, word(item(node, i), 1), data.type);
        else
            path->ft->addKey(path, word(item(node, i), 1), &data.value, data.type);
    }
    return path;
}

/* (class (property name value) ...) */
static CMPIInstance *make_instance(const char *ns, const struct node *node)
{
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, ns, word(node, 0), NULL);
    CMPIInstance *instance = broker->eft->newInstance(broker, path, NULL);
    for (size_t i = 1; i < node->count; i++) {
        CMPIData data = make_data(item(item(node, i), 2));
        instance->ft->setProperty(instance, word(item(node, i), 1), data.state ? NULL : &data.value, data.type);
    }
    return instance;
}

/* (name ...) or null, as a list that ends with NULL. */
static const char **make_names(const struct node *node, const char **names)
{
    if (!node->is_list)
        return NULL;
    if (node->count >= NAMES_MAX)
        complain("too many names");
    for (size_t i = 0; i < node->count; i++)
        names[i] = word(node, i);
    names[node->count] = NULL;
    return names;
}

/* The operations. */

struct answer {
    CMPIStatus status;
    struct outcome outcome;
    char *results;
    size_t size;
    char *out; /* JSON of the output parameters */
};

/* (operation provider path ...) */
static CMPIStatus call(const struct node *node, struct outcome *outcome, CMPIArgs **out)
{
    const char *operation = word(node, 0);
    const struct loaded *provider = find_provider(word(node, 1));
    CMPIInstanceMI *instance = provider->instance;
    CMPIAssociationMI *association = provider->association;
    CMPIContext *context = context_make(principal);
    CMPIObjectPath *path = make_path(item(node, 2));
    CMPIResult *result = result_make(outcome);
    const char *names[NAMES_MAX];
    outcome->streaming = true;
    if (strcmp(operation, "names") == 0)
        return instance->ft->enumerateInstanceNames(instance, context, result, path);
    if (strcmp(operation, "enumerate") == 0)
        return instance->ft->enumerateInstances(instance, context, result, path, make_names(item(node, 3), names));
    if (strcmp(operation, "associators") == 0)
        return association->ft->associators(association, context, result, path, item(node, 3)->text,
                                            item(node, 4)->text, item(node, 5)->text, item(node, 6)->text,
                                            make_names(item(node, 7), names));
    if (strcmp(operation, "associator-names") == 0)
        return association->ft->associatorNames(association, context, result, path, item(node, 3)->text,
                                                item(node, 4)->text, item(node, 5)->text, item(node, 6)->text);
    if (strcmp(operation, "references") == 0)
        return association->ft->references(association, context, result, path, item(node, 3)->text,
                                           item(node, 4)->text, make_names(item(node, 5), names));
    if (strcmp(operation, "reference-names") == 0)
        return association->ft->referenceNames(association, context, result, path, item(node, 3)->text,
                                               item(node, 4)->text);
    outcome->streaming = false;
    if (strcmp(operation, "get") == 0)
        return instance->ft->getInstance(instance, context, result, path, make_names(item(node, 3), names));
    if (strcmp(operation, "create") == 0)
        return instance->ft->createInstance(instance, context, result, path,
                                            make_instance(word(item(node, 2), 0), item(node, 3)));
    if (strcmp(operation, "modify") == 0)
        return instance->ft->modifyInstance(instance, context, result, path,
                                            make_instance(word(item(node, 2), 0), item(node, 3)),
                                            make_names(item(node, 4), names));
    if (strcmp(operation, "delete") == 0)
        return instance->ft->deleteInstance(instance, context, result, path);
    if (strcmp(operation, "query") == 0)
        return instance->ft->execQuery(instance, context, result, path, word(node, 3), word(node, 4));
    if (strcmp(operation, "invoke") != 0)
        complain("no operation %s", operation);
    CMPIArgs *in = broker->eft->newArgs(broker, NULL);
    *out = broker->eft->newArgs(broker, NULL);
    for (size_t i = 4; i < node->count; i++) {
        CMPIData data = make_data(item(item(node, i), 2));
        in->ft->addArg(in, word(item(node, i), 1), data.state ? NULL : &data.value, data.type);
    }
    return provider->method->ft->invokeMethod(provider->method, context, result, path, word(node, 3), in, *out);
}

/* One call with all that is made for it; its answer as JSON members goes to `out` unless that is NULL. */
static size_t carry_out(const struct node *node, FILE *out, bool *failed)
{
    thread_begin();
    char *results = NULL;
    size_t size;
    struct outcome outcome = {.results = open_memstream(&results, &size)};
    if (!outcome.results)
        complain("out of memory");
    CMPIArgs *parameters = NULL;
    CMPIStatus status = call(node, &outcome, &parameters);
    fclose(outcome.results);
    if (!status.rc && !outcome.done)
        complain("an operation succeeded without returnDone");
    *failed = status.rc != 0;
    if (out) {
        fprintf(out, "\"rc\": %d, \"message\": ", status.rc);
        print_text(out, status.msg ? status.msg->ft->getCharPtr(status.msg, NULL) : NULL);
        fprintf(out, ", \"results\": [%s]", results);
        if (parameters) {
            fputs(", \"out\": ", out);
            print_args(out, parameters);
        }
    }
    free(results);
    thread_end();
    return outcome.count;
}

/* (name provider namespace class query) or (name provider) */
static CMPIStatus indicate(const struct node *node)
{
    const char *operation = word(node, 0);
    const struct loaded *provider = find_provider(word(node, 1));
    CMPIIndicationMI *mi = provider->indication;
    CMPIContext *context = context_make(principal);
    if (strcmp(operation, "enable") == 0)
        return mi->ft->enableIndications(mi, context);
    if (strcmp(operation, "disable") == 0)
        return mi->ft->disableIndications(mi, context);
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, word(node, 2), word(node, 3), NULL);
    CMPISelectExp *filter = select_make(word(node, 4));
    if (strcmp(operation, "authorize") == 0)
        return mi->ft->authorizeFilter(mi, context, filter, word(node, 3), path, "owner");
    if (strcmp(operation, "activate") == 0)
        return mi->ft->activateFilter(mi, context, filter, word(node, 3), path, 1);
    return mi->ft->deActivateFilter(mi, context, filter, word(node, 3), path, 1);
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Many calls: (repeat threads count operation) */
struct repetition {
    const struct node *node;
    long count;
    atomic_size_t errors;
    atomic_size_t objects;
};

static void *repeat_once(void *given)
{
    struct repetition *repetition = given;
    bool failed;
    atomic_fetch_add(&repetition->objects, carry_out(repetition->node, NULL, &failed));
    atomic_fetch_add(&repetition->errors, (size_t)failed);
    return NULL;
}

/* As SFCB does, each call has a thread of its own. */
static void *repeat(void *given)
{
    struct repetition *repetition = given;
    for (long i = 0; i < repetition->count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, repeat_once, repetition) != 0)
            complain("no thread");
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void run_repetition(const struct node *node, FILE *out)
{
    struct repetition repetition = {.node = item(node, 3), .count = atol(word(node, 2))};
    int threads = atoi(word(node, 1));
    pthread_t all[PART_MAX];
    if (threads > PART_MAX)
        complain("too many threads");
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, repeat, &repetition) != 0)
            complain("no thread");
    for (int i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(out, "\"rc\": 0, \"errors\": %zu, \"objects\": %zu, \"seconds\": %.6f, \"rss_kib\": %ld",
            repetition.errors, repetition.objects,
            (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9, resident_kib());
}

/* (cost count provider namespace class): what enumerating instances costs this process with a broker that does nothing. */
static void measure_cost(const struct node *node, FILE *out)
{
    thread_begin();
    CMPIInstanceMI *mi = create(idle_broker(), "Instance", word(node, 2));
    CMPIContext *context = context_make(principal);
    CMPIObjectPath *path = broker->eft->newObjectPath(broker, word(node, 3), word(node, 4), NULL);
    size_t before = idle_taken();
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    CMPIrc rc = CMPI_RC_OK;
    for (long i = atol(word(node, 1)); i > 0 && !rc; i--)
        rc = mi->ft->enumerateInstances(mi, context, idle_result(), path, NULL).rc;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    thread_end();
    fprintf(out, "\"rc\": %d, \"objects\": %zu, \"cpu_seconds\": %.6f", rc, idle_taken() - before,
            (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
}

/* (wait count milliseconds): the indications that came until there were `count` or the time was over. */
static void wait_for_indications(const struct node *node, FILE *out)
{
    size_t count = strtoul(word(node, 1), NULL, 10);
    long milliseconds = atol(word(node, 2));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&indication_lock);
    while (indication_count < count && pthread_cond_timedwait(&indication_came, &indication_lock, &until) == 0)
        continue;
    fprintf(out, "\"rc\": 0, \"indications\": [%s]", indications ? indications : "");
    free(indications);
    indications = NULL;
    indication_count = 0;
    pthread_mutex_unlock(&indication_lock);
}

static void *run_call(void *given)
{
    void **parts = given;
    bool failed;
    carry_out(parts[0], parts[1], &failed);
    return NULL;
}

static void on_own_thread(const struct node *node, FILE *out)
{
    void *parts[] = {(void *)(uintptr_t)node, out};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_call, parts) != 0)
        complain("no thread");
    pthread_join(thread, NULL);
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static void run_line(char *line)
{
    static const char *const indication_words[] = {"authorize", "activate", "deactivate", "enable", "disable", NULL};
    struct node node = script_parse(line);
    const char *operation = word(&node, 0);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        complain("out of memory");
    if (strcmp(operation, "principal") == 0) {
        free(principal);
        principal = item(&node, 1)->text ? strdup(word(&node, 1)) : NULL;
        fputs("\"rc\": 0", out);
    } else if (strcmp(operation, "forget") == 0) {
        forget_class(word(&node, 1));
        fputs("\"rc\": 0", out);
    } else if (strcmp(operation, "repeat") == 0) {
        run_repetition(&node, out);
    } else if (strcmp(operation, "cost") == 0) {
        measure_cost(&node, out);
    } else if (strcmp(operation, "wait") == 0) {
        wait_for_indications(&node, out);
    } else if (strcmp(operation, "status") == 0) {
        fprintf(out, "\"rc\": 0, \"live\": %ld, \"rss_kib\": %ld", live_objects(), resident_kib());
    } else if (strcmp(operation, "reload") == 0) {
        thread_begin();
        fputs("\"rc\": 0", out);
        unload(0, out);
        thread_end();
        open_library();
    } else if (is_one_of(operation, indication_words)) {
        thread_begin();
        CMPIStatus status = indicate(&node);
        fprintf(out, "\"rc\": %d, \"message\": ", status.rc);
        print_text(out, status.msg ? status.msg->ft->getCharPtr(status.msg, NULL) : NULL);
        thread_end();
    } else {
        on_own_thread(&node, out);
    }
    fclose(out);
    printf("{%s}\n", text);
    fflush(stdout);
    free(text);
    script_free(&node);
}

static int run(void)
{
    broker = broker_make(imitation, take_indication);
    open_library();
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        run_line(line);
    }
    free(line);
    thread_begin();
    FILE *nowhere = fopen("/dev/null", "w");
    if (!nowhere)
        complain("no /dev/null");
    unload(1, nowhere);
    fclose(nowhere);
    thread_end();
    free(principal);
    /* The watcher gives its contexts back soon after the providers were told to end. */
    for (int i = 0; i < 100 && live_objects(); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    if (live_objects())
        complain("%ld objects are alive at the end", live_objects());
    return 0;
}

int main(int argc, char **argv)
{
    bool forked = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--pegasus") == 0)
            imitation = LIKE_PEGASUS;
        else if (strcmp(argv[at], "--fork") == 0)
            forked = true;
    }
    if (at != argc - 1) {
        fputs("usage: testbroker [--pegasus] [--fork] LIBRARY\n", stderr);
        return 2;
    }
    library_path = argv[at];
    if (!forked)
        return run();
    pid_t child = fork();
    if (child == 0)
        return run();
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        complain("no process");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
