/**
 * What can be done with something, as buttons on its page and as a dialog of the tree.
 */
import { html } from "../parts.js";
import { text } from "../texts.js";
import { Dialog } from "./basics.js";

/**
 * @typedef {{name: string, label: string, run: () => void, reason?: string, look?: "main" | "danger" | "", of?: string}} Action
 *   reason: why it cannot be done now; of: what it is done with, where several of its kind stand on a page
 */

/**
 * Buttons of actions.  One that cannot be taken stays where the keyboard reaches it, so that its reason is read out.
 *
 * @param {{actions: Action[]}} props
 */
export const Buttons = ({ actions }) => html`${actions.map((each) => html`<button key=${each.name} type="button" class=${each.look ?? ""}
  aria-label=${each.of ? `${each.label}: ${each.of}` : undefined} aria-disabled=${each.reason ? "true" : undefined} title=${each.reason || undefined}
  onClick=${() => each.reason || each.run()}>${each.label}</button>`)}`;

/** Why actions cannot be taken, for those who see no titles. @param {{actions: Action[]}} props */
export const Reasons = ({ actions }) => html`<ul class="plain soft">
  ${actions.filter((each) => each.reason).map((each) => html`<li key=${each.name}>${text("action.why-not", { action: each.label, reason: each.reason ?? "" })}</li>`)}</ul>`;

/** The same in a dialog. @param {{title: string, actions: Action[], close: () => void, children?: any}} props children: what is asked next */
export const Chooser = ({ title, actions, close, children }) => html`<${Dialog} title=${title} onClose=${close}>
  ${actions.length ? html`<div class="actions"><${Buttons} actions=${actions} /></div><${Reasons} actions=${actions} />` : html`<p class="soft">${text("action.read-only")}</p>`}
  ${children}</${Dialog}>`;
