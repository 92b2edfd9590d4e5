/** A new guest: few questions, defaults for the rest; what was made for it is removed again where it fails. */
import * as api from "../api.js";
import { guestLink } from "../links.js";
import { html, useState } from "../parts.js";
import { demand } from "../settings.js";
import { loadGuests, state, tell, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Field, Read, useRead } from "../ui/basics.js";
import { prefixOf } from "../values.js";


const PROCESSOR = 3, MEMORY = 4, NETWORK = 10, DISK = 17;


/** What the form can offer on a node. @param {string} namespace */
async function offers(namespace) {
  const [services, pools, kinds] = await Promise.all([
    api.instances(namespace, "CIM_VirtualSystemManagementService"),
    api.instances(namespace, "CIM_ResourcePool"),
    api.instancesIfAny(namespace, "Virt_MetaTemplate"),
  ]);
  return {
    services: services.filter((each) => !each.class.startsWith("Virt_")),
    disks: pools.filter((each) => /_DiskPool$/.test(each.class)),
    networks: pools.filter((each) => /_NetworkPool$/.test(each.class)),
    kinds,
  };
}

export function Create() {
  useAppState();
  const [namespace, setNamespace] = useState(state.nodes[0]?.namespace ?? "root/virt");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const offer = useRead(() => offers(namespace), [namespace]);
  const send = async (/** @type {any} */ event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const given = (/** @type {string} */ name) => String(form.get(name) ?? "");
    setBusy(true);
    setRefusal("");
    try {
      const found = /** @type {any} */ (offer.value);
      const service = found.services.find((/** @type {any} */ each) => each.class === given("platform"));
      const prefix = prefixOf(service.class);
      const kind = found.kinds.find((/** @type {any} */ each) => each.properties.InstanceID === given("kind"));
      const embedded = kind?.properties.SystemSettings;
      const system = {
        class: embedded?.class ?? `${prefix}_VirtualSystemSettingData`,
        properties: { ...(embedded?.properties ?? {}), VirtualSystemIdentifier: given("name"), ElementName: given("name") },
      };
      const resource = (/** @type {string} */ part, /** @type {Record<string, any>} */ properties) => ({ class: `${prefix}_${part}ResourceAllocationSettingData`, properties });
      const resources = [
        resource("Proc", { ResourceType: PROCESSOR, VirtualQuantity: given("processors") }),
        resource("Mem", { ResourceType: MEMORY, VirtualQuantity: given("memory"), AllocationUnits: "byte*2^20" }),
      ];
      if (given("image")) resources.push(resource("Disk", { ResourceType: DISK, Address: given("image") }));
      if (given("iso")) resources.push(resource("Disk", { ResourceType: 15, EmulatedType: 1, Address: given("iso") }));
      if (given("network")) resources.push(resource("Net", { ResourceType: NETWORK, PoolID: given("network"), NetworkType: "network" }));
      const outcome = await demand(service, "DefineSystem", { SystemSettings: system, ResourceSettings: resources });
      tell(text("create.done", { name: given("name") }));
      const made = outcome.parameters.ResultingSystem;
      if (form.has("start") && made) await api.invoke(made, "RequestStateChange", { RequestedState: 2 });
      await loadGuests(namespace);
      const guest = [...state.guests.values()].find((each) => each.namespace === namespace && each.name === given("name"));
      if (guest) location.hash = guestLink(guest);
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  return html`<div class="head"><h1>${text("create.title")}</h1></div>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <${Read} of=${offer}>${(/** @type {any} */ found) => html`<form class="panel" onSubmit=${send}>
      <div class="grid">
      <${Field} id="new-where" label=${text("create.where")}><select id="new-where" onChange=${(/** @type {any} */ event) => setNamespace(event.target.value)}>
        ${state.nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === namespace}>${each.name}</option>`)}</select></${Field}>
      <${Field} id="new-platform" label=${text("guest.platform")}><select id="new-platform" name="platform">
        ${found.services.map((/** @type {any} */ each) => html`<option value=${each.class}>${prefixOf(each.class)}</option>`)}</select></${Field}>
      <${Field} id="new-name" label=${text("guest.name")}><input id="new-name" name="name" required maxlength="200" autofocus /></${Field}>
      <${Field} id="new-kind" label=${text("create.kind")}><select id="new-kind" name="kind"><option value="">–</option>
        ${found.kinds.map((/** @type {any} */ each) => html`<option value=${each.properties.InstanceID}>${each.properties.ElementName ?? each.properties.InstanceID}</option>`)}</select></${Field}>
      <${Field} id="new-processors" label=${text("create.processors")}><input id="new-processors" name="processors" type="number" min="1" value="1" required /></${Field}>
      <${Field} id="new-memory" label=${text("create.memory")}><input id="new-memory" name="memory" type="number" min="4" value="1024" required /></${Field}>
      <${Field} id="new-image" label=${text("create.source.disk")} hint="/var/lib/libvirt/images/…"><input id="new-image" name="image" /></${Field}>
      <${Field} id="new-iso" label=${text("create.source.iso")}><input id="new-iso" name="iso" /></${Field}>
      <${Field} id="new-network" label=${text("create.network")}><select id="new-network" name="network"><option value="">${text("create.no-network")}</option>
        ${found.networks.map((/** @type {any} */ each) => html`<option value=${each.properties.InstanceID}>${each.properties.ElementName ?? each.properties.InstanceID}</option>`)}</select></${Field}>
      </div>
      <label class="row"><input type="checkbox" name="start" checked /> ${text("create.start")}</label>
      <p class="right"><button class="main" disabled=${busy}>${text("create.send")}</button></p></form>`}</${Read}>`;
}
