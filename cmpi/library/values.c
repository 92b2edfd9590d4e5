#include "values.h"

#include <string.h>

enum {
    DEPTH_MAX = 8,        /* of references and embedded instances in one another; real ones need two */
    ELEMENTS_MAX = 65536, /* of an array property; brokers allocate for all of them at once */
    DATETIME_LENGTH = 25  /* DSP0004 1.3, section 5.2.4 */
};

static bool put_value(struct writer *writer, CMPIType type, CMPIValueState state, const CMPIValue *value);

static const char *characters(const CMPIString *string)
{
    return string ? string->ft->getCharPtr(string, NULL) : NULL;
}

bool is_known_type(uint64_t type)
{
    switch (type & ~(uint64_t)CMPI_ARRAY) {
    case CMPI_boolean:
    case CMPI_char16:
    case CMPI_real32:
    case CMPI_real64:
    case CMPI_uint8:
    case CMPI_uint16:
    case CMPI_uint32:
    case CMPI_uint64:
    case CMPI_sint8:
    case CMPI_sint16:
    case CMPI_sint32:
    case CMPI_sint64:
    case CMPI_instance:
    case CMPI_ref:
    case CMPI_string:
    case CMPI_dateTime:
        return true;
    default:
        return false;
    }
}

/* [name, type, value] */
static bool put_named(struct writer *writer, const CMPIString *name, const CMPIData *data)
{
    CMPIType type = data->type;
    if ((type & ~CMPI_ARRAY) == CMPI_chars)
        type = (CMPIType)(CMPI_string | (type & CMPI_ARRAY));
    bool null = (data->state & CMPI_nullValue) != 0;
    if (null && !is_known_type(type))
        type = CMPI_string; /* an untyped NULL */
    put_array(writer, 3);
    put_text(writer, characters(name));
    put_uint(writer, type);
    return put_value(writer, data->type, data->state, &data->value);
}

bool put_path(struct writer *writer, const CMPIObjectPath *path)
{
    put_array(writer, 3);
    put_text(writer, characters(path->ft->getNameSpace(path, NULL)));
    put_text(writer, characters(path->ft->getClassName(path, NULL)));
    CMPICount count = path->ft->getKeyCount(path, NULL);
    put_array(writer, count);
    for (CMPICount i = 0; i < count; i++) {
        CMPIString *name = NULL;
        CMPIData data = path->ft->getKeyAt(path, i, &name, NULL);
        if (!put_named(writer, name, &data))
            return false;
    }
    return true;
}

bool put_instance(struct writer *writer, const CMPIInstance *instance)
{
    CMPIObjectPath *path = instance->ft->getObjectPath(instance, NULL);
    put_array(writer, 2);
    put_text(writer, path ? characters(path->ft->getClassName(path, NULL)) : NULL);
    CMPICount count = instance->ft->getPropertyCount(instance, NULL);
    put_array(writer, count);
    for (CMPICount i = 0; i < count; i++) {
        CMPIString *name = NULL;
        CMPIData data = instance->ft->getPropertyAt(instance, i, &name, NULL);
        if (!put_named(writer, name, &data))
            return false;
    }
    return true;
}

bool put_args(struct writer *writer, const CMPIArgs *args)
{
    CMPICount count = args ? args->ft->getArgCount(args, NULL) : 0;
    put_array(writer, count);
    for (CMPICount i = 0; i < count; i++) {
        CMPIString *name = NULL;
        CMPIData data = args->ft->getArgAt(args, i, &name, NULL);
        if (!put_named(writer, name, &data))
            return false;
    }
    return true;
}

void put_names(struct writer *writer, const char **names)
{
    if (!names) {
        put_null(writer);
        return;
    }
    size_t count = 0;
    while (names[count])
        count++;
    put_array(writer, count);
    for (size_t i = 0; i < count; i++)
        put_text(writer, names[i]);
}

static bool put_elements(struct writer *writer, const CMPIArray *array)
{
    CMPICount count = array->ft->getSize(array, NULL);
    put_array(writer, count);
    for (CMPICount i = 0; i < count; i++) {
        CMPIData data = array->ft->getElementAt(array, i, NULL);
        if (!put_value(writer, data.type, data.state, &data.value))
            return false;
    }
    return true;
}

