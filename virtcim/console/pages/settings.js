/** The form of a guest's settings, with a review before anything is sent. */
import { html, useEffect, useRef, useState } from "../parts.js";
import { MODES, configurations, demandWhole, formText, formValue, holder, keyOf, limitedFields, managementOf, refusedKey, requireSame } from "../settings.js";
import { may, tell, useChanges } from "../state.js";
import { text } from "../texts.js";
import { Read, useRead } from "../ui/basics.js";
import { FieldGroups, Review, useComplaints, wrong } from "../ui/form.js";
import { prefixOf } from "../values.js";

/** What tells a configuration from one that has been changed. @param {import("../settings.js").Configuration} configuration */
const tagOf = (configuration) => [configuration.system, ...configuration.resources].map((each) => each.etag).join(" ");

/**
 * @param {{guest: any, running: boolean}} props
 */
export function Settings({ guest, running }) {
  const [mode, setMode] = useState(/** @type {"definition" | "running"} */ ("definition"));
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [reviewed, setReviewed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  /** What the settings were when somebody began to type. */
  const base = useRef("");
  const prefix = prefixOf(guest.className);
  const form = useRead(async () => {
    const [all, both] = await Promise.all([limitedFields(guest.namespace, prefix), configurations(guest)]);
    return { all, both };
  }, [guest.href]);
  useChanges(["CIM_SettingData"], (event) => event.namespace === guest.namespace && /SettingData$/.test(event.class ?? "") && String(event.path).includes(guest.name), () => {
    if (!busy) form.again();
  });
  const tag = form.value ? tagOf(form.value.both[mode]) : "";
  const overtaken = Object.keys(typed).length > 0 && base.current !== tag;
  // A difference that is looked at is not the one that would be sent any more.
  useEffect(() => setReviewed(false), [tag]);
  const said = useComplaints(guest.namespace, prefix, mode, form.value?.all ?? [], typed);
  const forget = () => {
    setTyped({});
    setRefusal("");
  };
  return html`<${Read} of=${form}>${(/** @type {any} */ { all, both }) => {
    const configuration = both[mode];
    const editable = may(guest.namespace, "administer");
    const rows = all.map((/** @type {any} */ field) => ({ field, key: keyOf(field), held: holder(configuration, field) }))
      .filter((/** @type {any} */ each) => each.held)
      .map((/** @type {any} */ each) => ({
        ...each, before: formText(each.field, each.held.properties[each.field.name]),
        disabled: !each.field.modes.includes(MODES[mode]) || !editable,
      }));
    const changes = rows.filter((/** @type {any} */ row) => row.key in typed && typed[row.key] !== row.before);
    const faulty = changes.some((/** @type {any} */ row) => wrong(row.field, typed[row.key]) || said[row.key]) || Boolean(said[""]);
    const refused = refusal ? refusedKey(changes.map((/** @type {any} */ row) => row.field), refusal) : "";
    const apply = async () => {
      setBusy(true);
      setRefusal("");
      try {
        const service = await managementOf(guest);
        /** @type {Map<string, {held: any, properties: Record<string, any>}>} */
        const parts = new Map();
        for (const row of changes) {
          const part = parts.get(row.held.path) ?? { held: row.held, properties: { InstanceID: row.held.properties.InstanceID } };
          part.properties[row.field.name] = formValue(row.field, typed[row.key], row.held.properties[row.field.name]);
          parts.set(row.held.path, part);
        }
        for (const { held } of parts.values()) await requireSame(held);
        for (const { held, properties } of parts.values()) {
          const settings = { class: held.class, properties };
          if (held === configuration.system) await demandWhole(service, "ModifySystemSettings", { SystemSettings: settings });
          else await demandWhole(service, "ModifyResourceSettings", { ResourceSettings: [settings] });
        }
        tell(text("settings.applied"));
        forget();
      } catch (error) {
        setRefusal(/** @type {Error} */ (error).message);
      } finally {
        setReviewed(false);
        setBusy(false);
        form.again();
      }
    };
    return html`
      <div class="row panel" role="radiogroup" aria-label=${text("guest.tab.settings")}>
        ${["definition", "running"].map((each) => html`<label><input type="radio" name="mode" checked=${mode === each}
          disabled=${each === "running" && !running} onChange=${() => { setMode(/** @type {any} */ (each)); forget(); }} /> ${text(`settings.mode.${each}`)}</label>`)}
        <span class="grow"></span>
        <button onClick=${() => { forget(); form.again(); }}>${text("app.refresh")}</button>
        <button class="main" disabled=${!changes.length || faulty} onClick=${() => setReviewed(true)}>${text("settings.review")}</button>
      </div>
      ${overtaken && html`<div class="notice" role="status">${text("settings.overtaken")}</div>`}
      ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
      ${said[""] && html`<div class="notice" role="status">${said[""]}</div>`}
      <${FieldGroups} id="field" rows=${rows} typed=${typed} said=${refused ? { ...said, [refused]: refusal } : said}
        change=${(/** @type {string} */ key, /** @type {string} */ given) => {
          if (!Object.keys(typed).length) base.current = tag;
          setTyped({ ...typed, [key]: given });
        }} />
      ${reviewed && html`<${Review} busy=${busy} close=${() => setReviewed(false)} apply=${apply}
        changes=${changes.map((/** @type {any} */ row) => ({ label: row.field.label, before: row.before, after: typed[row.key] }))} />`}`;
  }}</${Read}>`;
}
