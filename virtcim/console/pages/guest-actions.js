/** What can be done with a guest as a whole: on its page, and from the tree. */
import * as api from "../api.js";
import { act, offered } from "../actions.js";
import { html, useState } from "../parts.js";
import { demand, managementOf } from "../settings.js";
import { may, state, tell } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Read, useRead } from "../ui/basics.js";
import { Migrate, migrationOf } from "./migrate.js";

/**
 * The buttons of what can be done now; what cannot be done says why.
 *
 * @param {{guest: {href: string, name: string, namespace: string, className: string}, system: api.Instance, again: () => void}} props
 */
export function Actions({ guest, system, again }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const [removing, setRemoving] = useState(false);
  const [moving, setMoving] = useState(false);
  const migration = useRead(async () => (state.nodes.length > 1 ? (await migrationOf(guest)) ?? false : false), [guest.href, state.nodes.length]);
  const take = async (/** @type {any} */ action) => {
    setAsked(null);
    await act(guest, action);
    again();
  };
  const destroy = async () => {
    setRemoving(false);
    try {
      await demand(await managementOf(guest), "DestroySystem", { AffectedSystem: { href: guest.href } });
      tell(text("action.done", { action: text("action.delete"), name: guest.name }));
      location.hash = "#/guests";
    } catch (error) {
      tell(text("action.failed", { action: text("action.delete"), name: guest.name, detail: /** @type {Error} */ (error).message }), "bad");
    }
  };
  return html`<div class="actions">
    ${!may(guest.namespace, "operate") && html`<span class="soft">${text("action.read-only")}</span>`}
    ${may(guest.namespace, "operate") && offered(system).map((each) => html`<button class=${each.danger ? "danger" : each.name === "start" ? "main" : ""} disabled=${Boolean(each.reason)}
      title=${each.reason} onClick=${() => (each.danger ? setAsked(each) : take(each))}>${text(`action.${each.name}`)}</button>`)}
    ${migration.value && may(guest.namespace, "administer") && html`<button onClick=${() => setMoving(true)}>${text("action.migrate")}</button>`}
    ${moving && html`<${Migrate} guest=${guest} service=${migration.value} running=${[2, 9].includes(Number(system.properties.EnabledState))} close=${() => setMoving(false)} />`}
    ${may(guest.namespace, "administer") && html`<button class="danger" onClick=${() => setRemoving(true)}>${text("action.delete")}</button>`}
    ${asked && html`<${Dialog} title=${text("action.confirm", { action: text(`action.${asked.name}`), name: guest.name })} onClose=${() => setAsked(null)}
      end=${html`<button class="danger" onClick=${() => take(asked)}>${text(`action.${asked.name}`)}</button>`}><p>${text(`action.confirm.${asked.name}`)}</p></${Dialog}>`}
    ${removing && html`<${Dialog} title=${text("action.confirm", { action: text("action.delete"), name: guest.name })} onClose=${() => setRemoving(false)}
      end=${html`<button class="danger" onClick=${destroy}>${text("action.delete")}</button>`}><p>${text("action.confirm.delete")}</p></${Dialog}>`}
  </div>`;
}

/** The same in a dialog, which ends with the first that is done. @param {{guest: {href: string, name: string, namespace: string, className: string}, close: () => void}} props */
export function ActionsDialog({ guest, close }) {
  const system = useRead(() => api.get(guest), [guest.href]);
  return html`<${Dialog} title=${guest.name} onClose=${close}>
    <${Read} of=${system}>${(/** @type {api.Instance} */ value) => html`<${Actions} guest=${guest} system=${value} again=${close} />`}</${Read}></${Dialog}>`;
}