static bool put_value(struct writer *writer, CMPIType type, CMPIValueState state, const CMPIValue *value)
{
    if (state & CMPI_nullValue) {
        put_null(writer);
        return true;
    }
    if (type & CMPI_ARRAY) {
        if (!value->array) {
            put_null(writer);
            return true;
        }
        return put_elements(writer, value->array);
    }
    switch (type) {
    case CMPI_boolean:
        put_bool(writer, value->boolean != 0);
        return true;
    case CMPI_char16:
        put_uint(writer, value->char16);
        return true;
    case CMPI_real32:
        put_real(writer, (double)value->real32);
        return true;
    case CMPI_real64:
        put_real(writer, value->real64);
        return true;
    case CMPI_uint8:
        put_uint(writer, value->uint8);
        return true;
    case CMPI_uint16:
        put_uint(writer, value->uint16);
        return true;
    case CMPI_uint32:
        put_uint(writer, value->uint32);
        return true;
    case CMPI_uint64:
        put_uint(writer, value->uint64);
        return true;
    case CMPI_sint8:
        put_int(writer, value->sint8);
        return true;
    case CMPI_sint16:
        put_int(writer, value->sint16);
        return true;
    case CMPI_sint32:
        put_int(writer, value->sint32);
        return true;
    case CMPI_sint64:
        put_int(writer, value->sint64);
        return true;
    case CMPI_string:
        put_text(writer, characters(value->string));
        return true;
    case CMPI_chars:
        put_text(writer, value->chars);
        return true;
    case CMPI_dateTime:
        put_text(writer,
                 value->dateTime ? characters(value->dateTime->ft->getStringFormat(value->dateTime, NULL)) : NULL);
        return true;
    case CMPI_ref:
        if (value->ref)
            return put_path(writer, value->ref);
        put_null(writer);
        return true;
    case CMPI_instance:
        if (value->inst)
            return put_instance(writer, value->inst);
        put_null(writer);
        return true;
    default:
        return false;
    }
}

const CMPIValue *value_pointer(const CMPIData *data)
{
    if (data->state & CMPI_nullValue)
        return NULL;
    return data->type == CMPI_chars ? (const CMPIValue *)data->value.chars : &data->value;
}

/* An integer of `bits`, signed or not. */
static bool set_integer(const struct item *item, CMPIType type, CMPIValue *value)
{
    bool is_signed = type >= CMPI_sint8;
    int bits = 8 << ((type >> 4) & 3);
    uint64_t top = is_signed ? (UINT64_C(1) << (bits - 1)) - 1 : UINT64_MAX >> (64 - bits);
    if (item->number > top || (item->kind == ITEM_NEGINT && !is_signed))
        return false;
    int64_t number = item->kind == ITEM_NEGINT ? -1 - (int64_t)item->number : 0;
    switch (type) {
    case CMPI_uint8:
        value->uint8 = (uint8_t)item->number;
        break;
    case CMPI_uint16:
        value->uint16 = (uint16_t)item->number;
        break;
    case CMPI_uint32:
        value->uint32 = (uint32_t)item->number;
        break;
    case CMPI_uint64:
        value->uint64 = item->number;
        break;
    default:
        if (item->kind == ITEM_UINT)
            number = (int64_t)item->number;
        if (type == CMPI_sint8)
            value->sint8 = (int8_t)number;
        else if (type == CMPI_sint16)
            value->sint16 = (int16_t)number;
        else if (type == CMPI_sint32)
            value->sint32 = (int32_t)number;
        else
            value->sint64 = number;
    }
    return true;
}

/* Whether `text` may be a point in time or an interval; brokers do not all look. */
static bool is_datetime(const char *text)
{
    if (strlen(text) != DATETIME_LENGTH)
        return false;
    for (int i = 0; i < DATETIME_LENGTH; i++) {
        bool digit = (text[i] >= '0' && text[i] <= '9') || text[i] == '*';
        if (i == 14 ? text[i] != '.' : i == 21 ? !strchr("+-:", text[i]) : !digit)
            return false;
    }
    return true;
}

static bool take_nested(struct reader *reader, const struct scope *scope, CMPIType type, int depth, CMPIData *data);

/* [name, type, value] */
static bool take_named(struct reader *reader, const struct scope *scope, int depth, char **name, CMPIData *data)
{
    size_t count;
    uint64_t type;
    return take_array(reader, &count) && count == 3 && take_text(reader, name) && **name &&
           take_uint(reader, UINT16_MAX, &type) && is_known_type(type) &&
           take_nested(reader, scope, (CMPIType)type, depth, data);
}

/* namespace, class, keys: the three items of a path behind its array header. */
static CMPIObjectPath *take_path(struct reader *reader, const struct scope *scope, int depth)
{
    size_t keys;
    char *ns, *class_name, *name;
    if (!take_text_or_null(reader, &ns) || !take_text(reader, &class_name) || !*class_name || !take_array(reader, &keys))
        return NULL;
    CMPIObjectPath *path = scope->broker->eft->newObjectPath(scope->broker, ns ? ns : scope->ns, class_name, NULL);
    for (size_t i = 0; path && i < keys; i++) {
        CMPIData data;
        if (!take_named(reader, scope, depth, &name, &data) || (data.state & CMPI_nullValue))
            return NULL;
        path->ft->addKey(path, name, value_pointer(&data), data.type);
    }
    return path;
}

