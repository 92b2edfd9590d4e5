/**
 * Walks from a profile to the elements that conform to it, and tells what does not hold; in the words of tests/walk.
 */
import * as api from "./api.js";

/** Elements of a profile that are looked at. */
export const MOST = 200;
/** Elements of one request. */
const AT_ONCE = 20;

const CONFORMS = "CIM_ElementConformsToProfile";

/**
 * @typedef {{what: string, detail: string, href: string, path: string}} Finding
 *   what: the end of a name in texts/, `profiles.finding.` before it
 * @typedef {{profile: api.Instance, seen: number, all: boolean, findings: Finding[]}} Walked
 *   all: whether no elements were left out
 */

/** @param {string} what @param {api.Instance} about @param {string} [detail] @returns {Finding} */
const finding = (what, about, detail = "") => ({ what, detail, href: about.href, path: about.path });

/** Whether a value map has a value; `..` in it is everything that no other entry has. @param {string[]} valueMap @param {string} value */
function isMapped(valueMap, value) {
  if (valueMap.includes(value) || valueMap.includes("..")) return true;
  if (!/^-?\d+$/.test(value)) return false;
  return valueMap.some((entry) => {
    const [low, high] = entry.split("..");
    return high !== undefined && (!low || BigInt(low) <= BigInt(value)) && (!high || BigInt(value) <= BigInt(high));
  });
}

/** What is wrong with the values of an instance. @param {api.Instance} instance @param {any} declared its class @returns {Finding[]} */
function valueFindings(instance, declared) {
  /** @type {Finding[]} */
  const found = [];
  for (const [name, { key, qualifiers }] of /** @type {[string, any][]} */ (Object.entries(declared.properties))) {
    const value = instance.properties[name] ?? null;
    if (value === null && (key || qualifiers.Required)) found.push(finding(key ? "key" : "required", instance, name));
    const items = value === null || !qualifiers.ValueMap ? [] : [value].flat();
    for (const item of items)
      if (item !== null && !isMapped(qualifiers.ValueMap, String(item))) found.push(finding("unmapped", instance, `${name}: ${item}`));
  }
  return found;
}

/** The class of an instance, which is read once. @param {Map<string, Promise<any>>} classes @param {api.Instance} instance */
function classOf(classes, instance) {
  const href = instance.href.replace(/\/instances\/([^/]+)\/.*$/, "/classes/$1");
  if (!classes.has(href)) classes.set(href, api.ask("GET", href.replace(/^\/api\//, "")));
  return /** @type {Promise<any>} */ (classes.get(href));
}

/** Gets elements of a profile again, and looks whether each leads back to it. @param {api.Instance} profile @param {api.Instance[]} elements @param {Map<string, Promise<any>>} classes */
async function elementFindings(profile, elements, classes) {
  const answers = await api.readMany(elements.flatMap(({ href }) => [href, `${href}/associators?associationClass=${CONFORMS}`]));
  /** @type {Finding[]} */
  const found = [];
  for (const [at, element] of elements.entries()) {
    const [again, back] = answers.slice(2 * at, 2 * at + 2);
    if (again.status >= 400) {
      found.push(finding("lost", element, again.body?.message));
      continue;
    }
    found.push(...valueFindings({ ...element, properties: again.body.properties }, await classOf(classes, element)));
    if (back.status >= 400 || !back.body.instances.some((/** @type {api.Instance} */ each) => each.href === profile.href))
      found.push(finding("oneway", element, back.body?.message ?? CONFORMS));
  }
  return found;
}

/**
 * Walks from one profile after the other; each step of it can be the last.
 *
 * @param {api.Instance[]} profiles
 * @returns {AsyncGenerator<Walked>} how far it has come with a profile
 */
export async function* walk(profiles) {
  /** @type {Map<string, Promise<any>>} */
  const classes = new Map();
  for (const profile of profiles) {
    const elements = await api.associators(profile, { associationClass: CONFORMS });
    const looked = elements.slice(0, MOST);
    const findings = valueFindings(profile, await classOf(classes, profile));
    yield { profile, seen: 0, all: looked.length === elements.length, findings };
    for (let at = 0; at < looked.length; at += AT_ONCE) {
      findings.push(...await elementFindings(profile, looked.slice(at, at + AT_ONCE), classes));
      yield { profile, seen: Math.min(at + AT_ONCE, looked.length), all: looked.length === elements.length, findings: [...findings] };
    }
  }
}
