/**
 * The one place that knows where the foreign parts lie: html and hooks come from here, larger parts when a page needs them.
 */
export {
  Component, html, render, useEffect, useErrorBoundary, useLayoutEffect, useMemo, useRef, useState,
} from "./parts/htm/preact/standalone.module.js";

/** Draws charts; fetched with its first chart. */
export const loadPlot = () => import("./parts/uplot/uPlot.esm.js").then((module) => module.default);

/** Draws graphs; fetched with the topology. */
export const loadGraph = () => import("./parts/cytoscape/cytoscape.esm.min.mjs").then((module) => module.default);

/** A terminal; fetched with the first serial console. */
export const loadTerminal = () => import("./parts/xterm/xterm.mjs").then((module) => module.Terminal);

/** A guest's screen; fetched with the first graphical console. */
export const loadScreen = () => import("./parts/novnc/core/rfb.js").then((module) => module.default);
