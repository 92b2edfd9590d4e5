/**
 * Reads values as CIM writes them, and writes them for people.
 */

/** Seconds of a CIM interval; null where it is none. @param {string | null | undefined} value */
export function intervalSeconds(value) {
  const found = /^(\d{8})(\d\d)(\d\d)(\d\d)\.\d{6}:000$/.exec(value ?? "");
  if (!found) return null;
  const [, days, hours, minutes, seconds] = found.map(Number);
  return days * 86400 + hours * 3600 + minutes * 60 + seconds;
}

/** Characters of a name where much else is to be read. */
const SHORT = 60;

/** A name where much else is to be read: names can have thousands of characters. @param {string} name */
export const shortName = (name) => (name.length > SHORT ? `${[...name].slice(0, SHORT - 1).join("")}…` : name);

/** A property as text. @param {any} value @returns {string} */
export function valueText(value) {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  if (typeof value === "object") return value.path ?? value.href ?? JSON.stringify(value);
  return String(value);
}

/** What a template is called, with its version. @param {any} template */
export const templateName = ({ properties }) => `${properties.Name}@${properties.Version}`;

/** The group that a template is in; "" for none. @param {any} template */
export const templateGroup = ({ properties }) => properties.GroupName ?? "";

/** The platform of a class: KVM of KVM_ComputerSystem. @param {string} className */
export const prefixOf = (className) => className.split("_")[0];

/** The return code that says that a job goes on with it. */
export const STARTED_AS_JOB = 4096;

/** Whether a value is a reference to an instance. @param {any} value */
export const isReference = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && "href" in value;

/** Factors of the units of pools (DSP0004, programmatic units). @param {string | undefined} units */
function factor(units) {
  const found = /^\s*byte\s*(?:\*\s*(\d+)\s*\^\s*(\d+))?\s*$/i.exec(units ?? "byte");
  return found ? (found[1] ? Number(found[1]) ** Number(found[2]) : 1) : ({ MegaBytes: 2 ** 20, KiloBytes: 1024, GigaBytes: 2 ** 30, Bytes: 1 })[units ?? ""] ?? null;
}

/** A quantity in bytes; null where nobody knows. @param {any} value @param {string | undefined} units */
export function unitBytes(value, units) {
  const unit = factor(units);
  return value === undefined || value === null || unit === null ? null : Number(value) * unit;
}

/** What a pool holds and what is used of it, in bytes. @param {{properties: Record<string, any>}} pool */
export function poolBytes({ properties }) {
  return { capacity: unitBytes(properties.Capacity, properties.AllocationUnits), used: unitBytes(properties.Reserved, properties.AllocationUnits) };
}
