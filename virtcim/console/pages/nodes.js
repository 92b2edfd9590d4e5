/** All nodes and groups; nodes are added, edited and removed here. */
import * as api from "../api.js";
import { nodeLink } from "../links.js";
import { html, useState } from "../parts.js";
import { loadNodes, may, nodesByGroup, state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Field, Panel, Read, State, useRead } from "../ui/basics.js";
import { RemoveDialog } from "../ui/dialogs.js";
import { Table } from "../ui/table.js";

/** The properties of a node that the form has in words of its own; others, as of a plugin, it has as the schema tells. */
const LABELS = { URIs: "nodes.uris", Groups: "nodes.groups", Comment: "nodes.comment", ReadOnly: "nodes.read-only", Enabled: "nodes.enabled", MigrateURI: "nodes.migrate-uri" };

/** Fields of a node, out of what its class lets be written. @returns {Promise<any[]>} */
async function nodeFields() {
  const declared = await api.classOf("root/interop", "Virt_ManagedNode");
  return Object.entries(declared.properties).filter(([name, each]) => each.qualifiers?.Write || name === "Name").map(([name, each]) => ({
    name, list: Boolean(each.array), flag: each.type === "boolean", required: Boolean(each.qualifiers?.Required || each.key), key: Boolean(each.key),
    byDefault: each.default, label: name === "Name" ? text("guest.name") : name in LABELS ? text(LABELS[/** @type {keyof typeof LABELS} */ (name)]) : name,
    description: name in LABELS || name === "Name" ? "" : each.qualifiers?.Description ?? "", longest: each.qualifiers?.MaxLen,
  }));
}

const NAME = /^[\w.-]+$/;

/** What is wrong with a field of a node; "" for nothing. @param {any} field @param {string} given */
function wrong(field, given) {
  const lines = given.split("\n").map((each) => each.trim()).filter(Boolean);
  if (field.required && !lines.length) return text("nodes.needed");
  if (field.name === "Name" && !NAME.test(given)) return text("nodes.bad-name");
  if (field.longest && given.length > field.longest) return text("nodes.too-long", { value: field.longest });
  if (field.name === "URIs") {
    const bad = lines.find((each) => !/^[a-z][\w+.-]*:\/\/.+/i.test(each));
    if (bad) return text("nodes.bad-uri", { value: bad });
    const twice = state.nodes.find((node) => (node.raw.URIs ?? []).some((/** @type {string} */ each) => lines.includes(each)));
    if (twice && !field.own.includes(twice.name)) return text("nodes.same-uri", { name: twice.name });
  }
  return "";
}

