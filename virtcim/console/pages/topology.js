/** The model as a graph: boxes are instances, lines are associations; a box opens what hangs on it. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, loadGraph, useEffect, useRef, useState } from "../parts.js";
import { state, useAppState } from "../state.js";
import { text } from "../texts.js";
import { Read, useRead } from "../ui/basics.js";
import { shortName } from "../values.js";

const COLOURS = [
  [/ComputerSystem|HostSystem/, "#2f7d4f"], [/Pool/, "#8a5a00"], [/SettingData|Capabilities/, "#6b4fa0"], [/Disk|Volume|Storage/, "#a0522d"],
  [/Network|Port|Switch/, "#1a5fa8"], [/Service|Profile|Job/, "#5a6572"], [/./, "#3d6b7d"],
];
/** What can be shown: all but the classes of a pattern. @type {Record<string, RegExp>} */
const SHOWN = {
  parts: /(SettingData|Capabilities|Service|Profile|MetricDefinition|MetricValue|Job|FilterList|SAP)$/,
  settings: /(Service|Profile|MetricDefinition|MetricValue|Job|FilterList|SAP)$/,
  everything: /^$/,
};

/** Boxes of one opening; the rest is said in a last box. */
const MOST = 150;

/** A short name for a box. @param {api.Instance} instance */
const label = (instance) => {
  const own = instance.properties ?? {};
  const name = own.ElementName || own.Name || own.DeviceID || own.InstanceID || "";
  return `${instance.class.replace(/^[A-Za-z]+_/, "")}\n${shortName(String(name))}`;
};

/** What is drawn of an instance. @param {string} id @param {string} className @param {string} name */
const box = (id, className, name) => ({
  id, label: name, kind: className, colour: COLOURS.find(([test]) => /** @type {RegExp} */ (test).test(className))?.[1],
  width: 16 + 6.5 * Math.max(...name.split("\n").map((line) => line.length)),
});

/** @param {{start: {href: string, class: string, label: string}}} props */
export function Neighbours({ start }) {
  const element = useRef(null);
  const graph = useRef(/** @type {any} */ (null));
  const wanted = useRef("");
  const hidden = useRef(SHOWN.parts);
  const [chosen, setChosen] = useState(/** @type {any} */ (null));
  const [error, setError] = useState("");
  const grow = async (/** @type {string} */ href) => {
    const found = (await api.associators({ href }, { properties: "ElementName,Name,DeviceID,InstanceID" }))
      .filter((each) => !hidden.current.test(each.class) && each.class.toLowerCase().includes(wanted.current.toLowerCase()));
    const drawing = graph.current;
    if (!drawing) return;
    for (const each of found.slice(0, MOST)) {
      const target = /** @type {any} */ (each).href;
      if (drawing.getElementById(target).empty())
        drawing.add({ data: box(target, each.class, label(each)) });
      const line = [href, target].sort().join(" ");
      if (drawing.getElementById(line).empty()) drawing.add({ data: { id: line, source: href, target } });
    }
    arrange(drawing, start.href);
    show(drawing);
  };
  useEffect(() => {
    let open = true;
    loadGraph().then((cytoscape) => {
      if (!open || !element.current) return undefined;
      const { color, outlineColor } = getComputedStyle(element.current);
      graph.current = cytoscape({
        container: element.current,
        minZoom: 0.1, maxZoom: 3,
        style: [
          { selector: "node", style: { label: "data(label)", "text-wrap": "wrap", "font-size": 11, color: "#ffffff", "background-color": "data(colour)", shape: "round-rectangle",
            width: "data(width)", height: 34, "text-valign": "center" } },
          { selector: "edge", style: { width: 1.5, "line-color": color, "curve-style": "straight" } },
          { selector: ":selected", style: { "border-width": 3, "border-color": outlineColor } },
        ],
      });
      graph.current.add({ data: box(start.href, start.class, label(/** @type {any} */ ({ class: start.class, properties: { Name: start.label } }))) });
      graph.current.on("tap", "node", (/** @type {any} */ event) => {
        const { id, label: name } = event.target.data();
        setChosen({ href: id, name });
        grow(id).catch((problem) => setError(problem.message));
      });
      return grow(start.href);
    }).catch((problem) => setError(problem.message));
    return () => {
      open = false;
      graph.current?.destroy();
      graph.current = null;
    };
  }, [start.href]);
  /** Begins anew with what is to be shown. @param {string} name */
  const choose = (name) => {
    hidden.current = SHOWN[name];
    const drawing = graph.current;
    if (!drawing) return;
    drawing.elements().filter((/** @type {any} */ each) => each.id() !== start.href).remove();
    setChosen(null);
    grow(start.href).catch((problem) => setError(problem.message));
  };
  const save = () => {
    if (!graph.current) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([svg(graph.current)], { type: "image/svg+xml" }));
    link.download = "topology.svg";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return html`<div class="row panel"><span class="soft grow">${text("topology.expand")}</span>
      <label>${text("topology.show")} <select onChange=${(/** @type {any} */ event) => choose(event.target.value)}>
        ${Object.keys(SHOWN).map((each) => html`<option value=${each}>${text(`topology.show.${each}`)}</option>`)}</select></label>
      <label>${text("topology.filter")} <input onInput=${(/** @type {any} */ event) => { wanted.current = event.target.value; }} /></label>
      <button onClick=${save}>${text("topology.export")}</button></div>
    ${error && html`<div class="notice bad" role="alert">${error}</div>`}
    ${chosen && html`<p><a href=${browserLink(chosen)}>${chosen.name}</a></p>`}
    <div class="graph" ref=${element} role="application" aria-label=${text("page.topology")}></div>`;
}

