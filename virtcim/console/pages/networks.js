/** Networks, and who hangs on them. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html } from "../parts.js";
import { state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";
import { Properties } from "../ui/properties.js";

export function Networks() {
  useAppState();
  const pools = useRead(async () => Promise.all(state.nodes.map(async (node) => ({
    node, pools: (await api.instancesIfAny(node.namespace, "CIM_ResourcePool")).filter((each) => /_NetworkPool$/.test(each.class)),
  }))), [state.nodes.length]);
  return html`<div class="head"><h1>${text("page.networks")}</h1></div>
    <${Read} of=${pools}>${(/** @type {any[]} */ all) => all.map(({ node, pools: found }) => html`<h2>${node.name}</h2>
      <div class="grid">${found.map((/** @type {any} */ each) => html`<${Panel} key=${each.href} title=${each.properties.ElementName ?? each.properties.PoolID}>
        <p><a href=${browserLink(each)}>${each.properties.InstanceID}</a></p><details><summary>${text("browser.properties")}</summary><${Properties} instance=${each} /></details></${Panel}>`)}</div>`)}</${Read}>`;
}
