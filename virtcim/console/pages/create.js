/** A new guest: from a medium, a disk, another guest or a template; few questions, defaults for the rest. */
import * as api from "../api.js";
import { guestLink } from "../links.js";
import { html, useState } from "../parts.js";
import { createVolume, holdsFiles, isActive, poolsOf, removeVolume } from "../pools.js";
import { MODES, demand, formText, formValue, keyOf, limitedFields, refusedKey } from "../settings.js";
import { loadGuests, nodesWhere, state, tell, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Field, Read, useRead } from "../ui/basics.js";
import { FieldGroups, Review, useComplaints, wrong } from "../ui/form.js";
import { STARTED_AS_JOB, prefixOf, shortName } from "../values.js";
import { ProvisionForm } from "./template-actions.js";

const PROCESSOR = 3, MEMORY = 4, NETWORK = 10, DVD = 15, DISK = 17, GRAPHICS = 24;
/** ConsoleResourceAllocationSettingData.SourceType: a pseudo terminal, where the serial console is opened. */
const TERMINAL = 2;
/** Virt_VirtualSystemSettingData.CloneMode */
const CLONES = { full: 2, overlay: 3 };

/** Where a new guest finds its disk and its medium: SATA is what all machines of QEMU have. @type {Record<string, {disk: object, medium: object}>} */
const DRIVES = {
  KVM: { disk: { VirtualDevice: "vda", BusType: "virtio" }, medium: { VirtualDevice: "sda", BusType: "sata" } },
  Xen: { disk: { VirtualDevice: "xvda", BusType: "xen" }, medium: { VirtualDevice: "xvdb", BusType: "xen" } },
};

/** Fields that the form asks for by itself. */
const ASKED = ["VirtualSystemSettingData.VirtualSystemIdentifier", "ProcResourceAllocationSettingData.VirtualQuantity", "MemResourceAllocationSettingData.VirtualQuantity"];

/** Where a new disk is: in a pool, or it is one that is there. */
const THERE = "there";
/** GiB of a new disk, unless another size is chosen. */
const DISK_SIZE = "20";

/** What the form can offer on a node. @param {string} namespace */
async function offers(namespace) {
  const [services, pools, kinds, templates] = await Promise.all([
    api.instances(namespace, "CIM_VirtualSystemManagementService"),
    api.instances(namespace, "CIM_ResourcePool"),
    api.instancesIfAny(namespace, "Virt_MetaTemplate"),
    api.instancesIfAny("root/interop", "Virt_Template"),
  ]);
  return {
    services: services.filter((each) => !each.class.startsWith("Virt_")),
    networks: poolsOf(pools, "network"),
    stores: poolsOf(pools, "storage").filter(isActive),
    kinds, templates,
  };
}

/**
 * Makes an empty volume for a guest; where it is a file, one of qcow2, which grows.
 *
 * @param {any} pool
 * @param {string} name of the guest
 * @param {string} size in GiB
 * @returns {Promise<{path: string, undo: () => Promise<any>}>} the volume, and what removes it again
 */
async function newDisk(pool, name, size) {
  const isFile = holdsFiles(pool);
  const base = name.replace(/[^\p{L}\p{N}_.-]+/gu, "_").replace(/^\./, "_").slice(0, 60);
  const volume = await createVolume(pool, { name: `${base}${isFile ? ".qcow2" : ""}`, size, format: isFile ? "qcow2" : undefined });
  return { path: volume.properties.Path ?? volume.properties.Address, undo: () => removeVolume(pool, volume) };
}

/** The paths of the volumes of a node, as proposals. @param {string} namespace @returns {Promise<string[]>} */
const volumePaths = async (namespace) =>
  (await api.instancesIfAny(namespace, "CIM_StorageVolume", { properties: "Name" })).map((each) => each.properties.Name).filter((name) => name?.startsWith("/"));

/** What a platform asks of a new guest, and whether it can clone one. @param {string} namespace @param {string} prefix */
async function platformOf(namespace, prefix) {
  const [fields, declared] = await Promise.all([limitedFields(namespace, prefix), api.classOf(namespace, `${prefix}_VirtualSystemSettingData`)]);
  return {
    fields: fields.filter((each) => each.modes.includes(MODES.provisioning)),
    clones: "CloneMode" in declared.properties,
  };
}

