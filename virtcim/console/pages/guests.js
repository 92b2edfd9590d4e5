/** All guests of all nodes: searched, sorted, marked, acted on together. */
import { ACTIONS, actOnAll } from "../actions.js";
import { guestLink } from "../links.js";
import { html, useMemo, useRef, useState } from "../parts.js";
import { fillSoon, may, mayAnywhere, state, useAllFigures, useAppState, useSeen } from "../state.js";
import { bytesText, durationText, numberText, percentText, text } from "../texts.js";
import { Dialog, Panel, State } from "../ui/basics.js";
import { Screens } from "../ui/screens.js";
import { Table } from "../ui/table.js";
import { intervalSeconds, prefixOf, shortName } from "../values.js";

const VIEWS = "virtcim-views";

/** @returns {Record<string, {search: string, state: string, columns: string[]}>} */
const savedViews = () => JSON.parse(localStorage.getItem(VIEWS) ?? "{}");

/** @type {import("../ui/table.js").Column[]} */
const COLUMNS = [
  { name: "name", title: text("guest.name"), value: (guest) => guest.name, show: (guest) => html`<a href=${guestLink(guest)}>${guest.name}</a>` },
  { name: "state", title: text("guest.state"), value: (guest) => text(`state.${guest.state}`), show: (guest) => html`<${State} value=${guest.state} />` },
  { name: "node", title: text("guest.node"), value: (guest) => guest.node },
  { name: "load", title: text("guest.load"), number: true, value: (guest) => guest.load, show: (guest) => percentText(guest.load) },
  { name: "processors", title: text("guest.processors"), number: true, value: (guest) => guest.processors, show: (guest) => numberText(guest.processors) },
  { name: "memory", title: text("guest.memory"), number: true, value: (guest) => guest.memory, show: (guest) => bytesText(guest.memory) },
  { name: "uptime", title: text("guest.uptime"), number: true, value: (guest) => intervalSeconds(guest.uptime), show: (guest) => durationText(intervalSeconds(guest.uptime)) },
  { name: "addresses", title: text("guest.addresses"), value: (guest) => guest.addresses.join(", ") },
  { name: "platform", title: text("guest.platform"), value: (guest) => prefixOf(guest.className) },
  { name: "uuid", title: text("guest.uuid"), value: (guest) => guest.uuid },
];
/** Columns whose values are not known of all guests before somebody needs them. */
const FIGURES = ["load", "memory", "uptime", "addresses"];
const AT_FIRST = ["name", "state", "node", "load", "processors", "memory", "uptime", "addresses"];

/** What is searched in for words that name no property; kept with the guest, as lists are long. @param {any} guest */
function haystack(guest) {
  guest.words ??= `${guest.name} ${guest.node} ${guest.uuid} ${guest.addresses.join(" ")} ${text(`state.${guest.state}`)}`.toLowerCase();
  return guest.words;
}

/**
 * Whether a guest is what was searched for: each word is in one of its values, or is `property:text`.
 *
 * @param {any} guest
 * @param {string[]} words in lower case
 */
function matches(guest, words) {
  return words.every((word) => {
    const [name, value] = word.split(/:(.*)/s);
    const property = value === undefined ? undefined : Object.keys(guest.raw).find((each) => each.toLowerCase() === name);
    if (value !== undefined && (property || name === "node" || name === "state"))
      return String(property ? guest.raw[property] : name === "node" ? guest.node : text(`state.${guest.state}`)).toLowerCase().includes(value);
    return haystack(guest).includes(word);
  });
}

/** Whether who is logged in may act on a guest. @param {any} guest */
const isOperable = (guest) => may(guest.namespace, "operate");

