/** What can be done with templates and groups of them: on their page, and from the tree. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { demand, requireSame } from "../settings.js";
import { loadNodes, mayAnywhere, mayManage, nodesWhere, state, tell } from "../state.js";
import { text } from "../texts.js";
import { setValue } from "../toml.js";
import { Chooser } from "../ui/actions.js";
import { Dialog, Field, Read, useRead } from "../ui/basics.js";
import { AskDialog, RemoveDialog } from "../ui/dialogs.js";
import { STARTED_AS_JOB, prefixOf, templateGroup, templateName } from "../values.js";
import { TemplateForm } from "./template-form.js";

/** Parameters of several lines, and those that most leave as they are (docs/templates.md). */
const LONG = ["ssh_keys", "user_data", "network_config"];
const RARE = ["copy", "pool", "start", "wait", "hostname", "password_hash", "user_data", "network_config"];

/**
 * Has a guest made of a template on a node.
 *
 * @param {any} template
 * @param {string} namespace
 * @param {string} name
 * @param {string[]} parameters `NAME=VALUE` each
 */
async function provision(template, namespace, name, parameters) {
  const services = (await api.instances(namespace, "Virt_VirtualSystemManagementService"))
    .filter((each) => !(template.properties.Platforms ?? []).length || template.properties.Platforms.includes(prefixOf(each.class)));
  if (!services[0]) throw new Error(text("templates.no-platform"));
  const className = `${prefixOf(services[0].class)}_VirtualSystemSettingData`;
  const key = `InstanceID=${api.part(template.properties.InstanceID)}`;
  return demand(services[0], "DefineSystem", {
    SystemSettings: { class: className, properties: { VirtualSystemIdentifier: name, ElementName: name, TemplateParameters: parameters } },
    ReferenceConfiguration: { href: `/api/namespaces/${api.part(namespace)}/instances/${className}/${key}` },
  });
}

/** @param {{template: any, close: () => void, done?: () => void}} props done: is called in place of `close` once guests are being made */
export function ProvisionForm({ template, close, done = close }) {
  const nodes = nodesWhere("administer");
  const [namespace, setNamespace] = useState(nodes[0]?.namespace ?? "root/virt");
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({ count: "1" }));
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const own = template.properties;
  const pools = useRead(async () => (await api.instancesIfAny(namespace, "CIM_ResourcePool", { properties: "ElementName,Primordial" }))
    .filter((each) => /_DiskPool$/.test(each.class) && !each.properties.Primordial), [namespace]);
  /** @type {{name: string, label: string, byDefault: string}[]} */
  const asked = (own.ParameterNames ?? []).map((/** @type {string} */ name, /** @type {number} */ index) => ({
    name, label: own.ParameterLabels?.[index] || name, byDefault: own.ParameterDefaults?.[index] ?? "",
  }));
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setRefusal("");
    try {
      const count = Number(typed.count);
      const parameters = asked.filter((each) => typed[each.name]).map((each) => `${each.name}=${typed[each.name]}`);
      for (let number = 1; number <= count; number += 1) {
        const name = count === 1 ? typed.name : `${typed.name}-${number}`;
        const outcome = await provision(template, namespace, name, parameters);
        tell(outcome.ReturnValue === STARTED_AS_JOB ? text("action.job", { action: text("templates.provision"), name }) : text("create.done", { name }));
      }
      done();
      location.hash = "#/jobs";
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  const input = (/** @type {string} */ name) => (/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value });
  const field = (/** @type {{name: string, label: string, byDefault: string}} */ each) => {
    const id = `parameter-${each.name}`;
    return html`<${Field} key=${each.name} id=${id} label=${each.label}>
      ${LONG.includes(each.name)
        ? html`<textarea id=${id} rows="3" value=${typed[each.name] ?? ""} onInput=${input(each.name)}></textarea>`
        : html`<input id=${id} list=${each.name === "pool" ? "pools" : undefined} placeholder=${each.byDefault} value=${typed[each.name] ?? ""} onInput=${input(each.name)} />`}</${Field}>`;
  };
  return html`<${Dialog} title=${`${text("templates.provision")}: ${own.Caption ?? own.Name}`} onClose=${close}
      end=${html`<button class="main" disabled=${busy || !typed.name} onClick=${send}>${text("create.send")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <form onSubmit=${send}>
      <${Field} id="make-where" label=${text("create.where")}><select id="make-where" onChange=${(/** @type {any} */ event) => setNamespace(event.target.value)}>
        ${nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === namespace}>${each.name}</option>`)}</select></${Field}>
      <${Field} id="make-name" label=${text("guest.name")}><input id="make-name" required value=${typed.name ?? ""} onInput=${input("name")} /></${Field}>
      <${Field} id="make-count" label=${text("templates.count")}><input id="make-count" type="number" min="1" max="100" value=${typed.count} onInput=${input("count")} /></${Field}>
      ${asked.filter((each) => !RARE.includes(each.name)).map(field)}
      <datalist id="pools">${(pools.value ?? []).map((/** @type {any} */ each) => html`<option value=${each.properties.ElementName}></option>`)}</datalist>
      <details><summary>${text("app.more")}</summary>${asked.filter((each) => RARE.includes(each.name)).map(field)}</details>
    </form></${Dialog}>`;
}

