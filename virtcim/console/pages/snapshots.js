/** The snapshots of a guest, as a tree. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { demandWhole, requireSame } from "../settings.js";
import { may, tell, useChanges } from "../state.js";
import { text, timeText } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";
import { AskDialog, RemoveDialog } from "../ui/dialogs.js";
import { prefixOf } from "../values.js";

/** CIM_VirtualSystemSnapshotService.CreateSnapshot: SnapshotType */
const KINDS = { full: 2, disk: 3 };

/** @param {{guest: any}} props */
export function Snapshots({ guest }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const close = () => setAsked(null);
  const snapshots = useRead(async () => {
    const [found, services] = await Promise.all([
      api.associators(guest, { associationClass: "CIM_SnapshotOfVirtualSystem" }),
      api.instances(guest.namespace, `${prefixOf(guest.className)}_VirtualSystemSnapshotService`),
    ]);
    const parents = new Map();
    for (const each of found) {
      const [link] = await api.associators(/** @type {any} */ (each), { associationClass: "CIM_Dependency", role: "Dependent", resultClass: "CIM_VirtualSystemSettingData" });
      parents.set(each.path, link?.path ?? null);
    }
    return { found, service: /** @type {any} */ (services[0]), parents };
  }, [guest.href]);
  useChanges(["CIM_SettingData", "CIM_Job"], (event) => /SettingData|Job/.test(event.class ?? ""), snapshots.again);
  /** Does something with a snapshot, or makes one, and waits for the end of it. @param {string} method @param {Record<string, any>} parameters @param {any} [snapshot] */
  const act = async (method, parameters, snapshot) => {
    try {
      if (snapshot) await requireSame(snapshot, ["ElementName", "CreationTime"]);
      await demandWhole(/** @type {any} */ (snapshots.value).service, method, parameters);
      tell(text("settings.applied"));
    } finally {
      snapshots.again();
    }
  };
  const create = (/** @type {Record<string, string>} */ { ElementName, SnapshotType }) => act("CreateSnapshot", {
    AffectedSystem: { href: guest.href },
    SnapshotType: KINDS[/** @type {"full" | "disk"} */ (SnapshotType)],
    ...(ElementName ? { SnapshotSettings: { class: `${prefixOf(guest.className)}_VirtualSystemSnapshotSettingData`, properties: { ElementName } } } : {}),
  });
  const editable = may(guest.namespace, "administer");
  return html`<${Read} of=${snapshots}>${(/** @type {any} */ { found, parents }) => {
    const branch = (/** @type {any} */ parent) => {
      const own = found.filter((/** @type {any} */ each) => (found.some((/** @type {any} */ other) => other.path === parents.get(each.path)) ? parents.get(each.path) : null) === parent);
      return own.length > 0 && html`<ul>${own.map((/** @type {any} */ each) => html`<li key=${each.path}>
        <div class="row"><span class="grow"><b>${each.properties.ElementName ?? each.properties.InstanceID}</b> <span class="soft">${timeText(each.properties.CreationTime)}</span></span>
          ${editable && html`<button onClick=${() => setAsked({ what: "apply", each })}>${text("snapshots.apply")}</button>
            <button class="danger" onClick=${() => setAsked({ what: "delete", each })}>${text("snapshots.delete")}</button>`}</div>
        ${branch(each.path)}</li>`)}</ul>`;
    };
    return html`<${Panel} title=${text("guest.tab.snapshots")}>
      ${editable && html`<p><button class="main" onClick=${() => setAsked({ what: "create" })}>${text("snapshots.create")}</button></p>`}
      ${found.length === 0 ? html`<p class="soft">${text("snapshots.none")}</p>` : html`<div class="tree">${branch(null)}</div>`}
      ${asked?.what === "create" && html`<${AskDialog} title=${text("snapshots.create")} label=${text("snapshots.create")} save=${create} close=${close} questions=${[
        { name: "ElementName", label: text("snapshots.name") },
        { name: "SnapshotType", label: text("snapshots.kind"), byDefault: "full", choices: Object.keys(KINDS).map((each) => [each, text(`snapshots.${each}`)]) },
      ]} />`}
      ${asked?.what === "apply" && html`<${AskDialog} title=${`${text("snapshots.apply")}: ${asked.each.properties.ElementName}`} label=${text("snapshots.apply")} questions=${[]} close=${close}
        save=${() => act("ApplySnapshot", { Snapshot: { href: asked.each.href } }, asked.each)} />`}
      ${asked?.what === "delete" && html`<${RemoveDialog} title=${`${text("snapshots.delete")}: ${asked.each.properties.ElementName}`} label=${text("snapshots.delete")} name=${asked.each.properties.ElementName} close=${close}
        remove=${() => act("DestroySnapshot", { AffectedSnapshot: { href: asked.each.href } }, asked.each)} />`}
    </${Panel}>`;
  }}</${Read}>`;
}
