/**
 * Holds what all pages show, in one place, and tells them when it changes.
 */
import * as api from "./api.js";
import { useEffect, useState } from "./parts.js";
import { prefixOf } from "./values.js";

/**
 * @typedef {{namespace: string, className: string, name: string, uuid: string | null, state: number, load: number | null,
 *   memory: number | null, processors: number | null, uptime: number | null, addresses: string[], health: number | null,
 *   node: string, href: string, raw: Record<string, any>, brief: boolean, since: number, told: number}} Guest
 *   brief: whether its figures were not read yet
 *   since, told: the version when it came and when its state was told of last, by an event; 0 where none has told it
 * @typedef {{name: string, namespace: string, state: number, trouble: string, groups: string[], readOnly: boolean,
 *   href: string | null, raw: Record<string, any>}} Node
 */

const listeners = new Set();

export const state = {
  /** @type {null | {user: string, roles: Record<string, string[]> | string[]}} */
  session: null,
  /** Whether there was a session that has ended without being asked to. */
  ended: false,
  /** Whether the server answers and tells of changes. */
  live: true,
  /** Why the server tells nothing of changes though it answers; what is shown is then read again now and then. */
  refused: "",
  /** What could not be read at the last try and why, by the namespace of the node; "" for the nodes themselves. @type {Map<string, string>} */
  unread: new Map(),
  /** @type {Node[]} */
  nodes: [],
  /** @type {api.Instance[]} */
  groups: [],
  /** @type {api.Instance[]} without their documents */
  templates: [],
  /** @type {Map<string, Guest>} */
  guests: new Map(),
  /** Grows with each change of `guests`. */
  version: 0,
  /** @type {any[]} the newest first */
  events: [],
  /** @type {any[]} the newest first, those from before the page was opened too */
  alerts: [],
  /** @type {{id: number, kind: string, text: string}[]} */
  messages: [],
  loaded: false,
};

/** The namespace of the server's own host. */
const OWN = "root/virt";

const ROLES = ["none", "read", "operate", "administer"];

/** Whether who is logged in has a role in a namespace, or a higher one. @param {string} namespace @param {string} role */
export function may(namespace, role) {
  const own = /** @type {any} */ (state.session?.roles ?? {})[namespace] ?? "none";
  return ROLES.indexOf(own) >= ROLES.indexOf(role);
}

/** Whether who is logged in has a role, or a higher one, on any node. @param {string} role */
export const mayAnywhere = (role) => Object.keys(/** @type {any} */ (state.session?.roles ?? {})).some((each) => each.startsWith(OWN) && may(each, role));

/** Whether who is logged in may change nodes and templates. */
export const mayManage = () => may("root/interop", "administer");

/** The nodes on which who is logged in has a role, or a higher one. @param {string} role */
export const nodesWhere = (role) => state.nodes.filter((each) => may(each.namespace, role));

/** Milliseconds between two times that all pages are drawn: many changes are drawn together. */
const BETWEEN = 150;
let told = false;
let drawn = 0;

