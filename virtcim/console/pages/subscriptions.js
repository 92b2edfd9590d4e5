/** Who is told of changes. */
import * as api from "../api.js";
import { html } from "../parts.js";
import { text } from "../texts.js";
import { Read, useRead } from "../ui/basics.js";
import { Value } from "../ui/properties.js";

export function Subscriptions() {
  const found = useRead(() => api.instancesIfAny("root/interop", "CIM_IndicationSubscription"), []);
  return html`<div class="head"><h1>${text("page.subscriptions")}</h1></div>
    <${Read} of=${found}>${(/** @type {any[]} */ all) => (all.length === 0 ? html`<p class="soft">${text("app.nothing")}</p>` : html`
      <div class="table"><table><thead><tr><th>${text("subscriptions.filter")}</th><th>${text("subscriptions.destination")}</th><th>${text("subscriptions.state")}</th></tr></thead>
      <tbody>${all.map((each) => html`<tr><td><${Value} value=${each.properties.Filter} /></td><td><${Value} value=${each.properties.Handler} /></td>
        <td>${each.properties.SubscriptionState ?? ""}</td></tr>`)}</tbody></table></div>`)}</${Read}>`;
}
