/**
 * Speaks to the server: the one module that does.  Everything is the REST front end's JSON (docs/rest.md).
 */
import { text } from "./texts.js";

/**
 * @typedef {{class: string, path: string, namespace?: string, properties: Record<string, any>, href: string, etag?: string}} Instance
 * @typedef {{ReturnValue: number, parameters: Record<string, any>}} Outcome
 */

/** The HTTP statuses of which something can be said that helps. */
const ADVISED = [403, 404, 429, 503];

/** What the server refused or could not do, in its own words, and what to do about it. */
export class ServerError extends Error {
  /**
   * @param {number} http the HTTP status; 0 where there was no answer
   * @param {{status?: number, name?: string, message?: string}} body
   */
  constructor(http, body) {
    super([body.message || body.name || `HTTP ${http}`, ADVISED.includes(http) ? text(`advice.${http}`) : ""].filter(Boolean).join(" "));
    this.http = http;
    this.status = body.status ?? 0;
    this.code = body.name ?? "";
  }
}

/** @type {(() => void)[]} */
const endings = [];

/** Calls a function when the session turns out to have ended. @param {() => void} listener */
export const whenSessionEnds = (listener) => endings.push(listener);

/** Bytes of a path that fit into the first line of a request, which servers bound: names can be long. */
const LONGEST_PATH = 6000;

/**
 * Sends a request whose path is too long for its first line in the body of another one.
 *
 * @param {string} method
 * @param {string} path below /api/
 * @param {any} body
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
async function askInBatch(method, path, body, headers) {
  const { responses: [answer] } = await ask("POST", "batch", { requests: [{ method, path: `/api/${path}`, body, ifMatch: headers["If-Match"] ?? "" }] });
  if (answer.status < 400) return answer.body ?? {};
  throw new ServerError(answer.status, answer.body ?? {});
}

/**
 * Sends a request and reads the JSON of the answer.
 *
 * @param {string} method
 * @param {string} path below /api/
 * @param {any} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, headers = {}) {
  if (path.length > LONGEST_PATH) return askInBatch(method, path, body, headers);
  let response;
  try {
    response = await fetch(`/api/${path}`, {
      method,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        ...(method === "GET" ? {} : { "Content-Type": "application/json", "X-Virtcim-Request": "1" }),
        ...headers,
      },
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    });
  } catch (error) {
    throw new ServerError(0, { message: method === "GET" ? String(error) : `${error} ${text("advice.unanswered")}` });
  }
  const received = await response.text();
  let answer = {};
  try {
    answer = received ? JSON.parse(received) : {};
  } catch {
    answer = { message: received.slice(0, 300) };
  }
  if (response.ok) return answer;
  if (response.status === 401 && path !== "session") for (const each of endings) each();
  throw new ServerError(response.status, answer);
}

/** A part of a path, escaped. @param {string} name */
export const part = (name) => encodeURIComponent(name);

/**
 * What a method's return value means, beside the value; the value alone where its class says nothing of it.
 *
 * @param {{href: string}} target
 * @param {string} method
 * @param {number} value
 * @returns {Promise<string>}
 */
export async function meaningOf(target, method, value) {
  const [, namespace, className] = /^namespaces\/([^/]+)\/instances\/([^/]+)\//.exec(place(target)) ?? [];
  const declared = namespace ? await classOf(decodeURIComponent(namespace), decodeURIComponent(className)).catch(() => null) : null;
  const { ValueMap: values, Values: meanings } = declared?.methods?.[method]?.qualifiers ?? {};
  const meaning = meanings?.[(values ?? []).indexOf(String(value))];
  return meaning ? `${value} (${meaning})` : String(value);
}

const namespacePath = (/** @type {string} */ namespace) => `namespaces/${part(namespace)}`;