/** Has all pages drawn again: at once, or soon where that was just done. */
export function changed() {
  if (told) return;
  told = true;
  setTimeout(() => requestAnimationFrame(() => {
    told = false;
    drawn = performance.now();
    for (const each of listeners) each();
  }), Math.max(0, drawn + BETWEEN - performance.now()));
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

/** No answer, and the session has ended, are told by other means; what nobody may see, or has gone, is no failure. */
const NOT_NOTED = [0, 401, 403, 404];

/**
 * Waits for a reading, and notes for all pages that it failed.
 *
 * @param {string} namespace of the node; "" for the nodes themselves
 * @param {Promise<any>} reading
 */
async function noting(namespace, reading) {
  try {
    await reading;
    if (state.unread.delete(namespace)) changed();
  } catch (error) {
    const { http, message } = /** @type {api.ServerError} */ (error);
    if (NOT_NOTED.includes(http)) return;
    state.unread.set(namespace, message);
    changed();
  }
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
    brief: false,
    since: 0,
    told: 0,
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

/** CIM_ManagedSystemElement.OperationalStatus */
const OK = 2;
/** Virt_ManagedNode.State */
const CONNECTING = 1, CONNECTED = 2, DEGRADED = 3, NO_CONTACT = 4;

/** Whether there is no contact to the node that has a namespace. @param {string} namespace */
export const isAway = (namespace) => state.nodes.some((each) => each.namespace === namespace && each.state === NO_CONTACT);

/** The node of the server's own host, which no Virt_ManagedNode stands for. @param {api.Instance[]} hosts as each platform shows it @returns {Node} */
function ownNode(hosts) {
  const reached = hosts.filter((each) => (each.properties.OperationalStatus ?? []).includes(OK)).length;
  const now = hosts.length === 0 ? CONNECTING : reached === hosts.length ? CONNECTED : reached ? DEGRADED : NO_CONTACT;
  const Platforms = [...new Set(hosts.map((each) => prefixOf(each.class)))];
  return { name: "local", namespace: OWN, state: now, trouble: "", groups: [], readOnly: false, href: null, raw: { Platforms } };
}

/** Reads the nodes and groups. */
export async function loadNodes() {
  const [templates, managed, groups, top, hosts] = await Promise.all([
    api.instancesIfAny("root/interop", "Virt_Template", { properties: "InstanceID,Name,Version,GroupName,Caption,Origin" }),
    api.instancesIfAny("root/interop", "Virt_ManagedNode"),
    api.instancesIfAny("root/interop", "Virt_NodeGroup"),
    api.namespaces(),
    api.instancesIfAny(OWN, "Virt_HostSystem", { properties: "OperationalStatus" }),
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
  // What may be done on a node that has come since the log-in is not known yet.
  if (state.session && names.some((/** @type {string} */ each) => !(each in /** @type {any} */ (state.session).roles)))
    state.session.roles = (await api.session()).roles;
  if (names.includes(OWN) && !nodes.some((each) => each.namespace === OWN)) nodes.unshift(ownNode(hosts));
  state.nodes = nodes;
  for (const each of state.unread.keys()) if (!nodes.some((node) => node.namespace === each)) state.unread.delete(each);
  state.groups = groups;
  state.templates = templates;
  changed();
}

/** Takes in what is known of a guest. @param {Guest} guest */
function put(guest) {
  state.guests.set(guestKey(guest.namespace, guest.className, guest.name), guest);
  state.version += 1;
}

/** When guests were told to be gone, by their keys. @type {Map<string, number>} */
const gone = new Map();

/**
 * Takes in what was read of a guest.  What an event has told of it since the reading began is newer than that.
 *
 * @param {Guest} guest
 * @param {number} begun the version when the reading began
 */
function putRead(guest, begun) {
  const key = guestKey(guest.namespace, guest.className, guest.name);
  const before = state.guests.get(key);
  if ((gone.get(key) ?? 0) > begun) return;
  if (!before || before.told <= begun) {
    put({ ...guest, since: before?.since ?? 0, told: before?.told ?? 0 });
    return;
  }
  const { EnabledState, HealthState } = before.raw;
  put({
    ...guestOf(guest.namespace, { ...guest.raw, EnabledState, HealthState }),
    brief: guest.brief, since: before.since, told: before.told,
  });
}

/**
 * Reads the guests of a node, those that were there before included.  Of more than a page of them, what they are called and
 * their states come behind the first page at once, and their figures page by page while they are needed.
 *
 * @param {string} namespace
 */
export async function loadGuests(namespace) {
  const first = state.version;
  let begun = first;
  let isFirst = true;
  for await (const { summaries, next } of api.summaryPages(namespace)) {
    const page = summaries.map((each) => guestOf(namespace, each));
    for (const guest of page) putRead(guest, begun);
    if (isFirst) {
      changed();
      const known = new Set(page.map((guest) => guestKey(namespace, guest.className, guest.name)));
      if (next) for (const key of await loadBriefly(namespace)) known.add(key);
      // A guest that came meanwhile is told of by an event, and is not in what was read before it.
      for (const [key, guest] of state.guests)
        if (guest.namespace === namespace && !known.has(key) && !(guest.since > first)) state.guests.delete(key);
      state.version += 1;
      isFirst = false;
    }
    begun = state.version;
    changed();
    if (next && !wholes.size) return;
  }
}

/** Reads names and states of all guests of a node, whose figures stay as they are. @param {string} namespace @returns {Promise<string[]>} their keys */
async function loadBriefly(namespace) {
  const begun = state.version;
  return (await api.briefSummaries(namespace)).map((each) => {
    const key = guestKey(namespace, each.CreationClassName, each.Name);
    const before = state.guests.get(key);
    if (!before || before.state !== each.EnabledState || before.uuid !== each.UUID)
      putRead({ ...guestOf(namespace, { ...before?.raw, ...each }), brief: before?.brief ?? true }, begun);
    return key;
  });
}

/** Guests that are read by name at a time. */
const AT_ONCE = 40;

/** Reads some guests of a node again. @param {string} namespace @param {{className: string, name: string}[]} guests */
export async function refresh(namespace, guests) {
  for (let at = 0; at < guests.length; at += AT_ONCE) {
    const begun = state.version;
    const summaries = await api.summariesOf(namespace, guests.slice(at, at + AT_ONCE));
    for (const each of summaries) putRead(guestOf(namespace, each), begun);
    changed();
  }
}

/** Guests of a node up to which all figures are read again each time; of more only those that are seen. */
const FEW = 400;
/** Every so many rounds all of them are read. */
const ROUNDS = 24;
let round = 0;

/** @type {Set<() => Guest[]>} */
const views = new Set();

/** Says which guests a part of the page shows now, whose figures are to be read again. @param {() => Guest[]} seen */
export function useSeen(seen) {
  useEffect(() => {
    views.add(seen);
    return () => views.delete(seen);
  });
}

/** Parts of the page that need the figures of all guests, however many these are. @type {Set<object>} */
const wholes = new Set();

/** Has the figures of all guests read while a part of the page needs them, as for a sum or an order. @param {boolean} isNeeded */
export function useAllFigures(isNeeded) {
  useEffect(() => {
    if (!isNeeded) return undefined;
    const own = {};
    wholes.add(own);
    const lacking = new Set([...state.guests.values()].filter((each) => each.brief).map((each) => each.namespace));
    if (state.loaded) for (const each of lacking) noting(each, loadGuests(each));
    return () => wholes.delete(own);
  }, [isNeeded]);
}

/** The guests that the page shows now. */
const seenGuests = () => [...views].flatMap((each) => each());

/** Milliseconds for which what is seen gathers before figures are read. */
const GATHERED = 100;

/** Reads those of some guests again that are of a node. @param {string} namespace @param {Guest[]} guests */
async function refreshSome(namespace, guests) {
  const own = guests.filter((each) => each.namespace === namespace);
  if (own.length) await noting(namespace, refresh(namespace, own));
}

let filling = false;

/** Reads soon the figures of the guests that are seen then and have none yet: one that was scrolled past needs none. */
export async function fillSoon() {
  if (filling) return;
  filling = true;
  await new Promise((go) => setTimeout(go, GATHERED));
  const lacking = seenGuests().filter((each) => each.brief);
  await Promise.all(state.nodes.map(({ namespace }) => refreshSome(namespace, lacking)));
  filling = false;
}

/** Reads the figures again, of few guests or of those that are seen. */
export async function loadFigures() {
  round += 1;
  const counts = new Map();
  for (const { namespace } of state.guests.values()) counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
  const seen = seenGuests();
  await Promise.all(state.nodes.filter((each) => each.state >= 2 && each.state <= 3).map(({ namespace }) =>
    (counts.get(namespace) ?? 0) <= FEW || round % ROUNDS === 0 ? noting(namespace, loadGuests(namespace)) : refreshSome(namespace, seen)));
}

const ALERTS_KEPT = 200;

/** Takes in alerts, each of them once: one that was read may have come as an event too. @param {any[]} found the newest first */
function takeAlerts(found) {
  const known = new Map([...found, ...state.alerts].map((each) => [each.properties.IndicationIdentifier, each]));
  state.alerts = [...known.values()].sort((one, two) => String(two.time).localeCompare(String(one.time))).slice(0, ALERTS_KEPT);
}

/** Reads all of it; a node that does not answer leaves the others as they are. */
export async function loadAll() {
  takeAlerts(await api.alerts());
  await loadNodes();
  await Promise.all(state.nodes.filter((each) => each.state !== 0).map((each) => noting(each.namespace, loadGuests(each.namespace))));
  state.loaded = true;
  changed();
}

/** @type {Map<string, Map<string, {namespace: string, className: string, name: string}>>} */
const stale = new Map();

/** Reads a guest soon, together with others. @param {{namespace: string, className: string, name: string}} guest */
export function refreshSoon(guest) {
  const { namespace } = guest;
  if (!stale.has(namespace)) {
    stale.set(namespace, new Map());
    setTimeout(() => {
      const wanted = [...(stale.get(namespace) ?? new Map()).values()];
      stale.delete(namespace);
      const there = wanted.filter((each) => state.guests.has(guestKey(namespace, each.className, each.name)));
      noting(namespace, refresh(namespace, there));
    }, 500);
  }
  stale.get(namespace)?.set(guestKey(namespace, guest.className, guest.name), guest);
}

/** Reads a guest soon if the page shows it, or all of few; the others when they are seen. @param {Guest} guest */
function refreshIfSeen(guest) {
  const isSeen = seenGuests().some((each) => each.href === guest.href);
  if (isSeen || state.guests.size <= FEW) refreshSoon(guest);
}

/** What an event says of a guest as a whole. @param {any} event */
function takeSystem(event) {
  const { CreationClassName: className, Name: name } = event.properties ?? {};
  if (!name || !/^[^_]+_ComputerSystem$/.test(className ?? "")) return;
  const key = guestKey(event.namespace, className, name);
  if (event.kind === "deleted") {
    state.guests.delete(key);
    state.version += 1;
    gone.set(key, state.version);
    return;
  }
  gone.delete(key);
  const before = state.guests.get(key);
  const { EnabledState, HealthState, UUID } = event.properties;
  const guest = guestOf(event.namespace, { ...(before?.raw ?? {}), CreationClassName: className, Name: name, EnabledState, HealthState, UUID });
  put({ ...guest, brief: before?.brief ?? true, since: before?.since ?? state.version + 1, told: state.version + 1 });
  if (!before || before.state !== guest.state) refreshIfSeen(guest);
}

/** The guest that a part is of, by the name of the part; undefined for what is of no guest. @param {any} event */
function ownerOf(event) {
  const own = event.properties ?? {};
  const prefix = String(event.class ?? "").split("_")[0];
  const id = String(own.InstanceID ?? "");
  const name = own.SystemName ?? (/VirtualSystemSettingData$/.test(event.class) ? id.slice(id.indexOf(":") + 1) : id.slice(0, Math.max(0, id.lastIndexOf("/"))));
  return name && state.guests.get(guestKey(event.namespace, `${prefix}_ComputerSystem`, name));
}

const EVENTS_KEPT = 500;

/** The classes whose changes all pages need. */
const ALWAYS = ["CIM_ComputerSystem", "Virt_ManagedNode", "Virt_NodeGroup", "Virt_Template", "CIM_AlertIndication"];

/** What the parts of the page need beside these. @type {Set<string[]>} */
const needs = new Set();

/** The classes that are to be followed now: each costs the server something with every change of a guest. */
function needed() {
  const classes = [...needs].flat();
  return classes.includes(api.EVERYTHING) ? [api.EVERYTHING] : [...new Set([...ALWAYS, ...classes])];
}

/** @type {ReturnType<typeof api.follow> | null} */
let following = null;

/** Follows the server. @param {(live: boolean, fresh: boolean, refused: string) => void} onState as that of `api.follow` @returns {() => void} ends it */
export function follow(onState) {
  const own = api.follow(needed(), take, onState);
  following = own;
  return () => {
    if (following === own) following = null;
    own.end();
  };
}

/** Has the changes of some classes told while a part of the page is open. @param {string[]} classes */
export function useFollowed(classes) {
  useEffect(() => {
    const own = [...classes];
    // Pages come and go together: what they need is seen once all of them have.
    const choose = () => setTimeout(() => following?.choose(needed()));
    needs.add(own);
    choose();
    return () => {
      needs.delete(own);
      choose();
    };
  }, [classes.join()]);
}

/** Takes in a change that the server tells of. @param {any} event */
function take(event) {
  if (event.kind === "begin") {
    // What a page read before its classes were followed may be another by now.
    rereadPages();
    return;
  }
  if (event.kind === "gap") {
    noting("", catchUp());
    return;
  }
  state.events.unshift({ ...event, seen: new Date() });
  if (state.events.length > EVENTS_KEPT) state.events.length = EVENTS_KEPT;
  if (event.kind === "alert") takeAlerts([event]);
  else if (/ManagedNode|NodeGroup|Virt_Template|_HostSystem/.test(event.class ?? "")) noting("", loadNodes());
  else if (/_ComputerSystem$/.test(event.class ?? "")) takeSystem(event);
  else {
    const owner = ownerOf(event);
    if (owner) refreshIfSeen(owner);
  }
  for (const each of watchers) each(event);
  changed();
}

/**
 * Reads everything where events are missing, as after a start of the server, and tells what has become of guests meanwhile.
 */
export async function catchUp() {
  const before = new Map(state.guests);
  await loadAll();
  const told = (/** @type {string} */ kind, /** @type {Guest} */ guest, /** @type {string[]} */ names) =>
    state.events.unshift({
      kind, class: guest.className, namespace: guest.namespace, href: guest.href, changed: names, seen: new Date(),
      path: `/${guest.namespace}:${guest.className}.CreationClassName="${guest.className}",Name="${guest.name}"`, properties: guest.raw,
    });
  for (const [key, guest] of state.guests) {
    const old = before.get(key);
    if (!old) told("created", guest, []);
    else if (old.state !== guest.state) told("modified", guest, ["EnabledState"]);
  }
  for (const [key, guest] of before) if (!state.guests.has(key)) told("deleted", guest, []);
  rereadPages();
  changed();
}

/** @type {Set<(event: any) => void>} */
const watchers = new Set();

/** Has pages read again what they show, where changes may have been missed. */
function rereadPages() {
  for (const each of watchers) each(null);
}

/**
 * Calls a function while a page is open: with each change that concerns it, and where changes may have been missed.
 *
 * @param {string[]} classes that are followed meanwhile
 * @param {(event: any) => boolean} concerns
 * @param {() => void} again
 */
export function useChanges(classes, concerns, again) {
  useFollowed(classes);
  useEffect(() => {
    const watcher = (/** @type {any} */ event) => {
      if (event === null || concerns(event)) again();
    };
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  });
}
