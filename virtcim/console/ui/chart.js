/** The load of a guest over the last minutes, as the server has sampled it. */
import * as api from "../api.js";
import { html, loadPlot, useEffect, useRef, useState } from "../parts.js";
import { clockText, text } from "../texts.js";

const SECONDS = 5;

/** Seconds since 1970 of a CIM date and time. @param {string} value */
function seconds(value) {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})$/.exec(value);
  if (!found) return NaN;
  const [year, month, day, hour, minute, second, micro] = found.slice(1, 8).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 + micro / 1e6 - (found[8] === "-" ? -1 : 1) * Number(found[9]) * 60;
}

/** @param {{guest: {namespace: string, className: string, name: string, href: string}}} props */
export function LoadChart({ guest }) {
  const element = useRef(null);
  const [error, setError] = useState("");
  useEffect(() => {
    /** @type {any} */
    let plot = null;
    let open = true;
    const draw = async () => {
      const [{ properties: found }] = await api.summariesOf(guest.namespace, [guest], { history: "true" });
      if (!open || !element.current) return;
      const data = [(found.HistoryTimes ?? []).map(seconds), found.ProcessorLoadHistory ?? []];
      if (plot) {
        plot.setData(data);
        return;
      }
      const Plot = await loadPlot();
      if (!open || !element.current) return;
      const { color: soft, outlineColor: line } = getComputedStyle(element.current);
      plot = new Plot({
        width: element.current.clientWidth, height: 150, legend: { show: false }, cursor: { show: false },
        scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, Math.max(10, most ?? 0)] } },
        axes: [{ stroke: soft, grid: { stroke: line }, space: 90, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map(clockText) }, { stroke: soft, grid: { stroke: line }, values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((each) => `${each} %`), size: 60 }],
        series: [{}, { stroke: "#3b82c4", fill: "#3b82c433", width: 2 }],
      }, data, element.current);
    };
    const attempt = () => draw().then(() => setError(""), (problem) => open && setError(problem.message));
    attempt();
    const timer = setInterval(() => document.visibilityState === "visible" && attempt(), SECONDS * 1000);
    return () => {
      open = false;
      clearInterval(timer);
      plot?.destroy();
    };
  }, [guest.href]);
  return html`${error && html`<div class="notice" role="status">${error}</div>`}<div class="chart" ref=${element} role="img" aria-label=${text("guest.load")}></div>`;
}
