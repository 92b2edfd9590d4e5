/** The devices of a guest as its settings have them: disks and network ports are added and changed by forms. */
import { browserLink } from "../links.js";
import { html, useState } from "../parts.js";
import { MODES, TYPES, configurations, demandWhole, formText, formValue, managementOf, refusedKey, requireSame } from "../settings.js";
import { may, tell, useChanges } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Facts, Panel, Read, useRead } from "../ui/basics.js";
import { RemoveDialog } from "../ui/dialogs.js";
import { FieldGroups, Review } from "../ui/form.js";
import { Properties } from "../ui/properties.js";
import { prefixOf, valueText } from "../values.js";

/** @param {string} fieldClass @param {string} category @param {string} name @param {any} [more] */
const field = (fieldClass, category, name, more = {}) => ({
  name, fieldClass, category, label: text(`device.${category}.${name}`), description: "", type: TYPES.text, unit: "", choices: [],
  least: null, most: null, modes: [MODES.definition], byDefault: null, ...more,
});

const DISK = "DiskResourceAllocationSettingData";
const PORT = "NetResourceAllocationSettingData";

/** CIM_ResourceAllocationSettingData.ResourceType */
const RESOURCE_TYPES = { disk: 17, port: 10 };

/** What is asked of a device; `EmulatedType` is a number with names of its own. @type {Record<string, any[]>} */
const FIELDS = {
  disk: [
    field(DISK, "disk", "Address"),
    field(DISK, "disk", "EmulatedType", { choices: ["0", "1", "2"], names: { 0: "disk", 1: "cdrom", 2: "floppy", 3: "share" }, byDefault: "0" }),
    field(DISK, "disk", "BusType", { choices: ["", "virtio", "scsi", "sata", "ide", "usb", "xen"], byDefault: "" }),
    field(DISK, "disk", "VirtualDevice"),
    field(DISK, "disk", "DriverType", { choices: ["", "qcow2", "raw"], byDefault: "" }),
    field(DISK, "disk", "DriverCache", { choices: ["", "none", "writeback", "writethrough", "directsync", "unsafe"], byDefault: "" }),
  ],
  port: [
    field(PORT, "port", "NetworkType", { choices: ["network", "bridge", "user", "direct"], byDefault: "network" }),
    field(PORT, "port", "NetworkName"),
    field(PORT, "port", "ResourceSubType", { choices: ["", "virtio", "e1000", "e1000e", "rtl8139"], byDefault: "" }),
    field(PORT, "port", "Address"),
    field(PORT, "port", "FilterRef"),
  ],
};

/** Which form is for a device; undefined for none. @param {any} device */
const kindOf = (device) => (device.class.endsWith(`_${DISK}`) ? "disk" : device.class.endsWith(`_${PORT}`) ? "port" : undefined);

const NUMBERS = ["EmulatedType"];

/** How devices of a bus are named in the guest. @type {Record<string, string>} */
const PREFIXES = { virtio: "vd", scsi: "sd", sata: "sd", usb: "sd", ide: "hd", xen: "xvd" };

/** A name for a new disk that no other one has. @param {any[]} resources @param {string} bus @param {string} kind @returns {string} */
function freeName(resources, bus, kind) {
  const taken = new Set(resources.map((each) => each.properties.VirtualDevice));
  const own = resources.map((each) => /^(x?[a-z]d)[a-z]$/.exec(each.properties.VirtualDevice ?? "")?.[1]).find(Boolean);
  const prefix = kind === "2" ? "fd" : PREFIXES[bus] ?? (kind === "1" ? "hd" : own ?? "vd");
  const letter = [..."abcdefghijklmnopqrstuvwxyz"].find((each) => !taken.has(prefix + each));
  return letter ? prefix + letter : "";
}

/**
 * Adds a device, or changes one; what will be different is shown before.
 *
 * @param {{guest: any, kind: string, device: any, configuration: any, close: () => void, done: () => void}} props
 */
