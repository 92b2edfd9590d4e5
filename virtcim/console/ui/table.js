/**
 * A table that stays quick with 10,000 rows: only the rows in view are drawn.
 */
import { html, useLayoutEffect, useMemo, useRef, useState } from "../parts.js";
import { memo } from "./memo.js";

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
 * What is in one of two lists only.  Both are walked side by side: where few of 10,000 rows are others, that makes no set of
 * all of them, which would be rubbish a moment later, and clearing away rubbish is what holds up a page that is scrolled.
 *
 * @param {any[]} before
 * @param {any[]} now
 * @returns {{gone: Set<any>, fresh: Set<any>}}
 */
function difference(before, now) {
  const gone = new Set(), fresh = new Set();
  let one = 0, other = 0;
  while (one < before.length && other < now.length) {
    if (before[one] === now[other]) {
      one += 1;
      other += 1;
      continue;
    }
    const hasCome = before[one] === now[other + 1];
    const hasGone = !hasCome && before[one + 1] === now[other];
    if (!hasCome) gone.add(before[one++]);
    if (!hasGone) fresh.add(now[other++]);
  }
  for (const row of before.slice(one)) gone.add(row);
  for (const row of now.slice(other)) fresh.add(row);
  // Where several have come or gone together, those behind them are in both.
  for (const row of gone) if (fresh.delete(row)) gone.delete(row);
  return { gone, fresh };
}

/**
 * Puts rows in order.  Those that were there before keep theirs, and the others find their places among them: a change of a
 * few of many rows takes a few comparisons.
 *
 * @param {{rows: any[], sorted: any[]}} before as they came, and in order
 * @param {any[]} rows
 * @param {(one: any, two: any) => number} order
 * @returns {any[]}
 */
export function arrange(before, rows, order) {
  const { gone, fresh } = difference(before.rows, rows);
  if (!gone.size && !fresh.size) return before.sorted;
  /** @type {any[]} */
  const arranged = [];
  let at = 0;
  const keepUntil = (/** @type {number} */ end) => {
    for (; at < end; at += 1) if (!gone.has(before.sorted[at])) arranged.push(before.sorted[at]);
  };
  for (const row of [...fresh].sort(order)) {
    let low = at, high = before.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(before.sorted[middle], row) <= 0) low = middle + 1;
      else high = middle;
    }
    keepUntil(low);
    arranged.push(row);
  }
  keepUntil(before.sorted.length);
  return arranged;
}

const Cells = memo((/** @type {{row: any, columns: Column[], mark?: (row: any) => any}} */ { row, columns, mark }) => html`
  ${mark && html`<td>${mark(row)}</td>`}
  ${columns.map((each) => html`<td class=${each.number ? "number" : each.plain ? "plain" : ""}>${(each.show ?? each.value)(row)}</td>`)}`);

/**
 * @param {{label: string, rows: any[], columns: Column[], rowKey: (row: any) => string, first?: string, mark?: (row: any) => any,
 *   markAll?: any, onSeen?: (rows: any[]) => void, onOrder?: (name: string) => void}} props onSeen: is told which rows are in
 *   view; onOrder: by which column they are put in order from now on; a row is drawn again once it, `columns` or `mark` is
 *   another one
 */
export function Table({ label, rows, columns, rowKey, first, mark, markAll, onSeen, onOrder }) {
  const [order, setOrder] = useState({ name: first ?? columns[0].name, down: false });
  const [top, setTop] = useState(0);
  const frame = useRef(null);
  const last = useRef(/** @type {{column: Column | null, down: boolean, rows: any[], sorted: any[]}} */ ({ column: null, down: false, rows: [], sorted: [] }));
  /** @type {any[]} */
  const sorted = useMemo(() => {
    const column = columns.find((each) => each.name === order.name) ?? columns[0];
    const sign = order.down ? -1 : 1;
    const compareRows = (/** @type {any} */ one, /** @type {any} */ two) =>
      sign * compare(column.value(one), column.value(two)) || compare(columns[0].value(one), columns[0].value(two));
    const isSame = last.current.column === column && last.current.down === order.down;
    const before = isSame ? last.current : { rows: [], sorted: [] };
    last.current = { column, down: order.down, rows, sorted: arrange(before, rows, compareRows) };
    return last.current.sorted;
  }, [rows, columns, order]);
  const height = frame.current?.clientHeight ?? 700;
  const begin = Math.max(0, Math.floor(top / ROW) - AROUND);
  const end = Math.min(sorted.length, Math.ceil((top + height) / ROW) + AROUND);
  const width = columns.length + (mark ? 1 : 0);
  const shown = sorted.slice(begin, end);
  useLayoutEffect(() => {
    onSeen?.(shown);
  });
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
        ${shown.map((row, index) => html`<tr key=${rowKey(row)} aria-rowindex=${begin + index + 2}><${Cells} row=${row} columns=${columns} mark=${mark} /></tr>`)}
        ${end < sorted.length && html`<tr aria-hidden="true"><td colspan=${width} style=${{ height: `${(sorted.length - end) * ROW}px`, padding: 0, border: 0 }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}
