/** What can be done with a guest as a whole: on its page, and from the tree. */
import * as api from "../api.js";
import { act, offered, outOfReach } from "../actions.js";
import { html, useState } from "../parts.js";
import { demand, managementOf } from "../settings.js";
import { may, state, tell } from "../state.js";
import { text } from "../texts.js";
import { Buttons, Reasons } from "../ui/actions.js";
import { Dialog, Read, useRead } from "../ui/basics.js";
import { RemoveDialog } from "../ui/dialogs.js";
import { shortName } from "../values.js";
import { Migrate, migrationOf } from "./migrate.js";

/**
 * The buttons of what can be done now; what cannot be done says why.
 *
 * @param {{guest: {href: string, name: string, namespace: string, className: string}, system: api.Instance, again: () => void, isDialog?: boolean}} props
 */
export function Actions({ guest, system, again, isDialog }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const [removing, setRemoving] = useState(false);
  const [moving, setMoving] = useState(false);
  const migration = useRead(async () => (state.nodes.length > 1 ? (await migrationOf(guest)) ?? false : false), [guest.href, state.nodes.length]);
  const actions = offered(guest, system).map((each) => ({
    name: each.name, label: text(`action.${each.name}`), reason: each.reason, look: /** @type {any} */ (each.danger ? "danger" : each.name === "start" ? "main" : ""),
    run: () => (each.danger ? setAsked(each) : take(each)),
  }));
  const lost = outOfReach(guest, system);
  /** @type {import("../ui/actions.js").Action[]} */
  const further = [
    ...(migration.value || migration.error ? [{ name: "migrate", label: text("action.migrate"), reason: lost || migration.error?.message, run: () => setMoving(true) }] : []),
    { name: "delete", label: text("action.delete"), reason: lost, look: "danger", run: () => setRemoving(true) },
  ];
  const take = async (/** @type {any} */ action) => {
    setAsked(null);
    await act(guest, action);
    again();
  };
  const destroy = async () => {
    await demand(await managementOf(guest), "DestroySystem", { AffectedSystem: { href: guest.href } });
    tell(text("action.done", { action: text("action.delete"), name: shortName(guest.name) }));
  };
  const leave = () => {
    location.hash = "#/guests";
    if (isDialog) again();
  };
  const all = [...(may(guest.namespace, "operate") ? actions : []), ...(may(guest.namespace, "administer") ? further : [])];
  return html`<div class="actions">
    ${!may(guest.namespace, "operate") && html`<span class="soft">${text("action.read-only")}</span>`}
    <${Buttons} actions=${all} />${isDialog && html`<${Reasons} actions=${all} />`}
    ${moving && html`<${Migrate} guest=${guest} service=${migration.value} running=${[2, 9].includes(Number(system.properties.EnabledState))} close=${() => setMoving(false)} />`}
    ${asked && html`<${Dialog} title=${text("action.confirm", { action: text(`action.${asked.name}`), name: guest.name })} onClose=${() => setAsked(null)}
      end=${html`<button class="danger" onClick=${() => take(asked)}>${text(`action.${asked.name}`)}</button>`}><p>${text(`action.confirm.${asked.name}`)}</p></${Dialog}>`}
    ${removing && html`<${RemoveDialog} title=${text("action.confirm", { action: text("action.delete"), name: guest.name })} label=${text("action.delete")}
      name=${guest.name} warning=${text("action.confirm.delete")} remove=${destroy} close=${() => setRemoving(false)} done=${leave} />`}
  </div>`;
}

/** The same as a dialog, which ends with the first that is done. @param {{of: {href: string, name: string, namespace: string, className: string}, close: () => void}} props of: the guest */
export function GuestChooser({ of, close }) {
  const system = useRead(() => api.get(of), [of.href]);
  return html`<${Dialog} title=${of.name} onClose=${close}>
    <${Read} of=${system}>${(/** @type {api.Instance} */ value) => html`<${Actions} guest=${of} system=${value} again=${close} isDialog />`}</${Read}></${Dialog}>`;
}
