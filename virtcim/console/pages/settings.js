/** The form of a guest's settings, with a review before anything is sent; and its devices. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useState } from "../parts.js";
import { MODES, TYPES, configurations, demand, fields, formText, formValue, holder, managementOf } from "../settings.js";
import { may, tell } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Field, Panel, Read, useRead } from "../ui/basics.js";
import { Properties } from "../ui/properties.js";
import { prefixOf } from "../values.js";

/** What is wrong with what was typed; "" for nothing. @param {any} field @param {string} given */
export function wrong(field, given) {
  if (field.type !== TYPES.number || given === "") return "";
  if (!/^-?\d+$/.test(given)) return text("settings.number");
  if (field.least !== null && Number(given) < field.least) return text("settings.minimum", { value: field.least });
  if (field.most !== null && Number(given) > field.most) return text("settings.maximum", { value: field.most });
  return "";
}

/** @param {{field: any, id: string, value: string, change: (value: string) => void, disabled?: boolean}} props */
export function Input({ field, id, value, change, disabled }) {
  const take = (/** @type {any} */ event) => change(event.target.value);
  if (field.choices.length)
    return html`<select id=${id} value=${value} disabled=${disabled} onChange=${take}>
      ${!field.choices.includes(value) && html`<option value=${value}>${value}</option>`}
      ${field.choices.map((/** @type {string} */ each) => html`<option value=${each} selected=${each === value}>${each}</option>`)}</select>`;
  if (field.type === TYPES.flag)
    return html`<input id=${id} type="checkbox" disabled=${disabled} checked=${value === "true" || value === "1"}
      onChange=${(/** @type {any} */ event) => change(event.target.checked ? "true" : "false")} />`;
  if (field.type === TYPES.list) return html`<textarea id=${id} rows="3" disabled=${disabled} value=${value} onInput=${take}></textarea>`;
  return html`<input id=${id} disabled=${disabled} value=${value} onInput=${take} inputmode=${field.type === TYPES.number ? "numeric" : "text"} />`;
}

/**
 * @param {{guest: any, running: boolean}} props
 */
export function Settings({ guest, running }) {
  const [mode, setMode] = useState(/** @type {"definition" | "running"} */ ("definition"));
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [reviewed, setReviewed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const form = useRead(async () => {
    const [all, both] = await Promise.all([fields(guest.namespace, prefixOf(guest.className)), configurations(guest)]);
    return { all, both };
  }, [guest.href]);
  return html`<${Read} of=${form}>${(/** @type {any} */ { all, both }) => {
    const configuration = both[mode];
    const rows = all.map((/** @type {any} */ field) => ({ field, key: `${field.fieldClass}.${field.name}`, held: holder(configuration, field) }))
      .filter((/** @type {any} */ each) => each.held);
    const before = (/** @type {any} */ row) => formText(row.field, row.held.properties[row.field.name]);
    const changes = rows.filter((/** @type {any} */ row) => row.key in typed && typed[row.key] !== before(row));
    const faulty = changes.some((/** @type {any} */ row) => wrong(row.field, typed[row.key]));
    const categories = [...new Set(rows.map((/** @type {any} */ row) => row.field.category))];
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
        for (const { held } of parts.values()) {
          const now = await api.get(held);
          if (/** @type {any} */ (now).etag !== held.etag) throw new Error(text("settings.changed-elsewhere"));
        }
        for (const { held, properties } of parts.values()) {
          const settings = { class: held.class, properties };
          if (held === configuration.system) await demand(service, "ModifySystemSettings", { SystemSettings: settings });
          else await demand(service, "ModifyResourceSettings", { ResourceSettings: [settings] });
        }
        tell(text("settings.applied"));
        setTyped({});
        setReviewed(false);
        form.again();
      } catch (error) {
        setRefusal(/** @type {Error} */ (error).message);
        setReviewed(false);
        form.again();
      } finally {
        setBusy(false);
      }
    };
    return html`
      <div class="row panel" role="radiogroup" aria-label=${text("guest.tab.settings")}>
        ${["definition", "running"].map((each) => html`<label><input type="radio" name="mode" checked=${mode === each}
          disabled=${each === "running" && !running} onChange=${() => { setMode(/** @type {any} */ (each)); setTyped({}); }} /> ${text(`settings.mode.${each}`)}</label>`)}
        <span class="grow"></span>
        <button onClick=${() => { setTyped({}); form.again(); }}>${text("app.refresh")}</button>
        <button class="main" disabled=${!changes.length || faulty} onClick=${() => setReviewed(true)}>${text("settings.review")}</button>
      </div>
      ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
      <div class="grid">${categories.map((category) => html`<${Panel} title=${category}>
        ${rows.filter((/** @type {any} */ row) => row.field.category === category).map((/** @type {any} */ row) => {
          const id = `field-${row.key}`;
          const value = typed[row.key] ?? before(row);
          return html`<${Field} key=${row.key} id=${id} label=${`${row.field.label}${row.field.unit ? ` (${row.field.unit})` : ""}`}
            hint=${row.field.description} wrong=${row.key in typed ? wrong(row.field, value) : ""}>
            <${Input} field=${row.field} id=${id} value=${value} disabled=${!row.field.modes.includes(MODES[mode]) || !may(guest.namespace, "administer")}
              change=${(/** @type {string} */ given) => setTyped({ ...typed, [row.key]: given })} /></${Field}>`;
        })}</${Panel}>`)}</div>
      ${reviewed && html`<${Dialog} title=${text("settings.review")} onClose=${() => setReviewed(false)}
        end=${html`<button class="main" disabled=${busy} onClick=${apply}>${text("settings.apply")}</button>`}>
        <div class="table"><table><tbody>${changes.map((/** @type {any} */ row) => html`<tr><td>${row.field.label}</td>
          <td class="removed">${before(row) || "–"}</td><td class="added">${typed[row.key] || "–"}</td></tr>`)}</tbody></table></div></${Dialog}>`}`;
  }}</${Read}>`;
}

/** The devices of a guest as its settings have them; removed by a button. @param {{guest: any, running: boolean}} props */
export function Devices({ guest }) {
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const form = useRead(() => configurations(guest), [guest.href]);
  const remove = async () => {
    const device = asked;
    setAsked(null);
    try {
      await demand(await managementOf(guest), "RemoveResourceSettings", { ResourceSettings: [{ href: device.href }] });
      tell(text("settings.applied"));
    } catch (error) {
      tell(/** @type {Error} */ (error).message, "bad");
    }
    form.again();
  };
  return html`<${Read} of=${form}>${(/** @type {any} */ both) => html`<div class="grid">
    ${both.running.resources.map((/** @type {any} */ each) => html`<${Panel} key=${each.path} title=${each.properties.Caption ?? each.properties.ElementName ?? each.class}>
      <p class="row"><a class="grow" href=${browserLink(each)}>${each.properties.InstanceID}</a>
        ${may(guest.namespace, "administer") && html`<button class="danger" onClick=${() => setAsked(each)}>${text("app.delete")}</button>`}</p>
      <details><summary>${text("browser.properties")}</summary><${Properties} instance=${each} /></details></${Panel}>`)}
    </div>
    ${asked && html`<${Dialog} title=${`${text("app.delete")}: ${asked.properties.InstanceID}`} onClose=${() => setAsked(null)}
      end=${html`<button class="danger" onClick=${remove}>${text("app.delete")}</button>`} />`}`}</${Read}>`;
}
