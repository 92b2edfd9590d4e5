/** The CIM browser: namespaces, classes, instances, what they are associated with, methods, and the same as command lines. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useMemo, useState } from "../parts.js";
import { may, state } from "../state.js";
import { text } from "../texts.js";
import { Field, Panel, Read, Tabs, useRead } from "../ui/basics.js";
import { Properties } from "../ui/properties.js";
import { valueText } from "../values.js";

const NAMESPACES = ["root/virt", "root/interop", "root/cimv2"];

/** The same request as lines for the command line. @param {{lines: string[]}} props */
const Lines = ({ lines }) => html`<details><summary>${text("browser.lines")}</summary>${lines.map((each) => html`<pre>${each}</pre>`)}</details>`;

const quoted = (/** @type {string} */ raw) => `'${raw.replaceAll("'", "'\\''")}'`;

/** Lines that read an instance. @param {any} instance */
const instanceLines = (instance) => [
  `wbemcli gi ${quoted(`${location.protocol}//USER:PASSWORD@${location.host}${instance.path}`)}`,
  `curl -u USER ${quoted(location.origin + instance.href)}`,
  `connection.GetInstance(pywbem.CIMInstanceName.from_wbem_uri(${JSON.stringify(instance.path)}))`,
];

/** A value out of a form's text, for a parameter. @param {any} declared @param {string} given */
function parameterValue(declared, given) {
  if (declared.isArray || declared.array) return JSON.parse(given);
  if (declared.type === "boolean") return given === "true";
  if (declared.type === "reference") return { [given.startsWith("/api/") ? "href" : "path"]: given };
  if (/^[su]int\d+$/.test(declared.type)) return given;
  if (given.startsWith("{")) return JSON.parse(given);
  return given;
}

/** What a class declares, as a list with names. @param {Record<string, any> | undefined} declared @returns {any[]} */
const named = (declared) => Object.entries(declared ?? {}).map(([name, each]) => ({ name, ...each }));

/** What the schema says of something, for people. @param {any} declared */
const described = (declared) => declared.qualifiers?.Description ?? "";

/** A form for a method of an instance. @param {{target: any, method: any}} props */
function Method({ target, method }) {
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const parameters = named(method.parameters).filter((each) => each.in !== false);
  const call = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const given = parameters.filter((/** @type {any} */ each) => typed[each.name]);
      setAnswer(await api.invoke(target, method.name, Object.fromEntries(given.map((/** @type {any} */ each) => [each.name, parameterValue(each, typed[each.name])]))));
    } catch (error) {
      setAnswer({ error: /** @type {Error} */ (error).message });
    }
  };
  return html`<details><summary>${method.name}</summary><form onSubmit=${call}>
    <p class="soft">${described(method)}</p>
    ${parameters.map((/** @type {any} */ each) => html`<${Field} id=${`${method.name}-${each.name}`} label=${`${each.name}: ${each.embedded ?? each.referenceClass ?? each.type}${each.isArray || each.array ? "[]" : ""}`}
      hint=${described(each)}><input id=${`${method.name}-${each.name}`} value=${typed[each.name] ?? ""}
      onInput=${(/** @type {any} */ event) => setTyped({ ...typed, [each.name]: event.target.value })} /></${Field}>`)}
    ${may(target.namespace, method.role) ? html`<button class="main">${text("browser.call")}</button>` : html`<p class="soft">${text("browser.role", { role: method.role })}</p>`}
    ${answer && html`<h3>${text("browser.result")}</h3><pre role="status">${JSON.stringify(answer, null, 1)}</pre>`}
  </form></details>`;
}

