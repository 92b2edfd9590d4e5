/*
 * The binary interface of CMPI 2.0 (The Open Group, C061), as far as this bridge and its test broker use it.
 *
 * A slot that neither of the two uses is declared `cmpi_slot`, so that the layout stays that of the standard.
 */
#ifndef VIRTCIM_CMPI_H
#define VIRTCIM_CMPI_H

#include <stddef.h>
#include <stdint.h>

typedef unsigned int CMPICount;
typedef unsigned short CMPIType;
typedef unsigned short CMPIValueState;
typedef unsigned char CMPIBoolean;
typedef unsigned int CMPIFlags;

typedef void (*cmpi_slot)(void);

typedef struct CMPIBroker CMPIBroker;
typedef struct CMPIInstance CMPIInstance;
typedef struct CMPIObjectPath CMPIObjectPath;
typedef struct CMPIArgs CMPIArgs;
typedef struct CMPISelectExp CMPISelectExp;
typedef struct CMPIArray CMPIArray;
typedef struct CMPIString CMPIString;
typedef struct CMPIResult CMPIResult;
typedef struct CMPIContext CMPIContext;
typedef struct CMPIDateTime CMPIDateTime;
typedef void CMPIGcStat;

typedef union CMPIValue {
    uint64_t uint64;
    uint32_t uint32;
    uint16_t uint16;
    uint8_t uint8;
    int64_t sint64;
    int32_t sint32;
    int16_t sint16;
    int8_t sint8;
    double real64;
    float real32;
    CMPIBoolean boolean;
    uint16_t char16;
    CMPIInstance *inst;
    CMPIObjectPath *ref;
    CMPIArgs *args;
    CMPISelectExp *filter;
    CMPIArray *array;
    CMPIString *string;
    char *chars;
    CMPIDateTime *dateTime;
    struct {
        void *ptr;
        CMPICount length;
    } dataPtr;
} CMPIValue;

typedef struct CMPIData {
    CMPIType type;
    CMPIValueState state;
    CMPIValue value;
} CMPIData;

enum {
    CMPI_null = 0,
    CMPI_boolean = 0x0002,
    CMPI_char16 = 0x0003,
    CMPI_real32 = 0x0008,
    CMPI_real64 = 0x000C,
    CMPI_uint8 = 0x0080,
    CMPI_uint16 = 0x0090,
    CMPI_uint32 = 0x00A0,
    CMPI_uint64 = 0x00B0,
    CMPI_sint8 = 0x00C0,
    CMPI_sint16 = 0x00D0,
    CMPI_sint32 = 0x00E0,
    CMPI_sint64 = 0x00F0,
    CMPI_instance = 0x1000,
    CMPI_ref = 0x1100,
    CMPI_string = 0x1600,
    CMPI_chars = 0x1700,
    CMPI_dateTime = 0x1800,
    CMPI_ARRAY = 0x2000
};

enum { CMPI_goodValue = 0, CMPI_nullValue = 0x0100, CMPI_keyValue = 0x0200, CMPI_notFound = 0x0400 };

typedef int CMPIrc;
enum {
    CMPI_RC_OK = 0,
    CMPI_RC_ERR_FAILED = 1,
    CMPI_RC_ERR_ACCESS_DENIED = 2,
    CMPI_RC_ERR_INVALID_PARAMETER = 4,
    CMPI_RC_ERR_NOT_FOUND = 6,
    CMPI_RC_ERR_NOT_SUPPORTED = 7,
    CMPI_RC_ERR_NO_SUCH_PROPERTY = 12,
    CMPI_RC_ERR_TYPE_MISMATCH = 13,
    CMPI_RC_ERR_METHOD_NOT_FOUND = 17,
    CMPI_RC_NEVER_UNLOAD = 51
};

typedef struct CMPIStatus {
    CMPIrc rc;
    CMPIString *msg;
} CMPIStatus;

/* What the broker offers. */