/**
 * @param {{namespace: string, offer: any, service: any}} props
 */
function Form({ namespace, offer, service }) {
  const prefix = prefixOf(service.class);
  const [source, setSource] = useState("iso");
  const [given, setGiven] = useState(/** @type {Record<string, string>} */ ({
    processors: "1", memory: "1024", start: "yes", mode: "full", size: DISK_SIZE, store: offer.stores.find((/** @type {any} */ each) => prefixOf(each.class) === prefix)?.href ?? "",
    network: offer.networks.find((/** @type {any} */ each) => prefixOf(each.class) === prefix && isActive(each))?.properties.InstanceID ?? "",
  }));
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [reviewed, setReviewed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const [template, setTemplate] = useState(/** @type {any} */ (null));
  const platform = useRead(() => platformOf(namespace, prefix), [namespace, prefix]);
  const said = useComplaints(namespace, prefix, "provisioning", platform.value?.fields ?? [], typed);
  const volumes = useRead(() => volumePaths(namespace), [namespace]);
  const put = (/** @type {string} */ name) => (/** @type {any} */ event) => setGiven({ ...given, [name]: event.target.value });
  const guests = [...state.guests.values()].filter((each) => each.namespace === namespace && prefixOf(each.className) === prefix);
  const isClone = source === "guest";
  const stores = offer.stores.filter((/** @type {any} */ each) => prefixOf(each.class) === prefix);
  const store = source === "iso" ? stores.find((/** @type {any} */ each) => each.href === given.store) : undefined;
  const hasImage = source === "disk" || (source === "iso" && given.store === THERE);
  const fields = platform.value?.fields ?? [];
  const limit = (/** @type {number} */ index) => fields.find((each) => keyOf(each) === ASKED[index]);
  const taken = state.guests.has(`${namespace}|${prefix}_ComputerSystem|${given.name}`);
  const memory = limit(2);
  const faults = {
    name: taken ? text("create.taken") : "",
    processors: limit(1) ? wrong(limit(1), given.processors) : "",
    memory: !/^\d+$/.test(given.memory) ? text("settings.number") : memory ? wrong({ ...memory, least: memory.least === null ? null : Math.ceil(memory.least / 1024), most: memory.most === null ? null : Math.floor(memory.most / 1024) }, given.memory) : "",
    size: store && !/^[1-9]\d{0,6}$/.test(given.size) ? text("settings.number") : "",
  };
  const rows = fields.filter((each) => !ASKED.includes(keyOf(each)) && (isClone ? each.fieldClass === "VirtualSystemSettingData" : true))
    .map((field) => ({ field, key: keyOf(field), before: formText(field, field.byDefault) }));
  const changes = rows.filter((row) => row.key in typed && typed[row.key] !== row.before);
  const faulty = Boolean(faults.name) || (!isClone && Boolean(faults.processors || faults.memory || faults.size)) ||
    changes.some((row) => wrong(row.field, typed[row.key]) || said[row.key]) || Boolean(said[""]);
  const origin = guests.find((each) => each.href === given.origin);
  const told = [
    { label: text("guest.name"), after: given.name },
    ...(isClone ? [{ label: text("create.source.guest"), after: `${origin?.name ?? ""}, ${text(`create.clone.${given.mode}`)}` }] : [
      { label: text("create.processors"), after: given.processors }, { label: text("create.memory"), after: given.memory },
      ...(source === "iso" ? [{ label: text("create.iso"), after: given.iso ?? "" }] : []),
      ...(store ? [{ label: text("create.new-disk"), after: `${given.size} GiB, ${store.properties.ElementName}` }] : []),
      ...(hasImage ? [{ label: text("create.image"), after: given.image ?? "" }] : []), { label: text("create.network"), after: given.network ?? "" }]),
    ...changes.map((row) => ({ label: row.field.label, after: typed[row.key] })),
  ].filter((each) => each.after).map((each) => ({ before: "", ...each }));
  const send = async () => {
    setBusy(true);
    setRefusal("");
    /** @type {{path: string, undo: () => Promise<any>} | null} */
    let disk = null;
    try {
      const kind = offer.kinds.find((/** @type {any} */ each) => each.properties.InstanceID === given.kind);
      const embedded = isClone ? undefined : kind?.properties.SystemSettings;
      /** @type {any} */
      const system = {
        class: embedded?.class ?? `${prefix}_VirtualSystemSettingData`,
        properties: { ...(embedded?.properties ?? {}), VirtualSystemIdentifier: given.name, ElementName: given.name },
      };
      const resource = (/** @type {string} */ part, /** @type {Record<string, any>} */ properties) => ({ class: `${prefix}_${part}ResourceAllocationSettingData`, properties });
      const processors = resource("Proc", { ResourceType: PROCESSOR, VirtualQuantity: given.processors });
      const memoryOf = resource("Mem", { ResourceType: MEMORY, VirtualQuantity: given.memory, AllocationUnits: "byte*2^20" });
      for (const row of changes) {
        const value = formValue(row.field, typed[row.key], undefined);
        const target = row.field.fieldClass.startsWith("Proc") ? processors : row.field.fieldClass.startsWith("Mem") ? memoryOf : system;
        target.properties[row.field.name] = value;
      }
      const resources = isClone ? [] : [processors, memoryOf];
      if (store) disk = await newDisk(store, given.name, given.size);
      const image = disk?.path ?? (hasImage ? given.image : "");
      if (image) resources.push(resource("Disk", { ResourceType: DISK, Address: image, ...(DRIVES[prefix] ?? DRIVES.KVM).disk }));
      if (source === "iso" && given.iso) resources.push(resource("Disk", { ResourceType: DVD, EmulatedType: 1, Address: given.iso, ...(DRIVES[prefix] ?? DRIVES.KVM).medium }));
      if (!isClone && prefix in DRIVES)
        resources.push(resource("Graphics", { ResourceType: GRAPHICS, ResourceSubType: "vnc" }), resource("Console", { SourceType: TERMINAL }));
      if (!isClone && given.network) resources.push(resource("Net", { ResourceType: NETWORK, PoolID: given.network, NetworkType: "network" }));
      if (source === "iso" && given.iso && !("BootDevices" in system.properties)) system.properties.BootDevices = ["hd", "cdrom"];
      /** @type {Record<string, any>} */
      const parameters = { SystemSettings: system, ResourceSettings: resources };
      if (isClone) {
        delete parameters.ResourceSettings;
        system.properties.CloneMode = CLONES[/** @type {"full"} */ (given.mode)];
        const [settings] = await api.associators({ href: given.origin }, { associationClass: "CIM_SettingsDefineState", resultClass: "CIM_VirtualSystemSettingData" });
        parameters.ReferenceConfiguration = { href: settings.href };
      }
      const outcome = await demand(service, "DefineSystem", parameters);
      disk = null;
      if (outcome.ReturnValue === STARTED_AS_JOB) {
        tell(text("action.job", { action: text("create.title"), name: given.name }));
        location.hash = "#/jobs";
        return;
      }
      tell(text("create.done", { name: given.name }));
      const made = outcome.parameters.ResultingSystem;
      const isStarted = given.start && made;
      if (isStarted) await api.invoke(made, "RequestStateChange", { RequestedState: 2 }).catch((error) => tell(text("action.failed", { action: text("action.start"), name: given.name, detail: error.message }), "bad"));
      await loadGuests(namespace);
      location.hash = `${guestLink({ namespace, className: `${prefix}_ComputerSystem`, name: given.name })}${isStarted ? "/console" : ""}`;
    } catch (error) {
      // Without its guest nobody would know what the new disk is for.
      await disk?.undo().catch((failure) => tell(text("create.left", { path: disk?.path ?? "", detail: failure.message }), "bad"));
      setRefusal(/** @type {Error} */ (error).message);
      setReviewed(false);
    } finally {
      setBusy(false);
    }
  };
  const refused = refusal ? refusedKey(rows.map((row) => row.field), refusal) : "";
  const sources = ["iso", "disk", ...(platform.value?.clones ? ["guest"] : []), ...(offer.templates.length ? ["template"] : [])];
  return html`<div class="row panel" role="radiogroup" aria-label=${text("create.source")}>
      ${sources.map((each) => html`<label key=${each}><input type="radio" name="source" checked=${source === each} onChange=${() => setSource(each)} /> ${text(`create.source.${each}`)}</label>`)}</div>
    ${source === "template" ? html`<div class="grid">${offer.templates.map((/** @type {any} */ each) => html`<button key=${each.href} class="panel" onClick=${() => setTemplate(each)}>
        ${each.properties.Caption ?? each.properties.Name}</button>`)}</div>
      ${template && html`<${ProvisionForm} template=${template} close=${() => setTemplate(null)} />`}` : html`
    <form onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); setReviewed(true); }}>
      <div class="panel"><div class="grid">
      <${Field} id="new-name" label=${text("guest.name")} wrong=${faults.name}><input id="new-name" required maxlength="200" value=${given.name ?? ""} onInput=${put("name")} /></${Field}>
      ${isClone ? html`
        <${Field} id="new-origin" label=${text("create.source.guest")}><select id="new-origin" required onChange=${put("origin")}><option value="">–</option>
          ${guests.map((each) => html`<option key=${each.href} value=${each.href} selected=${each.href === given.origin}>${shortName(each.name)}</option>`)}</select></${Field}>
        <${Field} id="new-mode" label=${text("create.clone")}><select id="new-mode" onChange=${put("mode")}>
          ${Object.keys(CLONES).map((each) => html`<option value=${each} selected=${each === given.mode}>${text(`create.clone.${each}`)}</option>`)}</select></${Field}>` : html`
        <${Field} id="new-kind" label=${text("create.kind")}><select id="new-kind" onChange=${put("kind")}><option value="">${text("device.by-itself")}</option>
          ${offer.kinds.map((/** @type {any} */ each) => html`<option value=${each.properties.InstanceID} selected=${each.properties.InstanceID === given.kind}>${each.properties.ElementName ?? each.properties.InstanceID}</option>`)}</select></${Field}>
        <${Field} id="new-processors" label=${text("create.processors")} wrong=${faults.processors}><input id="new-processors" inputmode="numeric" value=${given.processors} required onInput=${put("processors")} /></${Field}>
        <${Field} id="new-memory" label=${text("create.memory")} wrong=${faults.memory}><input id="new-memory" inputmode="numeric" value=${given.memory} required onInput=${put("memory")} /></${Field}>
        ${source === "iso" && html`<${Field} id="new-iso" label=${text("create.iso")} hint=${text("create.iso.hint")}><input id="new-iso" list="volumes-iso" value=${given.iso ?? ""} onInput=${put("iso")} /></${Field}>`}
        ${source === "iso" && html`<${Field} id="new-store" label=${text("create.disk")} hint=${!stores.length && html`<a href="#/storage">${text("create.no-pool")}</a>`}><select id="new-store" onChange=${put("store")}>
          ${[...stores.map((/** @type {any} */ each) => [each.href, text("create.disk.new", { pool: each.properties.ElementName })]), [THERE, text("create.image")], ["", text("create.no-disk")]].map(([value, label]) =>
            html`<option value=${value} selected=${value === given.store}>${label}</option>`)}</select></${Field}>`}
        ${store && html`<${Field} id="new-size" label=${text("create.size")} wrong=${faults.size}><input id="new-size" inputmode="numeric" value=${given.size} onInput=${put("size")} /></${Field}>`}
        ${hasImage && html`<${Field} id="new-image" label=${text("create.image")} hint=${text("create.image.hint")}><input id="new-image" required list="volumes-disk" value=${given.image ?? ""} onInput=${put("image")} /></${Field}>`}
        <${Field} id="new-network" label=${text("create.network")} hint=${!offer.networks.length && html`<a href="#/networks">${text("create.none")}</a>`}><select id="new-network" onChange=${put("network")}><option value="">${text("create.no-network")}</option>
          ${offer.networks.map((/** @type {any} */ each) => html`<option value=${each.properties.InstanceID} selected=${each.properties.InstanceID === given.network}>${each.properties.ElementName ?? each.properties.InstanceID}</option>`)}</select></${Field}>`}
      </div></div>
      ${["iso", "disk"].map((kind) => html`<datalist id="volumes-${kind}">${(volumes.value ?? []).filter((/** @type {string} */ path) => /\.iso$/i.test(path) === (kind === "iso")).slice(0, 500)
        .map((/** @type {string} */ path) => html`<option value=${path}></option>`)}</datalist>`)}
      <details><summary>${text("create.more")}</summary>
        ${said[""] && html`<div class="notice" role="status">${said[""]}</div>`}
        <${FieldGroups} id="new" rows=${rows} typed=${typed} said=${refused ? { ...said, [refused]: refusal } : said}
          change=${(/** @type {string} */ key, /** @type {string} */ value) => setTyped({ ...typed, [key]: value })} /></details>
      ${!isClone && html`<label class="row"><input type="checkbox" checked=${Boolean(given.start)} onChange=${(/** @type {any} */ event) => setGiven({ ...given, start: event.target.checked ? "yes" : "" })} /> ${text("create.start")}</label>`}
      ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
      <p class="right"><button class="main" disabled=${busy || faulty}>${text("create.review")}</button></p></form>`}
    ${reviewed && html`<${Review} busy=${busy} close=${() => setReviewed(false)} apply=${send} changes=${told} title=${text("create.title")} label=${text("create.send")} />`}`;
}

