/**
 * A table that stays quick with 10,000 rows: only the rows in view are drawn.
 */
import { html, useMemo, useRef, useState } from "../parts.js";

const ROW = 32;
const AROUND = 12;

/**
 * @typedef {{name: string, title: string, number?: boolean, value: (row: any) => any, show?: (row: any) => any}} Column
 */

/**
 * @param {{label: string, rows: any[], columns: Column[], rowKey: (row: any) => string, first?: string, mark?: (row: any) => any, markAll?: any}} props
 */
export function Table({ label, rows, columns, rowKey, first, mark, markAll }) {
  const [order, setOrder] = useState({ name: first ?? columns[0].name, down: false });
  const [top, setTop] = useState(0);
  const frame = useRef(null);
  const sorted = useMemo(() => {
    const column = columns.find((each) => each.name === order.name) ?? columns[0];
    const keyed = rows.map((row) => ({ row, key: column.value(row) }));
    const collator = new Intl.Collator(undefined, { numeric: true });
    keyed.sort(({ key: one }, { key: two }) => {
      if (one === two) return 0;
      if (one === null || one === undefined) return 1;
      if (two === null || two === undefined) return -1;
      return typeof one === "number" && typeof two === "number" ? one - two : collator.compare(String(one), String(two));
    });
    if (order.down) keyed.reverse();
    return keyed.map((each) => each.row);
  }, [rows, columns, order]);
  const height = frame.current?.clientHeight ?? 700;
  const begin = Math.max(0, Math.floor(top / ROW) - AROUND);
  const end = Math.min(sorted.length, Math.ceil((top + height) / ROW) + AROUND);
  const width = columns.length + (mark ? 1 : 0);
  return html`<div class="table tall" ref=${frame} tabindex="0" role="region" aria-label=${label}
      onScroll=${(/** @type {any} */ event) => setTop(event.currentTarget.scrollTop)}>
    <table aria-rowcount=${sorted.length + 1}>
      <thead><tr>
        ${mark && html`<th>${markAll}</th>`}
        ${columns.map((each) => html`<th class=${each.number ? "number" : ""}
          aria-sort=${order.name === each.name ? (order.down ? "descending" : "ascending") : "none"}>
          <button onClick=${() => setOrder({ name: each.name, down: order.name === each.name && !order.down })}>
            ${each.title}${order.name === each.name ? (order.down ? " ▾" : " ▴") : ""}</button></th>`)}
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
