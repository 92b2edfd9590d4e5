/** Empties a node: which guest can go where, then their migrations. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { demand, finished } from "../settings.js";
import { tell } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Read, useRead } from "../ui/basics.js";

/** @param {{node: any, close: () => void, done?: () => void}} props done: is called in place of `close` once it has begun */
export function Drain({ node, close, done = close }) {
  const [inactive, setInactive] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const found = useRead(async () => {
    const [service] = await api.instances("root/interop", "Virt_AggregatedManagementService");
    if (!service) throw new Error(text("drain.impossible"));
    // It has failed where a guest has to stay: which ones, and why, is what is asked for.
    const { value, parameters, said } = await finished(await api.invoke(/** @type {any} */ (service), "DrainNodes", { Node: { href: node.href }, CheckOnly: true, IncludeInactive: inactive }));
    if (value !== 0 && !parameters.Results) throw new Error(said || `DrainNodes: ${value}`);
    return { service, results: parameters.Results ?? [] };
  }, [node.href, inactive]);
  const send = async () => {
    setBusy(true);
    try {
      await demand(/** @type {any} */ (found.value).service, "DrainNodes", { Node: { href: node.href }, IncludeInactive: inactive });
      tell(text("action.job", { action: text("drain.action"), name: node.name }));
      done();
      location.hash = "#/jobs";
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${`${text("drain.action")}: ${node.name}`} onClose=${close}
      end=${html`<button class="main" disabled=${busy || !found.value} onClick=${send}>${text("drain.action")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <label class="row"><input type="checkbox" checked=${inactive} onChange=${(/** @type {any} */ event) => setInactive(event.target.checked)} /> ${text("drain.inactive")}</label>
    <h3>${text("migrate.checks")}</h3>
    <${Read} of=${found}>${(/** @type {any} */ { results }) => (results.length === 0 ? html`<p class="soft">${text("drain.empty")}</p>`
      : html`<ul role="status">${results.map((/** @type {string} */ each) => html`<li>${each}</li>`)}</ul>`)}</${Read}></${Dialog}>`;
}
