/**
 * Walks from the registered profiles to what conforms to them, and on along the associations that they ask for, and tells
 * what does not hold.  What profiles ask for stands in rules.js; what holds for every instance is here.
 */
import * as api from "./api.js";
import { registrationRule, rulesOf } from "./rules.js";

/** @typedef {import("./rules.js").ElementRule} ElementRule */
/** @typedef {import("./rules.js").LinkRule} LinkRule */
/** @typedef {import("./rules.js").ProfileRule} ProfileRule */

/** Requests in one, elements that are looked at side by side, and what is looked at along one association. */
const AT_ONCE = 40, TOGETHER = 5, MOST_LINKED = 20;

/** Pages that are read of the elements of a profile where only some of them are of the namespace. */
const MOST_PAGES = 20;

/** What is asked of an instance of which no profile says more. @type {ElementRule} */
const ANYTHING = { class: "CIM_ManagedElement" };

const CONFORMS = "CIM_ElementConformsToProfile";
const OPERATIONS = "DSP0200 5.3", QUALIFIERS = "DSP0004 5.6", REGISTRATION = "DSP1033 10";

/**
 * @typedef {{what: string, detail: string, section: string, href: string, path: string}} Finding
 *   what: the end of a name in texts/, `profiles.finding.` before it
 * @typedef {{profile: api.Instance, known: boolean, seen: number, all: boolean, findings: Finding[]}} Walked
 *   known: whether there are rules for it; all: whether no elements were left out
 * @typedef {{instances: api.Instance[], all: boolean, error: string}} Page
 */

/** @param {string} what @param {{href: string, path: string}} about @param {string} section @param {string} [detail] @returns {Finding} */
const finding = (what, about, section, detail = "") => ({ what, detail, section, href: about.href, path: about.path });

/** Asks for what is wanted at one time in one request, and keeps what was answered. */
class Reader {
  constructor() {
    /** @type {Map<string, Promise<{status: number, body: any}>>} */
    this.answers = new Map();
    /** @type {Map<string, Promise<{status: number, body: any}>>} */
    this.classes = new Map();
    /** @type {{method: string, path: string, resolve: (answer: any) => void, reject: (error: any) => void}[]} */
    this.waiting = [];
    this.requests = 0;
    this.sending = false;
  }

  /** @param {string} path @param {string} [method] @returns {Promise<{status: number, body: any}>} */
  ask(path, method = "GET") {
    return new Promise((resolve, reject) => {
      this.waiting.push({ method, path, resolve, reject });
      if (!this.sending) {
        this.sending = true;
        setTimeout(() => this.send(), 0);
      }
    });
  }

  async send() {
    while (this.waiting.length) {
      const asked = this.waiting.splice(0, AT_ONCE);
      this.requests += asked.length;
      try {
        const answers = await api.askMany(asked.map(({ method, path }) => ({ method, path })));
        // What does not fit into one answer is asked for again, in fewer.
        asked.forEach((each, at) => (answers[at].status === 503 && at > 0 ? this.waiting.push(each) : each.resolve(answers[at])));
      } catch (error) {
        for (const each of asked) each.reject(error);
      }
    }
    this.sending = false;
  }

  /** Reads something once for a while. @param {string} path */
  read(path) {
    const known = this.answers.get(path) ?? this.ask(path);
    this.answers.set(path, known);
    return known;
  }

  /** The class of an instance. @param {{href: string}} instance */
  classOf(instance) {
    return this.classAt(instance.href.replace(/\/instances\/([^/]+)\/.*$/, "/classes/$1"));
  }

  /** @param {string} path */
  classAt(path) {
    const known = this.classes.get(path) ?? this.ask(path);
    this.classes.set(path, known);
    return known;
  }

  /** Whether an instance is of a class or of one below it. @param {{href: string, class: string}} instance @param {string} name */
  async isA(instance, name) {
    const place = instance.href.replace(/\/instances\/.*$/, "/classes/");
    for (let at = instance.class; at;) {
      if (at === name) return true;
      at = (await this.classAt(place + api.part(at))).body?.superclass;
    }
    return false;
  }

