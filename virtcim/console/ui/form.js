/** Fields of forms for settings: checked while they are typed, by what is known here and by the server. */
import { html, useEffect, useState } from "../parts.js";
import { TYPES, complaints } from "../settings.js";
import { numberText, text } from "../texts.js";
import { Dialog, Field, Panel } from "./basics.js";

/** Milliseconds after the last key before the server is asked. */
const PAUSE = 400;

/** What is wrong with what was typed; "" for nothing. @param {any} field @param {string} given */
export function wrong(field, given) {
  if (field.type !== TYPES.number || given === "") return "";
  if (!/^-?\d+$/.test(given)) return text("settings.number");
  if (field.least !== null && Number(given) < field.least) return text("settings.minimum", { value: numberText(field.least) });
  if (field.most !== null && Number(given) > field.most) return text("settings.maximum", { value: numberText(field.most) });
  return "";
}

/** @param {{field: any, id: string, value: string, change: (value: string) => void, disabled?: boolean, described?: string, invalid?: boolean}} props */
export function Input({ field, id, value, change, disabled, described, invalid }) {
  const take = (/** @type {any} */ event) => change(event.target.value);
  const own = { id, disabled, "aria-describedby": described, "aria-invalid": invalid ? "true" : undefined };
  if (field.choices.length && field.type !== TYPES.list)
    return html`<select ...${own} value=${value} onChange=${take}>
      ${!field.choices.includes(value) && html`<option value=${value}>${value}</option>`}
      ${field.choices.map((/** @type {string} */ each) => html`<option value=${each} selected=${each === value}>${field.names ? text(`device.type.${field.names[each]}`) : each || text("device.by-itself")}</option>`)}</select>`;
  if (field.type === TYPES.flag)
    return html`<input ...${own} type="checkbox" checked=${value === "true" || value === "1"}
      onChange=${(/** @type {any} */ event) => change(event.target.checked ? "true" : "false")} />`;
  if (field.type === TYPES.list) return html`<textarea ...${own} rows="3" value=${value} onInput=${take}></textarea>`;
  return html`<input ...${own} value=${value} onInput=${take} inputmode=${field.type === TYPES.number ? "numeric" : "text"} />`;
}

/** Programmatic units (DSP0004, annex C) in short. @type {Record<string, string>} */
const UNITS = { "byte*2^10": "KiB", "byte*2^20": "MiB", "byte*2^30": "GiB", count: "", percent: "%" };

/** What a field is called, with its unit. @param {any} field */
function labelOf(field) {
  const unit = UNITS[field.unit] ?? field.unit;
  return unit ? `${field.label} (${unit})` : field.label;
}

/** What a field may be, for people. @param {any} field */
function range(field) {
  if (field.type === TYPES.list && field.choices.length) return field.choices.join(", ");
  if (field.type !== TYPES.number || (field.least === null && field.most === null)) return "";
  return [field.least !== null && text("settings.minimum", { value: numberText(field.least) }),
    field.most !== null && text("settings.maximum", { value: numberText(field.most) })].filter(Boolean).join(", ");
}

/**
 * What the server says of what was typed, a moment after the last key.
 *
 * @param {string} namespace
 * @param {string} prefix
 * @param {"definition" | "running" | "template" | "provisioning"} mode
 * @param {any[]} all
 * @param {Record<string, string>} typed
 */
export function useComplaints(namespace, prefix, mode, all, typed) {
  const [found, setFound] = useState(/** @type {Record<string, string>} */ ({}));
  const asked = JSON.stringify(typed);
  useEffect(() => {
    let open = true;
    if (asked === "{}") {
      setFound({});
      return undefined;
    }
    // What cannot be checked now is checked when it is sent.
    const timer = setTimeout(() => complaints(namespace, prefix, mode, all, typed)
      .then((said) => open && setFound(said), () => open && setFound({})), PAUSE);
    return () => {
      open = false;
      clearTimeout(timer);
    };
  }, [namespace, prefix, mode, asked, all.length]);
  return found;
}

/**
 * Fields by category.
 *
 * @param {{rows: {key: string, field: any, before: string, disabled?: boolean}[], typed: Record<string, string>,
 *   change: (key: string, value: string) => void, said: Record<string, string>, id: string}} props said: what is wrong, by key
 */
export function FieldGroups({ rows, typed, change, said, id }) {
  const categories = [...new Set(rows.map((row) => row.field.category))];
  return html`<div class="grid">${categories.map((category) => html`<${Panel} key=${category} title=${category}>
    ${rows.filter((row) => row.field.category === category).map(({ key, field, before, disabled }) => {
      const own = `${id}-${key}`;
      const value = typed[key] ?? before;
      const fault = (key in typed ? wrong(field, value) : "") || said[key] || "";
      const hint = [field.description, disabled ? "" : range(field)].filter(Boolean).join(" ");
      return html`<${Field} key=${key} id=${own} label=${labelOf(field)} hint=${hint} wrong=${fault}>
        <${Input} field=${field} id=${own} value=${value} disabled=${disabled} described=${hint ? `${own}-hint` : undefined} invalid=${Boolean(fault)}
          change=${(/** @type {string} */ given) => change(key, given)} /></${Field}>`;
    })}</${Panel}>`)}</div>`;
}

/**
 * Shows what will be different, before it is sent.
 *
 * @param {{changes: {label: string, before: string, after: string}[], busy: boolean, close: () => void, apply: () => void,
 *   title?: string, label?: string}} props title: of what is new as a whole; label: of the button
 */
export const Review = ({ changes, busy, close, apply, title, label }) => html`<${Dialog} title=${title ?? text("settings.review")} onClose=${close}
    end=${html`<button class="main" disabled=${busy} onClick=${apply}>${label ?? text("settings.apply")}</button>`}>
  <div class="table" tabindex="0" role="region" aria-label=${title ?? text("settings.review")}><table>
    <thead><tr><th>${text("settings.what")}</th>${!title && html`<th>${text("settings.before")}</th>`}<th>${text("settings.after")}</th></tr></thead>
    <tbody>${changes.map((each) => html`<tr key=${each.label}><td>${each.label}</td>
      ${!title && html`<td class="removed">${each.before || "–"}</td>`}<td class="added">${each.after || "–"}</td></tr>`)}</tbody></table></div></${Dialog}>`;
