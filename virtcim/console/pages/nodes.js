/** All nodes and groups; nodes are added, edited and removed here. */
import * as api from "../api.js";
import { nodeLink } from "../links.js";
import { html, useState } from "../parts.js";
import { loadNodes, may, state, tell, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Field, State } from "../ui/basics.js";
import { Table } from "../ui/table.js";

/** @param {{node: any | null, close: () => void}} props */
function NodeForm({ node, close }) {
  const [refusal, setRefusal] = useState("");
  const save = async (/** @type {any} */ event) => {
    event.preventDefault();
    const form = new FormData(event.target.closest("dialog").querySelector("form"));
    const lines = (/** @type {string} */ name, /** @type {RegExp} */ between) => String(form.get(name)).split(between).map((each) => each.trim()).filter(Boolean);
    const properties = {
      URIs: lines("uris", /\n/), Groups: lines("groups", /,/), Comment: String(form.get("comment")),
      ReadOnly: form.has("readonly"), Enabled: form.has("enabled"),
    };
    try {
      if (node) await api.modify(node, properties);
      else await api.create("root/interop", "Virt_ManagedNode", { Name: String(form.get("name")), ...properties });
      await loadNodes();
      close();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    }
  };
  const own = node?.raw ?? {};
  return html`<${Dialog} title=${node ? node.name : text("nodes.add")} onClose=${close} end=${html`<button class="main" onClick=${save}>${text("app.save")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <form onSubmit=${save}>
      ${!node && html`<${Field} id="node-name" label=${text("guest.name")}><input id="node-name" name="name" required /></${Field}>`}
      <${Field} id="node-uris" label=${text("nodes.uris")}><textarea id="node-uris" name="uris" rows="2" required>${(own.URIs ?? []).join("\n")}</textarea></${Field}>
      <${Field} id="node-groups" label=${text("nodes.groups")}><input id="node-groups" name="groups" value=${(own.Groups ?? []).join(", ")} /></${Field}>
      <${Field} id="node-comment" label=${text("nodes.comment")}><input id="node-comment" name="comment" value=${own.Comment ?? ""} /></${Field}>
      <label class="row"><input type="checkbox" name="enabled" checked=${own.Enabled ?? true} /> ${text("nodes.enabled")}</label>
      <label class="row"><input type="checkbox" name="readonly" checked=${own.ReadOnly ?? false} /> ${text("nodes.read-only")}</label>
    </form></${Dialog}>`;
}

export function Nodes() {
  useAppState();
  const [edited, setEdited] = useState(/** @type {any} */ (undefined));
  const [removed, setRemoved] = useState(/** @type {any} */ (null));
  const remove = async () => {
    const node = removed;
    setRemoved(null);
    await api.remove(node).then(loadNodes).catch((error) => tell(error.message, "bad"));
  };
  const columns = [
    { name: "name", title: text("guest.name"), value: (/** @type {any} */ node) => node.name, show: (/** @type {any} */ node) => html`<a href=${nodeLink(node.namespace)}>${node.name}</a>` },
    { name: "state", title: text("guest.state"), value: (/** @type {any} */ node) => node.state, show: (/** @type {any} */ node) => html`<${State} value=${node.state} kind="node.state" /> ${node.trouble}` },
    { name: "groups", title: text("nodes.groups"), value: (/** @type {any} */ node) => node.groups.join(", ") },
    { name: "platforms", title: text("nodes.platforms"), value: (/** @type {any} */ node) => (node.raw.Platforms ?? []).join(", ") },
    { name: "origin", title: text("nodes.origin"), value: (/** @type {any} */ node) => node.raw.Origin || (node.href ? text("nodes.runtime") : "") },
    { name: "do", title: "", value: () => "", show: (/** @type {any} */ node) => node.href && !node.raw.Origin && may("root/interop", "administer") && html`<button onClick=${() => setEdited(node)}>${text("app.edit")}</button>
      <button class="danger" onClick=${() => setRemoved(node)}>${text("app.delete")}</button>` },
  ];
  return html`<div class="head"><h1>${text("page.nodes")}</h1><div class="actions">${may("root/interop", "administer") && html`<button class="main" onClick=${() => setEdited(null)}>${text("nodes.add")}</button>`}</div></div>
    <${Table} label=${text("page.nodes")} rows=${state.nodes} columns=${columns} rowKey=${(/** @type {any} */ node) => node.name} />
    ${edited !== undefined && html`<${NodeForm} node=${edited} close=${() => setEdited(undefined)} />`}
    ${removed && html`<${Dialog} title=${text("nodes.remove", { name: removed.name })} onClose=${() => setRemoved(null)}
      end=${html`<button class="danger" onClick=${remove}>${text("app.delete")}</button>`} />`}`;
}