typedef struct CMPIBrokerEncFT {
    int ftVersion;
    CMPIInstance *(*newInstance)(const CMPIBroker *, const CMPIObjectPath *, CMPIStatus *);
    CMPIObjectPath *(*newObjectPath)(const CMPIBroker *, const char *ns, const char *class_name, CMPIStatus *);
    CMPIArgs *(*newArgs)(const CMPIBroker *, CMPIStatus *);
    CMPIString *(*newString)(const CMPIBroker *, const char *, CMPIStatus *);
    CMPIArray *(*newArray)(const CMPIBroker *, CMPICount, CMPIType, CMPIStatus *);
    cmpi_slot newDateTime;
    cmpi_slot newDateTimeFromBinary;
    CMPIDateTime *(*newDateTimeFromChars)(const CMPIBroker *, const char *, CMPIStatus *);
    cmpi_slot newSelectExp;
    CMPIBoolean (*classPathIsA)(const CMPIBroker *, const CMPIObjectPath *, const char *ancestor, CMPIStatus *);
    cmpi_slot toString;
    cmpi_slot isOfType;
    cmpi_slot getType;
    cmpi_slot getMessage;
    cmpi_slot logMessage;
    cmpi_slot trace;
    cmpi_slot newCMPIError;
    cmpi_slot openMessageFile;
    cmpi_slot closeMessageFile;
    cmpi_slot getMessage2;
} CMPIBrokerEncFT;

typedef struct CMPIBrokerFT {
    unsigned int brokerCapabilities;
    unsigned int brokerVersion;
    const char *brokerName;
    CMPIContext *(*prepareAttachThread)(const CMPIBroker *, const CMPIContext *);
    CMPIStatus (*attachThread)(const CMPIBroker *, const CMPIContext *);
    CMPIStatus (*detachThread)(const CMPIBroker *, const CMPIContext *);
    CMPIStatus (*deliverIndication)(const CMPIBroker *, const CMPIContext *, const char *ns, const CMPIInstance *);
    cmpi_slot enumerateInstanceNames;
    cmpi_slot getInstance;
    cmpi_slot createInstance;
    cmpi_slot modifyInstance;
    cmpi_slot deleteInstance;
    cmpi_slot execQuery;
    cmpi_slot enumerateInstances;
    cmpi_slot associators;
    cmpi_slot associatorNames;
    cmpi_slot references;
    cmpi_slot referenceNames;
    cmpi_slot invokeMethod;
    cmpi_slot setProperty;
    cmpi_slot getProperty;
} CMPIBrokerFT;

typedef struct CMPIBrokerMemFT {
    int ftVersion;
    CMPIGcStat *(*mark)(const CMPIBroker *, CMPIStatus *);
    CMPIStatus (*release)(const CMPIBroker *, const CMPIGcStat *);
    cmpi_slot cmpiMalloc;
    cmpi_slot cmpiCalloc;
    cmpi_slot cmpiRealloc;
    cmpi_slot cmpiStrDup;
    cmpi_slot cmpiFree;
    cmpi_slot freeInstance;
    cmpi_slot freeObjectPath;
    cmpi_slot freeArgs;
    cmpi_slot freeString;
    cmpi_slot freeArray;
    cmpi_slot freeDateTime;
    cmpi_slot freeSelectExp;
} CMPIBrokerMemFT;

struct CMPIBroker {
    void *hdl;
    CMPIBrokerFT *bft;
    CMPIBrokerEncFT *eft;
    void *xft;
    CMPIBrokerMemFT *mft; /* NULL in OpenPegasus */
};

/* Encapsulated objects. */

typedef struct CMPIContextFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIContext *);
    cmpi_slot clone;
    CMPIData (*getEntry)(const CMPIContext *, const char *name, CMPIStatus *);
    cmpi_slot getEntryAt;
    cmpi_slot getEntryCount;
    cmpi_slot addEntry;
} CMPIContextFT;

typedef struct CMPIResultFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIResult *);
    cmpi_slot clone;
    CMPIStatus (*returnData)(const CMPIResult *, const CMPIValue *, CMPIType);
    CMPIStatus (*returnInstance)(const CMPIResult *, const CMPIInstance *);
    CMPIStatus (*returnObjectPath)(const CMPIResult *, const CMPIObjectPath *);
    CMPIStatus (*returnDone)(const CMPIResult *);
    cmpi_slot returnError;
} CMPIResultFT;

