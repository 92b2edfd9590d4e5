/**
 * The pools of hosts: which there are, and how they are made, filled and removed.
 */
import * as api from "./api.js";
import { demandWhole, requireSame } from "./settings.js";
import { text } from "./texts.js";
import { prefixOf } from "./values.js";

/** The kinds of pools that people make: the end of the names of their classes. */
export const KINDS = { storage: "_DiskPool", network: "_NetworkPool" };
/** What the classes of their settings end with. */
const SETTINGS = { storage: "_DiskPoolResourceAllocationSettingData", network: "_NetPoolResourceAllocationSettingData" };
/** CIM_ManagedSystemElement.OperationalStatus */
const OK = 2;
/** Pools of these kinds hold files, which have a format. */
const FILES = ["dir", "fs", "netfs", "gluster"];

/** Whether a pool can be used as it is. @param {any} pool */
export const isActive = (pool) => (pool.properties.OperationalStatus ?? []).includes(OK);

/** Whether the volumes of a pool are files. @param {any} pool */
export const holdsFiles = (pool) => FILES.includes(pool.properties.ResourceSubType);

/** What tells the pools of a host apart: each of its platforms shows all of them. */
const IDENTIFYING = ["PoolID", "ResourceSubType", "Path", "Caption"];
/** What tells a volume from another one of its name; how much of it is used changes all the time. */
const OF_VOLUME = ["VolumeName", "ResourceSubType", "Capacity", "AllocationUnits"];

/** @param {any} pool */
const sameness = ({ properties: own }) => JSON.stringify(IDENTIFYING.map((name) => own[name]));

/**
 * Those of a kind, each once, with those that are the same for other platforms as `twins`; the primordial one stands for all
 * of a host, and nobody puts anything into it.
 *
 * @param {any[]} pools of one node
 * @param {keyof typeof KINDS} kind
 * @returns {any[]}
 */
export function poolsOf(pools, kind) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const each of pools.filter((one) => one.class.endsWith(KINDS[kind]) && !one.properties.Primordial)) {
    const known = found.get(sameness(each));
    if (known) known.twins.push(each);
    else found.set(sameness(each), { ...each, twins: [] });
  }
  return [...found.values()];
}

/**
 * The pools of a kind of each node, and the platforms of the node that have such.
 *
 * @param {{namespace: string, name: string}[]} nodes
 * @param {keyof typeof KINDS} kind
 */
export const poolsByNode = (nodes, kind) => Promise.all(nodes.map(async (node) => {
  const all = await api.instancesIfAny(node.namespace, "CIM_ResourcePool");
  const prefixes = all.filter((each) => each.class.endsWith(KINDS[kind])).map((each) => prefixOf(each.class));
  return { node, pools: poolsOf(all, kind), prefixes: [...new Set(prefixes)] };
}));

/** What makes and removes the pools of a platform. @param {string} namespace @param {string} prefix */
async function serviceOf(namespace, prefix) {
  const services = await api.instances(namespace, "CIM_ResourcePoolConfigurationService");
  const found = services.find((each) => each.class === `${prefix}_ResourcePoolConfigurationService`);
  if (!found) throw new Error(text("create.no-store"));
  return /** @type {any} */ (found);
}

/**
 * Makes a pool.
 *
 * @param {string} namespace
 * @param {string} prefix
 * @param {keyof typeof KINDS} kind
 * @param {string} name
 * @param {Record<string, any>} given properties of its settings; an empty text for one that is left to the server
 */
export async function createPool(namespace, prefix, kind, name, given) {
  const properties = Object.fromEntries(Object.entries(given).filter(([, each]) => each !== ""));
  await demandWhole(await serviceOf(namespace, prefix), "CreateChildResourcePool", {
    ElementName: name, Settings: [{ class: `${prefix}${SETTINGS[kind]}`, properties: { PoolID: `${KINDS[kind].slice(1)}/${name}`, ...properties } }],
  });
}

/** Removes a pool that is as it was shown, but nothing that is in it. @param {any} pool */
export async function removePool(pool) {
  await requireSame(pool, IDENTIFYING);
  await demandWhole(await serviceOf(pool.namespace, prefixOf(pool.class)), "DeleteResourcePool", { Pool: { href: pool.href } });
}

/**
 * Makes an empty volume.
 *
 * @param {any} pool
 * @param {{name: string, size: string, format?: string}} of size in GiB; a format where volumes are files
 * @returns {Promise<any>} its settings
 */
export async function createVolume(pool, { name, size, format }) {
  const prefix = prefixOf(pool.class);
  const made = await demandWhole(await serviceOf(pool.namespace, prefix), "CreateResourceInPool", {
    Settings: { class: `${prefix}_StorageVolumeResourceAllocationSettingData`, properties: {
      VolumeName: name, Capacity: size, AllocationUnits: "byte*2^30", ...(format ? { ResourceSubType: format, AllocationQuantity: "0" } : {}),
    } },
    Pool: { href: pool.href },
  });
  return api.get(made.Resource);
}

/** Removes a volume that is as it was shown, and what is on it. @param {any} pool @param {any} volume its settings */
export async function removeVolume(pool, volume) {
  const { InstanceID, Address } = (await requireSame(volume, OF_VOLUME)).properties;
  await demandWhole(await serviceOf(pool.namespace, prefixOf(pool.class)), "DeleteResourceInPool", {
    Resource: { class: volume.class, properties: { InstanceID, Address } }, Pool: { href: pool.href },
  });
}

/** Looks anew what is in a pool. @param {any} pool */
export const refreshPool = async (pool) =>
  demandWhole(await serviceOf(pool.namespace, prefixOf(pool.class)), "RefreshResourcesInPool", { Pool: { href: pool.href } });