/** Virt_AggregatedManagementService.EvaluatePlacement: Verdicts */
const ACCEPTED = 2;

/** The nodes of a server, the one first where a guest would go best, each with the reasons. @param {{prefix: string, nodes: any[], choose: (namespace: string) => void}} props */
function Placement({ prefix, nodes, choose }) {
  const found = useRead(async () => {
    const [service] = await api.instances("root/interop", "Virt_AggregatedManagementService");
    const { Nodes, Verdicts, Reasons } = (await demand(/** @type {any} */ (service), "EvaluatePlacement", {
      SystemSettings: { class: `${prefix}_VirtualSystemSettingData`, properties: {} },
    })).parameters;
    return Nodes.map((/** @type {string} */ name, /** @type {number} */ at) => ({ name, why: Reasons[at], isFit: Verdicts[at] === ACCEPTED }));
  }, [prefix]);
  return html`<${Read} of=${found}>${(/** @type {any[]} */ all) => html`<ul class="plain">${all.map(({ name, why, isFit }) => {
    const node = isFit && nodes.find((each) => each.name === name);
    return html`<li key=${name} class="row"><span class="grow"><b>${name}</b> ${why}</span>
      ${node && html`<button onClick=${() => choose(node.namespace)}>${text("create.here")}</button>`}</li>`;
  })}</ul>`}</${Read}>`;
}

