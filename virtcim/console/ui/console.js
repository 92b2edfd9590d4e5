/** A guest's screen and serial console, over a WebSocket that a ticket opens once. */
import * as api from "../api.js";
import { html, loadScreen, loadTerminal, useEffect, useRef, useState } from "../parts.js";
import { configurations } from "../settings.js";
import { may } from "../state.js";
import { text } from "../texts.js";
import { Field, Panel, useRead } from "./basics.js";

/** The address of a console: a ticket is good for one connection. @param {any} guest @param {string} kind */
async function address(guest, kind) {
  const ticket = await api.ask("POST", `namespaces/${api.part(guest.namespace)}/consoles/${api.part(guest.name)}/${kind}/tickets`);
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${ticket.href}`;
}

const CONTROL = 0xffe3, ALT = 0xffe9, SUPER = 0xffeb, BACKSPACE = 0xff08, TAB = 0xff09, ESCAPE = 0xff1b, PRINT = 0xff61;

/** Keys that a browser or its desktop keeps for itself, as keysyms of X11. @type {Record<string, number[]>} */
const KEYS = {
  "Ctrl-Alt-Backspace": [CONTROL, ALT, BACKSPACE],
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7].map((number) => [`Ctrl-Alt-F${number}`, [CONTROL, ALT, 0xffbd + number]])),
  "Alt-Tab": [ALT, TAB],
  "Super": [SUPER],
  "Esc": [ESCAPE],
  "Print": [PRINT],
};

/** The keysym of a character (X11: those beyond Latin-1 are its number in Unicode, marked). @param {string} character */
function keysymOf(character) {
  const code = character.codePointAt(0) ?? 0;
  if (character === "\n") return 0xff0d;
  if (character === "\t") return TAB;
  return code < 0x100 ? code : 0x1000000 + code;
}

/** Connects to a console. @param {string} url @param {(why: string) => void} onEnd is told why, where the server says it */
function connect(url, onEnd) {
  const socket = new WebSocket(url, ["binary"]);
  socket.binaryType = "arraybuffer";
  socket.addEventListener("close", ({ reason }) => onEnd(reason));
  return socket;
}

/** Opens a screen in an element; gives what closes it. @param {HTMLElement} element @param {string} url @param {(why: string) => void} onEnd @param {(text: string) => void} onCopy */
async function openScreen(element, url, onEnd, onCopy) {
  const RFB = await loadScreen();
  const screen = new RFB(element, connect(url, onEnd));
  screen.scaleViewport = true;
  screen.addEventListener("disconnect", () => onEnd(""));
  screen.addEventListener("clipboard", (/** @type {any} */ event) => onCopy(event.detail.text));
  return {
    close: () => screen.disconnect(),
    keys: () => screen.sendCtrlAltDel(),
    paste: (/** @type {string} */ given) => screen.clipboardPasteFrom(given),
    type: (/** @type {string} */ given) => {
      for (const each of given.replace(/\r\n?/g, "\n")) screen.sendKey(keysymOf(each), null);
    },
    press: (/** @type {string} */ name) => {
      const codes = KEYS[name] ?? [];
      for (const each of codes) screen.sendKey(each, null, true);
      for (const each of [...codes].reverse()) screen.sendKey(each, null, false);
    },
  };
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

/** Opens a terminal in an element. @param {HTMLElement} element @param {string} url @param {(why: string) => void} onEnd */
async function openTerminal(element, url, onEnd) {
  const Terminal = await loadTerminal();
  allowStyles();
  const terminal = new Terminal({ cols: 100, rows: 30, screenReaderMode: true, logLevel: "off" });
  withSheets(() => terminal.open(element));
  const socket = connect(url, onEnd);
  socket.onmessage = (message) => terminal.write(new Uint8Array(message.data));
  terminal.onData((/** @type {string} */ data) => socket.readyState === WebSocket.OPEN && socket.send(new TextEncoder().encode(data)));
  return { close: () => { socket.close(); terminal.dispose(); } };
}

/** Where a SPICE is; null where nobody gets to it. @param {string} address @returns {{host: string, port: string} | null} */
function spiceAt(address) {
  const [, host, port] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(address) ?? [];
  if (!port || Number(port) <= 0) return null;
  // What listens on all addresses is reached by the name that the server is.
  return { host: ["0.0.0.0", "::", ""].includes(host) ? location.hostname : host, port };
}

/** The consoles of a guest that runs. @param {any} guest */
async function screensOf(guest) {
  const { running } = await configurations(guest);
  const kinds = Object.fromEntries(running.resources.filter((each) => /GraphicsResource/.test(each.class))
    .map(({ properties }) => [properties.ResourceSubType, properties.Address ?? ""]));
  return { vnc: "vnc" in kinds, serial: running.resources.some((each) => /ConsoleResource/.test(each.class)), spice: spiceAt(kinds.spice ?? "") };
}

/** Hands out a file for remote-viewer. @param {any} guest @param {{host: string, port: string}} at */
function saveViewer(guest, at) {
  const plain = (/** @type {string} */ value) => value.replace(/[\r\n]+/g, " ");
  const lines = ["[virt-viewer]", "type=spice", `host=${plain(at.host)}`, `port=${at.port}`, `title=${plain(guest.name)}`, "delete-this-file=1", ""];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n")], { type: "application/x-virt-viewer" }));
  link.download = `${guest.name.replace(/[^\w.-]+/g, "_").slice(0, 80)}.vv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** @param {{guest: any, running: boolean}} props */
export function Console({ guest, running }) {
  const element = useRef(null);
  const opened = useRef(/** @type {any} */ (null));
  const [kind, setKind] = useState("");
  const [said, setSaid] = useState("");
  const [copied, setCopied] = useState("");
  /** Of the newest opening: an older one that comes later is closed at once. */
  const latest = useRef(/** @type {object | null} */ (null));
  const close = () => {
    latest.current = null;
    opened.current?.close();
    opened.current = null;
  };
  useEffect(() => close, [guest.href]);
  const isAllowed = may(guest.namespace, "operate");
  const screens = useRead(() => (running ? screensOf(guest) : Promise.resolve(null)), [guest.href, running]);
  const open = async (/** @type {string} */ wanted) => {
    close();
    element.current.replaceChildren();
    setSaid("");
    setCopied("");
    setKind(wanted);
    const own = {};
    latest.current = own;
    const end = (/** @type {string} */ why) => {
      if (latest.current !== own) return;
      latest.current = opened.current = null;
      setSaid(why);
    };
    try {
      const url = await address(guest, wanted);
      if (latest.current !== own) return;
      const console = await (wanted === "vnc" ? openScreen : openTerminal)(element.current, url, (/** @type {string} */ why) => end(why || text("console.ended")), setCopied);
      if (latest.current === own) opened.current = console;
      else console.close();
    } catch (error) {
      end(/** @type {Error} */ (error).message);
    }
  };
  // Who comes here wants to see it; and a guest that is started again is seen again.
  useEffect(() => {
    if (isAllowed && screens.value && !latest.current && (kind || screens.value.vnc)) open(kind || "vnc");
  }, [screens.value]);
  if (!isAllowed) return html`<${Panel} title=${text("guest.tab.console")}><p class="soft">${text("action.read-only")}</p></${Panel}>`;
  /** Why a console is not offered; "" where it is. @param {"vnc" | "serial"} wanted */
  const missing = (wanted) => (screens.value && !screens.value[wanted] ? text(`console.no-${wanted}`) : "");
  return html`<${Panel} title=${text("guest.tab.console")}>
    <p class="row">
      <button disabled=${!running || Boolean(missing("vnc"))} title=${missing("vnc")} onClick=${() => open("vnc")}>${text("console.screen")}</button>
      <button disabled=${!running || Boolean(missing("serial"))} title=${missing("serial")} onClick=${() => open("serial")}>${text("console.serial")}</button>
      <button disabled=${kind !== "vnc"} onClick=${() => opened.current?.keys()}>${text("console.keys")}</button>
      <label><span class="hidden-label">${text("console.more-keys")}</span>
        <select disabled=${kind !== "vnc"} onChange=${(/** @type {any} */ event) => {
          opened.current?.press(event.target.value);
          event.target.value = "";
          element.current.querySelector("canvas")?.focus();
        }}><option value="">${text("console.more-keys")}</option>${Object.keys(KEYS).map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
      ${screens.value?.spice && html`<button onClick=${() => saveViewer(guest, /** @type {any} */ (screens.value?.spice))}>${text("console.spice")}</button>`}
      <button disabled=${!kind} onClick=${() => element.current.requestFullscreen().catch((/** @type {Error} */ error) => setSaid(error.message))}>${text("console.full")}</button>
    </p>
    ${!running && html`<p class="soft">${text("console.off")}</p>`}
    ${said && html`<div key="said" class="notice" role="status">${said}</div>`}
    <div key="screen" class="screen" ref=${element} tabindex="0" role="group" aria-label=${text("guest.tab.console")}></div>
    ${kind === "vnc" && html`<details><summary>${text("console.clipboard")}</summary>
      <${Field} id="console-text" label=${text("console.clipboard")} hint=${text("console.clipboard.hint")}>
        <textarea id="console-text" rows="3" value=${copied} onInput=${(/** @type {any} */ event) => setCopied(event.target.value)}></textarea></${Field}>
      <p class="row"><button disabled=${!copied} onClick=${() => opened.current?.type(copied)}>${text("console.type")}</button>
        <button disabled=${!copied} onClick=${() => opened.current?.paste(copied)}>${text("console.paste")}</button></p></details>`}</${Panel}>`;
}
