/** What can be done with nodes and groups of them: on their pages, and from the tree. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { modifySame, requireSame } from "../settings.js";
import { loadNodes, may, mayManage, state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Buttons, Chooser } from "../ui/actions.js";
import { Dialog, Field, Read, useRead } from "../ui/basics.js";
import { RemoveDialog } from "../ui/dialogs.js";
import { Drain } from "./drain.js";

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

/** @param {{node: any | null, close: () => void, done?: () => void}} props node: null for a new one; done: is called in place of `close` once it is saved */
export function NodeForm({ node, close, done = close }) {
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
      if (node) await modifySame(shownOf(node), properties);
      else await api.create("root/interop", "Virt_ManagedNode", Object.fromEntries(Object.entries(properties).filter(([, each]) => each !== null)));
      await loadNodes();
      done();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
      // Whoever begins again begins with what is there now.
      await loadNodes().catch(() => undefined);
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

/** The nodes that can be changed here: those that no file of the administrator has. */
const changeable = () => state.nodes.filter((each) => each.href && !each.raw.Origin);

/** A node as it was shown. @param {any} node */
const shownOf = (node) => ({ href: node.href, properties: node.raw });

/** Which nodes are in a group: those of the administrator's files stay where the files say. @param {{group: string, close: () => void, done?: () => void}} props */
export function GroupForm({ group, close, done = close }) {
  const [name, setName] = useState(group);
  const free = changeable();
  const [chosen, setChosen] = useState(() => new Set(free.filter((each) => group && each.groups.includes(group)).map((each) => each.name)));
  const [refusal, setRefusal] = useState("");
  const save = async () => {
    setRefusal("");
    try {
      for (const node of free) {
        const rest = node.groups.filter((each) => each !== group && each !== name);
        const next = chosen.has(node.name) ? [...rest, name] : rest;
        if (next.join("\n") !== node.groups.join("\n")) await modifySame(shownOf(node), { Groups: next });
      }
      done();
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

/**
 * What can be done with a node; nothing by who may not.
 *
 * @param {import("../state.js").Node} node
 * @param {(name: string) => void} ask has it done
 * @param {() => void} [leave] is called when it is done on another page
 * @returns {import("../ui/actions.js").Action[]}
 */
export function nodeActions(node, ask, leave = () => undefined) {
  const fixed = !node.href ? text("nodes.own") : node.raw.Origin ? text("nodes.from-file", { file: node.raw.Origin }) : "";
  const alone = !node.href ? text("nodes.own") : state.nodes.length < 2 ? text("drain.alone") : "";
  const action = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ reason, /** @type {"" | "danger"} */ look = "") =>
    ({ name, label, reason, look, of: node.name, run: () => ask(name) });
  const mayThere = may(node.namespace, "administer");
  return [
    ...(mayThere ? [{ name: "create", label: text("page.create"), of: node.name, run: () => { location.hash = `#/create?node=${encodeURIComponent(node.namespace)}`; leave(); } }] : []),
    ...(mayThere && mayManage() ? [action("drain", text("drain.action"), alone)] : []),
    ...(mayManage() ? [action("edit", text("app.edit"), fixed), action("remove", text("app.delete"), fixed, "danger")] : []),
  ];
}

/** Removes a node that is as it was shown; its state changes of itself. @param {any} node */
async function removeNode(node) {
  await requireSame(shownOf(node), ["URIs", "Groups", "Comment"]);
  await api.remove(node);
}

/** Asks what an action on a node needs to know, and takes it. @param {{name: string, node: any, close: () => void, done?: () => void}} props */
export function NodeDialog({ name, node, close, done = close }) {
  if (name === "drain") return html`<${Drain} node=${node} close=${close} done=${done} />`;
  if (name === "edit") return html`<${NodeForm} node=${node} close=${close} done=${done} />`;
  return html`<${RemoveDialog} name=${node.name} close=${close} done=${done} warning=${text("nodes.remove")} remove=${() => removeNode(node).then(loadNodes)} />`;
}

/** The actions of a node as buttons. @param {{node: any}} props */
export function NodeActions({ node }) {
  const [asked, setAsked] = useState("");
  return html`<div class="actions"><${Buttons} actions=${nodeActions(node, setAsked)} />
    ${asked && html`<${NodeDialog} name=${asked} node=${node} close=${() => setAsked("")} />`}</div>`;
}

/** The same as a dialog, which ends with the first that is done. @param {{of: any, close: () => void}} props of: the node */
export function NodeChooser({ of, close }) {
  useAppState();
  const [asked, setAsked] = useState("");
  const actions = nodeActions(of, setAsked, close);
  return html`<${Chooser} title=${of.name} actions=${actions} close=${close}>
    ${asked && html`<${NodeDialog} name=${asked} node=${of} close=${() => setAsked("")} done=${close} />`}</${Chooser}>`;
}

/**
 * What can be done with a group of nodes, or with the nodes that are in none.
 *
 * @param {{of: string, close: () => void}} props of: its name; "" for that of all others
 */
export function GroupChooser({ of, close }) {
  const [asked, setAsked] = useState("");
  const actions = mayManage() ? [
    ...(of ? [{ name: "edit", label: text("app.edit"), reason: changeable().length ? "" : text("groups.files"), run: () => setAsked("edit") }] : []),
    { name: "node", label: text("nodes.add"), run: () => setAsked("node") },
    { name: "group", label: text("groups.add"), run: () => setAsked("group") },
  ] : [];
  const back = () => setAsked("");
  return html`<${Chooser} title=${of || text("tree.ungrouped")} actions=${actions} close=${close}>
    ${asked === "node" ? html`<${NodeForm} node=${null} close=${back} done=${close} />`
      : asked && html`<${GroupForm} group=${asked === "edit" ? of : ""} close=${back} done=${close} />`}</${Chooser}>`;
}