typedef struct CMPIInstanceFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIInstance *);
    cmpi_slot clone;
    CMPIData (*getProperty)(const CMPIInstance *, const char *, CMPIStatus *);
    CMPIData (*getPropertyAt)(const CMPIInstance *, CMPICount, CMPIString **name, CMPIStatus *);
    CMPICount (*getPropertyCount)(const CMPIInstance *, CMPIStatus *);
    CMPIStatus (*setProperty)(const CMPIInstance *, const char *, const CMPIValue *, CMPIType);
    CMPIObjectPath *(*getObjectPath)(const CMPIInstance *, CMPIStatus *);
    CMPIStatus (*setPropertyFilter)(CMPIInstance *, const char **properties, const char **keys);
    cmpi_slot setObjectPath;
    cmpi_slot setPropertyWithOrigin;
} CMPIInstanceFT;

typedef struct CMPIObjectPathFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIObjectPath *);
    cmpi_slot clone;
    cmpi_slot setNameSpace;
    CMPIString *(*getNameSpace)(const CMPIObjectPath *, CMPIStatus *);
    cmpi_slot setHostname;
    cmpi_slot getHostname;
    cmpi_slot setClassName;
    CMPIString *(*getClassName)(const CMPIObjectPath *, CMPIStatus *);
    CMPIStatus (*addKey)(CMPIObjectPath *, const char *, const CMPIValue *, CMPIType);
    cmpi_slot getKey;
    CMPIData (*getKeyAt)(const CMPIObjectPath *, CMPICount, CMPIString **name, CMPIStatus *);
    CMPICount (*getKeyCount)(const CMPIObjectPath *, CMPIStatus *);
    cmpi_slot setNameSpaceFromObjectPath;
    cmpi_slot setHostAndNameSpaceFromObjectPath;
    cmpi_slot getClassQualifier;
    cmpi_slot getPropertyQualifier;
    cmpi_slot getMethodQualifier;
    cmpi_slot getParameterQualifier;
    cmpi_slot toString;
} CMPIObjectPathFT;

typedef struct CMPISelectExpFT {
    int ftVersion;
    CMPIStatus (*release)(CMPISelectExp *);
    cmpi_slot clone;
    cmpi_slot evaluate;
    CMPIString *(*getString)(const CMPISelectExp *, CMPIStatus *);
    cmpi_slot getDOC;
    cmpi_slot getCOD;
    cmpi_slot evaluateUsingAccessor;
} CMPISelectExpFT;

typedef struct CMPIArgsFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIArgs *);
    cmpi_slot clone;
    CMPIStatus (*addArg)(CMPIArgs *, const char *, const CMPIValue *, CMPIType);
    cmpi_slot getArg;
    CMPIData (*getArgAt)(const CMPIArgs *, CMPICount, CMPIString **name, CMPIStatus *);
    CMPICount (*getArgCount)(const CMPIArgs *, CMPIStatus *);
} CMPIArgsFT;

typedef struct CMPIStringFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIString *);
    cmpi_slot clone;
    char *(*getCharPtr)(const CMPIString *, CMPIStatus *);
} CMPIStringFT;

typedef struct CMPIArrayFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIArray *);
    cmpi_slot clone;
    CMPICount (*getSize)(const CMPIArray *, CMPIStatus *);
    CMPIType (*getSimpleType)(const CMPIArray *, CMPIStatus *);
    CMPIData (*getElementAt)(const CMPIArray *, CMPICount, CMPIStatus *);
    CMPIStatus (*setElementAt)(CMPIArray *, CMPICount, const CMPIValue *, CMPIType);
} CMPIArrayFT;

typedef struct CMPIDateTimeFT {
    int ftVersion;
    CMPIStatus (*release)(CMPIDateTime *);
    cmpi_slot clone;
    cmpi_slot getBinaryFormat;
    CMPIString *(*getStringFormat)(const CMPIDateTime *, CMPIStatus *);
    cmpi_slot isInterval;
} CMPIDateTimeFT;

struct CMPIContext {
    void *hdl;
    CMPIContextFT *ft;
};
struct CMPIResult {
    void *hdl;
    CMPIResultFT *ft;
};
struct CMPIInstance {
    void *hdl;
    CMPIInstanceFT *ft;
};
struct CMPIObjectPath {
    void *hdl;
    CMPIObjectPathFT *ft;
};
struct CMPISelectExp {
    void *hdl;
    CMPISelectExpFT *ft;
};
struct CMPIArgs {
    void *hdl;
    CMPIArgsFT *ft;
};
struct CMPIString {
    void *hdl;
    CMPIStringFT *ft;
};
struct CMPIArray {
    void *hdl;
    CMPIArrayFT *ft;
};
struct CMPIDateTime {
    void *hdl;
    CMPIDateTimeFT *ft;
};

