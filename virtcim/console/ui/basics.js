/**
 * Small parts that every page uses: panels of facts, states, messages, dialogs, what is being read.
 */
import { html, useEffect, useRef, useState } from "../parts.js";
import { dismiss, state } from "../state.js";
import { text } from "../texts.js";

/** The look of a guest's state. @param {number} value */
export const stateLook = (value) =>
  ({ 2: "on", 3: "off", 6: "off", 9: "paused", 4: "paused", 10: "paused" })[value] ?? "trouble";

/** @param {{value: number, kind?: string}} props */
export function State({ value, kind = "state" }) {
  const look = kind === "state" ? stateLook(value) : value === 2 ? "on" : value === 0 ? "off" : value === 1 ? "paused" : "trouble";
  return html`<span class="state ${look}">${text(`${kind}.${value}`)}</span>`;
}

/** Names and values, in two columns. @param {{facts: [string, any][]}} props */
export const Facts = ({ facts }) => html`<dl class="facts">
  ${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value ?? "–"}</dd>`)}
</dl>`;

/** @param {{title: string, children?: any}} props */
export const Panel = ({ title, children }) => html`<section class="panel"><h2>${title}</h2>${children}</section>`;

/** @param {{share: number, label: string}} props share from 0 to 1 */
export const Bar = ({ share, label }) => html`<div class="bar" role="img" aria-label=${label}>
  <span style=${{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }}></span>
</div>`;

/** Messages of what was done and of what failed. */
export const Messages = () => html`<div class="toasts" role="status" aria-live="polite">
  ${state.messages.map((each) => html`<div key=${each.id} class="notice ${each.kind}">
    <div class="row"><span class="grow">${each.text}</span>
    <button class="plain" aria-label=${text("app.close")} onClick=${() => dismiss(each.id)}>×</button></div>
  </div>`)}
</div>`;

/**
 * What a page reads before it can show anything; read again when `inputs` change.
 *
 * @template T
 * @param {() => Promise<T>} read
 * @param {any[]} inputs
 * @param {string} [of] what it is read of: what was read of another thing is not shown meanwhile
 * @returns {{value: T | null, error: Error | null, again: () => void}}
 */
export function useRead(read, inputs, of = "") {
  const [found, setFound] = useState(/** @type {{value: T | null, error: Error | null, of: string}} */ ({ value: null, error: null, of }));
  const [count, setCount] = useState(0);
  useEffect(() => {
    let open = true;
    read().then(
      (value) => open && setFound({ value, error: null, of }),
      (error) => open && setFound({ value: null, error, of }),
    );
    return () => {
      open = false;
    };
  }, [...inputs, count]);
  const { value, error } = found.of === of ? found : { value: null, error: null };
  return { value, error, again: () => setCount((/** @type {number} */ before) => before + 1) };
}

/** Shows an error, that something is being read, or what was read. @param {{of: {value: any, error: Error | null}, children: (value: any) => any}} props */
export function Read({ of, children }) {
  if (of.error) return html`<div class="notice bad" role="alert">${of.error.message}</div>`;
  if (of.value === null) return html`<p class="soft" aria-busy="true">${text("app.loading")}</p>`;
  return children(of.value);
}

/**
 * A dialog over the page; Escape and the button close it.  Behind it the focus is where it was before.
 *
 * @param {{title: string, onClose: () => void, children?: any, end?: any}} props
 */
export function Dialog({ title, onClose, children, end }) {
  const element = useRef(null);
  const closed = useRef(onClose);
  closed.current = onClose;
  useEffect(() => {
    const dialog = element.current;
    const tell = () => closed.current();
    dialog.addEventListener("close", tell);
    dialog.showModal();
    return () => {
      dialog.removeEventListener("close", tell);
      // A dialog that is taken away open leaves the focus nowhere.
      dialog.close();
    };
  }, []);
  return html`<dialog ref=${element} aria-label=${title}>
    <h2>${title}</h2>
    ${children}
    <div class="dialog-end"><button onClick=${() => element.current.close()}>${text("app.cancel")}</button>${end}</div>
  </dialog>`;
}

/** @param {{label: string, hint?: string, wrong?: string, children: any, id: string}} props */
export const Field = ({ label, hint, wrong, children, id }) => html`<div class="field">
  <label for=${id}>${label}</label>${children}
  ${hint && html`<div class="hint" id="${id}-hint">${hint}</div>`}
  ${wrong && html`<div class="wrong" role="alert">${wrong}</div>`}
</div>`;

/**
 * Parts of a page, one of which is seen.
 *
 * @param {{label: string, tabs: [string, string][], chosen: string, choose: (name: string) => void}} props
 */
export function Tabs({ label, tabs, chosen, choose }) {
  const move = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = tabs.findIndex(([name]) => name === chosen);
    const [next] = tabs[(at + step + tabs.length) % tabs.length];
    choose(next);
    requestAnimationFrame(() => document.getElementById(`tab-${next}`)?.focus());
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${move}>
    ${tabs.map(([name, title]) => html`<button role="tab" id="tab-${name}" aria-selected=${String(name === chosen)}
      tabindex=${name === chosen ? 0 : -1} onClick=${() => choose(name)}>${title}</button>`)}
  </div>`;
}
