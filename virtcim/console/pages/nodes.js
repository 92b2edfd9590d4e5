/** All nodes and groups; nodes are added, edited and removed here. */
import { nodeLink } from "../links.js";
import { html, useState } from "../parts.js";
import { mayManage, nodesByGroup, state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Buttons } from "../ui/actions.js";
import { Panel, State } from "../ui/basics.js";
import { Table } from "../ui/table.js";
import { GroupForm, NodeDialog, NodeForm, nodeActions } from "./node-actions.js";

export function Nodes() {
  useAppState();
  const [isAdding, setIsAdding] = useState(false);
  const [group, setGroup] = useState(/** @type {string | undefined} */ (undefined));
  const [asked, setAsked] = useState(/** @type {{name: string, node: any} | null} */ (null));
  const groups = nodesByGroup().filter(([name]) => name);
  const columns = [
    { name: "name", title: text("guest.name"), value: (/** @type {any} */ node) => node.name, show: (/** @type {any} */ node) => html`<a href=${nodeLink(node.namespace)}>${node.name}</a>` },
    { name: "state", title: text("guest.state"), value: (/** @type {any} */ node) => node.state, show: (/** @type {any} */ node) => html`<${State} value=${node.state} kind="node.state" /> ${node.trouble}` },
    { name: "groups", title: text("groups.title"), value: (/** @type {any} */ node) => node.groups.join(", ") },
    { name: "platforms", title: text("nodes.platforms"), value: (/** @type {any} */ node) => (node.raw.Platforms ?? []).join(", ") },
    { name: "origin", title: text("nodes.origin"), value: (/** @type {any} */ node) => node.raw.Origin || (node.href ? text("nodes.runtime") : "") },
    { name: "do", title: text("app.actions"), plain: true, value: () => "", show: (/** @type {any} */ node) => html`<div class="row"><${Buttons} actions=${nodeActions(node, (name) => setAsked({ name, node }))} /></div>` },
  ];
  return html`<div class="head"><h1>${text("page.nodes")}</h1><div class="actions">${mayManage() && html`<button class="main" onClick=${() => setIsAdding(true)}>${text("nodes.add")}</button>
      <button onClick=${() => setGroup("")}>${text("groups.add")}</button>`}</div></div>
    <${Table} label=${text("page.nodes")} rows=${state.nodes} columns=${columns} rowKey=${(/** @type {any} */ node) => node.name} />
    <h2>${text("groups.title")}</h2>
    ${groups.length === 0 && html`<p class="soft">${text("app.nothing")}</p>`}
    <div class="grid">${groups.map(([name, nodes]) => html`<${Panel} key=${name} title=${name}>
      <ul>${nodes.map((node) => html`<li key=${node.name}><a href=${nodeLink(node.namespace)}>${node.name}</a></li>`)}</ul>
      ${mayManage() && html`<p class="right"><button aria-label=${`${text("app.edit")}: ${name}`} onClick=${() => setGroup(name)}>${text("app.edit")}</button></p>`}</${Panel}>`)}</div>
    ${group !== undefined && html`<${GroupForm} group=${group} close=${() => setGroup(undefined)} />`}
    ${isAdding && html`<${NodeForm} node=${null} close=${() => setIsAdding(false)} />`}
    ${asked && html`<${NodeDialog} name=${asked.name} node=${asked.node} close=${() => setAsked(null)} />`}`;
}
