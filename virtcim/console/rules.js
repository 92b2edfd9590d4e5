/**
 * What the DMTF's profiles ask for, as data that conformance.js follows; the one place of these rules.
 *
 * Profiles have one form (DSP1001): clause 5 names the profiles that one is used with, clause 8 the methods, clause 10 the
 * classes, properties and associations.  What is optional stands here with `least: 0`: where it is, it has to be right.
 */

/**
 * @typedef {{by: string, near: string, far: string, to: string, least?: number, most?: number, when?: Record<string, any[]>,
 *   follows?: string, element?: ElementRule}} LinkRule
 *   by: the association; near, far: the roles of this end and of the other one; to: the class of the other end; least:
 *   how many there have to be, 1 unless given; when: values of this end without which nothing has to be there; follows:
 *   the profile that the other end conforms to; element: what is asked of the other end
 * @typedef {{class: string, properties?: string[], values?: Record<string, any[]>, methods?: string[], links?: LinkRule[]}} ElementRule
 *   class: those that are not of it are passed over; properties: which are not NULL; values: what properties can be
 * @typedef {{document: string, names: string[], autonomous?: boolean, requires?: string[], every?: string, element: ElementRule}} ProfileRule
 *   names: as registered; autonomous: whether no other profile has to refer to it; requires: profiles that are registered,
 *   too; every: a class all of whose instances conform
 */

const CONSUMES = { EnabledState: [2, 9] };
const SERVICE_KEYS = ["SystemCreationClassName", "SystemName", "CreationClassName", "Name"];

/** @param {string} to @param {ElementRule} [element] @param {number} [least] @returns {LinkRule} */
const capabilities = (to, element, least = 1) => ({ by: "CIM_ElementCapabilities", near: "ManagedElement", far: "Capabilities", to, least, element });

/** @type {LinkRule} */
const HOSTED_SERVICE = { by: "CIM_HostedService", near: "Dependent", far: "Antecedent", to: "CIM_System", most: 1 };

/** @param {string} to @param {ElementRule} element @param {Partial<LinkRule>} [more] @returns {LinkRule} */
const service = (to, element, more) => ({ by: "CIM_HostedService", near: "Antecedent", far: "Dependent", to, least: 0, element, ...more });

/** @type {ElementRule} */
const SETTING = { class: "CIM_ResourceAllocationSettingData", properties: ["InstanceID", "ResourceType"] };

/** What a device has while its guest holds resources. @type {ElementRule} */
const DEVICE = {
  class: "CIM_LogicalDevice",
  properties: ["SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID", "EnabledState"],
  links: [
    { by: "CIM_SettingsDefineState", near: "ManagedElement", far: "SettingData", to: "CIM_ResourceAllocationSettingData", most: 1, element: SETTING },
    { by: "CIM_ElementAllocatedFromPool", near: "Dependent", far: "Antecedent", to: "CIM_ResourcePool", least: 0, most: 1 },
  ],
};

/** @type {ElementRule} */
const CONFIGURATION = {
  class: "CIM_VirtualSystemSettingData",
  properties: ["InstanceID", "ElementName", "VirtualSystemIdentifier", "VirtualSystemType"],
  links: [{ by: "CIM_VirtualSystemSettingDataComponent", near: "GroupComponent", far: "PartComponent", to: "CIM_ResourceAllocationSettingData",
    element: { ...SETTING, links: [{ by: "CIM_ResourceAllocationFromPool", near: "Dependent", far: "Antecedent", to: "CIM_ResourcePool", least: 0, most: 1 }] } }],
};

