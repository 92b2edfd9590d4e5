/** Storage pools with what is used of them, and their volumes. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html } from "../parts.js";
import { state, useAppState } from "../state.js";
import { bytesText, text } from "../texts.js";
import { Bar, Panel, Read, useRead } from "../ui/basics.js";
import { poolBytes } from "../values.js";

/** @param {{pool: any}} props */
function Pool({ pool }) {
  const volumes = useRead(() => (pool.properties.Primordial ? Promise.resolve([]) : api.associators(pool, { resultClass: "CIM_StorageExtent" })), [pool.href]);
  const { capacity, used } = poolBytes(pool);
  return html`<${Panel} title=${pool.properties.ElementName ?? pool.properties.PoolID}>
    <p><a href=${browserLink(pool)}>${pool.properties.InstanceID}</a></p>
    ${capacity !== null && html`<p>${bytesText(used)} / ${bytesText(capacity)}</p><${Bar} share=${capacity && used ? used / capacity : 0} label=${text("storage.used")} />`}
    ${!pool.properties.Primordial && html`<h3>${text("storage.volumes")}</h3>
    <${Read} of=${volumes}>${(/** @type {any[]} */ found) => (found.length === 0 ? html`<p class="soft">${text("app.nothing")}</p>` : html`<ul>
      ${found.slice(0, 200).map((each) => html`<li><a href=${browserLink(each)}>${each.properties.ElementName ?? each.properties.Name ?? each.properties.DeviceID}</a>
        <span class="soft"> ${bytesText(each.properties.BlockSize && each.properties.NumberOfBlocks ? Number(each.properties.BlockSize) * Number(each.properties.NumberOfBlocks) : null)}</span></li>`)}</ul>`)}</${Read}>`}
  </${Panel}>`;
}

export function Storage() {
  useAppState();
  const pools = useRead(async () => Promise.all(state.nodes.map(async (node) => ({
    node, pools: (await api.instancesIfAny(node.namespace, "CIM_ResourcePool")).filter((each) => /_DiskPool$/.test(each.class)),
  }))), [state.nodes.length]);
  return html`<div class="head"><h1>${text("page.storage")}</h1></div>
    <${Read} of=${pools}>${(/** @type {any[]} */ all) => all.map(({ node, pools: found }) => html`<h2>${node.name}</h2>
      <div class="grid">${found.map((/** @type {any} */ each) => html`<${Pool} key=${each.href} pool=${each} />`)}</div>`)}</${Read}>`;
}