function DeviceForm({ guest, kind, device, configuration, close, done }) {
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [reviewed, setReviewed] = useState(false);
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const rows = FIELDS[kind].map((each) => ({ key: each.name, field: each, before: device ? formText(each, device.properties[each.name])
    : each.name === "VirtualDevice" ? freeName(configuration.resources, typed.BusType ?? "", typed.EmulatedType ?? "0") : each.byDefault ?? "" }));
  const changes = rows.filter((row) => (typed[row.key] ?? row.before) !== (device ? row.before : ""));
  const apply = async () => {
    setBusy(true);
    setRefusal("");
    try {
      const properties = Object.fromEntries(changes.map((row) => {
        const given = typed[row.key] ?? row.before;
        return [row.key, NUMBERS.includes(row.key) ? Number(given) : formValue(row.field, given, device?.properties[row.key])];
      }));
      const service = await managementOf(guest);
      if (device) {
        await requireSame(device);
        await demandWhole(service, "ModifyResourceSettings", { ResourceSettings: [{ class: device.class, properties: { InstanceID: device.properties.InstanceID, ...properties } }] });
      } else
        await demandWhole(service, "AddResourceSettings", {
          AffectedConfiguration: { href: configuration.system.href },
          ResourceSettings: [{ class: `${prefixOf(guest.className)}_${FIELDS[kind][0].fieldClass}`, properties: { ResourceType: RESOURCE_TYPES[/** @type {"disk" | "port"} */ (kind)], ...properties } }],
        });
      tell(text("settings.applied"));
      done();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
      setReviewed(false);
    } finally {
      setBusy(false);
    }
  };
  if (reviewed)
    return html`<${Review} key="review" busy=${busy} close=${close} apply=${apply}
      changes=${changes.map((row) => ({ label: row.field.label, before: device ? row.before : "", after: typed[row.key] ?? row.before }))} />`;
  const said = refusal ? { [refusedKey(FIELDS[kind], refusal).split(".")[1] ?? ""]: refusal } : {};
  return html`<${Dialog} key="form" title=${device ? device.properties.InstanceID : text(`device.add.${kind}`)} onClose=${close}
      end=${html`<button class="main" disabled=${!changes.length} onClick=${() => setReviewed(true)}>${text("settings.review")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <${FieldGroups} id="device" rows=${rows} typed=${typed} said=${said} change=${(/** @type {string} */ key, /** @type {string} */ given) => setTyped({ ...typed, [key]: given })} />
  </${Dialog}>`;
}

/** @param {{guest: any, running: boolean}} props */
export function Devices({ guest, running }) {
  const [mode, setMode] = useState(/** @type {"definition" | "running"} */ (running ? "running" : "definition"));
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const [edited, setEdited] = useState(/** @type {any} */ (null));
  const form = useRead(() => configurations(guest), [guest.href]);
  useChanges(["CIM_SettingData"], (event) => event.namespace === guest.namespace && /SettingData$/.test(event.class ?? "") && String(event.path).includes(guest.name), form.again);
  const editable = may(guest.namespace, "administer");
  const remove = async () => {
    await requireSame(asked);
    await demandWhole(await managementOf(guest), "RemoveResourceSettings", { ResourceSettings: [{ href: asked.href }] });
    tell(text("settings.applied"));
    form.again();
  };
  return html`<${Read} of=${form}>${(/** @type {any} */ both) => html`
    <div class="row panel" role="radiogroup" aria-label=${text("guest.tab.devices")}>
      ${["definition", "running"].map((each) => html`<label><input type="radio" name="devices-mode" checked=${mode === each}
        disabled=${each === "running" && !running} onChange=${() => setMode(/** @type {any} */ (each))} /> ${text(`settings.mode.${each}`)}</label>`)}
      <span class="grow"></span>
      ${editable && Object.keys(FIELDS).map((kind) => html`<button onClick=${() => setEdited({ kind, device: null })}>${text(`device.add.${kind}`)}</button>`)}
    </div>
    <div class="grid">${both[mode].resources.map((/** @type {any} */ each) => {
      const kind = kindOf(each);
      return html`<${Panel} key=${each.path} title=${each.properties.InstanceID}>
        ${kind && html`<${Facts} facts=${FIELDS[kind].filter((one) => each.properties[one.name] !== undefined).map((one) =>
          [one.label, one.names?.[each.properties[one.name]] ? text(`device.type.${one.names[each.properties[one.name]]}`) : valueText(each.properties[one.name])])} />`}
        <p class="row"><a class="grow" href=${browserLink(each)}>${each.properties.Caption ?? each.class}</a>
          ${editable && kind && html`<button onClick=${() => setEdited({ kind, device: each })}>${text("app.edit")}</button>`}
          ${editable && html`<button class="danger" onClick=${() => setAsked(each)}>${text("app.delete")}</button>`}</p>
        <details><summary>${text("browser.properties")}</summary><${Properties} instance=${each} /></details></${Panel}>`;
    })}</div>
    ${edited && html`<${DeviceForm} guest=${guest} kind=${edited.kind} device=${edited.device} configuration=${both[mode]} close=${() => setEdited(null)}
      done=${() => { setEdited(null); form.again(); }} />`}
    ${asked && html`<${RemoveDialog} name=${asked.properties.InstanceID} close=${() => setAsked(null)} remove=${remove} />`}`}</${Read}>`;
}
