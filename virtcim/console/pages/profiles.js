/** The profiles that are registered, and what a walk from them finds. */
import * as api from "../api.js";
import { MOST, walk } from "../conformance.js";
import { browserLink } from "../links.js";
import { html, useEffect, useRef, useState } from "../parts.js";
import { text } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";
import { Table } from "../ui/table.js";

const COLUMNS = [
  { name: "name", title: text("profiles.name"), value: (/** @type {any} */ each) => each.properties.RegisteredName,
    show: (/** @type {any} */ each) => html`<a href=${browserLink(each)}>${each.properties.RegisteredName}</a>` },
  { name: "version", title: text("profiles.version"), value: (/** @type {any} */ each) => each.properties.RegisteredVersion },
  { name: "organization", title: text("profiles.organization"), value: (/** @type {any} */ each) =>
    each.properties.OtherRegisteredOrganization ?? (each.properties.RegisteredOrganization === 2 ? "DMTF" : String(each.properties.RegisteredOrganization)) },
];

/** @typedef {import("../conformance.js").Walked} Walked */

/** What a walk has found so far. @param {{walked: Walked[], over: boolean}} props */
function Findings({ walked, over }) {
  const findings = walked.flatMap(({ profile, findings: own }) => own.map((each) => ({ ...each, profile })));
  return html`<${Panel} title=${text("profiles.findings")}>
    ${over && !findings.length && html`<p>${text("profiles.none")}</p>`}
    <ul>${findings.map((each) => html`<li>${text(`profiles.finding.${each.what}`)}: <a class="code" href=${browserLink(each)}>${each.path}</a> ${each.detail}
      <span class="soft"> ${each.profile.properties.RegisteredName}</span></li>`)}</ul>
    <h3>${text("profiles.elements")}</h3>
    <ul>${walked.map(({ profile, seen, all }) => html`<li>${profile.properties.RegisteredName}: ${all ? seen : text("profiles.elements.some", { count: seen })}</li>`)}</ul>
  </${Panel}>`;
}

/** @param {{profiles: api.Instance[]}} props */
function Check({ profiles }) {
  const [walked, setWalked] = useState(/** @type {Walked[] | null} */ (null));
  const [end, setEnd] = useState("");
  const running = useRef(false);
  const cancel = () => {
    running.current = false;
  };
  useEffect(() => cancel, []);
  const check = async () => {
    running.current = true;
    setEnd("running");
    /** @type {Map<string, Walked>} */
    const found = new Map();
    setWalked([]);
    try {
      for await (const each of walk(profiles)) {
        if (!running.current) return setEnd("stopped");
        found.set(each.profile.href, each);
        setWalked([...found.values()]);
      }
      return setEnd("over");
    } catch (error) {
      return setEnd(/** @type {Error} */ (error).message);
    }
  };
  const failed = !["", "running", "stopped", "over"].includes(end);
  return html`<div class="row panel"><span class="soft grow">${text("profiles.hint", { most: MOST })}</span>
      <span role="status">${walked && text("profiles.progress", { done: walked.length, all: profiles.length })} ${end === "stopped" && text("profiles.stopped")}</span>
      ${end === "running" ? html`<button onClick=${cancel}>${text("app.cancel")}</button>` : html`<button onClick=${check}>${text("profiles.check")}</button>`}</div>
    ${failed && html`<div class="notice bad" role="alert">${end}</div>`}
    ${walked && html`<${Findings} walked=${walked} over=${end === "over"} />`}`;
}

export function Profiles() {
  const profiles = useRead(() => api.instances("root/interop", "CIM_RegisteredProfile"), []);
  return html`<div class="head"><h1>${text("page.profiles")}</h1></div>
    <${Read} of=${profiles}>${(/** @type {any[]} */ found) => html`<${Check} profiles=${found} />
      <${Table} label=${text("page.profiles")} rows=${found} columns=${COLUMNS} rowKey=${(/** @type {any} */ each) => each.href} />`}</${Read}>`;
}
