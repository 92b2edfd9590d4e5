/** Nodes by group with their load, totals, and what needs attention first. */
import * as api from "../api.js";
import { guestLink, nodeLink } from "../links.js";
import { html } from "../parts.js";
import { poolsOf } from "../pools.js";
import { mayAnywhere, nodesByGroup, state, useAllFigures, useAppState } from "../state.js";
import { bytesText, numberText, percentText, text, timeText } from "../texts.js";
import { Bar, Facts, Panel, State, useRead } from "../ui/basics.js";
import { poolBytes } from "../values.js";

/** Nodes up to which the storage of each is looked at. */
const FEW_NODES = 20;

const RUNNING = [2, 9, 4, 10];
/** HealthState (CIM_ManagedSystemElement) from where on something is wrong: 10 is "Degraded/Warning". */
const UNHEALTHY = 10;

/** @param {any[]} guests */
function totals(guests) {
  const running = guests.filter((each) => RUNNING.includes(each.state));
  const sum = (/** @type {(guest: any) => number | null} */ value) => running.reduce((total, each) => total + (value(each) ?? 0), 0);
  const processors = sum((each) => each.processors);
  const load = running.some((each) => each.load !== null) && processors
    ? sum((each) => (each.load ?? 0) * (each.processors ?? 0)) / processors : null;
  return { all: guests.length, running: running.length, memory: sum((each) => each.memory), processors, load };
}

/** @param {{node: any}} props */
function NodeCard({ node }) {
  const sums = totals([...state.guests.values()].filter((each) => each.namespace === node.namespace));
  const pools = useRead(() => (state.nodes.length > FEW_NODES ? Promise.resolve([]) : api.instancesIfAny(node.namespace, "CIM_ResourcePool")), [node.namespace]);
  const disks = poolsOf(pools.value ?? [], "storage").map(poolBytes).filter((each) => each.capacity);
  const capacity = disks.reduce((total, each) => total + (each.capacity ?? 0), 0);
  const used = disks.reduce((total, each) => total + (each.used ?? 0), 0);
  return html`<section class="panel" aria-label=${node.name}>
    <h3 class="row"><a class="grow" href=${nodeLink(node.namespace)}>${node.name}</a><${State} value=${node.state} kind="node.state" /></h3>
    ${node.trouble && html`<p class="soft">${node.trouble}</p>`}
    <${Facts} facts=${[
      [text("overview.guests"), text("overview.running", { running: sums.running, all: sums.all })],
      [text("guest.memory"), bytesText(sums.memory)],
      [text("guest.processors"), numberText(sums.processors)],
      ...(capacity ? [[text("page.storage"), html`${bytesText(used)} / ${bytesText(capacity)} <${Bar} share=${used / capacity} label=${text("storage.used")} />`]] : []),
      [text("guest.load"), html`${percentText(sums.load)} <${Bar} share=${(sums.load ?? 0) / 100} label=${percentText(sums.load)} />`],
    ]} />
  </section>`;
}

export function Overview() {
  useAppState();
  useAllFigures(true);
  const guests = [...state.guests.values()];
  const sums = totals(guests);
  const lost = state.nodes.filter((each) => each.state > 2);
  const alerts = state.alerts.slice(0, 10);
  const ill = guests.filter((each) => each.health !== null && each.health >= UNHEALTHY);
  const head = html`<div class="head"><h1>${text("page.overview")}</h1></div>`;
  if (!state.loaded && !guests.length) return html`${head}<p class="soft" aria-busy="true">${text("app.loading")}</p>`;
  return html`${head}
    ${!guests.length && html`<p>${text("guest.empty")} ${mayAnywhere("administer") && html`<a class="button" href="#/create">${text("page.create")}</a>`}</p>`}
    <div class="grid">
      <section class="panel"><h2>${text("overview.guests")}</h2><div class="big">${text("overview.running", { running: sums.running, all: sums.all })}</div></section>
      <section class="panel"><h2>${text("overview.memory")}</h2><div class="big">${bytesText(sums.memory)}</div></section>
      <section class="panel"><h2>${text("overview.processors")}</h2><div class="big">${numberText(sums.processors)} <span class="soft">${percentText(sums.load)}</span></div></section>
    </div>
    <${Panel} title=${text("overview.attention")}>
      ${!lost.length && !ill.length && !alerts.length && html`<p class="soft">${text("overview.calm")}</p>`}
      <ul>
        ${lost.map((each) => html`<li><a href=${nodeLink(each.namespace)}>${text("overview.no-contact", { name: each.name, detail: each.trouble || text(`node.state.${each.state}`) })}</a></li>`)}
        ${ill.slice(0, 50).map((each) => html`<li><a href=${guestLink(each)}>${text("overview.trouble", { name: each.name, node: each.node, health: text(`health.${each.health}`) })}</a></li>`)}
        ${alerts.map((each) => html`<li>${timeText(each.time)} ${each.properties?.Description ?? each.properties?.Message ?? each.indication}</li>`)}
      </ul>
    </${Panel}>
    ${nodesByGroup().map(([group, nodes]) => html`
      <h2>${group || text("tree.ungrouped")}</h2>
      <div class="grid">${nodes.map((node) => html`<${NodeCard} key=${node.name} node=${node} />`)}</div>`)}
  `;
}
