/** One node: its host, its guests, its pools. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html } from "../parts.js";
import { state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Facts, Panel, Read, State, useRead } from "../ui/basics.js";
import { Guests } from "./guests.js";
import { NodeActions } from "./node-actions.js";

/** @param {{parts: string[]}} props */
export function NodePage({ parts }) {
  useAppState();
  const [namespace] = parts;
  const node = state.nodes.find((each) => each.namespace === namespace);
  const hosts = useRead(() => api.instances(namespace, "Virt_HostSystem"), [namespace]);
  return html`<div class="head"><h1>${node?.name ?? namespace}</h1>${node && html`<${State} value=${node.state} kind="node.state" />`}
      ${node && html`<${NodeActions} node=${node} />`}</div>
    ${node?.trouble && html`<div class="notice bad">${node.trouble}</div>`}
    <${Read} of=${hosts}>${(/** @type {any[]} */ found) => html`<div class="grid">${found.map((each) => html`<${Panel} key=${each.path} title=${each.properties.Caption ?? each.class}>
      <${Facts} facts=${[[text("guest.name"), html`<a href=${browserLink(each)}>${each.properties.Name}</a>`],
        ...(each.properties.HostFactNames ?? []).map((/** @type {string} */ name, /** @type {number} */ index) => [name, each.properties.HostFacts[index]])]} /></${Panel}>`)}</div>`}</${Read}>
    <${Guests} options=${new URLSearchParams()} of=${namespace} />`;
}
