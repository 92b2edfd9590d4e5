/**
 * A table that stays quick with 10,000 rows: only the rows in view are drawn.
 */
import { html, useLayoutEffect, useMemo, useRef, useState } from "../parts.js";

const ROW = 32;
const AROUND = 6;

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
 * Puts rows in order.  Those that were there before keep theirs, and the others find their places among them: a change of a
 * few of many rows takes a few comparisons.
 *
 * @param {any[]} before in order
 * @param {any[]} rows
 * @param {(one: any, two: any) => number} order
 * @returns {any[]}
 */
export function arrange(before, rows, order) {
  const now = new Set(rows);
  const kept = before.filter((row) => now.has(row));
  const known = new Set(kept);
  const fresh = rows.filter((row) => !known.has(row)).sort(order);
  /** @type {any[]} */
  const arranged = [];
  let at = 0;
  for (const row of fresh) {
    let low = at, high = kept.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(kept[middle], row) <= 0) low = middle + 1;
      else high = middle;
    }
    while (at < low) arranged.push(kept[at++]);
    arranged.push(row);
  }
  while (at < kept.length) arranged.push(kept[at++]);
  return arranged;
}

/**
 * @param {{label: string, rows: any[], columns: Column[], rowKey: (row: any) => string, first?: string, mark?: (row: any) => any,
 *   markAll?: any, onSeen?: (rows: any[]) => void, onOrder?: (name: string) => void}} props onSeen: is told which rows are in
 *   view; onOrder: by which column they are put in order from now on; a row is drawn again once it, its place, `columns` or
 *   `mark` is another one
 */
export function Table({ label, rows, columns, rowKey, first, mark, markAll, onSeen, onOrder }) {
  const [order, setOrder] = useState({ name: first ?? columns[0].name, down: false });
  const [top, setTop] = useState(0);
  const frame = useRef(null);
  const drawn = useRef(/** @type {Map<any, {place: number, columns: Column[], mark: any, node: any}>} */ (new Map()));
  const last = useRef(/** @type {{column: Column | null, down: boolean, rows: any[]}} */ ({ column: null, down: false, rows: [] }));
  /** @type {any[]} */
  const sorted = useMemo(() => {
    const column = columns.find((each) => each.name === order.name) ?? columns[0];
    const sign = order.down ? -1 : 1;
    const compareRows = (/** @type {any} */ one, /** @type {any} */ two) =>
      sign * compare(column.value(one), column.value(two)) || compare(columns[0].value(one), columns[0].value(two));
    const isSame = last.current.column === column && last.current.down === order.down;
    last.current = { column, down: order.down, rows: arrange(isSame ? last.current.rows : [], rows, compareRows) };
    return last.current.rows;
  }, [rows, columns, order]);
  const height = frame.current?.clientHeight ?? 700;
  const begin = Math.max(0, Math.floor(top / ROW) - AROUND);
  const end = Math.min(sorted.length, Math.ceil((top + height) / ROW) + AROUND);
  const width = columns.length + (mark ? 1 : 0);
  useLayoutEffect(() => {
    onSeen?.(sorted.slice(begin, end));
  });
  const before = drawn.current;
  drawn.current = new Map();
  const draw = (/** @type {any} */ row, /** @type {number} */ place) => {
    const known = before.get(row);
    const isSame = known && known.place === place && known.columns === columns && known.mark === mark;
    const now = isSame ? known : { place, columns, mark, node: html`<tr key=${rowKey(row)} aria-rowindex=${place}>
      ${mark && html`<td>${mark(row)}</td>`}
      ${columns.map((each) => html`<td class=${each.number ? "number" : ""}>${(each.show ?? each.value)(row)}</td>`)}
    </tr>` };
    drawn.current.set(row, now);
    return now.node;
  };
  return html`<div class="table tall" ref=${frame} tabindex="0" role="region" aria-label=${label}
      onScroll=${(/** @type {any} */ event) => setTop(event.currentTarget.scrollTop)}>
    <table aria-rowcount=${sorted.length + 1}>
      <thead><tr>
        ${mark && html`<th>${markAll}</th>`}
        ${columns.map((each) => (each.plain ? html`<th><span class="hidden-label">${each.title}</span></th>` : html`<th class=${each.number ? "number" : ""}
          aria-sort=${order.name === each.name ? (order.down ? "descending" : "ascending") : "none"}>
          <button onClick=${() => {
            setOrder({ name: each.name, down: order.name === each.name && !order.down });
            onOrder?.(each.name);
          }}>
            ${each.title}${order.name === each.name ? (order.down ? " ▾" : " ▴") : ""}</button></th>`))}
      </tr></thead>
      <tbody>
        ${begin > 0 && html`<tr aria-hidden="true"><td colspan=${width} style=${{ height: `${begin * ROW}px`, padding: 0, border: 0 }}></td></tr>`}
        ${sorted.slice(begin, end).map((row, index) => draw(row, begin + index + 2))}
        ${end < sorted.length && html`<tr aria-hidden="true"><td colspan=${width} style=${{ height: `${(sorted.length - end) * ROW}px`, padding: 0, border: 0 }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}