/** The query of a URL. @param {Record<string, string | number | undefined>} options */
function query(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

/** Where the server has an instance. @param {Instance | {href: string}} instance */
const place = (instance) => String(instance.href).replace(/^\/api\//, "");

/** All instances of a class, page by page. @param {string} namespace @param {string} className @param {Record<string, string | number | undefined>} [options] @returns {Promise<Instance[]>} */
export async function instances(namespace, className, options = {}) {
  /** @type {Instance[]} */
  const found = [];
  let next = `${namespacePath(namespace)}/classes/${part(className)}/instances${query(options)}`;
  while (next) {
    const page = await ask("GET", next);
    found.push(...page.instances);
    next = page.next ? page.next.replace(/^\/api\//, "") : "";
  }
  return found;
}

/** What was asked for, or nothing where the server does not have it or does not show it. @param {Promise<Instance[]>} asked */
export const ifAny = (asked) =>
  asked.catch((error) => {
    if (error.http === 404 || error.http === 403) return [];
    throw error;
  });

/** The instances of a class, or none where the namespace does not have the class. @param {string} namespace @param {string} className @param {Record<string, string>} [options] */
export const instancesIfAny = (namespace, className, options) => ifAny(instances(namespace, className, options));

/** @param {{href: string}} target @returns {Promise<Instance>} */
export const get = (target) => ask("GET", place(target));

/** Asks for several things by one request, of which each has its own answer. @param {{method: string, path: string}[]} requests 100 at most @returns {Promise<{status: number, body: any}[]>} */
export const askMany = async (requests) => (await ask("POST", "batch", { requests })).responses;

/** @param {{href: string}} target @param {Record<string, string | undefined>} [options] @returns {Promise<Instance[]>} */
export const associators = async (target, options = {}) =>
  (await ask("GET", `${place(target)}/associators${query(options)}`)).instances;

/** @param {{href: string}} target @param {Record<string, string | undefined>} [options] @returns {Promise<Instance[]>} */
export const references = async (target, options = {}) =>
  (await ask("GET", `${place(target)}/references${query(options)}`)).instances;

/** @param {{href: string}} target @param {string} method @param {Record<string, any>} parameters @returns {Promise<Outcome>} */
export const invoke = (target, method, parameters = {}) =>
  ask("POST", `${place(target)}/methods/${part(method)}`, { parameters });

/** Changes an instance, unless it is another one than the ETag says by now. @param {{href: string}} target @param {Record<string, any>} properties @param {string} [etag] */
export const modify = (target, properties, etag) => ask("PATCH", place(target), { properties }, etag ? { "If-Match": etag } : {});

/** @param {{href: string}} target */
export const remove = (target) => ask("DELETE", place(target));

/** @param {string} namespace @param {string} className @param {Record<string, any>} properties */
export const create = (namespace, className, properties) =>
  ask("POST", `${namespacePath(namespace)}/instances`, { class: className, properties });

/** @param {string} namespace @returns {Promise<any[]>} */
export const classes = async (namespace) => (await ask("GET", `${namespacePath(namespace)}/classes`)).classes;

/** @param {string} namespace @param {string} className */
export const classOf = (namespace, className) => ask("GET", `${namespacePath(namespace)}/classes/${part(className)}`);

/** Guests of one page of summaries: so many are read and shown without holding up what people do. */
const PAGE = 400;

/** The summaries of all guests of a namespace, page by page, with whether more follow. @param {string} namespace @returns {AsyncGenerator<{summaries: any[], next?: string}>} */
export async function* summaryPages(namespace) {
  let next = `${namespacePath(namespace)}/summary?max=${PAGE}`;
  while (next) {
    const page = await ask("GET", next);
    yield page;
    next = page.next ? page.next.replace(/^\/api\//, "") : "";
  }
}

/** What is read of all guests of many at first: what the server knows without asking anybody. */
const BRIEF = ["CreationClassName", "Name", "UUID", "EnabledState", "HealthState", "NumberOfProcessors"];

/** What the server knows of all guests of a namespace without their figures, at once. @param {string} namespace @returns {Promise<any[]>} */
export async function briefSummaries(namespace) {
  const { columns, rows } = await ask("GET", `${namespacePath(namespace)}/summary${query({ columns: BRIEF.join() })}`);
  return rows.map((/** @type {any[]} */ row) =>
    Object.fromEntries(columns.map((/** @type {string} */ name, /** @type {number} */ at) => [name, row[at]])));
}

/** The summaries of some guests. @param {string} namespace @param {{className: string, name: string}[]} guests @param {Record<string, string | number>} [options] @returns {Promise<any[]>} */
export async function summariesOf(namespace, guests, options = {}) {
  const named = guests.map((each) => `${part(each.className)}/${part(each.name)}`).join(",");
  return (await ask("GET", `${namespacePath(namespace)}/summary${query({ ...options, guests: named })}`)).summaries;
}

/** The alerts of late, the newest first; none where the server tells of none. @returns {Promise<any[]>} */
export const alerts = () =>
  ask("GET", "alerts").then(
    (answer) => answer.alerts,
    (error) => {
      if (error.http === 404) return [];
      throw error;
    },
  );

export const namespaces = () => ask("GET", "");
export const session = () => ask("GET", "session");

const SESSION = "virtcim-session";

/** Whether this browser has logged in and not out; the session can have ended since. */
export const mayHaveSession = () => localStorage.getItem(SESSION) !== null;

/** @param {string} user @param {string} password */
export async function logIn(user, password) {
  await ask("POST", "session", { user, password });
  localStorage.setItem(SESSION, user);
}

/** Ends the session, or all sessions of the user. @param {boolean} [everywhere] @throws {ServerError} where it may go on */
export async function logOut(everywhere = false) {
  const user = localStorage.getItem(SESSION) ?? "";
  localStorage.removeItem(SESSION);
  try {
    await ask("DELETE", `session${query({ everywhere: everywhere ? "true" : "" })}`);
  } catch (error) {
    if (error.http === 401) return;
    localStorage.setItem(SESSION, user);
    throw error;
  }
}

/** Milliseconds between two tries to follow a server that has refused. */
const FIRST_WAIT = 1000, LONGEST_WAIT = 15000;

/** Why a stream of events is refused; "" where it is not (any more). @param {string} path @returns {Promise<string>} */
async function refusal(path) {
  const trial = new AbortController();
  try {
    const response = await fetch(path, { signal: trial.signal });
    return response.ok ? "" : (await response.json()).message;
  } catch {
    return "";
  } finally {
    trial.abort();
  }
}

/** What names the changes of all classes, for `follow`. */
export const EVERYTHING = "CIM_Indication";

/**
 * Follows the changes of the server, for as long as the page is open.
 *
 * The browser comes back by itself where the connection broke, but not where it was refused, as by a server that is
 * starting: then a new stream goes on behind the last event of the old one.
 *
 * @param {string[]} classes whose changes are told
 * @param {(event: any) => void} onChange is told of changes, and by a `begin` that others are told from now on
 * @param {(live: boolean, fresh: boolean, refused: string) => void} onState whether it is followed, whether by a stream
 *   that tells nothing of what was before, and why the server lets nobody follow
 * @returns {{end: () => void, choose: (classes: string[]) => void}} ends it, and chooses other classes
 */
export function follow(classes, onChange, onState) {
  let open = true, last = "", wait = FIRST_WAIT, wanted = classes.join(), followed = "";
  /** @type {any} */
  let timer = null;
  /** @type {EventSource} */
  let source;
  const take = (/** @type {MessageEvent} */ message) => {
    last = message.lastEventId;
    onChange(JSON.parse(message.data));
  };
  const begun = (/** @type {MessageEvent} */ message) => {
    last = message.lastEventId;
    if (followed !== wanted) turn();
    else onChange(JSON.parse(message.data));
  };
  const turn = () => {
    source.close();
    begin();
  };
  const place = () => `/api/events${query({ classes: wanted, lastEventId: last })}`;
  const later = () => {
    timer = setTimeout(again, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };
  const begin = () => {
    let fresh = !last;
    followed = wanted;
    source = new EventSource(place());
    source.onopen = () => {
      wait = FIRST_WAIT;
      onState(true, fresh, "");
      fresh = false;
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) onState(false, false, "");
      else if (open) later();
    };
    source.addEventListener("begin", /** @type {any} */ (begun));
    for (const kind of ["created", "modified", "deleted", "alert", "indication", "gap"]) source.addEventListener(kind, /** @type {any} */ (take));
  };
  const again = async () => {
    try {
      await session();
    } catch (error) {
      if (error.http === 401) {
        for (const each of endings) each();
        return;
      }
      onState(false, false, "");
    }
    const refused = await refusal(place());
    if (!open) return;
    if (refused) {
      onState(false, false, refused);
      later();
    } else begin();
  };
  /**
   * Says that nobody comes back to the stream, which the server else keeps for a while; one of a session that is over is
   * over as well.  A page that is kept for the button that goes back does come back.
   *
   * @param {PageTransitionEvent} event
   */
  const leave = (event) => {
    if (event.persisted || !last || !mayHaveSession()) return;
    source.close();
    fetch(`/api/events${query({ lastEventId: last })}`, { method: "DELETE", keepalive: true, headers: { "X-Virtcim-Request": "1" } }).catch(() => undefined);
  };
  addEventListener("pagehide", leave);
  begin();
  return {
    end: () => {
      open = false;
      clearTimeout(timer);
      removeEventListener("pagehide", leave);
      source.close();
    },
    choose: (chosen) => {
      wanted = chosen.join();
      // Before its first event a stream cannot be gone on with, and one that was refused begins with these by itself.
      if (last && followed !== wanted && source.readyState !== EventSource.CLOSED) turn();
    },
  };
}