/** @param {{options: URLSearchParams}} props `node`: the namespace of the node, unless another one is chosen */
export function Create({ options }) {
  useAppState();
  const [isPlacing, setPlacing] = useState(false);
  const [chosen, setChosen] = useState(options.get("node") ?? "");
  const [platform, setPlatform] = useState("");
  const nodes = nodesWhere("administer");
  const namespace = chosen || (nodes[0]?.namespace ?? "root/virt");
  // What another node offers has classes that this one may not have.
  const offer = useRead(() => offers(namespace), [namespace], namespace);
  const head = html`<div class="head"><h1>${text("create.title")}</h1></div>`;
  if (state.loaded && !nodes.length) return html`${head}<p class="soft">${text("action.read-only")}</p>`;
  return html`${head}
    <${Read} of=${offer}>${(/** @type {any} */ found) => {
      const service = found.services.find((/** @type {any} */ each) => each.class === platform) ?? found.services[0];
      return html`<div class="panel grid">
        <${Field} id="new-where" label=${text("create.where")}><select id="new-where" onChange=${(/** @type {any} */ event) => setChosen(event.target.value)}>
          ${nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === namespace}>${each.name}</option>`)}</select></${Field}>
        <${Field} id="new-platform" label=${text("guest.platform")}><select id="new-platform" onChange=${(/** @type {any} */ event) => setPlatform(event.target.value)}>
          ${found.services.map((/** @type {any} */ each) => html`<option value=${each.class} selected=${each === service}>${prefixOf(each.class)}</option>`)}</select></${Field}></div>
        ${service && nodes.length > 1 && html`<details class="panel" onToggle=${(/** @type {any} */ event) => setPlacing(event.target.open)}><summary>${text("create.placement")}</summary>
          ${isPlacing && html`<${Placement} prefix=${prefixOf(service.class)} nodes=${nodes} choose=${setChosen} />`}</details>`}
        ${service ? html`<${Form} key=${service.href} namespace=${namespace} offer=${found} service=${service} />` : html`<p class="soft">${text("templates.no-platform")}</p>`}`;
    }}</${Read}>`;
}