  /** The first instances of a list; the rest is given up. @param {string} path @param {Record<string, string>} query @param {number} [most] @returns {Promise<Page>} */
  async page(path, query, most = MOST_LINKED) {
    const { status, body } = await this.read(`${path}?${new URLSearchParams({ ...query, max: String(most) })}`);
    if (status >= 400) return { instances: [], all: false, error: body?.message ?? `HTTP ${status}` };
    if (body.next) this.ask(body.next.split("?")[0], "DELETE").catch(() => undefined);
    return { instances: body.instances, all: !body.next, error: "" };
  }

  /** Forgets what was read of instances. */
  forget() {
    this.answers.clear();
  }
}

/** Whether a value map has a value; `..` in it is everything that no other entry has. @param {string[]} valueMap @param {string} value */
function isMapped(valueMap, value) {
  if (valueMap.includes(value) || valueMap.includes("..")) return true;
  if (!/^-?\d+$/.test(value)) return false;
  return valueMap.some((entry) => {
    const [low, high] = entry.split("..");
    return high !== undefined && (!low || BigInt(low) <= BigInt(value)) && (!high || BigInt(value) <= BigInt(high));
  });
}

/** What is wrong with the values of an instance, whatever it is. @param {api.Instance} instance @param {any} declared its class @returns {Finding[]} */
function valueFindings(instance, declared) {
  /** @type {Finding[]} */
  const found = [];
  for (const [name, { key, qualifiers }] of /** @type {[string, any][]} */ (Object.entries(declared.properties))) {
    const value = instance.properties[name] ?? null;
    if (value === null && (key || qualifiers.Required)) found.push(finding(key ? "key" : "required", instance, QUALIFIERS, name));
    const items = value === null || !qualifiers.ValueMap ? [] : [value].flat();
    for (const item of items)
      if (item !== null && !isMapped(qualifiers.ValueMap, String(item))) found.push(finding("unmapped", instance, QUALIFIERS, `${name}: ${item}`));
  }
  return found;
}

/** What a profile asks of an instance itself. @param {ElementRule} rule @param {api.Instance} instance @param {any} declared @param {string} document @returns {Finding[]} */
function ownFindings({ properties = [], values = {}, methods = [] }, instance, declared, document) {
  const own = instance.properties;
  return [
    ...properties.filter((name) => (own[name] ?? null) === null).map((name) => finding("null", instance, `${document} 10`, name)),
    ...Object.entries(values).filter(([name, allowed]) => name in own && !allowed.includes(own[name]))
      .map(([name, allowed]) => finding("value", instance, `${document} 10`, `${name}: ${own[name]}; ${allowed.join(", ")}`)),
    ...methods.filter((name) => !(name in declared.methods)).map((name) => finding("method", instance, `${document} 8`, name)),
  ];
}

/** Whether something has to be there. @param {LinkRule} link @param {api.Instance} instance */
const isDue = ({ when = {} }, instance) => Object.entries(when).every(([name, values]) => values.includes(instance.properties[name]));

/** One walk. */
class Walk {
  /** @param {number} most elements of a profile */
  constructor(most) {
    this.most = most;
    this.reader = new Reader();
    /** What was found already, by rule and element: profiles share rules. @type {Map<ElementRule, Map<string, Promise<Finding[]>>>} */
    this.known = new Map();
    /** @type {Set<string>} */
    this.enumerated = new Set();
  }

  /** What does not hold of an element, and behind it. @param {ElementRule} rule @param {api.Instance} element @param {string} document @returns {Promise<Finding[]>} */
  elementFindings(rule, element, document) {
    const known = this.known.get(rule) ?? new Map();
    this.known.set(rule, known);
    const found = known.get(element.href) ?? this.lookAt(rule, element, document);
    known.set(element.href, found);
    return found;
  }