/** @type {ElementRule} */
const HOST = {
  class: "CIM_System",
  properties: ["CreationClassName", "Name", "ElementName"],
  links: [
    { by: "CIM_HostedDependency", near: "Antecedent", far: "Dependent", to: "CIM_ComputerSystem", least: 0, follows: "Virtual System" },
    { by: "CIM_HostedResourcePool", near: "GroupComponent", far: "PartComponent", to: "CIM_ResourcePool", follows: "Resource Allocation" },
    capabilities("CIM_VirtualSystemManagementCapabilities", { class: "CIM_VirtualSystemManagementCapabilities",
      properties: ["InstanceID", "ElementName", "VirtualSystemTypesSupported", "SynchronousMethodsSupported"] }),
    service("CIM_VirtualSystemManagementService", {
      class: "CIM_VirtualSystemManagementService", properties: SERVICE_KEYS,
      methods: ["DefineSystem", "DestroySystem", "AddResourceSettings", "ModifyResourceSettings", "ModifySystemSettings", "RemoveResourceSettings"],
      links: [capabilities("CIM_VirtualSystemManagementCapabilities"),
        { by: "CIM_ServiceAffectsElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_ComputerSystem", least: 0 }],
    }),
    service("CIM_VirtualSystemSnapshotService", {
      class: "CIM_VirtualSystemSnapshotService", properties: SERVICE_KEYS, methods: ["CreateSnapshot", "DestroySnapshot", "ApplySnapshot"],
      links: [capabilities("CIM_VirtualSystemSnapshotServiceCapabilities", { class: "CIM_VirtualSystemSnapshotServiceCapabilities",
        properties: ["InstanceID", "ElementName", "SnapshotTypesSupported"] })],
    }),
    service("CIM_ResourcePoolConfigurationService", {
      class: "CIM_ResourcePoolConfigurationService", properties: SERVICE_KEYS,
      methods: ["CreateResourcePool", "CreateChildResourcePool", "DeleteResourcePool", "AddResourcesToResourcePool", "RemoveResourcesFromResourcePool", "ChangeParentResourcePool"],
      links: [capabilities("CIM_ResourcePoolConfigurationCapabilities", { class: "CIM_ResourcePoolConfigurationCapabilities", properties: ["InstanceID", "ElementName"] })],
    }),
  ],
};

/** @type {ElementRule} */
const GUEST = {
  class: "CIM_ComputerSystem",
  properties: ["CreationClassName", "Name", "ElementName", "EnabledState", "RequestedState", "OperationalStatus", "HealthState"],
  methods: ["RequestStateChange"],
  links: [
    { by: "CIM_HostedDependency", near: "Dependent", far: "Antecedent", to: "CIM_System", most: 1 },
    { by: "CIM_SettingsDefineState", near: "ManagedElement", far: "SettingData", to: "CIM_VirtualSystemSettingData", most: 1, element: CONFIGURATION },
    { by: "CIM_ElementSettingData", near: "ManagedElement", far: "SettingData", to: "CIM_VirtualSystemSettingData", element: CONFIGURATION },
    { by: "CIM_SystemDevice", near: "GroupComponent", far: "PartComponent", to: "CIM_LogicalDevice", when: CONSUMES, element: DEVICE },
    capabilities("CIM_EnabledLogicalElementCapabilities", { class: "CIM_EnabledLogicalElementCapabilities", properties: ["InstanceID", "ElementName", "RequestedStatesSupported"] }),
    { by: "CIM_SnapshotOfVirtualSystem", near: "Antecedent", far: "Dependent", to: "CIM_VirtualSystemSettingData", least: 0, element: CONFIGURATION },
    { by: "CIM_LastAppliedSnapshot", near: "Dependent", far: "Antecedent", to: "CIM_VirtualSystemSettingData", least: 0, most: 1 },
  ],
};

/** What the pools of a kind are asked for. @param {any[]} [types] values of ResourceType @param {string} [device] @param {string} [part] the class of what the pool is made of @returns {ElementRule} */
const pool = (types, device = "CIM_LogicalElement", part = "CIM_ManagedElement") => {
  const values = types ? { ResourceType: types } : undefined;
  return {
    class: "CIM_ResourcePool", properties: ["InstanceID", "ElementName", "PoolID", "Primordial", "ResourceType"], values,
    links: [
      { by: "CIM_HostedResourcePool", near: "PartComponent", far: "GroupComponent", to: "CIM_System", most: 1 },
      { ...capabilities("CIM_AllocationCapabilities", { class: "CIM_AllocationCapabilities", values }), follows: "Allocation Capabilities" },
      { by: "CIM_ConcreteComponent", near: "GroupComponent", far: "PartComponent", to: part, least: 0 },
      { by: "CIM_ElementAllocatedFromPool", near: "Antecedent", far: "Dependent", to: device, least: 0 },
      { by: "CIM_ResourceAllocationFromPool", near: "Antecedent", far: "Dependent", to: "CIM_ResourceAllocationSettingData", least: 0, element: { ...SETTING, values } },
    ],
  };
};

const STORAGE = [15, 16, 17, 19, 31, 32];
const ETHERNET = [10, 30, 33];

