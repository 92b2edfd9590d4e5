/*
 * A CMPI broker for tests: as strict as the strictest CIM server, and counting what it made.
 *
 * It aborts, with a line on stderr, on whatever some CIM server would get wrong silently: objects made on a thread that
 * is not attached, dead objects, array elements of another type, texts that are not UTF-8, results after the end.
 */
#ifndef TESTBROKER_BROKER_H
#define TESTBROKER_BROKER_H

#include <stdbool.h>
#include <stdio.h>

#include "../library/cmpi.h"

/* Imitate SFCB (memory function table) or OpenPegasus (none). */
enum imitation { LIKE_SFCB, LIKE_PEGASUS };

/* What an operation handed over. */
struct outcome {
    FILE *results; /* JSON values, divided by commas */
    size_t count;
    bool streaming; /* an enumeration: marks may be open when a result arrives */
    bool done;
};

/* Called with the namespace and the JSON text of each indication. */
typedef void (*indication_sink)(const char *ns, const char *json);

const CMPIBroker *broker_make(enum imitation imitation, indication_sink sink);

/* Make the calling thread one of the broker's, and free all that was made on it. */
void thread_begin(void);
void thread_end(void);

CMPIContext *context_make(const char *principal);
CMPIResult *result_make(struct outcome *outcome);
CMPISelectExp *select_make(const char *query);

/* Give a path a key without a value, as OpenPegasus does where a method is invoked on a class. */
void path_add_null(CMPIObjectPath *path, const char *name, CMPIType type);

void print_text(FILE *out, const char *text);
void print_data(FILE *out, const CMPIData *data);
/* {"name": [type, value], ...} */
void print_args(FILE *out, const CMPIArgs *args);

/* From now on the broker does not know this class. */
void forget_class(const char *class_name);

/* Objects that were made and not freed. */
long live_objects(void);

/* A broker that keeps nothing, the result that goes with it, and how many objects it was handed (idle.c). */
const CMPIBroker *idle_broker(void);
const CMPIResult *idle_result(void);
size_t idle_taken(void);

void complain(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
