/**
 * Holds what all pages show, in one place, and tells them when it changes.
 */
import * as api from "./api.js";
import { useEffect, useState } from "./parts.js";

/**
 * @typedef {{namespace: string, className: string, name: string, uuid: string | null, state: number, load: number | null,
 *   memory: number | null, processors: number | null, uptime: number | null, addresses: string[], health: number | null,
 *   node: string, href: string, raw: Record<string, any>}} Guest
 * @typedef {{name: string, namespace: string, state: number, trouble: string, groups: string[], readOnly: boolean,
 *   href: string | null, raw: Record<string, any>}} Node
 */

const listeners = new Set();

export const state = {
  /** @type {null | {user: string, roles: Record<string, string[]> | string[]}} */
  session: null,
  /** Whether the server answers and tells of changes. */
  live: true,
  /** @type {Node[]} */
  nodes: [],
  /** @type {api.Instance[]} */
  groups: [],
  /** @type {Map<string, Guest>} */
  guests: new Map(),
  /** @type {any[]} the newest first */
  events: [],
  /** @type {{id: number, kind: string, text: string}[]} */
  messages: [],
  loaded: false,
};

const ROLES = ["none", "read", "operate", "administer"];

/** Whether who is logged in has a role in a namespace, or a higher one. @param {string} namespace @param {string} role */
export function may(namespace, role) {
  const own = /** @type {any} */ (state.session?.roles ?? {})[namespace] ?? "none";
  return ROLES.indexOf(own) >= ROLES.indexOf(role);
}

/** Tells all pages, once per frame. */
let told = false;
export function changed() {
  if (told) return;
  told = true;
  requestAnimationFrame(() => {
    told = false;
    for (const each of listeners) each();
  });
}

/** Draws a part again whenever the state changes. */
export function useAppState() {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = () => again((/** @type {number} */ count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return state;
}

let lastMessage = 0;

/** Shows a message; errors stay until they are closed. @param {string} text @param {string} [kind] */
export function tell(text, kind = "good") {
  const id = ++lastMessage;
  state.messages.push({ id, kind, text });
  changed();
  if (kind === "good") setTimeout(() => dismiss(id), 6000);
}

/** @param {number} id */
export function dismiss(id) {
  state.messages = state.messages.filter((each) => each.id !== id);
  changed();
}

/** @param {string} namespace @param {string} className @param {string} name */
export const guestKey = (namespace, className, name) => `${namespace}|${className}|${name}`;

/** @param {string} namespace @param {any} entry @returns {Guest} */
function guestOf(namespace, entry) {
  const raw = entry.properties ?? entry;
  return {
    namespace,
    className: raw.CreationClassName,
    name: raw.Name,
    uuid: raw.UUID ?? null,
    state: raw.EnabledState ?? 5,
    health: raw.HealthState ?? null,
    load: raw.ProcessorLoad ?? null,
    memory: raw.MemoryUsage === null || raw.MemoryUsage === undefined ? null : Number(raw.MemoryUsage),
    processors: raw.NumberOfProcessors ?? null,
    uptime: raw.UpTime ?? null,
    addresses: raw.Addresses ?? raw.IPAddresses ?? [],
    node: nodeName(namespace),
    href: guestPlace(namespace, raw.CreationClassName, raw.Name),
    raw,
  };
}

/** Where a guest is served. @param {string} namespace @param {string} className @param {string} name */
export const guestPlace = (namespace, className, name) =>
  `/api/namespaces/${api.part(namespace)}/instances/${api.part(className)}/` +
  `CreationClassName=${api.part(className)},Name=${api.part(name)}`;

/** The node of a namespace, by name. @param {string} namespace */
export const nodeName = (namespace) => state.nodes.find((each) => each.namespace === namespace)?.name ?? namespace;

/** The nodes of each group, by the name of the group; those in none under "". @returns {[string, Node[]][]} */
export function nodesByGroup() {
  const groups = new Map(/** @type {[string, Node[]][]} */ ([]));
  for (const node of state.nodes)
    for (const group of node.groups.length ? node.groups : [""]) groups.set(group, [...(groups.get(group) ?? []), node]);
  return [...groups].sort(([one], [two]) => one.localeCompare(two));
}

/** Reads the nodes and groups. */
export async function loadNodes() {
  const [managed, groups, top] = await Promise.all([
    api.instancesIfAny("root/interop", "Virt_ManagedNode"),
    api.instancesIfAny("root/interop", "Virt_NodeGroup"),
    api.namespaces(),
  ]);
  /** @type {Node[]} */
  const nodes = managed.map((each) => ({
    name: each.properties.Name,
    namespace: each.properties.Namespace,
    state: each.properties.State ?? 2,
    trouble: each.properties.Trouble ?? "",
    groups: each.properties.Groups ?? [],
    readOnly: each.properties.ReadOnly ?? false,
    href: each.href ?? null,
    raw: each.properties,
  }));
  const names = (top.namespaces ?? []).map((/** @type {any} */ each) => each.name ?? each);
  if (names.includes("root/virt") && !nodes.some((each) => each.namespace === "root/virt")) {
    nodes.unshift({
      name: "local", namespace: "root/virt", state: 2, trouble: "", groups: [], readOnly: false, href: null, raw: {},
    });
  }
  state.nodes = nodes;
  state.groups = groups;
  changed();
}

/** Reads the guests of a node. @param {string} namespace */
export async function loadGuests(namespace) {
  const answer = await api.summary(namespace);
  const entries = answer.summaries ?? answer.instances ?? [];
  const fresh = entries.map((/** @type {any} */ each) => guestOf(namespace, each));
  for (const [key, guest] of state.guests) if (guest.namespace === namespace) state.guests.delete(key);
  for (const guest of fresh) state.guests.set(guestKey(namespace, guest.className, guest.name), guest);
  changed();
}

/** Reads all of it; a node that does not answer leaves the others as they are. */
export async function loadAll() {
  await loadNodes();
  await Promise.allSettled(state.nodes.filter((each) => each.state !== 0).map((each) => loadGuests(each.namespace)));
  state.loaded = true;
  changed();
}

/** @type {Map<string, any>} */
const due = new Map();

/** Reads a node's guests soon, however many changes there are meanwhile. @param {string} namespace */
export function loadGuestsSoon(namespace) {
  if (due.has(namespace)) return;
  due.set(namespace, setTimeout(() => {
    due.delete(namespace);
    loadGuests(namespace).catch(() => undefined);
  }, 150));
}

const EVENTS_KEPT = 500;

/** Takes in a change that the server tells of. @param {any} event */
export function take(event) {
  if (event.kind === "gap") {
    loadAll().catch(() => undefined);
    return;
  }
  state.events.unshift({ ...event, seen: new Date() });
  state.events.length = Math.min(state.events.length, EVENTS_KEPT);
  const namespace = event.namespace ?? "root/virt";
  if (/ManagedNode|NodeGroup/.test(event.class ?? "")) loadNodes().catch(() => undefined);
  else loadGuestsSoon(namespace);
  for (const each of watchers) each(event);
  changed();
}

/** @type {Set<(event: any) => void>} */
const watchers = new Set();

/** Calls a function with each change while a page is open. @param {(event: any) => void} watcher */
export function useChanges(watcher) {
  useEffect(() => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  });
}