  /** @param {ElementRule} rule @param {api.Instance} element @param {string} document @returns {Promise<Finding[]>} */
  async lookAt(rule, element, document) {
    const [again, declared] = await Promise.all([this.reader.read(element.href), this.reader.classOf(element)]);
    if (again.status >= 400) return [finding("lost", element, OPERATIONS, again.body?.message)];
    if (declared.status >= 400) return [finding("failed", element, OPERATIONS, declared.body?.message)];
    const instance = { ...element, properties: again.body.properties };
    const found = valueFindings(instance, declared.body);
    if (!(await this.reader.isA(element, rule.class))) return found;
    found.push(...ownFindings(rule, instance, declared.body, document));
    const behind = await Promise.all((rule.links ?? []).map((link) => this.linkFindings(link, instance, document)));
    return [...found, ...behind.flat()];
  }

  /** What does not hold of what an association leads to. @param {LinkRule} link @param {api.Instance} near @param {string} document @returns {Promise<Finding[]>} */
  async linkFindings(link, near, document) {
    const [others, links] = await Promise.all([
      this.reader.page(`${near.href}/associators`, { associationClass: link.by, resultClass: link.to, role: link.near, resultRole: link.far }),
      this.reader.page(`${near.href}/references`, { associationClass: link.by, role: link.near }),
    ]);
    const failed = others.error || links.error;
    if (failed) return [finding("failed", near, OPERATIONS, `${link.by}: ${failed}`)];
    /** @type {Finding[]} */
    const found = [];
    const count = others.instances.length, least = isDue(link, near) ? link.least ?? 1 : 0;
    const said = `${link.by} (${link.near}, ${link.far}) → ${link.to}: ${count}`;
    if (count < least) found.push(finding("few", near, `${document} 10`, `${said} < ${least}`));
    if (count > (link.most ?? Infinity)) found.push(finding("many", near, `${document} 10`, `${said} > ${link.most}`));
    const led = new Set(links.instances.map((each) => each.properties[link.far]?.href));
    for (const other of others.instances)
      if (links.all && !led.has(other.href)) found.push(finding("nolink", near, OPERATIONS, `${link.by}: ${other.path}`));
    const behind = await Promise.all([
      ...links.instances.map((each) => this.associationFindings(each)),
      ...others.instances.map((other) => this.farFindings(link, near, other, document)),
    ]);
    return [...found, ...behind.flat()];
  }

  /** @param {api.Instance} association @returns {Promise<Finding[]>} */
  async associationFindings(association) {
    const declared = await this.reader.classOf(association);
    return declared.status >= 400 ? [finding("failed", association, OPERATIONS, declared.body?.message)] : valueFindings(association, declared.body);
  }

  /** What does not hold of the other end of an association. @param {LinkRule} link @param {api.Instance} near @param {api.Instance} other @param {string} document @returns {Promise<Finding[]>} */
  async farFindings(link, near, other, document) {
    const [own, back, followed] = await Promise.all([
      this.elementFindings(link.element ?? ANYTHING, other, document),
      this.reader.page(`${other.href}/associators`, { associationClass: link.by, role: link.far, resultRole: link.near }),
      link.follows ? this.profileFindings(other, [link.follows]) : [],
    ]);
    const found = [...own, ...followed];
    if (back.error) found.push(finding("failed", other, OPERATIONS, `${link.by}: ${back.error}`));
    else if (back.all && !back.instances.some((each) => each.href === near.href)) found.push(finding("oneway", other, OPERATIONS, `${link.by}: ${near.path}`));
    return found;
  }

  /** Whether an element leads to a profile of one of these names. @param {api.Instance} element @param {string[]} names @returns {Promise<Finding[]>} */
  async profileFindings(element, names) {
    const profiles = await this.reader.page(`${element.href}/associators`, { associationClass: CONFORMS, role: "ManagedElement", resultRole: "ConformantStandard" });
    if (profiles.error) return [finding("failed", element, OPERATIONS, profiles.error)];
    const isNamed = profiles.instances.some((each) => names.includes(each.properties.RegisteredName));
    return isNamed || !profiles.all ? [] : [finding("nonconforming", element, REGISTRATION, names[0])];
  }

