/** The profiles that are registered, and what a walk from them finds. */
import * as api from "../api.js";
import { walk } from "../conformance.js";
import { browserLink } from "../links.js";
import { html, useEffect, useRef, useState } from "../parts.js";
import { state } from "../state.js";
import { text } from "../texts.js";
import { Field, Panel, Read, useRead } from "../ui/basics.js";
import { Table } from "../ui/table.js";

/** @typedef {import("../conformance.js").Walked} Walked */

const INTEROP = "root/interop";

/** Elements of a profile that are looked at: unless chosen, and as many as can be chosen. */
const USUAL = 20, MOST = 1000;

/** Findings that are shown: more of them are nothing that one reads. */
const SHOWN = 200;

/** @param {any} profile */
const organization = ({ properties }) =>
  properties.OtherRegisteredOrganization ?? (properties.RegisteredOrganization === 2 ? "DMTF" : String(properties.RegisteredOrganization));

/** The columns of the registered profiles; what was walked has two more. @param {Map<string, Walked>} walked @returns {import("../ui/table.js").Column[]} */
const columns = (walked) => [
  { name: "name", title: text("profiles.name"), value: (each) => each.properties.RegisteredName,
    show: (each) => html`<a href=${browserLink(each)} title=${each.path}>${each.properties.RegisteredName}</a>` },
  { name: "version", title: text("profiles.version"), value: (each) => each.properties.RegisteredVersion },
  { name: "organization", title: text("profiles.organization"), value: organization },
  { name: "platform", title: text("guest.platform"), value: (each) => each.class.split("_")[0] },
  ...(walked.size ? [
    { name: "elements", title: text("profiles.elements"), number: true, value: (/** @type {any} */ each) => walked.get(each.href)?.seen,
      show: (/** @type {any} */ each) => elementsText(walked.get(each.href)) },
    { name: "findings", title: text("profiles.count"), number: true, value: (/** @type {any} */ each) => walked.get(each.href)?.findings.length },
  ] : []),
];

/** @param {Walked | undefined} walked */
function elementsText(walked) {
  if (!walked) return "";
  const count = walked.all ? walked.seen : text("profiles.elements.some", { count: walked.seen });
  return walked.known ? count : `${count}, ${text("profiles.unknown")}`;
}

/** The findings of all profiles, each once with the profiles that it is of. @param {Walked[]} walked */
function gathered(walked) {
  /** @type {Map<string, {finding: import("../conformance.js").Finding, profiles: string[]}>} */
  const found = new Map();
  for (const { profile, findings } of walked)
    for (const finding of findings) {
      const key = JSON.stringify(finding), name = `${profile.properties.RegisteredName} ${profile.properties.RegisteredVersion}`;
      const { profiles } = found.get(key) ?? { profiles: /** @type {string[]} */ ([]) };
      found.set(key, { finding, profiles: profiles.includes(name) ? profiles : [...profiles, name] });
    }
  return [...found.values()];
}

/** What a walk has found so far. @param {{walked: Walked[], over: boolean}} props */
function Findings({ walked, over }) {
  const found = gathered(walked);
  return html`<${Panel} title=${text("profiles.findings")}>
    ${over && !found.length && html`<p>${text("profiles.none")}</p>`}
    <ul class="plain findings">${found.slice(0, SHOWN).map(({ finding, profiles }) => html`<li>
      <div><strong>${text(`profiles.finding.${finding.what}`)}</strong> <span class="soft">${finding.section}</span></div>
      <div class="code"><a href=${browserLink(finding)}>${finding.path}</a></div>
      ${finding.detail && html`<div class="code">${finding.detail}</div>`}
      <div class="soft">${profiles.join(", ")}</div></li>`)}</ul>
    ${found.length > SHOWN && html`<p class="soft">${text("profiles.more", { count: found.length - SHOWN })}</p>`}
  </${Panel}>`;
}

