/**
 * A table that stays quick with 10,000 rows: only the rows in view are drawn.
 */
import { html, useLayoutEffect, useMemo, useRef, useState } from "../parts.js";

const ROW = 32;
const AROUND = 12;

/**
 * @typedef {{name: string, title: string, number?: boolean, plain?: boolean, value: (row: any) => any, show?: (row: any) => any}} Column
 *   plain: rows are not sorted by it
 */

const collator = new Intl.Collator(undefined, { numeric: true });

/** The order of two values, those that are not known last. @param {any} one @param {any} two */
function compare(one, two) {
  if (one === two) return 0;
  if (one === null || one === undefined) return 1;
  if (two === null || two === undefined) return -1;
  return typeof one === "number" && typeof two === "number" ? one - two : collator.compare(String(one), String(two));
}

/**
 * @param {{label: string, rows: any[], columns: Column[], rowKey: (row: any) => string, first?: string, mark?: (row: any) => any,
 *   markAll?: any, seen?: {current: any[]}}} props seen: is told which rows are in view
 */
export function Table({ label, rows, columns, rowKey, first, mark, markAll, seen }) {
  const [order, setOrder] = useState({ name: first ?? columns[0].name, down: false });
  const [top, setTop] = useState(0);
  const frame = useRef(null);
  const ranks = useRef(/** @type {Map<string, number>} */ (new Map()));
  const sorted = useMemo(() => {
    const column = columns.find((each) => each.name === order.name) ?? columns[0];
    const keyed = rows.map((row) => ({ row, key: column.value(row), rank: ranks.current.get(rowKey(row)) ?? Infinity }));
    // What was in order before is nearly so now: that takes a comparison a row instead of many.
    keyed.sort((one, two) => (one.rank === two.rank ? 0 : one.rank - two.rank));
    keyed.sort(({ key: one }, { key: two }) => (order.down ? -1 : 1) * compare(one, two));
    ranks.current = new Map(keyed.map(({ row }, rank) => [rowKey(row), rank]));
    return keyed.map((each) => each.row);
  }, [rows, columns, order]);
  const height = frame.current?.clientHeight ?? 700;
  const begin = Math.max(0, Math.floor(top / ROW) - AROUND);
  const end = Math.min(sorted.length, Math.ceil((top + height) / ROW) + AROUND);
  const width = columns.length + (mark ? 1 : 0);
  useLayoutEffect(() => {
    if (seen) seen.current = sorted.slice(begin, end);
  });
  return html`<div class="table tall" ref=${frame} tabindex="0" role="region" aria-label=${label}
      onScroll=${(/** @type {any} */ event) => setTop(event.currentTarget.scrollTop)}>
    <table aria-rowcount=${sorted.length + 1}>
      <thead><tr>
        ${mark && html`<th>${markAll}</th>`}
        ${columns.map((each) => (each.plain ? html`<th><span class="hidden-label">${each.title}</span></th>` : html`<th class=${each.number ? "number" : ""}
          aria-sort=${order.name === each.name ? (order.down ? "descending" : "ascending") : "none"}>
          <button onClick=${() => setOrder({ name: each.name, down: order.name === each.name && !order.down })}>
            ${each.title}${order.name === each.name ? (order.down ? " ▾" : " ▴") : ""}</button></th>`))}
      </tr></thead>
      <tbody>
        ${begin > 0 && html`<tr aria-hidden="true"><td colspan=${width} style=${{ height: `${begin * ROW}px`, padding: 0, border: 0 }}></td></tr>`}
        ${sorted.slice(begin, end).map((row, index) => html`<tr key=${rowKey(row)} aria-rowindex=${begin + index + 2}>
          ${mark && html`<td>${mark(row)}</td>`}
          ${columns.map((each) => html`<td class=${each.number ? "number" : ""}>${(each.show ?? each.value)(row)}</td>`)}
        </tr>`)}
        ${end < sorted.length && html`<tr aria-hidden="true"><td colspan=${width} style=${{ height: `${(sorted.length - end) * ROW}px`, padding: 0, border: 0 }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}
