/**
 * The frame of the pages of pools: those of a kind by node, with what makes a new one.
 */
import { html, useState } from "../parts.js";
import { KINDS, poolsByNode } from "../pools.js";
import { may, state, useAppState, useChanges } from "../state.js";
import { text } from "../texts.js";
import { Read, useRead } from "./basics.js";

/**
 * @param {{kind: keyof typeof KINDS, title: string, add: string, Pool: any, NewPool: any, below?: (node: any) => any}} props
 *   `Pool` shows one, `NewPool` asks for a new one, `below` shows what else the node has
 */
export function PoolsByNode({ kind, title, add, Pool, NewPool, below }) {
  useAppState();
  const [asked, setAsked] = useState(/** @type {any} */ (null));
  const pools = useRead(() => poolsByNode(state.nodes, kind), [state.nodes.length]);
  useChanges(["CIM_ResourcePool"], (event) => (event.class ?? "").endsWith(KINDS[kind]), pools.again);
  return html`<div class="head"><h1>${title}</h1></div>
    <${Read} of=${pools}>${(/** @type {any[]} */ all) => all.map(({ node, pools: found, prefixes }) => html`<div class="head"><h2>${node.name}</h2>
      ${prefixes.length > 0 && may(node.namespace, "administer") && html`<button onClick=${() => setAsked({ node, prefix: prefixes[0] })}>${add}</button>`}</div>
      ${found.length === 0 && html`<p class="soft">${text("app.nothing")}</p>`}
      <div class="grid">${found.map((/** @type {any} */ each) => html`<${Pool} key=${each.href} pool=${each} again=${pools.again} />`)}</div>
      ${below?.(node)}`)}</${Read}>
    ${asked && html`<${NewPool} ...${asked} close=${() => setAsked(null)} again=${pools.again} />`}`;
}
