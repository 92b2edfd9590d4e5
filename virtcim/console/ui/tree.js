/**
 * The tree at the side: groups, their nodes, the guests of each.
 */
import { html, useMemo, useState } from "../parts.js";
import { nodesByGroup, state } from "../state.js";
import { text } from "../texts.js";
import { guestLink, nodeLink } from "../links.js";
import { stateLook } from "./basics.js";

/** Guests of a node that the tree shows; the others are found in the list of guests. */
const SHOWN = 200;

/** @param {{label: string, link?: string, look?: string, current: boolean, children?: any, open?: boolean, onActions?: () => void}} props */
function Branch({ label, link, look, current, children, open = true, onActions }) {
  const [unfolded, setUnfolded] = useState(open);
  return html`<li>
    <div class="leaf" aria-current=${String(current)}>
      ${children
        ? html`<button class="fold" aria-expanded=${String(unfolded)} aria-label=${text(unfolded ? "tree.fold" : "tree.unfold", { name: label })}
            onClick=${() => setUnfolded(!unfolded)}>${unfolded ? "▾" : "▸"}</button>`
        : html`<span class="state ${look}"></span>`}
      ${link ? html`<a href=${link} title=${label}>${label}</a>` : html`<span>${label}</span>`}
      ${onActions && html`<button class="plain more" aria-haspopup="dialog" aria-label=${text("tree.actions", { name: label })} onClick=${onActions}>⋯</button>`}
    </div>
    ${children && unfolded && html`<ul>${children}</ul>`}
  </li>`;
}

/** What was drawn of a guest, which is drawn again only where the guest is another one. @type {WeakMap<any, {current: boolean, drawn: any}>} */
const leaves = new WeakMap();

/** Opens the actions of a guest in a dialog, or none. @type {(guest: any) => void} */
let openActions = () => undefined;

/** @param {any} guest @param {string} here */
function leafOf(guest, here) {
  const target = guestLink(guest);
  const current = here === target || here.startsWith(`${target}/`);
  const known = leaves.get(guest);
  if (known?.current === current) return known.drawn;
  const drawn = html`<${Branch} key=${target} label=${guest.name} link=${target} look=${stateLook(guest.state)} current=${current} onActions=${() => openActions(guest)} />`;
  leaves.set(guest, { current, drawn });
  return drawn;
}

/** @param {{here: string}} props */
export function Tree({ here }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  openActions = async (guest) => {
    const { ActionsDialog } = await import("../pages/guest-actions.js");
    setAsked({ guest, ActionsDialog });
  };
  const guests = useMemo(() => {
    /** @type {Map<string, any[]>} */
    const found = new Map();
    for (const guest of state.guests.values()) {
      const own = found.get(guest.namespace);
      if (own) own.push(guest);
      else found.set(guest.namespace, [guest]);
    }
    return found;
  }, [state.version]);
  const branch = (/** @type {any} */ node) => {
    const own = guests.get(node.namespace) ?? [];
    const link = nodeLink(node.namespace);
    return html`<${Branch} key=${node.name} label=${node.name} link=${link} current=${here === link} open=${state.nodes.length < 20}>
      ${own.slice(0, SHOWN).map((guest) => leafOf(guest, here))}
      ${own.length > SHOWN && html`<li class="leaf"><a href="#/guests?q=${encodeURIComponent(node.name)}">${text("app.more")} (${own.length - SHOWN})</a></li>`}
    </${Branch}>`;
  };
  const templateGroups = [...new Set(state.templates.map((each) => each.properties.GroupName ?? ""))].sort();
  return html`${asked && html`<${asked.ActionsDialog} key=${asked.guest.href} guest=${asked.guest} close=${() => setAsked(null)} />`}<ul class="tree">
    ${nodesByGroup().map(([group, nodes]) => html`
      <${Branch} key=${group} label=${group || text("tree.ungrouped")} current=${false}>${nodes.map(branch)}</${Branch}>`)}
    ${templateGroups.length > 0 && html`<${Branch} label=${text("page.templates")} link="#/templates" current=${here === "#/templates"} open=${false}>
      ${templateGroups.map((group) => html`<${Branch} key=${group} label=${group || "–"} current=${false}>
        ${state.templates.filter((each) => (each.properties.GroupName ?? "") === group).map((each) => {
          const target = `#/templates/${encodeURIComponent(each.properties.InstanceID)}`;
          return html`<${Branch} key=${target} label=${`${each.properties.Name}@${each.properties.Version}`} link=${target} look="off" current=${here === target} />`;
        })}</${Branch}>`)}</${Branch}>`}
  </ul>`;
}