/** Pixels between boxes, the height of one, and the boxes of a column. */
const GAP = 14, HIGH = 34, LONGEST = 6;
/** The scale below which nobody reads what is in the boxes. */
const READABLE = 0.75;

/** Shows the whole drawing, or its beginning where the whole would be too small to be read; the rest is dragged into view. @param {any} drawing */
function show(drawing) {
  drawing.fit(undefined, 20);
  if (drawing.zoom() >= READABLE) return;
  const { x1, y1 } = drawing.elements().boundingBox();
  drawing.viewport({ zoom: READABLE, pan: { x: 20 - x1 * READABLE, y: 20 - y1 * READABLE } });
}

/**
 * Puts each box below what it was opened from: level by level, in a level columns for each class.
 *
 * @param {any} drawing
 * @param {string} root
 */
function arrange(drawing, root) {
  /** @type {Map<number, any[]>} */
  const levels = new Map();
  drawing.elements().bfs({
    roots: drawing.getElementById(root),
    visit: (/** @type {any} */ box, /** @type {any} */ _, /** @type {any} */ __, /** @type {any} */ ___, /** @type {number} */ depth) => {
      levels.set(depth, [...(levels.get(depth) ?? []), box]);
    },
  });
  const widest = Math.max(600, drawing.width() / READABLE - 60);
  let top = 0;
  for (const [, boxes] of [...levels].sort(([one], [two]) => one - two)) {
    /** @type {[string, any[]][]} */
    const kinds = /** @type {any} */ (Object.entries(Object.groupBy(boxes, (each) => each.data("kind"))).sort());
    const columns = kinds.flatMap(([, own]) => Array.from({ length: Math.ceil(own.length / LONGEST) }, (_, at) => own.slice(at * LONGEST, (at + 1) * LONGEST)));
    let left = 0, lowest = top;
    for (const column of columns) {
      const wide = Math.max(...column.map((/** @type {any} */ each) => each.data("width")));
      if (left && left + wide > widest) {
        left = 0;
        top = lowest + HIGH;
      }
      column.forEach((/** @type {any} */ each, /** @type {number} */ row) => each.position({ x: left + wide / 2, y: top + row * (HIGH + GAP) }));
      lowest = Math.max(lowest, top + column.length * (HIGH + GAP));
      left += wide + GAP;
    }
    top = lowest + 2 * HIGH;
  }
}

/** The drawing as SVG. @param {any} drawing */
function svg(drawing) {
  const escape = (/** @type {string} */ raw) => raw.replace(/[&<>"]/g, (each) => `&#${each.charCodeAt(0)};`);
  const box = drawing.elements().boundingBox();
  /** @type {string[]} */
  const parts = [];
  drawing.edges().forEach((/** @type {any} */ each) => {
    const one = each.source().position();
    const two = each.target().position();
    parts.push(`<line x1="${one.x}" y1="${one.y}" x2="${two.x}" y2="${two.y}" stroke="#888"/>`);
  });
  drawing.nodes().forEach((/** @type {any} */ each) => {
    const { x, y } = each.position();
    const wide = each.outerWidth();
    const high = each.outerHeight();
    parts.push(`<rect x="${x - wide / 2}" y="${y - high / 2}" width="${wide}" height="${high}" rx="5" fill="${each.data("colour")}"/>`);
    each.data("label").split("\n").forEach((/** @type {string} */ line, /** @type {number} */ index) =>
      parts.push(`<text x="${x}" y="${y + index * 12}" fill="#fff" font-size="11" font-family="sans-serif" text-anchor="middle">${escape(line)}</text>`));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.x1 - 10} ${box.y1 - 10} ${box.w + 20} ${box.h + 20}">${parts.join("")}</svg>`;
}

export function Topology() {
  useAppState();
  const [namespace, setNamespace] = useState("");
  const chosen = namespace || state.nodes[0]?.namespace || "";
  const hosts = useRead(async () => (chosen ? await api.instances(chosen, "Virt_HostSystem", { properties: "Name" }) : []), [chosen]);
  return html`<div class="head"><h1>${text("page.topology")}</h1>
      <label>${text("topology.from")} <select onChange=${(/** @type {any} */ event) => setNamespace(event.target.value)}>
        ${state.nodes.map((each) => html`<option value=${each.namespace} selected=${each.namespace === chosen}>${each.name}</option>`)}</select></label></div>
    <${Read} of=${hosts}>${(/** @type {any[]} */ [host]) => host && html`<${Neighbours} key=${host.href} start=${{ href: host.href, class: host.class, label: host.properties.Name }} />`}</${Read}>`;
}
