/**
 * The settings of a guest: which configurations it has, and which fields a form of them has.
 */
import * as api from "./api.js";
import { serverText, text } from "./texts.js";
import { STARTED_AS_JOB } from "./values.js";

/** Virt_SettingField.FieldType */
export const TYPES = { text: 2, number: 3, flag: 4, choice: 5, path: 6, list: 7 };
/** Virt_SettingField.Modes */
export const MODES = { definition: 2, running: 3, template: 4, provisioning: 5 };

/**
 * @typedef {{name: string, fieldClass: string, label: string, description: string, type: number, category: string, unit: string,
 *   choices: string[], least: number | null, most: number | null, modes: number[], byDefault: string | null}} FieldOf
 * @typedef {{system: api.Instance, resources: api.Instance[]}} Configuration
 */

/** The fields of forms of a platform. @param {string} namespace @param {string} prefix @returns {Promise<FieldOf[]>} */
export async function fields(namespace, prefix) {
  const found = await api.instancesIfAny(namespace, `${prefix}_SettingField`);
  return found.map(({ properties: own }) => ({
    name: own.FieldName,
    fieldClass: own.FieldClass,
    label: serverText(own.ElementName ?? own.FieldName),
    description: serverText(own.Description ?? ""),
    type: own.FieldType,
    category: serverText(own.Category ?? ""),
    unit: own.Unit ?? "",
    choices: own.Choices ?? [],
    least: own.Minimum === undefined ? null : Number(own.Minimum),
    most: own.Maximum === undefined ? null : Number(own.Maximum),
    modes: own.Modes ?? [],
    byDefault: own.DefaultValue ?? null,
  }));
}

/** What a form's fields are called when they are checked: class and property. @param {FieldOf} field */
export const keyOf = (field) => `${field.fieldClass}.${field.name}`;

/** The pools whose capabilities limit the fields of a class. @type {Record<string, string>} */
const LIMITS = { ProcResourceAllocationSettingData: "ProcessorPool/0", MemResourceAllocationSettingData: "MemoryPool/0" };

/**
 * The fields of forms with the limits of the host, as its CIM_AllocationCapabilities have them, where the field has none.
 *
 * @param {string} namespace
 * @param {string} prefix
 * @returns {Promise<FieldOf[]>}
 */
export async function limitedFields(namespace, prefix) {
  const found = await fields(namespace, prefix);
  const limits = await Promise.all(Object.entries(LIMITS).map(async ([fieldClass, pool]) => {
    const href = `/api/namespaces/${api.part(namespace)}/instances/${prefix}_AllocationCapabilities/InstanceID=${api.part(pool)}`;
    const settings = await api.ifAny(api.associators({ href }, { associationClass: "CIM_SettingsDefineCapabilities" }));
    const quantity = (/** @type {string} */ name) => {
      const value = settings.find((each) => each.properties.ElementName === name)?.properties.VirtualQuantity;
      return value === undefined ? null : Number(value);
    };
    return { fieldClass, least: quantity("Minimum"), most: quantity("Maximum") };
  }));
  return found.map((field) => {
    const limit = limits.find((each) => each.fieldClass === field.fieldClass && field.name === "VirtualQuantity");
    return limit ? { ...field, least: Math.max(field.least ?? 0, limit.least ?? 0), most: field.most ?? limit.most } : field;
  });
}

/**
 * What the server says of a form that was filled in, by key of the field; what concerns no single field under "".
 *
 * @param {string} namespace
 * @param {string} prefix
 * @param {keyof typeof MODES} mode
 * @param {FieldOf[]} all
 * @param {Record<string, string>} typed
 * @returns {Promise<Record<string, string>>}
 */
export async function complaints(namespace, prefix, mode, all, typed) {
  const outcome = await api.ask("POST", `namespaces/${api.part(namespace)}/classes/${prefix}_SettingField/methods/CheckSettings`, {
    parameters: { Mode: MODES[mode], Names: Object.keys(typed), Values: Object.values(typed) },
  });
  /** @type {Record<string, string>} */
  const found = {};
  for (const each of outcome.parameters?.Complaints ?? []) {
    const field = all.find((one) => each.startsWith(`${one.label}:`) && keyOf(one) in typed);
    const key = field ? keyOf(field) : "";
    found[key] = [found[key], field ? each.slice(field.label.length + 1).trim() : each].filter(Boolean).join(" ");
  }
  return found;
}

/** The field that a refusal of the server is about, by the property that it names; "" for none. @param {FieldOf[]} asked @param {string} message */
export function refusedKey(asked, message) {
  const found = asked.find((field) => new RegExp(`\\b${field.name}\\b`).test(message) || message.includes(field.label));
  return found ? keyOf(found) : "";
}

/** @param {api.Instance} system @returns {Promise<Configuration>} */
const withResources = async (system) => ({
  system,
  resources: await api.associators(/** @type {any} */ (system), { associationClass: "CIM_VirtualSystemSettingDataComponent" }),
});

/**
 * What a guest has now, and what it has from its next start on; one and the same where these do not differ.
 *
 * @param {{href: string}} guest
 * @returns {Promise<{running: Configuration, definition: Configuration}>}
 */