/** @type {ProfileRule[]} */
export const RULES = [
  { document: "DSP1042", names: ["System Virtualization"], autonomous: true, requires: ["Virtual System", "Profile Registration"], element: HOST },
  { document: "DSP1057", names: ["Virtual System", "Virtual System Profile"], element: GUEST },
  { document: "DSP1041", names: ["Resource Allocation"], every: "CIM_ResourcePool", element: pool() },
  { document: "DSP1043", names: ["Allocation Capabilities"], every: "CIM_AllocationCapabilities", element: {
    class: "CIM_AllocationCapabilities", properties: ["InstanceID", "ElementName", "ResourceType", "RequestTypesSupported", "SharingMode"],
    links: [
      { by: "CIM_ElementCapabilities", near: "Capabilities", far: "ManagedElement", to: "CIM_ResourcePool" },
      { by: "CIM_SettingsDefineCapabilities", near: "GroupComponent", far: "PartComponent", to: "CIM_ResourceAllocationSettingData", element: SETTING },
    ],
  } },
  { document: "DSP1044", names: ["Processor Resource Virtualization"], element: pool([3], "CIM_Processor", "CIM_Processor") },
  { document: "DSP1045", names: ["Memory Resource Virtualization"], element: pool([4], "CIM_Memory", "CIM_Memory") },
  { document: "DSP1047", names: ["Storage Resource Virtualization"], element: pool(STORAGE, "CIM_LogicalElement", "CIM_LogicalDevice") },
  { document: "DSP1050", names: ["Ethernet Port Resource Virtualization"], element: pool(ETHERNET, "CIM_LogicalElement", "CIM_LogicalPort") },
  { document: "DSP1059", names: ["Generic Device Resource Virtualization"], element: pool() },
  { document: "DSP1053", names: ["Base Metrics"], element: {
    class: "CIM_MetricService", properties: SERVICE_KEYS, methods: ["ShowMetrics", "ShowMetricsByClass", "ControlMetrics", "ControlMetricsByClass"],
    links: [
      HOSTED_SERVICE,
      capabilities("CIM_MetricServiceCapabilities"),
      { by: "CIM_ServiceAffectsElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_BaseMetricDefinition", element: {
        class: "CIM_BaseMetricDefinition", properties: ["Id", "Name", "DataType"],
        links: [{ by: "CIM_MetricInstance", near: "Antecedent", far: "Dependent", to: "CIM_BaseMetricValue", least: 0, element: {
          class: "CIM_BaseMetricValue", properties: ["InstanceID", "MetricDefinitionId", "MetricValue", "TimeStamp"],
          links: [{ by: "CIM_MetricForME", near: "Dependent", far: "Antecedent", to: "CIM_ManagedElement", most: 1 }],
        } }],
      } },
    ],
  } },
  { document: "DSP1054", names: ["Indications"], element: {
    class: "CIM_IndicationService",
    properties: [...SERVICE_KEYS, "FilterCreationEnabled", "DeliveryRetryAttempts", "DeliveryRetryInterval", "SubscriptionRemovalAction", "SubscriptionRemovalTimeInterval"],
    links: [
      HOSTED_SERVICE,
      capabilities("CIM_IndicationServiceCapabilities", { class: "CIM_IndicationServiceCapabilities", properties: ["InstanceID", "ElementName"] }),
      { by: "CIM_ServiceAffectsElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_IndicationFilter", least: 0,
        element: { class: "CIM_IndicationFilter", properties: ["Name", "Query", "QueryLanguage"] } },
      { by: "CIM_ServiceAffectsElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_ListenerDestination", least: 0,
        element: { class: "CIM_ListenerDestination", properties: ["Name", "PersistenceType", "Protocol"] } },
      { by: "CIM_ServiceAffectsElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_FilterCollection", least: 0,
        element: { class: "CIM_FilterCollection", properties: ["InstanceID"] } },
    ],
  } },
  { document: "DSP1076", names: ["KVM Redirection"], element: {
    class: "CIM_RedirectionService", properties: [...SERVICE_KEYS, "EnabledState"],
    links: [
      HOSTED_SERVICE,
      capabilities("CIM_RedirectionServiceCapabilities", undefined, 0),
      { by: "CIM_ServiceAccessBySAP", near: "Antecedent", far: "Dependent", to: "CIM_KVMRedirectionSAP", least: 0, element: {
        class: "CIM_KVMRedirectionSAP", properties: ["CreationClassName", "Name", "EnabledState", "KVMProtocol"],
        links: [
          { by: "CIM_SAPAvailableForElement", near: "AvailableSAP", far: "ManagedElement", to: "CIM_ComputerSystem" },
          { by: "CIM_HostedAccessPoint", near: "Dependent", far: "Antecedent", to: "CIM_System", most: 1 },
        ],
      } },
    ],
  } },
  { document: "DSP1081", names: ["Virtual System Migration"], every: "CIM_VirtualSystemMigrationService", element: {
    class: "CIM_VirtualSystemMigrationService", properties: SERVICE_KEYS,
    methods: ["MigrateVirtualSystemToHost", "MigrateVirtualSystemToSystem", "CheckVirtualSystemIsMigratableToHost", "CheckVirtualSystemIsMigratableToSystem"],
    links: [
      HOSTED_SERVICE,
      capabilities("CIM_VirtualSystemMigrationCapabilities", {
        class: "CIM_VirtualSystemMigrationCapabilities", properties: ["InstanceID", "ElementName", "DestinationHostFormatsSupported"],
        links: [{ by: "CIM_SettingsDefineCapabilities", near: "GroupComponent", far: "PartComponent", to: "CIM_VirtualSystemMigrationSettingData", least: 0,
          element: { class: "CIM_VirtualSystemMigrationSettingData", properties: ["InstanceID", "MigrationType"] } }],
      }),
    ],
  } },
  { document: "DSP1103", names: ["Job Control"], every: "CIM_ConcreteJob", element: {
    class: "CIM_ConcreteJob", properties: ["InstanceID", "Name", "JobState", "OperationalStatus", "TimeBeforeRemoval"], methods: ["RequestStateChange", "GetErrors"],
    links: [
      { by: "CIM_OwningJobElement", near: "OwnedElement", far: "OwningElement", to: "CIM_ManagedElement", most: 1 },
      { by: "CIM_AffectedJobElement", near: "AffectingElement", far: "AffectedElement", to: "CIM_ManagedElement", least: 0 },
      { by: "CIM_AssociatedJobMethodResult", near: "Job", far: "JobParameters", to: "CIM_MethodResult", least: 0 },
    ],
  } },
  { document: "DSP1092", names: ["WBEM Server"], autonomous: true, requires: ["Profile Registration"], element: {
    class: "CIM_WBEMServer", properties: SERVICE_KEYS,
    links: [
      HOSTED_SERVICE,
      capabilities("CIM_WBEMServerCapabilities"),
      { by: "CIM_HostedDependency", near: "Antecedent", far: "Dependent", to: "CIM_WBEMServerNamespace", element: { class: "CIM_WBEMServerNamespace", properties: ["InstanceID"] } },
      { by: "CIM_ServiceServiceDependency", near: "Antecedent", far: "Dependent", to: "CIM_ProtocolService" },
    ],
  } },
  { document: "DSP1033", names: ["Profile Registration"], every: "CIM_RegisteredProfile", element: {
    class: "CIM_RegisteredProfile", properties: ["InstanceID", "RegisteredOrganization", "RegisteredName", "RegisteredVersion", "AdvertiseTypes"],
  } },
];

