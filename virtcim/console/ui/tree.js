/**
 * The tree at the side: groups, their nodes, the guests of each; templates by group; and what can be done with each.
 */
import { html, useMemo, useState } from "../parts.js";
import { nodesByGroup, state, tell } from "../state.js";
import { text } from "../texts.js";
import { guestLink, nodeLink } from "../links.js";
import { templateGroup, templateName } from "../values.js";
import { stateLook } from "./basics.js";
import { memo } from "./memo.js";

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

/** The dialogs of what can be done, which are fetched when the first is opened. @type {Record<string, () => Promise<any>>} */
const CHOOSERS = {
  guest: () => import("../pages/guest-actions.js").then((module) => module.GuestChooser),
  node: () => import("../pages/node-actions.js").then((module) => module.NodeChooser),
  group: () => import("../pages/node-actions.js").then((module) => module.GroupChooser),
  template: () => import("../pages/template-actions.js").then((module) => module.TemplateChooser),
  templateGroup: () => import("../pages/template-actions.js").then((module) => module.TemplateGroupChooser),
};

/** Opens the actions of something in the tree. @type {(kind: string, of: any) => void} */
let openActions = () => undefined;

const Leaf = memo((/** @type {{guest: any, current: boolean}} */ { guest, current }) => html`
  <${Branch} label=${guest.name} link=${guestLink(guest)} look=${stateLook(guest.state)} current=${current} onActions=${() => openActions("guest", guest)} />`);

/** The guests of each node that are shown, and how many there are beside them; by namespace. */
function firstGuests() {
  /** @type {Map<string, {first: any[], others: number}>} */
  const found = new Map();
  for (const guest of state.guests.values()) {
    const own = found.get(guest.namespace) ?? { first: [], others: 0 };
    if (own.first.length < SHOWN) own.first.push(guest);
    else own.others += 1;
    found.set(guest.namespace, own);
  }
  return found;
}

/** @param {{here: string}} props */
export function Tree({ here }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  openActions = (kind, of) => {
    CHOOSERS[kind]().then((Dialog) => setAsked({ of, Dialog }), (error) => tell(error.message, "bad"));
  };
  const guests = useMemo(firstGuests, [state.version]);
  const isAt = (/** @type {string} */ link) => here === link || here.startsWith(`${link}/`);
  const branch = (/** @type {any} */ node) => {
    const own = guests.get(node.namespace) ?? { first: [], others: 0 };
    const link = nodeLink(node.namespace);
    return html`<${Branch} key=${node.name} label=${node.name} link=${link} current=${here === link} open=${state.nodes.length < 20} onActions=${() => openActions("node", node)}>
      ${own.first.map((guest) => html`<${Leaf} key=${guest.href} guest=${guest} current=${isAt(guestLink(guest))} />`)}
      ${own.others > 0 && html`<li class="leaf"><a href="#/guests?q=${encodeURIComponent(node.name)}">${text("app.more")} (${own.others})</a></li>`}
    </${Branch}>`;
  };
  const templateGroups = [...new Set(state.templates.map(templateGroup))].sort();
  return html`${asked && html`<${asked.Dialog} of=${asked.of} close=${() => setAsked(null)} />`}<ul class="tree">
    ${nodesByGroup().map(([group, nodes]) => html`
      <${Branch} key=${group} label=${group || text("tree.ungrouped")} current=${false} onActions=${() => openActions("group", group)}>${nodes.map(branch)}</${Branch}>`)}
    ${templateGroups.length > 0 && html`<${Branch} label=${text("page.templates")} link="#/templates" current=${here === "#/templates"} open=${false}>
      ${templateGroups.map((group) => html`<${Branch} key=${group} label=${group || text("templates.ungrouped")} current=${false} onActions=${() => openActions("templateGroup", group)}>
        ${state.templates.filter((each) => templateGroup(each) === group).map((each) => {
          const target = `#/templates/${encodeURIComponent(each.properties.InstanceID)}`;
          return html`<${Branch} key=${target} label=${templateName(each)} link=${target} look="off" current=${here === target} onActions=${() => openActions("template", each)} />`;
        })}</${Branch}>`)}</${Branch}>`}
  </ul>`;
}
