/** Networks with who hangs on them, and the filters of hosts; networks are made and removed here. */
import * as api from "../api.js";
import { browserLink, guestLink } from "../links.js";
import { html, useState } from "../parts.js";
import { createPool, isActive, removePool } from "../pools.js";
import { may, useChanges } from "../state.js";
import { text } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";
import { AskDialog, RemoveDialog } from "../ui/dialogs.js";
import { PoolsByNode } from "../ui/pools.js";
import { Properties } from "../ui/properties.js";

/** NetworkPoolResourceAllocationSettingData.ForwardMode */
const MODES = { isolated: 0, nat: 1, route: 2, open: 3, bridge: 4 };

/** The guests of all platforms that have a port in a network. @param {any} network */
async function guestsOf(network) {
  const ports = (await Promise.all([network, ...network.twins].map((each) =>
    api.associators(each, { associationClass: "CIM_ElementAllocatedFromPool", properties: "SystemName,SystemCreationClassName" })))).flat();
  const found = ports.map(({ properties: own }) => ({ namespace: network.namespace, className: own.SystemCreationClassName, name: own.SystemName }));
  return [...new Map(found.filter((each) => each.name).map((each) => [`${each.className} ${each.name}`, each])).values()];
}

/** @param {{pool: any, again: () => void}} props */
function Network({ pool: network, again }) {
  const [asked, setAsked] = useState(false);
  const guests = useRead(() => guestsOf(network), [network.href, network.etag]);
  useChanges(["CIM_NetworkPort"], (event) => event.namespace === network.namespace && /_NetworkPort$/.test(event.class ?? ""), guests.again);
  const own = network.properties;
  return html`<${Panel} title=${own.ElementName ?? own.PoolID}>
    <p><a href=${browserLink(network)}>${own.InstanceID}</a> <span class="soft">${own.ResourceSubType} ${own.Caption}</span></p>
    ${!isActive(network) && html`<p class="soft">${text("pools.inactive")}</p>`}
    <${Read} of=${guests}>${(/** @type {any[]} */ found) => (found.length === 0 ? html`<p class="soft">${text("networks.empty")}</p>` : html`<p>${found.slice(0, 200).map((each, at) =>
      html`${at > 0 && ", "}<a key=${each.className + each.name} href=${guestLink(each)}>${each.name}</a>`)}</p>`)}</${Read}>
    <details><summary>${text("browser.properties")}</summary><${Properties} instance=${network} /></details>
    ${may(network.namespace, "administer") && html`<p class="row"><button class="danger" onClick=${() => setAsked(true)}>${text("pools.remove")}</button></p>`}
    ${asked && html`<${RemoveDialog} name=${own.ElementName} warning=${text("networks.remove")} close=${() => setAsked(false)}
      remove=${async () => { await removePool(network); again(); }} />`}
  </${Panel}>`;
}

/** @param {{node: any, prefix: string, close: () => void, again: () => void}} props */
function NewNetwork({ node, prefix, close, again }) {
  const save = async (/** @type {any} */ { PoolID, ForwardMode, ...rest }) => {
    await createPool(node.namespace, prefix, "network", PoolID, { ForwardMode: MODES[/** @type {keyof typeof MODES} */ (ForwardMode)], ...rest });
    again();
  };
  const isBridge = (/** @type {Record<string, string>} */ given) => given.ForwardMode === "bridge";
  return html`<${AskDialog} title=${text("networks.new")} close=${close} save=${save} questions=${[
    { name: "PoolID", label: text("guest.name"), needed: true },
    { name: "ForwardMode", label: text("pools.kind"), byDefault: "nat", choices: Object.keys(MODES).map((each) => [each, text(`networks.mode.${each}`)]) },
    { name: "BridgeName", label: text("networks.bridge"), needed: true, when: isBridge },
    { name: "Address", label: text("networks.address"), hint: text("networks.address.hint"), when: (/** @type {any} */ given) => !isBridge(given) },
    { name: "Netmask", label: text("networks.netmask"), hint: "255.255.255.0", when: (/** @type {any} */ given) => !isBridge(given) && given.Address !== "" },
  ]} />`;
}

/** @param {{namespace: string}} props */
function Filters({ namespace }) {
  const filters = useRead(async () => {
    const all = await api.instancesIfAny(namespace, "CIM_FilterList", { properties: "Name" });
    return [...new Map(all.map((each) => [each.properties.Name, each])).values()];
  }, [namespace]);
  return html`<${Read} of=${filters}>${(/** @type {any[]} */ found) => found.length > 0 && html`<details class="panel"><summary>${text("networks.filters")} (${found.length})</summary>
    <ul>${found.map((each) => html`<li key=${each.href}><a href=${browserLink(each)}>${each.properties.Name}</a></li>`)}</ul></details>`}</${Read}>`;
}

export const Networks = () => html`<${PoolsByNode} kind="network" title=${text("page.networks")} add=${text("networks.new")} Pool=${Network} NewPool=${NewNetwork}
  below=${(/** @type {any} */ node) => html`<${Filters} namespace=${node.namespace} />`} />`;