/** Where a walk is and what it has found. @typedef {{walked: Map<string, Walked>, requests: number, end: string}} Course */

/** Starts and cancels a walk. @param {{course: Course, all: number, start: (options: {only: string, most: number}) => void, cancel: () => void}} props */
function Check({ course: { walked, requests, end }, all, start, cancel }) {
  const [only, setOnly] = useState("");
  const [most, setMost] = useState(String(USUAL));
  const wrong = /^\d+$/.test(most) && Number(most) >= 1 && Number(most) <= MOST ? "" : `1 – ${MOST}`;
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!wrong) start({ only, most: Number(most) });
  };
  const names = [...state.nodes.map((each) => each.namespace), INTEROP];
  return html`<form class="panel" onSubmit=${begin}><p class="soft">${text("profiles.hint")}</p>
    <div class="row">
      <${Field} id="profiles-where" label=${text("profiles.where")}><select id="profiles-where" disabled=${end === "running"} onChange=${(/** @type {any} */ event) => setOnly(event.target.value)}>
        <option value="">${text("app.all")}</option>${names.map((each) => html`<option value=${each} selected=${each === only}>${each}</option>`)}</select></${Field}>
      <${Field} id="profiles-most" label=${text("profiles.most")} wrong=${wrong}><input id="profiles-most" inputmode="numeric" value=${most} disabled=${end === "running"}
        onInput=${(/** @type {any} */ event) => setMost(event.target.value)} /></${Field}>
      ${end === "running" ? html`<button type="button" onClick=${cancel}>${text("app.cancel")}</button>` : html`<button class="main">${text("profiles.check")}</button>`}
    </div>
    ${end && html`<progress aria-label=${text("profiles.check")} max=${all} value=${walked.size}></progress>`}
    <div role="status">${end && text("profiles.progress", { done: walked.size, all, requests })} ${end === "stopped" && text("profiles.stopped")}</div>
  </form>`;
}

/** @param {{profiles: api.Instance[]}} props */
function Conformance({ profiles }) {
  const [course, setCourse] = useState(/** @type {Course} */ ({ walked: new Map(), requests: 0, end: "" }));
  const running = useRef(/** @type {object | null} */ (null));
  const cancel = () => {
    running.current = null;
  };
  useEffect(() => cancel, []);
  const start = async (/** @type {{only: string, most: number}} */ options) => {
    const own = running.current = {};
    let last = { walked: new Map(), requests: 0, end: "running" };
    const show = (/** @type {Partial<Course>} */ news) => setCourse(last = { ...last, ...news });
    show({});
    try {
      for await (const { requests, ...each } of walk(profiles, { namespaces: [...state.nodes.map((node) => node.namespace), INTEROP], ...options })) {
        if (running.current !== own) return show({ end: "stopped" });
        show({ walked: new Map(last.walked).set(each.profile.href, each), requests });
      }
      return show({ end: "over" });
    } catch (error) {
      return show({ end: /** @type {Error} */ (error).message });
    }
  };
  const failed = !["", "running", "stopped", "over"].includes(course.end);
  return html`<${Check} course=${course} all=${profiles.length} start=${start} cancel=${cancel} />
    ${failed && html`<div class="notice bad" role="alert">${course.end}</div>`}
    ${course.end && html`<${Findings} walked=${[...course.walked.values()]} over=${course.end === "over"} />`}
    <h2>${text("profiles.registered")}</h2>
    <${Table} label=${text("profiles.registered")} rows=${profiles} columns=${columns(course.walked)} rowKey=${(/** @type {any} */ each) => each.href} />`;
}

export function Profiles() {
  const profiles = useRead(() => api.instances(INTEROP, "CIM_RegisteredProfile"), []);
  return html`<div class="head"><h1>${text("page.profiles")}</h1></div>
    <${Read} of=${profiles}>${(/** @type {any[]} */ found) => html`<${Conformance} profiles=${found} />`}</${Read}>`;
}