/** @param {{href: string}} props */
function Instance({ href }) {
  const [tab, setTab] = useState("properties");
  const instance = useRead(() => api.get({ href }), [href]);
  const others = useRead(() => (tab === "associators" ? api.associators({ href }, { names: "true" }) : Promise.resolve([])), [href, tab]);
  const declared = useRead(async () => {
    const [, namespace, , className] = href.replace(/^\/api\//, "").split("/").map(decodeURIComponent);
    return tab === "methods" ? api.classOf(namespace, className) : null;
  }, [href, tab]);
  return html`<${Read} of=${instance}>${(/** @type {any} */ found) => html`<${Panel} title=${found.class}>
    <p class="code">${found.path}</p>
    <${Tabs} label=${found.class} chosen=${tab} choose=${setTab} tabs=${["properties", "associators", "methods"].map((each) => [each, text(`browser.${each}`)])} />
    ${tab === "properties" && html`<${Properties} instance=${found} /><${Lines} lines=${instanceLines(found)} />`}
    ${tab === "associators" && html`<${Read} of=${others}>${(/** @type {any[]} */ all) => html`<ul>${all.map((each) => html`<li class="code"><a href=${browserLink(each)}>${each.path}</a></li>`)}</ul>`}</${Read}>`}
    ${tab === "methods" && declared.value && html`${named(declared.value.methods).map((each) => html`<${Method} key=${each.name} target=${found} method=${each} />`)}`}
  </${Panel}>`}</${Read}>`;
}

/** @param {{of: any, below: Map<string | null, any[]>, choose: (name: string) => void, chosen: string, open: boolean}} props */
function ClassBranch({ of, below, choose, chosen, open }) {
  const [unfolded, setUnfolded] = useState(open);
  const own = below.get(of.class) ?? [];
  return html`<li><div class="leaf">
    ${own.length > 0 ? html`<button class="fold" aria-expanded=${String(unfolded)} aria-label=${text(unfolded ? "tree.fold" : "tree.unfold", { name: of.class })}
      onClick=${() => setUnfolded(!unfolded)}>${unfolded ? "▾" : "▸"}</button>` : html`<span class="no-fold"></span>`}
    <button class="plain" aria-pressed=${String(of.class === chosen)} onClick=${() => choose(of.class)}>${of.class}</button></div>
    ${unfolded && own.length > 0 && html`<ul>${own.map((each) => html`<${ClassBranch} key=${each.class} of=${each} below=${below} choose=${choose} chosen=${chosen} open=${open} />`)}</ul>`}</li>`;
}

/** @param {{classes: any[], choose: (name: string) => void, chosen: string}} props */
function ClassTree({ classes, choose, chosen }) {
  const open = classes.length < 60;
  const below = useMemo(() => {
    /** @type {Map<string | null, any[]>} */
    const found = new Map();
    for (const each of classes) {
      const parent = each.superclass ?? null;
      found.set(parent, [...(found.get(parent) ?? []), each]);
    }
    return found;
  }, [classes]);
  return html`<ul>${(below.get(null) ?? []).map((each) => html`<${ClassBranch} key=${`${each.class} ${open}`} of=${each} below=${below} choose=${choose} chosen=${chosen} open=${open} />`)}</ul>`;
}

/** @param {{parts: string[]}} props */
export function Browser({ parts }) {
  const [href] = parts;
  const [namespace, setNamespace] = useState(href ? decodeURIComponent(href.split("/")[3] ?? "root%2Fvirt") : "root/virt");
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState(href ? decodeURIComponent(href.split("/")[5] ?? "CIM_ComputerSystem") : "CIM_ComputerSystem");
  const [query, setQuery] = useState("SELECT * FROM CIM_ComputerSystem");
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const classes = useRead(() => api.classes(namespace), [namespace]);
  const instances = useRead(() => api.instances(namespace, chosen, { names: "true" }), [namespace, chosen]);
  const found = useMemo(() => {
    const all = classes.value ?? [];
    if (!search) return all;
    const byName = new Map(all.map((/** @type {any} */ each) => [each.class, each]));
    const kept = new Set();
    for (const each of all)
      if (each.class.toLowerCase().includes(search.toLowerCase())) for (let at = each; at && !kept.has(at); at = byName.get(at.superclass)) kept.add(at);
    return all.filter((/** @type {any} */ each) => kept.has(each));
  }, [classes.value, search]);
  const ask = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const language = /^\s*select\s+\*/i.test(query) ? "WQL" : "DMTF:CQL";
      setAnswer(await api.ask("GET", `namespaces/${api.part(namespace)}/query?${new URLSearchParams({ query, language })}`));
    } catch (error) {
      setAnswer({ error: /** @type {Error} */ (error).message });
    }
  };
  const names = [...new Set([...state.nodes.map((each) => each.namespace), ...NAMESPACES])];
  return html`<div class="head"><h1>${text("page.browser")}</h1>
      <label>${text("browser.namespace")} <select onChange=${(/** @type {any} */ event) => setNamespace(event.target.value)}>
        ${names.map((each) => html`<option selected=${each === namespace}>${each}</option>`)}</select></label></div>
    <form class="row panel" onSubmit=${ask}><label class="grow"><span class="hidden-label">${text("browser.query")}</span>
      <input class="code" value=${query} onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} /></label><button>${text("browser.run")}</button></form>
    ${answer && html`<${Panel} title=${text("browser.result")}>${answer.error ? html`<div class="notice bad" role="alert">${answer.error}</div>`
      : html`<p>${answer.instances.length}</p>${answer.instances.slice(0, 100).map((/** @type {any} */ each) => html`<details><summary>${each.class} ${valueText(each.properties.ElementName ?? each.properties.Name)}</summary><${Properties} instance=${each} /></details>`)}`}</${Panel}>`}
    <div class="two">
      <section class="panel"><h2>${text("browser.classes")}</h2>
        <label><span class="hidden-label">${text("app.search")}</span><input type="search" placeholder=${text("app.search")} value=${search} onInput=${(/** @type {any} */ event) => setSearch(event.target.value)} /></label>
        <div class="tree" style=${{ maxHeight: "60vh", overflow: "auto" }} tabindex="0" role="region" aria-label=${text("browser.classes")}>
          <${Read} of=${classes}>${() => html`<${ClassTree} classes=${found} chosen=${chosen} choose=${setChosen} />`}</${Read}></div></section>
      <div>
        ${href && html`<${Instance} key=${href} href=${href} />`}
        <${Panel} title=${`${chosen}: ${text("browser.instances")}`}><${Read} of=${instances}>${(/** @type {any[]} */ all) => html`<p class="soft">${all.length}</p>
          <ul style=${{ maxHeight: "40vh", overflow: "auto" }} tabindex="0">${all.slice(0, 300).map((each) => html`<li class="code"><a href=${browserLink(each)}>${each.path}</a></li>`)}</ul>`}</${Read}></${Panel}>
      </div>
    </div>`;
}
