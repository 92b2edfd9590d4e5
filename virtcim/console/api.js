/**
 * Speaks to the server: the one module that does.  Everything is the REST front end's JSON (docs/rest.md).
 */

/**
 * @typedef {{class: string, path: string, namespace?: string, properties: Record<string, any>, href: string, etag?: string}} Instance
 * @typedef {{ReturnValue: number, parameters: Record<string, any>}} Outcome
 */

/** What the server refused or could not do, in its own words. */
export class ServerError extends Error {
  /**
   * @param {number} http the HTTP status; 0 where there was no answer
   * @param {{status?: number, name?: string, message?: string}} body
   */
  constructor(http, body) {
    super(body.message || body.name || `HTTP ${http}`);
    this.http = http;
    this.status = body.status ?? 0;
    this.code = body.name ?? "";
  }
}

/** @type {(() => void)[]} */
const endings = [];

/** Calls a function when the session turns out to have ended. @param {() => void} listener */
export const whenSessionEnds = (listener) => endings.push(listener);

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
    throw new ServerError(0, { message: String(error) });
  }
  const text = await response.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = { message: text.slice(0, 300) };
  }
  if (response.ok) return answer;
  if (response.status === 401 && path !== "session") for (const each of endings) each();
  throw new ServerError(response.status, answer);
}

/** A part of a path, escaped. @param {string} text */
export const part = (text) => encodeURIComponent(text);

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

/** The instances of a class, or none where the namespace does not have the class. @param {string} namespace @param {string} className */
export const instancesIfAny = (namespace, className) =>
  instances(namespace, className).catch((error) => {
    if (error.http === 404 || error.http === 403) return [];
    throw error;
  });

/** @param {{href: string}} target @returns {Promise<Instance>} */
export const get = (target) => ask("GET", place(target));

/** @param {{href: string}} target @param {Record<string, string | undefined>} [options] @returns {Promise<Instance[]>} */
export const associators = async (target, options = {}) =>
  (await ask("GET", `${place(target)}/associators${query(options)}`)).instances;

/** @param {{href: string}} target @param {Record<string, string | undefined>} [options] @returns {Promise<Instance[]>} */
export const references = async (target, options = {}) =>
  (await ask("GET", `${place(target)}/references${query(options)}`)).instances;

/** @param {{href: string}} target @param {string} method @param {Record<string, any>} parameters @returns {Promise<Outcome>} */
export const invoke = (target, method, parameters = {}) =>
  ask("POST", `${place(target)}/methods/${part(method)}`, { parameters });

/** @param {{href: string}} target @param {Record<string, any>} properties */
export const modify = (target, properties) => ask("PATCH", place(target), { properties });

/** @param {{href: string}} target */
export const remove = (target) => ask("DELETE", place(target));

/** @param {string} namespace @param {string} className @param {Record<string, any>} properties */
export const create = (namespace, className, properties) =>
  ask("POST", `${namespacePath(namespace)}/instances`, { class: className, properties });

/** @param {string} namespace @returns {Promise<any[]>} */
export const classes = async (namespace) => (await ask("GET", `${namespacePath(namespace)}/classes`)).classes;

/** @param {string} namespace @param {string} className */
export const classOf = (namespace, className) => ask("GET", `${namespacePath(namespace)}/classes/${part(className)}`);

/** The summaries of all guests of a namespace. @param {string} namespace @param {Record<string, string | number | undefined>} [options] */
export const summary = (namespace, options = {}) => ask("GET", `${namespacePath(namespace)}/summary${query(options)}`);

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

export async function logOut() {
  localStorage.removeItem(SESSION);
  await ask("DELETE", "session");
}

/**
 * Follows the changes of the server, for as long as the page is open; the browser resumes by itself.
 *
 * @param {(event: any) => void} onChange
 * @param {(live: boolean) => void} onState
 * @returns {() => void} ends it
 */
export function follow(onChange, onState) {
  const source = new EventSource("/api/events");
  source.onopen = () => onState(true);
  source.onerror = () => onState(false);
  const take = (/** @type {MessageEvent} */ message) => onChange(JSON.parse(message.data));
  for (const kind of ["created", "modified", "deleted", "alert", "indication", "gap"]) source.addEventListener(kind, take);
  return () => source.close();
}
