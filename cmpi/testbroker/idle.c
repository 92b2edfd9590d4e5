/*
 * A broker that takes everything and keeps nothing: what a call costs with it is the library's own share.
 */
#include "broker.h"

#include <stddef.h>

static size_t taken;

size_t idle_taken(void)
{
    return taken;
}

static CMPIStatus good(void)
{
    return (CMPIStatus){.rc = CMPI_RC_OK};
}

static CMPIStatus take_key(CMPIObjectPath *path, const char *name, const CMPIValue *value, CMPIType type)
{
    (void)path, (void)name, (void)value, (void)type;
    return good();
}

static CMPIStatus take_property(const CMPIInstance *instance, const char *name, const CMPIValue *value, CMPIType type)
{
    (void)instance, (void)name, (void)value, (void)type;
    return good();
}

static CMPIStatus take_filter(CMPIInstance *instance, const char **properties, const char **keys)
{
    (void)instance, (void)properties, (void)keys;
    return good();
}

static CMPIStatus take_element(CMPIArray *array, CMPICount index, const CMPIValue *value, CMPIType type)
{
    (void)array, (void)index, (void)value, (void)type;
    return good();
}

static CMPIStatus take_instance(const CMPIResult *result, const CMPIInstance *instance)
{
    (void)result, (void)instance;
    taken++;
    return good();
}

static CMPIStatus take_path(const CMPIResult *result, const CMPIObjectPath *path)
{
    (void)result, (void)path;
    taken++;
    return good();
}

static CMPIStatus take_end(const CMPIResult *result)
{
    (void)result;
    return good();
}

static CMPIObjectPathFT path_table = {.ftVersion = 200, .addKey = take_key};
static CMPIInstanceFT instance_table = {.ftVersion = 200, .setProperty = take_property,
                                        .setPropertyFilter = take_filter};
static CMPIArrayFT array_table = {.ftVersion = 200, .setElementAt = take_element};
static CMPIStringFT string_table = {.ftVersion = 200};
static CMPIDateTimeFT datetime_table = {.ftVersion = 200};
static CMPIResultFT result_table = {.ftVersion = 200, .returnInstance = take_instance,
                                    .returnObjectPath = take_path, .returnDone = take_end};

static CMPIObjectPath path = {.ft = &path_table};
static CMPIInstance instance = {.ft = &instance_table};
static CMPIArray array = {.ft = &array_table};
static CMPIString string = {.ft = &string_table};
static CMPIDateTime datetime = {.ft = &datetime_table};
static CMPIResult result = {.ft = &result_table};

static CMPIObjectPath *give_path(const CMPIBroker *broker, const char *ns, const char *class_name, CMPIStatus *status)
{
    (void)broker, (void)ns, (void)class_name, (void)status;
    return &path;
}

static CMPIInstance *give_instance(const CMPIBroker *broker, const CMPIObjectPath *of, CMPIStatus *status)
{
    (void)broker, (void)of, (void)status;
    return &instance;
}

static CMPIArray *give_array(const CMPIBroker *broker, CMPICount count, CMPIType type, CMPIStatus *status)
{
    (void)broker, (void)count, (void)type, (void)status;
    return &array;
}

static CMPIString *give_string(const CMPIBroker *broker, const char *text, CMPIStatus *status)
{
    (void)broker, (void)text, (void)status;
    return &string;
}

static CMPIDateTime *give_datetime(const CMPIBroker *broker, const char *text, CMPIStatus *status)
{
    (void)broker, (void)text, (void)status;
    return &datetime;
}

static CMPIBoolean is_a(const CMPIBroker *broker, const CMPIObjectPath *of, const char *ancestor, CMPIStatus *status)
{
    (void)broker, (void)of, (void)ancestor, (void)status;
    return 1;
}

static CMPIGcStat *mark(const CMPIBroker *broker, CMPIStatus *status)
{
    (void)broker, (void)status;
    return (CMPIGcStat *)&taken;
}

static CMPIStatus release(const CMPIBroker *broker, const CMPIGcStat *marked)
{
    (void)broker, (void)marked;
    return good();
}

static CMPIBrokerEncFT make_table = {.ftVersion = 200, .newInstance = give_instance, .newObjectPath = give_path,
                                     .newString = give_string, .newArray = give_array,
                                     .newDateTimeFromChars = give_datetime, .classPathIsA = is_a};
static CMPIBrokerFT service_table = {.brokerVersion = 200, .brokerName = "idle"};
static CMPIBrokerMemFT memory_table = {.ftVersion = 200, .mark = mark, .release = release};
static const CMPIBroker broker = {.bft = &service_table, .eft = &make_table, .mft = &memory_table};

const CMPIBroker *idle_broker(void)
{
    return &broker;
}

const CMPIResult *idle_result(void)
{
    return &result;
}
