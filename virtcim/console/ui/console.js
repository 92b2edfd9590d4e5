/** A guest's screen and serial console, over a WebSocket that a ticket opens once. */
import * as api from "../api.js";
import { html, loadScreen, loadTerminal, useEffect, useRef, useState } from "../parts.js";
import { text } from "../texts.js";
import { Panel } from "./basics.js";

/** The address of a console: a ticket is good for one connection. @param {any} guest @param {string} kind */
async function address(guest, kind) {
  const ticket = await api.ask("POST", `namespaces/${api.part(guest.namespace)}/consoles/${api.part(guest.name)}/${kind}/tickets`);
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${ticket.href}`;
}

/** Opens a screen in an element; gives what closes it. @param {HTMLElement} element @param {string} url @param {() => void} onEnd */
async function openScreen(element, url, onEnd) {
  const RFB = await loadScreen();
  const screen = new RFB(element, url, { wsProtocols: ["binary"] });
  screen.scaleViewport = true;
  screen.addEventListener("disconnect", onEnd);
  return { close: () => screen.disconnect(), keys: () => screen.sendCtrlAltDel() };
}

/**
 * Does something that writes style sheets into the page, which may have none inline: they become sheets of their own.
 *
 * @param {() => void} work
 */
function withSheets(work) {
  const make = document.createElement;
  document.createElement = (/** @type {string} */ kind, /** @type {any} */ options) => {
    if (kind !== "style") return make.call(document, kind, options);
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(sheet);
    const element = make.call(document, "template");
    Object.defineProperty(element, "textContent", { set: (css) => { sheet.replaceSync(css); } });
    return element;
  };
  try {
    work();
  } finally {
    document.createElement = make;
  }
}

const setAttribute = Element.prototype.setAttribute;

/** Cells of a terminal get their colours as `style` attributes, which no page may have: they are set as properties. */
function allowStyles() {
  Element.prototype.setAttribute = function (/** @type {string} */ name, /** @type {string} */ value) {
    if (name === "style" && this instanceof HTMLElement) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}

/** Opens a terminal in an element. @param {HTMLElement} element @param {string} url @param {() => void} onEnd */
async function openTerminal(element, url, onEnd) {
  const Terminal = await loadTerminal();
  allowStyles();
  const terminal = new Terminal({ cols: 100, rows: 30, screenReaderMode: true });
  withSheets(() => terminal.open(element));
  const socket = new WebSocket(url, ["binary"]);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (message) => terminal.write(new Uint8Array(message.data));
  socket.onclose = onEnd;
  terminal.onData((/** @type {string} */ data) => socket.readyState === WebSocket.OPEN && socket.send(new TextEncoder().encode(data)));
  return { close: () => { socket.close(); terminal.dispose(); }, keys: () => undefined };
}

/** @param {{guest: any, running: boolean}} props */
export function Console({ guest, running }) {
  const element = useRef(null);
  const opened = useRef(/** @type {any} */ (null));
  const [kind, setKind] = useState("");
  const [said, setSaid] = useState("");
  const close = () => {
    opened.current?.close();
    opened.current = null;
  };
  useEffect(() => close, [guest.href]);
  const open = async (/** @type {string} */ wanted) => {
    close();
    element.current.replaceChildren();
    setSaid("");
    setKind(wanted);
    try {
      const url = await address(guest, wanted);
      opened.current = await (wanted === "vnc" ? openScreen : openTerminal)(element.current, url, () => setSaid(text("console.ended")));
    } catch (error) {
      setSaid(/** @type {Error} */ (error).message);
    }
  };
  return html`<${Panel} title=${text("guest.tab.console")}>
    <p class="row">
      <button disabled=${!running} onClick=${() => open("vnc")}>${text("console.screen")}</button>
      <button disabled=${!running} onClick=${() => open("serial")}>${text("console.serial")}</button>
      <button disabled=${kind !== "vnc"} onClick=${() => opened.current?.keys()}>${text("console.keys")}</button>
      <button disabled=${!kind} onClick=${() => element.current.requestFullscreen()}>${text("console.full")}</button>
    </p>
    ${!running && html`<p class="soft">${text("console.off")}</p>`}
    ${said && html`<div class="notice" role="status">${said}</div>`}
    <div class="screen" ref=${element}></div></${Panel}>`;
}