/* What a provider offers. */

typedef struct CMPIInstanceMI CMPIInstanceMI;
typedef struct CMPIInstanceMIFT {
    int ftVersion;
    int miVersion;
    const char *miName;
    CMPIStatus (*cleanup)(CMPIInstanceMI *, const CMPIContext *, CMPIBoolean terminating);
    CMPIStatus (*enumerateInstanceNames)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *,
                                         const CMPIObjectPath *);
    CMPIStatus (*enumerateInstances)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *,
                                     const CMPIObjectPath *, const char **properties);
    CMPIStatus (*getInstance)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                              const char **properties);
    CMPIStatus (*createInstance)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                                 const CMPIInstance *);
    CMPIStatus (*modifyInstance)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                                 const CMPIInstance *, const char **properties);
    CMPIStatus (*deleteInstance)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *);
    CMPIStatus (*execQuery)(CMPIInstanceMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                            const char *query, const char *language);
} CMPIInstanceMIFT;
struct CMPIInstanceMI {
    void *hdl;
    CMPIInstanceMIFT *ft;
};

typedef struct CMPIAssociationMI CMPIAssociationMI;
typedef struct CMPIAssociationMIFT {
    int ftVersion;
    int miVersion;
    const char *miName;
    CMPIStatus (*cleanup)(CMPIAssociationMI *, const CMPIContext *, CMPIBoolean terminating);
    CMPIStatus (*associators)(CMPIAssociationMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                              const char *association_class, const char *result_class, const char *role,
                              const char *result_role, const char **properties);
    CMPIStatus (*associatorNames)(CMPIAssociationMI *, const CMPIContext *, const CMPIResult *,
                                  const CMPIObjectPath *, const char *association_class, const char *result_class,
                                  const char *role, const char *result_role);
    CMPIStatus (*references)(CMPIAssociationMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                             const char *result_class, const char *role, const char **properties);
    CMPIStatus (*referenceNames)(CMPIAssociationMI *, const CMPIContext *, const CMPIResult *,
                                 const CMPIObjectPath *, const char *result_class, const char *role);
} CMPIAssociationMIFT;
struct CMPIAssociationMI {
    void *hdl;
    CMPIAssociationMIFT *ft;
};

typedef struct CMPIMethodMI CMPIMethodMI;
typedef struct CMPIMethodMIFT {
    int ftVersion;
    int miVersion;
    const char *miName;
    CMPIStatus (*cleanup)(CMPIMethodMI *, const CMPIContext *, CMPIBoolean terminating);
    CMPIStatus (*invokeMethod)(CMPIMethodMI *, const CMPIContext *, const CMPIResult *, const CMPIObjectPath *,
                               const char *method, const CMPIArgs *in, CMPIArgs *out);
} CMPIMethodMIFT;
struct CMPIMethodMI {
    void *hdl;
    CMPIMethodMIFT *ft;
};

typedef struct CMPIIndicationMI CMPIIndicationMI;
typedef struct CMPIIndicationMIFT {
    int ftVersion;
    int miVersion;
    const char *miName;
    CMPIStatus (*cleanup)(CMPIIndicationMI *, const CMPIContext *, CMPIBoolean terminating);
    CMPIStatus (*authorizeFilter)(CMPIIndicationMI *, const CMPIContext *, const CMPISelectExp *,
                                  const char *class_name, const CMPIObjectPath *, const char *owner);
    CMPIStatus (*mustPoll)(CMPIIndicationMI *, const CMPIContext *, const CMPISelectExp *, const char *class_name,
                           const CMPIObjectPath *);
    CMPIStatus (*activateFilter)(CMPIIndicationMI *, const CMPIContext *, const CMPISelectExp *,
                                 const char *class_name, const CMPIObjectPath *, CMPIBoolean first);
    CMPIStatus (*deActivateFilter)(CMPIIndicationMI *, const CMPIContext *, const CMPISelectExp *,
                                   const char *class_name, const CMPIObjectPath *, CMPIBoolean last);
    CMPIStatus (*enableIndications)(CMPIIndicationMI *, const CMPIContext *);
    CMPIStatus (*disableIndications)(CMPIIndicationMI *, const CMPIContext *);
} CMPIIndicationMIFT;
struct CMPIIndicationMI {
    void *hdl;
    CMPIIndicationMIFT *ft;
};

#endif