static CMPIInstance *take_properties(struct reader *reader, const struct scope *scope, const char *class_name,
                                     int depth)
{
    size_t count;
    if (!take_array(reader, &count))
        return NULL;
    CMPIObjectPath *path = scope->broker->eft->newObjectPath(scope->broker, scope->ns, class_name, NULL);
    CMPIInstance *instance = path ? scope->broker->eft->newInstance(scope->broker, path, NULL) : NULL;
    for (size_t i = 0; instance && i < count; i++) {
        char *name;
        CMPIData data;
        if (!take_named(reader, scope, depth, &name, &data))
            return NULL;
        instance->ft->setProperty(instance, name, value_pointer(&data), data.type);
    }
    return instance;
}

CMPIInstance *take_instance(struct reader *reader, const struct scope *scope, const char *class_name)
{
    return take_properties(reader, scope, class_name, 0);
}

static bool take_elements(struct reader *reader, const struct scope *scope, CMPIType type, int depth, size_t count,
                          CMPIData *data)
{
    CMPIType simple = (CMPIType)(type & ~CMPI_ARRAY);
    if (count > ELEMENTS_MAX)
        return false;
    CMPIArray *array = scope->broker->eft->newArray(scope->broker, (CMPICount)count, simple, NULL);
    if (!array)
        return false;
    for (size_t i = 0; i < count; i++) {
        CMPIData element;
        if (!take_nested(reader, scope, simple, depth, &element))
            return false;
        if (element.state & CMPI_nullValue)
            continue;
        if (element.type == CMPI_chars) {
            /* Pegasus stores empty strings when it gets CMPI_chars here. */
            element.value.string = scope->broker->eft->newString(scope->broker, element.value.chars, NULL);
            element.type = CMPI_string;
            if (!element.value.string)
                return false;
        }
        array->ft->setElementAt(array, (CMPICount)i, &element.value, element.type);
    }
    *data = (CMPIData){.type = type, .value.array = array};
    return true;
}

static bool take_nested(struct reader *reader, const struct scope *scope, CMPIType type, int depth, CMPIData *data)
{
    struct item item;
    *data = (CMPIData){.type = type};
    if (depth > DEPTH_MAX || !take_item(reader, &item))
        return false;
    if (item.kind == ITEM_NULL) {
        data->state = CMPI_nullValue;
        return true;
    }
    if (type & CMPI_ARRAY)
        return item.kind == ITEM_ARRAY && take_elements(reader, scope, type, depth + 1, (size_t)item.number, data);
    switch (type) {
    case CMPI_boolean:
        data->value.boolean = item.number != 0;
        return item.kind == ITEM_BOOL;
    case CMPI_char16:
        data->value.char16 = (uint16_t)item.number;
        return item.kind == ITEM_UINT && item.number <= UINT16_MAX;
    case CMPI_real32:
        data->value.real32 = (float)item.real;
        return item.kind == ITEM_REAL;
    case CMPI_real64:
        data->value.real64 = item.real;
        return item.kind == ITEM_REAL;
    case CMPI_string:
        data->type = CMPI_chars;
        data->value.chars = item.text;
        return item.kind == ITEM_TEXT;
    case CMPI_dateTime:
        if (item.kind != ITEM_TEXT || !is_datetime(item.text))
            return false;
        data->value.dateTime = scope->broker->eft->newDateTimeFromChars(scope->broker, item.text, NULL);
        return data->value.dateTime != NULL;
    case CMPI_ref:
        if (item.kind != ITEM_ARRAY || item.number != 3)
            return false;
        data->value.ref = take_path(reader, scope, depth + 1);
        return data->value.ref != NULL;
    case CMPI_instance: {
        char *class_name;
        if (item.kind != ITEM_ARRAY || item.number != 2 || !take_text(reader, &class_name) || !*class_name)
            return false;
        data->value.inst = take_properties(reader, scope, class_name, depth + 1);
        return data->value.inst != NULL;
    }
    default:
        return (item.kind == ITEM_UINT || item.kind == ITEM_NEGINT) && set_integer(&item, type, &data->value);
    }
}

bool take_value(struct reader *reader, const struct scope *scope, CMPIType type, CMPIData *data)
{
    return take_nested(reader, scope, type, 0, data);
}
