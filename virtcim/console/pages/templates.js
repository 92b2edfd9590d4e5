/** Templates by group, and guests made of them. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useState } from "../parts.js";
import { demand } from "../settings.js";
import { may, state, tell, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Facts, Field, Panel, Read, useRead } from "../ui/basics.js";
import { RemoveDialog } from "../ui/dialogs.js";
import { STARTED_AS_JOB, prefixOf } from "../values.js";
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

/** @param {{template: any, close: () => void}} props */
export function ProvisionForm({ template, close }) {
  const [namespace, setNamespace] = useState(state.nodes[0]?.namespace ?? "root/virt");
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
      close();
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
        ${state.nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === namespace}>${each.name}</option>`)}</select></${Field}>
      <${Field} id="make-name" label=${text("guest.name")}><input id="make-name" required value=${typed.name ?? ""} onInput=${input("name")} /></${Field}>
      <${Field} id="make-count" label=${text("templates.count")}><input id="make-count" type="number" min="1" max="100" value=${typed.count} onInput=${input("count")} /></${Field}>
      ${asked.filter((each) => !RARE.includes(each.name)).map(field)}
      <datalist id="pools">${(pools.value ?? []).map((/** @type {any} */ each) => html`<option value=${each.properties.ElementName}></option>`)}</datalist>
      <details><summary>${text("app.more")}</summary>${asked.filter((each) => RARE.includes(each.name)).map(field)}</details>
    </form></${Dialog}>`;
}

/** @param {{parts: string[]}} props of one template, where one is named */
export function Templates({ parts: [wanted] }) {
  useAppState();
  const [chosen, setChosen] = useState(/** @type {any} */ (null));
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const [removed, setRemoved] = useState(/** @type {any} */ (null));
  const templates = useRead(() => api.instancesIfAny("root/interop", "Virt_Template"), []);
  return html`<div class="head"><h1>${text("page.templates")}</h1></div>
    <${Read} of=${templates}>${(/** @type {any[]} */ all) => {
      const found = wanted ? all.filter((each) => each.properties.InstanceID === wanted) : all;
      const groups = [...new Set(found.map((each) => each.properties.GroupName ?? ""))].sort();
      return html`${found.length === 0 && html`<p class="soft">${text("app.nothing")}</p>`}
        ${groups.map((group) => html`<h2>${group}</h2><div class="grid">${found.filter((each) => (each.properties.GroupName ?? "") === group).map((each) => html`
          <${Panel} key=${each.href} title=${each.properties.Caption ?? each.properties.ElementName ?? each.properties.Name}>
            ${each.properties.Tried === false && html`<p class="notice">${text("templates.untried")}</p>`}
            <${Facts} facts=${[
              [text("guest.name"), html`<a href=${browserLink(each)}>${each.properties.Name}@${each.properties.Version}</a>`],
              [text("guest.platform"), (each.properties.Platforms ?? []).join(", ") || text("app.all")],
              [text("templates.image"), html`<span class="code">${each.properties.ImageURL || "–"}</span>`],
            ]} />
            <p class="row">${may("root/interop", "administer") && html`
              ${!each.properties.Origin && html`<button onClick=${() => setEdited({ template: each, isNew: false })}>${text("app.edit")}</button>
                <button class="danger" onClick=${() => setRemoved(each)}>${text("app.delete")}</button>`}
              <button onClick=${() => setEdited({ template: each, isNew: true })}>${text("templates.copy")}</button>`}<span class="grow"></span><button class="main" onClick=${() => setChosen(each)}>${text("templates.provision")}</button></p></${Panel}>`)}</div>`)}`;
    }}</${Read}>
    ${edited && html`<${TemplateForm} template=${edited.template} isNew=${edited.isNew} close=${() => setEdited(null)} done=${() => { setEdited(null); templates.again(); }} />`}
    ${removed && html`<${RemoveDialog} name=${`${removed.properties.Name}@${removed.properties.Version}`} close=${() => setRemoved(null)} remove=${() => api.remove(removed).then(templates.again)} />`}
    ${chosen && html`<${ProvisionForm} template=${chosen} close=${() => setChosen(null)} />`}`;
}