/** How a profile is registered: whether another one refers to it is left out for autonomous ones. @param {boolean} autonomous @returns {ElementRule} */
const registration = (autonomous) => ({
  class: "CIM_RegisteredProfile",
  properties: ["InstanceID", "RegisteredOrganization", "RegisteredName", "RegisteredVersion", "AdvertiseTypes"],
  links: [
    { by: "CIM_ReferencedProfile", near: "Antecedent", far: "Dependent", to: "CIM_RegisteredProfile", least: autonomous ? 0 : 1 },
    { by: "CIM_ReferencedProfile", near: "Dependent", far: "Antecedent", to: "CIM_RegisteredProfile", least: 0 },
  ],
});

const AUTONOMOUS = registration(true), COMPONENT = registration(false);

/** A subprofile belongs to a profile. @type {ElementRule} */
const SUBPROFILE = { ...AUTONOMOUS, links: [
  { by: "CIM_SubProfileRequiresProfile", near: "Dependent", far: "Antecedent", to: "CIM_RegisteredProfile" },
] };

/** The rules of a profile; none for one that nobody has written down here. @param {string} name @returns {ProfileRule | undefined} */
export const rulesOf = (name) => RULES.find((each) => each.names.includes(name));

/** How a profile is to be registered. @param {string} className @param {ProfileRule | undefined} rules */
export function registrationRule(className, rules) {
  if (className.endsWith("_RegisteredSubProfile")) return SUBPROFILE;
  return !rules || rules.autonomous ? AUTONOMOUS : COMPONENT;
}
