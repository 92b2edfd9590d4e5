/** Moves a guest to another node: first it is looked at what speaks against it, then its job is followed. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { demand } from "../settings.js";
import { state, tell } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Field, Read, useRead } from "../ui/basics.js";
import { STARTED_AS_JOB, prefixOf, shortName } from "../values.js";

/** CIM_VirtualSystemMigrationSettingData.MigrationType */
const TYPES = { live: 2, resume: 3, restart: 4, other: 1 };
/** Virt_VirtualSystemMigrationService.ValidateMigration: Verdict */
const VALID = 2;

/** The migration service of a guest's host; undefined where there is none. @param {any} guest */
export const migrationOf = async (guest) =>
  (await api.instancesIfAny(guest.namespace, `${prefixOf(guest.className)}_VirtualSystemMigrationService`))[0];

/**
 * Where the host of a node is served.
 *
 * @param {string} namespace
 * @param {string} prefix of the platform
 * @returns {Promise<string>}
 * @throws {Error} where the node has no such platform
 */
async function hostOf(namespace, prefix) {
  const [host] = await api.instancesIfAny(namespace, `${prefix}_HostSystem`);
  if (!host) throw new Error(text("migrate.no-platform", { prefix }));
  return host.href;
}

/** @param {{guest: any, service: any, running: boolean, close: () => void}} props */
export function Migrate({ guest, service, running, close }) {
  const nodes = state.nodes.filter((each) => each.namespace !== guest.namespace && each.state >= 2 && each.state <= 3);
  const [target, setTarget] = useState(nodes[0]?.namespace ?? "");
  const [type, setType] = useState(running ? "live" : "other");
  const [copy, setCopy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const parameters = async () => ({
    ComputerSystem: { href: guest.href },
    DestinationSystem: { href: await hostOf(target, prefixOf(guest.className)) },
    MigrationSettingData: {
      class: `${prefixOf(guest.className)}_VirtualSystemMigrationSettingData`,
      properties: { MigrationType: TYPES[/** @type {"live"} */ (type)], ...(copy ? { CopyStorage: true } : {}) },
    },
  });
  const asked = [target, type, copy].join(" ");
  // What was said of another way to go is no answer.
  const verdict = useRead(/** @returns {Promise<any>} */ async () => (target ? (await demand(service, "ValidateMigration", await parameters())).parameters : { Verdict: 0 }), [asked], asked);
  const send = async () => {
    setBusy(true);
    setRefusal("");
    try {
      const outcome = await demand(service, "MigrateVirtualSystemToSystem", await parameters());
      const names = { action: text("action.migrate"), name: shortName(guest.name) };
      tell(text(outcome.ReturnValue === STARTED_AS_JOB ? "action.job" : "action.done", names));
      close();
      location.hash = "#/jobs";
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    } finally {
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${`${text("action.migrate")}: ${guest.name}`} onClose=${close}
      end=${html`<button class="main" disabled=${busy || verdict.value?.Verdict !== VALID} onClick=${send}>${text("action.migrate")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    ${nodes.length === 0 ? html`<p>${text("migrate.nowhere")}</p>` : html`
      <${Field} id="migrate-to" label=${text("migrate.to")}><select id="migrate-to" onChange=${(/** @type {any} */ event) => setTarget(event.target.value)}>
        ${nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === target}>${each.name}</option>`)}</select></${Field}>
      <${Field} id="migrate-how" label=${text("migrate.how")}><select id="migrate-how" onChange=${(/** @type {any} */ event) => setType(event.target.value)}>
        ${Object.keys(TYPES).map((each) => html`<option value=${each} selected=${each === type}>${text(`migrate.how.${each}`)}</option>`)}</select></${Field}>
      <label class="row"><input type="checkbox" checked=${copy} onChange=${(/** @type {any} */ event) => setCopy(event.target.checked)} /> ${text("migrate.copy")}</label>
      <h3>${text("migrate.checks")}</h3>
      <${Read} of=${verdict}>${(/** @type {any} */ found) => (found.Verdict === VALID ? html`<p class="notice good" role="status">${text("migrate.valid")}</p>`
        : html`<ul role="status">${(found.Reasons ?? []).map((/** @type {string} */ each) => html`<li>${each}</li>`)}</ul>`)}</${Read}>`}
  </${Dialog}>`;
}
