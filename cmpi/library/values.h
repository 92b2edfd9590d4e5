/*
 * CMPI values to and from the wire.  Only the types that the protocol lists pass, in either direction.
 */
#ifndef VIRTCIM_VALUES_H
#define VIRTCIM_VALUES_H

#include "cmpi.h"
#include "wire.h"

/* Where objects are made: by which broker, and in which namespace when a value names none. */
struct scope {
    const CMPIBroker *broker;
    const char *ns;
};

/* [namespace, class, [[name, type, value], ...]]; false when a key cannot be passed on. */
bool put_path(struct writer *writer, const CMPIObjectPath *path);
/* [class, [[name, type, value], ...]], NULL properties with null. */
bool put_instance(struct writer *writer, const CMPIInstance *instance);
/* [[name, type, value], ...] */
bool put_args(struct writer *writer, const CMPIArgs *args);
/* A NULL-ended list of names as an array; NULL as null. */
void put_names(struct writer *writer, const char **names);

/*
 * A value of `type`.  `data` becomes what setProperty, addKey and addArg take: a plain string as CMPI_chars in
 * value.chars.  A null is marked in data->state.  False when the frame is corrupt or the broker has no memory.
 */
bool take_value(struct reader *reader, const struct scope *scope, CMPIType type, CMPIData *data);
/* The pointer that setProperty, addKey and addArg want for `data`: characters themselves, or the union. */
const CMPIValue *value_pointer(const CMPIData *data);
/* [[name, type, value], ...] into a new instance of `class_name`; NULL when corrupt. */
CMPIInstance *take_instance(struct reader *reader, const struct scope *scope, const char *class_name);
/* Whether `type` is one that the protocol carries. */
bool is_known_type(uint64_t type);

#endif
