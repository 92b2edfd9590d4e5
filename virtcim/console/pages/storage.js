/** Storage pools with what is used of them, and their volumes; both are made and removed here. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useState } from "../parts.js";
import { createPool, createVolume, holdsFiles, isActive, refreshPool, removePool, removeVolume } from "../pools.js";
import { may, tell, useChanges } from "../state.js";
import { bytesText, text } from "../texts.js";
import { Bar, Panel, Read, useRead } from "../ui/basics.js";
import { AskDialog, RemoveDialog } from "../ui/dialogs.js";
import { PoolsByNode } from "../ui/pools.js";
import { poolBytes, unitBytes } from "../values.js";

/** The settings of the volumes of a pool. @param {any} pool */
const volumesOf = async (pool) =>
  (await api.associators(pool, { resultClass: "CIM_ResourceAllocationSettingData" })).filter((each) => each.class.endsWith("_StorageVolumeResourceAllocationSettingData"));

/** @param {{pool: any, again: () => void}} props */
function Pool({ pool, again }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const volumes = useRead(() => volumesOf(pool), [pool.href, pool.etag]);
  useChanges(["CIM_StorageVolume"], (event) => event.namespace === pool.namespace && /_StorageVolume$/.test(event.class ?? ""), volumes.again);
  const { capacity, used } = poolBytes(pool);
  const own = pool.properties;
  const close = () => setAsked(null);
  const change = (/** @type {() => Promise<any>} */ work) => async () => {
    await work();
    again();
    volumes.again();
  };
  const look = () => change(() => refreshPool(pool))().catch((error) => tell(error.message, "bad"));
  const editable = may(pool.namespace, "administer");
  return html`<${Panel} title=${own.ElementName ?? own.PoolID}>
    <p><a href=${browserLink(pool)}>${own.InstanceID}</a> <span class="soft">${own.ResourceSubType} ${own.Path}</span></p>
    ${capacity !== null && html`<p>${bytesText(used)} / ${bytesText(capacity)}</p><${Bar} share=${capacity && used ? used / capacity : 0} label=${text("storage.used")} />`}
    <h3>${text("storage.volumes")}</h3>
    ${!isActive(pool) && html`<p class="soft">${text("pools.inactive")}</p>`}
    <${Read} of=${volumes}>${(/** @type {any[]} */ found) => (found.length === 0 ? html`<p class="soft">${text("app.nothing")}</p>` : html`<ul class="plain">
      ${found.slice(0, 200).map((each) => html`<li key=${each.href} class="row"><a class="grow" href=${browserLink(each)}>${each.properties.VolumeName ?? each.properties.ElementName}</a>
        <span class="soft">${each.properties.ResourceSubType} ${bytesText(unitBytes(each.properties.Capacity, each.properties.AllocationUnits))}</span>
        ${editable && html`<button class="plain" aria-label=${`${text("app.delete")}: ${each.properties.VolumeName}`} onClick=${() => setAsked({ volume: each })}>×</button>`}</li>`)}</ul>`)}</${Read}>
    ${editable && html`<p class="row">${isActive(pool) && html`<button onClick=${() => setAsked({ isNew: true })}>${text("storage.new-volume")}</button><button onClick=${look}>${text("storage.refresh")}</button>`}
      <button class="danger" onClick=${() => setAsked({ pool })}>${text("pools.remove")}</button></p>`}
    ${asked?.isNew && html`<${AskDialog} title=${text("storage.new-volume")} close=${close} questions=${[
      { name: "VolumeName", label: text("guest.name"), needed: true },
      { name: "Capacity", label: text("storage.size"), needed: true, number: true, byDefault: "10" },
      ...(holdsFiles(pool) ? [{ name: "ResourceSubType", label: text("storage.format"), byDefault: "qcow2", choices: [["qcow2", "qcow2"], ["raw", "raw"]] }] : []),
    ]} save=${(/** @type {any} */ given) => change(() => createVolume(pool, { name: given.VolumeName, size: given.Capacity, format: given.ResourceSubType }))()} />`}
    ${asked?.volume && html`<${RemoveDialog} name=${asked.volume.properties.VolumeName} warning=${text("storage.remove-volume")} close=${close} remove=${change(() => removeVolume(pool, asked.volume))} />`}
    ${asked?.pool && html`<${RemoveDialog} name=${own.ElementName} warning=${text("storage.remove-pool")} close=${close} remove=${change(() => removePool(pool))} />`}
  </${Panel}>`;
}

/** DiskPoolResourceAllocationSettingData.Type, as libvirt calls it: those that need no more than what is asked here. */
const TYPES = { dir: 1, netfs: 3, logical: 6 };

/** @param {{node: any, prefix: string, close: () => void, again: () => void}} props */
function NewPool({ node, prefix, close, again }) {
  const isOf = (/** @type {string} */ type) => (/** @type {Record<string, string>} */ given) => given.Type === type;
  const save = async (/** @type {any} */ { PoolID, Type, ...rest }) => {
    await createPool(node.namespace, prefix, "storage", PoolID, { Type: TYPES[/** @type {keyof typeof TYPES} */ (Type)], Autostart: 1, ...rest });
    again();
  };
  return html`<${AskDialog} title=${text("storage.new-pool")} close=${close} save=${save} questions=${[
    { name: "PoolID", label: text("guest.name"), needed: true },
    { name: "Type", label: text("pools.kind"), byDefault: "dir", choices: Object.keys(TYPES).map((each) => [each, text(`storage.type.${each}`)]) },
    { name: "Path", label: text("storage.path"), needed: true, hint: "/var/lib/libvirt/images", when: (/** @type {any} */ given) => given.Type !== "logical" },
    { name: "Host", label: text("storage.host"), needed: true, when: isOf("netfs") },
    { name: "SourceDirectory", label: text("storage.directory"), needed: true, when: isOf("netfs") },
    { name: "SourceName", label: text("storage.group"), needed: true, when: isOf("logical") },
  ]} />`;
}

export const Storage = () => html`<${PoolsByNode} kind="storage" title=${text("page.storage")} add=${text("storage.new-pool")} Pool=${Pool} NewPool=${NewPool} />`;
