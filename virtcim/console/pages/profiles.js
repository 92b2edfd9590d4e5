/** The profiles that are registered. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html } from "../parts.js";
import { text } from "../texts.js";
import { Read, useRead } from "../ui/basics.js";
import { Table } from "../ui/table.js";

const COLUMNS = [
  { name: "name", title: text("profiles.name"), value: (/** @type {any} */ each) => each.properties.RegisteredName,
    show: (/** @type {any} */ each) => html`<a href=${browserLink(each)}>${each.properties.RegisteredName}</a>` },
  { name: "version", title: text("profiles.version"), value: (/** @type {any} */ each) => each.properties.RegisteredVersion },
  { name: "organization", title: text("profiles.organization"), value: (/** @type {any} */ each) =>
    each.properties.OtherRegisteredOrganization ?? (each.properties.RegisteredOrganization === 2 ? "DMTF" : String(each.properties.RegisteredOrganization)) },
];

export function Profiles() {
  const profiles = useRead(() => api.instances("root/interop", "CIM_RegisteredProfile"), []);
  return html`<div class="head"><h1>${text("page.profiles")}</h1></div>
    <${Read} of=${profiles}>${(/** @type {any[]} */ found) => html`<${Table} label=${text("page.profiles")} rows=${found} columns=${COLUMNS}
      rowKey=${(/** @type {any} */ each) => each.href} />`}</${Read}>`;
}