/** @param {{options: URLSearchParams, of?: string}} props of: a namespace, where only its guests are shown */
export function Guests({ options, of }) {
  useAppState();
  const [search, setSearch] = useState(options.get("q") ?? "");
  const [wanted, setWanted] = useState("");
  const [shown, setShown] = useState(AT_FIRST);
  const [marked, setMarked] = useState(/** @type {Set<string>} */ (new Set()));
  const [pictures, setPictures] = useState(false);
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const [views, setViews] = useState(savedViews());
  const [view, setView] = useState("");
  const seen = useRef(/** @type {any[]} */ ([]));
  const [order, setOrder] = useState("name");
  useSeen(() => seen.current);
  useAllFigures(search.trim() !== "" || FIGURES.includes(order));
  const all = useMemo(() => [...state.guests.values()].filter((guest) => !of || guest.namespace === of), [state.version, of]);
  const found = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return all.filter((guest) => (!wanted || String(guest.state) === wanted) && matches(guest, words));
  }, [all, search, wanted]);
  const columns = useMemo(() => COLUMNS.filter((each) => shown.includes(each.name)), [shown]);
  const chosen = marked.size ? found.filter((each) => marked.has(each.href)) : [];
  const isActedOn = all.some(isOperable);
  const mark = useMemo(() => (/** @type {any} */ guest) => isOperable(guest) && html`<input type="checkbox" aria-label=${text("bulk.select", { name: guest.name })}
    checked=${marked.has(guest.href)} onChange=${(/** @type {any} */ event) => {
      const next = new Set(marked);
      if (event.target.checked) next.add(guest.href);
      else next.delete(guest.href);
      setMarked(next);
    }} />`, [marked]);
  const saveView = () => {
    const name = prompt(text("view.name"));
    if (!name) return;
    keepViews({ ...views, [name]: { search, state: wanted, columns: shown } });
    setView(name);
  };
  const keepViews = (/** @type {typeof views} */ next) => {
    localStorage.setItem(VIEWS, JSON.stringify(next));
    setViews(next);
  };
  const removeView = () => {
    keepViews(Object.fromEntries(Object.entries(views).filter(([name]) => name !== view)));
    setView("");
  };
  const useView = (/** @type {string} */ name) => {
    setView(name);
    const saved = views[name];
    if (!saved) return;
    setSearch(saved.search);
    setWanted(saved.state);
    setShown(saved.columns);
  };
  return html`
    <div class="head"><h1>${text("page.guests")}</h1>
      <span class="soft" role="status">${text("guest.count", { shown: found.length, all: all.length })}</span>
      ${!state.loaded && html`<span class="soft" aria-busy="true">${text("app.loading")}</span>`}
      ${mayAnywhere("administer") && html`<div class="actions"><a class="button" href="#/create">${text("page.create")}</a></div>`}
    </div>
    <div class="row panel">
      <label class="grow"><span class="hidden-label">${text("app.search")}</span>
        <input type="search" placeholder=${text("app.search")} value=${search} onInput=${(/** @type {any} */ event) => setSearch(event.target.value)} /></label>
      <label><span class="hidden-label">${text("guest.state")}</span>
        <select value=${wanted} onChange=${(/** @type {any} */ event) => setWanted(event.target.value)}>
          <option value="">${text("app.all")}</option>
          ${["2", "3", "6", "9"].map((each) => html`<option value=${each}>${text(`state.${each}`)}</option>`)}
        </select></label>
      <details><summary>${text("view.columns")}</summary>
        ${COLUMNS.map((each) => html`<label class="row"><input type="checkbox" checked=${shown.includes(each.name)} disabled=${each.name === "name"}
          onChange=${() => setShown(shown.includes(each.name) ? shown.filter((/** @type {string} */ name) => name !== each.name) : [...shown, each.name])} /> ${each.title}</label>`)}
      </details>
      ${Object.keys(views).length > 0 && html`<label><span class="hidden-label">${text("view.saved")}</span>
        <select value=${view} onChange=${(/** @type {any} */ event) => useView(event.target.value)}><option value="">${text("view.saved")}</option>
          ${Object.keys(views).map((name) => html`<option value=${name}>${name}</option>`)}</select></label>`}
      ${view && html`<button onClick=${removeView}>${text("view.remove")}</button>`}
      <button aria-pressed=${String(pictures)} onClick=${() => setPictures(!pictures)}>${text("screens.title")}</button>
      <button onClick=${saveView}>${text("view.save")}</button>
    </div>
    ${chosen.length > 0 && html`<div class="row panel"><span>${text("bulk.selected", { count: chosen.length })}</span>
      ${ACTIONS.map((each) => html`<button class=${each.danger ? "danger" : ""} onClick=${() => setAsked(each)}>${text(`action.${each.name}`)}</button>`)}</div>`}
    ${state.loaded && !all.length && html`<p>${text("guest.empty")} ${mayAnywhere("administer") && html`<a href="#/create">${text("page.create")}</a>`}</p>`}
    <${Table} label=${text("page.guests")} rows=${found} columns=${columns} rowKey=${(/** @type {any} */ guest) => guest.href} mark=${isActedOn ? mark : undefined}
      onOrder=${setOrder} onSeen=${(/** @type {any[]} */ rows) => {
        seen.current = rows;
        if (rows.some((each) => each.brief)) fillSoon();
      }}
      markAll=${html`<input type="checkbox" aria-label=${text("bulk.select-all")} checked=${chosen.length > 0 && chosen.length === found.filter(isOperable).length}
        onChange=${(/** @type {any} */ event) => setMarked(new Set(event.target.checked ? found.filter(isOperable).map((each) => each.href) : []))} />`} />
    ${pictures && html`<${Panel} title=${text("screens.title")}><${Screens} guests=${found} /></${Panel}>`}
    ${asked && html`<${Dialog} title=${`${text(`action.${asked.name}`)}: ${text("bulk.selected", { count: chosen.length })}`} onClose=${() => setAsked(null)}
      end=${html`<button class="main" onClick=${() => {
        actOnAll(chosen, asked);
        setAsked(null);
      }}>${text(`action.${asked.name}`)}</button>`}>
      <ul>${chosen.slice(0, 30).map((each) => html`<li key=${each.href}>${shortName(each.name)} (${each.node})</li>`)}</ul></${Dialog}>`}
  `;
}