/** @param {{node: any | null, close: () => void}} props */
function NodeForm({ node, close }) {
  const own = node?.raw ?? {};
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const fields = useRead(async () => (await nodeFields()).filter((each) => !node || !each.key).map((each) => ({ ...each, own: node ? [node.name] : [] })), []);
  const before = (/** @type {any} */ field) => {
    const value = own[field.name] ?? field.byDefault;
    return field.list ? (value ?? []).join("\n") : value === undefined || value === null ? "" : String(value);
  };
  const value = (/** @type {any} */ field) => typed[field.name] ?? before(field);
  const all = /** @type {any[]} */ (fields.value ?? []);
  const faulty = all.some((each) => wrong(each, value(each)));
  const save = async (/** @type {any} */ event) => {
    event.preventDefault();
    if (faulty) return;
    setBusy(true);
    setRefusal("");
    const properties = Object.fromEntries(all.filter((each) => !node || value(each) !== before(each)).map((each) => [each.name,
      each.flag ? value(each) === "true" : each.list ? value(each).split("\n").map((line) => line.trim()).filter(Boolean) : value(each) || null]));
    try {
      if (node) await api.modify(node, properties);
      else await api.create("root/interop", "Virt_ManagedNode", Object.fromEntries(Object.entries(properties).filter(([, each]) => each !== null)));
      await loadNodes();
      close();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  const at = refusal ? all.find((each) => new RegExp(`\\b${each.name}\\b`).test(refusal))?.name : undefined;
  return html`<${Dialog} title=${node ? node.name : text("nodes.add")} onClose=${close}
      end=${html`<button class="main" disabled=${busy || faulty} onClick=${save}>${text("app.save")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <${Read} of=${fields}>${() => html`<form onSubmit=${save}>${all.map((field) => {
      const id = `node-${field.name}`;
      const fault = (field.name in typed ? wrong(field, value(field)) : "") || (at === field.name ? refusal : "");
      const take = (/** @type {any} */ event) => setTyped({ ...typed, [field.name]: field.flag ? String(event.target.checked) : event.target.value });
      if (field.flag) return html`<label key=${id} class="row"><input type="checkbox" checked=${value(field) === "true"} onChange=${take} /> ${field.label}</label>`;
      return html`<${Field} key=${id} id=${id} label=${field.label} hint=${field.description} wrong=${fault}>
        ${field.list ? html`<textarea id=${id} rows="2" required=${field.required} value=${value(field)} onInput=${take}></textarea>`
          : html`<input id=${id} required=${field.required} value=${value(field)} onInput=${take} />`}</${Field}>`;
    })}</form>`}</${Read}></${Dialog}>`;
}

/** Which nodes are in a group: those of the administrator's files stay where the files say. @param {{group: string, close: () => void}} props */
function GroupForm({ group, close }) {
  const [name, setName] = useState(group);
  const free = state.nodes.filter((each) => each.href && !each.raw.Origin);
  const [chosen, setChosen] = useState(() => new Set(free.filter((each) => group && each.groups.includes(group)).map((each) => each.name)));
  const [refusal, setRefusal] = useState("");
  const save = async () => {
    setRefusal("");
    try {
      for (const node of free) {
        const rest = node.groups.filter((each) => each !== group && each !== name);
        const next = chosen.has(node.name) ? [...rest, name] : rest;
        if (next.join("\n") !== node.groups.join("\n")) await api.modify(/** @type {any} */ (node), { Groups: next });
      }
      close();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    }
    await loadNodes();
  };
  const fault = name && !NAME.test(name) ? text("nodes.bad-name") : "";
  return html`<${Dialog} title=${group || text("groups.add")} onClose=${close}
      end=${html`<button class="main" disabled=${!name || Boolean(fault)} onClick=${save}>${text("app.save")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <${Field} id="group-name" label=${text("guest.name")} wrong=${fault}><input id="group-name" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value.trim())} /></${Field}>
    <fieldset><legend>${text("page.nodes")}</legend>
      ${free.length === 0 && html`<p class="soft">${text("groups.files")}</p>`}
      ${free.map((each) => html`<label key=${each.name} class="row"><input type="checkbox" checked=${chosen.has(each.name)} onChange=${(/** @type {any} */ event) => {
        const next = new Set(chosen);
        if (event.target.checked) next.add(each.name);
        else next.delete(each.name);
        setChosen(next);
      }} /> ${each.name}</label>`)}</fieldset></${Dialog}>`;
}

export function Nodes() {
  useAppState();
  const [edited, setEdited] = useState(/** @type {any} */ (undefined));
  const [group, setGroup] = useState(/** @type {string | undefined} */ (undefined));
  const [removed, setRemoved] = useState(/** @type {any} */ (null));
  const groups = nodesByGroup().filter(([name]) => name);
  const columns = [
    { name: "name", title: text("guest.name"), value: (/** @type {any} */ node) => node.name, show: (/** @type {any} */ node) => html`<a href=${nodeLink(node.namespace)}>${node.name}</a>` },
    { name: "state", title: text("guest.state"), value: (/** @type {any} */ node) => node.state, show: (/** @type {any} */ node) => html`<${State} value=${node.state} kind="node.state" /> ${node.trouble}` },
    { name: "groups", title: text("groups.title"), value: (/** @type {any} */ node) => node.groups.join(", ") },
    { name: "platforms", title: text("nodes.platforms"), value: (/** @type {any} */ node) => (node.raw.Platforms ?? []).join(", ") },
    { name: "origin", title: text("nodes.origin"), value: (/** @type {any} */ node) => node.raw.Origin || (node.href ? text("nodes.runtime") : "") },
    { name: "do", title: text("app.actions"), plain: true, value: () => "", show: (/** @type {any} */ node) => node.href && !node.raw.Origin && may("root/interop", "administer") && html`<button onClick=${() => setEdited(node)}>${text("app.edit")}</button>
      <button class="danger" onClick=${() => setRemoved(node)}>${text("app.delete")}</button>` },
  ];
  return html`<div class="head"><h1>${text("page.nodes")}</h1><div class="actions">${may("root/interop", "administer") && html`<button class="main" onClick=${() => setEdited(null)}>${text("nodes.add")}</button>
      <button onClick=${() => setGroup("")}>${text("groups.add")}</button>`}</div></div>
    <${Table} label=${text("page.nodes")} rows=${state.nodes} columns=${columns} rowKey=${(/** @type {any} */ node) => node.name} />
    <h2>${text("groups.title")}</h2>
    ${groups.length === 0 && html`<p class="soft">${text("app.nothing")}</p>`}
    <div class="grid">${groups.map(([name, nodes]) => html`<${Panel} key=${name} title=${name}>
      <ul>${nodes.map((node) => html`<li key=${node.name}><a href=${nodeLink(node.namespace)}>${node.name}</a></li>`)}</ul>
      ${may("root/interop", "administer") && html`<p class="right"><button aria-label=${`${text("app.edit")}: ${name}`} onClick=${() => setGroup(name)}>${text("app.edit")}</button></p>`}</${Panel}>`)}</div>
    ${group !== undefined && html`<${GroupForm} group=${group} close=${() => setGroup(undefined)} />`}
    ${edited !== undefined && html`<${NodeForm} node=${edited} close=${() => setEdited(undefined)} />`}
    ${removed && html`<${RemoveDialog} name=${removed.name} close=${() => setRemoved(null)} warning=${text("nodes.remove")} remove=${() => api.remove(removed).then(loadNodes)} />`}`;
}