  /** How a profile is registered. @param {api.Instance} profile @param {ProfileRule | undefined} rules @param {Set<string>} registered @returns {Promise<Finding[]>} */
  async registrationFindings(profile, rules, registered) {
    const missing = (rules?.requires ?? []).filter((name) => !registered.has(name)).map((name) => finding("unregistered", profile, `${rules?.document} 5`, name));
    return [...missing, ...await this.elementFindings(registrationRule(profile.class, rules), profile, "DSP1033")];
  }

  /** The elements of a profile in a namespace, as many as are looked at. @param {api.Instance} profile @param {string} namespace "" for all @returns {Promise<Page>} */
  async elementsOf(profile, namespace) {
    const query = new URLSearchParams({ associationClass: CONFORMS, role: "ConformantStandard", resultRole: "ManagedElement", max: String(this.most) });
    /** @type {api.Instance[]} */
    const found = [];
    let next = `${profile.href}/associators?${query}`;
    for (let pages = 0; next && pages < MOST_PAGES && found.length < this.most; pages++) {
      const { status, body } = await this.reader.ask(next);
      if (status >= 400) return { instances: found, all: false, error: body?.message ?? `HTTP ${status}` };
      found.push(...body.instances.filter((/** @type {api.Instance} */ each) => !namespace || each.href.startsWith(`/api/namespaces/${api.part(namespace)}/`)));
      next = body.next ?? "";
    }
    if (next) await this.reader.ask(next.split("?")[0], "DELETE");
    return { instances: found.slice(0, this.most), all: !next && found.length <= this.most, error: "" };
  }

  /** Instances that have to conform and do not, once for all profiles of a name. @param {ProfileRule} rules @param {string[]} namespaces @returns {Promise<Finding[]>} */
  async everyFindings(rules, namespaces) {
    if (!rules.every || this.enumerated.has(rules.document)) return [];
    this.enumerated.add(rules.document);
    const found = await Promise.all(namespaces.map(async (namespace) => {
      const path = `/api/namespaces/${api.part(namespace)}/classes/${rules.every}/instances`;
      const page = await this.reader.page(path, {}, this.most);
      if (page.error) return [finding("failed", { href: path, path: `${namespace}:${rules.every}` }, OPERATIONS, page.error)];
      return (await Promise.all(page.instances.map((each) => this.profileFindings(each, rules.names)))).flat();
    }));
    return found.flat();
  }
}

/** Each finding once. @param {Finding[]} findings */
const distinct = (findings) => [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()];

/**
 * Walks from one profile after the other; each step of it can be the last.
 *
 * @param {api.Instance[]} profiles
 * @param {{namespaces: string[], only: string, most: number}} options namespaces: that there are; only: the one that is
 *   looked at, "" for all; most: elements of a profile
 * @returns {AsyncGenerator<Walked & {requests: number}>} how far it has come with a profile
 */
export async function* walk(profiles, { namespaces, only, most }) {
  const walked = new Walk(most);
  const registered = new Set(profiles.flatMap(({ properties }) => rulesOf(properties.RegisteredName)?.names ?? [properties.RegisteredName]));
  for (const profile of profiles) {
    const rules = rulesOf(profile.properties.RegisteredName);
    const [own, every, elements] = await Promise.all([
      walked.registrationFindings(profile, rules, registered),
      rules ? walked.everyFindings(rules, only ? [only] : namespaces) : [],
      walked.elementsOf(profile, only),
    ]);
    let findings = [...own, ...every, ...(elements.error ? [finding("failed", profile, OPERATIONS, elements.error)] : [])];
    const conforms = { by: CONFORMS, near: "ConformantStandard", far: "ManagedElement", to: "CIM_ManagedElement", element: rules?.element };
    let seen = 0;
    const told = () => ({ profile, known: rules !== undefined, seen, all: elements.all, findings, requests: walked.reader.requests });
    yield told();
    while (seen < elements.instances.length) {
      const together = elements.instances.slice(seen, seen + TOGETHER);
      const found = await Promise.all(together.map((each) => walked.farFindings(conforms, profile, each, rules?.document ?? "DSP1033")));
      seen += together.length;
      findings = distinct([...findings, ...found.flat()]);
      yield told();
    }
    walked.reader.forget();
  }
}
