/** The properties of an instance, references as links. */
import { browserLink } from "../links.js";
import { html } from "../parts.js";
import { timeText } from "../texts.js";
import { isReference, valueText } from "../values.js";

const MOMENT = /^\d{14}\.\d{6}[+-]\d{3}$/;

/** @param {{value: any}} props */
export function Value({ value }) {
  if (isReference(value)) return html`<a href=${browserLink(value)}>${value.path}</a>`;
  if (Array.isArray(value)) return html`${value.map((each, index) => html`${index ? ", " : ""}<${Value} value=${each} />`)}`;
  if (value !== null && typeof value === "object")
    return html`<details><summary>${value.class}</summary><${Properties} instance=${value} /></details>`;
  if (typeof value === "string" && MOMENT.test(value)) return html`<span title=${value}>${timeText(value)}</span>`;
  return html`${valueText(value)}`;
}

/** @param {{instance: {properties: Record<string, any>}}} props */
export const Properties = ({ instance }) => html`<dl class="facts code">
  ${Object.entries(instance.properties).map(([name, value]) => html`<dt>${name}</dt><dd><${Value} value=${value} /></dd>`)}
</dl>`;
