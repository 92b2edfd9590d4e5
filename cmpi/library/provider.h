/*
 * What the provider interfaces and the watcher of indications share.
 */
#ifndef VIRTCIM_PROVIDER_H
#define VIRTCIM_PROVIDER_H

#include "cmpi.h"
#include "wire.h"

struct provider {
    struct provider *next;
    const CMPIBroker *broker;
    CMPIInstanceMI instance;
    CMPIAssociationMI association;
    CMPIMethodMI method;
    CMPIIndicationMI indication;
    char name[];
};

const char *text_of(const CMPIString *string);
/* Who asks, or NULL when the CIM server does not authenticate. */
const char *principal_of(const CMPIContext *context);
/* Begin a request of five parts: two are still to be written, the path and the arguments. */
void begin_request(struct writer *request, enum operation operation, const char *provider, const char *principal);

/* What CIM servers look up; the name is that of the registration, in Pegasus behind "location:". */
#pragma GCC visibility push(default)
CMPIInstanceMI *_Generic_Create_InstanceMI(const CMPIBroker *, const CMPIContext *, const char *, CMPIStatus *);
CMPIAssociationMI *_Generic_Create_AssociationMI(const CMPIBroker *, const CMPIContext *, const char *, CMPIStatus *);
CMPIMethodMI *_Generic_Create_MethodMI(const CMPIBroker *, const CMPIContext *, const char *, CMPIStatus *);
CMPIIndicationMI *_Generic_Create_IndicationMI(const CMPIBroker *, const CMPIContext *, const char *, CMPIStatus *);
#pragma GCC visibility pop

CMPIStatus indications_authorize(const struct provider *provider, const CMPIContext *context,
                                 const CMPISelectExp *filter, const char *class_name, const CMPIObjectPath *path);
CMPIStatus indications_activate(const struct provider *provider, const CMPIContext *context,
                                const CMPISelectExp *filter, const char *class_name, const CMPIObjectPath *path);
CMPIStatus indications_deactivate(const struct provider *provider, const CMPISelectExp *filter,
                                  const char *class_name, const CMPIObjectPath *path);
CMPIStatus indications_enable(const struct provider *provider, const CMPIContext *context);
CMPIStatus indications_disable(const struct provider *provider);

#endif