/**
 * What can be done with a template; nothing by who may not.
 *
 * @param {any} template
 * @param {(name: string) => void} ask has it done
 * @returns {import("../ui/actions.js").Action[]}
 */
export function templateActions(template, ask) {
  const { Origin: file } = template.properties;
  const fixed = file ? text("templates.from-file", { file }) : "";
  const action = (/** @type {string} */ name, /** @type {string} */ label, reason = "", /** @type {"" | "main" | "danger"} */ look = "") =>
    ({ name, label, reason, look, of: templateName(template), run: () => ask(name) });
  return [
    ...(mayManage() ? [action("edit", text("app.edit"), fixed), action("remove", text("app.delete"), fixed, "danger"), action("copy", text("templates.copy"))] : []),
    ...(mayAnywhere("administer") ? [action("provision", text("templates.provision"), "", "main")] : []),
  ];
}

/** Asks what an action on a template needs to know, and takes it. @param {{name: string, template: any, close: () => void, done?: () => void}} props */
export function TemplateDialog({ name, template, close, done = close }) {
  if (name === "provision") return html`<${ProvisionForm} template=${template} close=${close} done=${done} />`;
  if (name === "remove") return html`<${RemoveDialog} name=${templateName(template)} close=${close} done=${done} remove=${() => requireSame(template, ["Document"]).then(() => api.remove(template))} />`;
  return html`<${TemplateForm} template=${template} isNew=${name === "copy"} close=${close} done=${done} />`;
}

/** The actions of a template as a dialog, which ends with the first that is done. @param {{of: any, close: () => void}} props of: the template */
export function TemplateChooser({ of, close }) {
  const [asked, setAsked] = useState("");
  // Of all templates the tree knows no documents.
  const template = useRead(() => api.get(of), [of.href]);
  return html`<${Chooser} title=${templateName(of)} actions=${templateActions(template.value ?? of, setAsked)} close=${close}>
    ${template.error && html`<${Read} of=${template} />`}
    ${asked && template.value && html`<${TemplateDialog} name=${asked} template=${template.value} close=${() => setAsked("")} done=${close} />`}</${Chooser}>`;
}

/** Puts the templates of a group that were made at run time into another one. @param {any[]} templates @param {string} group */
async function moveTemplates(templates, group) {
  for (const each of templates) {
    const { properties, etag } = await api.get(each);
    await api.modify(each, { Document: setValue(properties.Document, { header: "" }, "group", group || null) }, etag);
  }
  await loadNodes();
}

/** What can be done with a group of templates. @param {{of: string, close: () => void}} props of: its name; "" for those in none */
export function TemplateGroupChooser({ of, close }) {
  const [asked, setAsked] = useState(false);
  const own = state.templates.filter((each) => templateGroup(each) === of && !each.properties.Origin);
  const actions = mayManage()
    ? [{ name: "edit", label: text("templates.move"), reason: own.length ? "" : text("templates.files"), run: () => setAsked(true) }] : [];
  return html`<${Chooser} title=${of || text("templates.ungrouped")} actions=${actions} close=${close}>
    ${asked && html`<${AskDialog} title=${text("templates.move")} label=${text("app.save")} close=${() => setAsked(false)} done=${close}
      questions=${[{ name: "group", label: text("templates.group"), byDefault: of, hint: own.map(templateName).join(", ") }]}
      save=${(/** @type {Record<string, string>} */ given) => moveTemplates(own, given.group)} />`}</${Chooser}>`;
}