export async function configurations(guest) {
  const [now] = await api.associators(guest, { associationClass: "CIM_SettingsDefineState", resultClass: "CIM_VirtualSystemSettingData" });
  if (!now) throw new Error("CIM_SettingsDefineState: the guest has no settings");
  const others = await api.associators(/** @type {any} */ (now), { associationClass: "CIM_ElementSettingData", resultClass: "CIM_VirtualSystemSettingData" });
  const later = others.find((each) => each.path !== now.path);
  const running = await withResources(now);
  return { running, definition: later ? await withResources(later) : running };
}

/** The instance of a configuration that has a field; undefined where there is none. @param {Configuration} of @param {FieldOf} field */
export const holder = (of, field) =>
  [of.system, ...of.resources].find((each) => each.class.split("_")[1] === field.fieldClass);

/** A value as a form shows it. @param {FieldOf} field @param {any} value */
export function formText(field, value) {
  if (value === null || value === undefined) return "";
  if (field.type === TYPES.list) return (Array.isArray(value) ? value : [value]).join("\n");
  return String(value);
}

/** A value out of a form. @param {FieldOf} field @param {string} given @param {any} before */
export function formValue(field, given, before) {
  if (given === "" && field.type !== TYPES.list) return null;
  if (field.type === TYPES.number) return given;
  if (field.type === TYPES.flag) return typeof before === "boolean" ? given === "true" : Number(given === "true");
  if (field.type === TYPES.list) return given.split("\n").map((each) => each.trim()).filter(Boolean);
  return given;
}

/** The management service of a guest. @param {{href: string}} guest */
export async function managementOf(guest) {
  const [service] = await api.associators(guest, {
    associationClass: "CIM_ServiceAffectsElement", resultClass: "CIM_VirtualSystemManagementService",
  });
  return /** @type {any} */ (service);
}

/**
 * Looks whether an instance is still as it was shown: by some of its properties, else by the whole of it.
 *
 * @param {any} shown
 * @param {string[]} [names] of properties
 * @returns {Promise<api.Instance>} what it is now
 * @throws {Error} where somebody has changed it
 */
export async function requireSame(shown, names) {
  const now = await api.get(shown);
  const value = (/** @type {any} */ of, /** @type {string} */ name) => JSON.stringify(of.properties[name] ?? null);
  if (names ? names.some((name) => value(now, name) !== value(shown, name)) : now.etag !== shown.etag) throw new Error(text("settings.changed-elsewhere"));
  return now;
}

/** HTTP: the instance is another one than the ETag says. */
const PRECONDITION_FAILED = 412;
/** Times that something is changed which changes of itself just then. */
const TRIES = 5;

/**
 * Changes properties of an instance unless somebody else has changed them; whatever else of it changes meanwhile.
 *
 * @param {any} shown
 * @param {Record<string, any>} properties
 */
export async function modifySame(shown, properties) {
  for (let left = TRIES; ; left -= 1) {
    const { etag } = await requireSame(shown, Object.keys(properties));
    try {
      return await api.modify(shown, properties, etag);
    } catch (error) {
      if (/** @type {api.ServerError} */ (error).http !== PRECONDITION_FAILED || left === 1) throw error;
    }
  }
}

/** Calls a method, and takes anything but success as an error. @param {{href: string}} target @param {string} method @param {Record<string, any>} parameters */
export async function demand(target, method, parameters) {
  const outcome = await api.invoke(target, method, parameters);
  if (outcome.ReturnValue !== 0 && outcome.ReturnValue !== STARTED_AS_JOB) throw new Error(`${method}: ${await api.meaningOf(target, method, outcome.ReturnValue)}`);
  return outcome;
}

const COMPLETED = 7, OVER = [7, 8, 9, 10];
/** Milliseconds between two looks at a job. */
const LOOK = 500;

/**
 * Waits for the end of what goes on as a job; what did not is given as it is.
 *
 * @param {api.Outcome} outcome of the method
 * @returns {Promise<{value: number, parameters: Record<string, any>, said: string}>} what the method gave back in the end,
 *   0 as the value for success, and what the job says
 */
export async function finished(outcome) {
  if (outcome.ReturnValue !== STARTED_AS_JOB || !outcome.parameters.Job) return { value: outcome.ReturnValue, parameters: outcome.parameters, said: "" };
  for (;;) {
    const { JobState, JobOutParameters, ErrorDescription, JobStatus } = (await api.get(outcome.parameters.Job)).properties;
    if (OVER.includes(JobState))
      return { value: JobState === COMPLETED ? 0 : 2, parameters: JobOutParameters?.properties ?? {}, said: ErrorDescription ?? JobStatus ?? "" };
    await new Promise((done) => setTimeout(done, LOOK));
  }
}

/** Calls a method and waits for its end, that of its job too; anything but success is an error. @param {{href: string}} target @param {string} method @param {Record<string, any>} parameters */
export async function demandWhole(target, method, parameters) {
  const { value, parameters: out, said } = await finished(await demand(target, method, parameters));
  if (value !== 0) throw new Error(said || `${method}: ${value}`);
  return out;
}
