/**
 * Dialogs that ask for a few values, or whether something is to be removed, and then do it.
 */
import { html, useEffect, useRef, useState } from "../parts.js";
import { tell } from "../state.js";
import { text } from "../texts.js";
import { Dialog, Field } from "./basics.js";

/**
 * @typedef {{name: string, label: string, byDefault?: string, choices?: [string, string][], needed?: boolean, number?: boolean,
 *   hint?: string, when?: (given: Record<string, string>) => boolean}} Question
 */

/** What is wrong with a value; "" for nothing. @param {Question} question @param {string} value */
function fault(question, value) {
  if (question.needed && !value.trim()) return text("ask.needed");
  if (question.number && value && !(Number(value) > 0)) return text("ask.number");
  return "";
}

/** Does what a dialog asks for; what is refused is shown there, or told to who has closed it meanwhile. @param {() => void} done */
function useAttempt(done) {
  const [refusal, setRefusal] = useState("");
  const [busy, setBusy] = useState(false);
  const isOpen = useRef(true);
  useEffect(() => () => {
    isOpen.current = false;
  }, []);
  const attempt = async (/** @type {() => Promise<any>} */ work) => {
    setBusy(true);
    setRefusal("");
    try {
      await work();
      if (isOpen.current) done();
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (isOpen.current) setRefusal(message);
      else tell(message, "bad");
      setBusy(false);
    }
  };
  return { refusal, busy, attempt };
}

/**
 * A form of a few questions. What the server refuses is shown at the question that it names, and what was typed stays.
 *
 * @param {{title: string, questions: Question[], save: (given: Record<string, string>) => Promise<any>, close: () => void, done?: () => void, label?: string}} props
 *   done: is called in place of `close` once it is saved
 */
export function AskDialog({ title, questions, save, close, done = close, label = text("ask.create") }) {
  const [given, setGiven] = useState(/** @type {Record<string, string>} */ (Object.fromEntries(questions.map((each) => [each.name, each.byDefault ?? ""]))));
  const { refusal, busy, attempt } = useAttempt(done);
  const asked = questions.filter((each) => !each.when || each.when(given));
  const faulty = asked.some((each) => fault(each, given[each.name]));
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (faulty || busy) return;
    await attempt(() => save(Object.fromEntries(asked.map((each) => [each.name, given[each.name].trim()]))));
  };
  const at = refusal ? asked.find((each) => new RegExp(`\\b${each.name}\\b`).test(refusal))?.name : undefined;
  return html`<${Dialog} title=${title} onClose=${close}
      end=${html`<button class="main" disabled=${faulty || busy} onClick=${send}>${label}</button>`}>
    ${refusal && !at && html`<div class="notice bad" role="alert">${refusal}</div>`}
    <form onSubmit=${send}>${asked.map((each) => {
      const id = `ask-${each.name}`;
      const put = (/** @type {any} */ event) => setGiven({ ...given, [each.name]: event.target.value });
      return html`<${Field} key=${id} id=${id} label=${each.label} hint=${each.hint} wrong=${at === each.name ? refusal : given[each.name] !== (each.byDefault ?? "") ? fault(each, given[each.name]) : ""}>
        ${each.choices
          ? html`<select id=${id} onChange=${put}>${each.choices.map(([value, label]) => html`<option value=${value} selected=${value === given[each.name]}>${label}</option>`)}</select>`
          : html`<input id=${id} value=${given[each.name]} inputmode=${each.number ? "numeric" : undefined} aria-describedby=${each.hint ? `${id}-hint` : undefined} onInput=${put} />`}</${Field}>`;
    })}<button hidden></button></form>
  </${Dialog}>`;
}

/**
 * Asks once more before something is removed; what the server refuses is shown there.
 *
 * @param {{name: string, title?: string, label?: string, warning?: string, remove: () => Promise<any>, close: () => void, done?: () => void}} props
 *   done: is called in place of `close` once it is removed
 */
export function RemoveDialog({ name, title = `${text("app.delete")}: ${name}`, label = text("app.delete"), warning, remove, close, done = close }) {
  const { refusal, busy, attempt } = useAttempt(done);
  return html`<${Dialog} title=${title} onClose=${close}
      end=${html`<button class="danger" disabled=${busy} onClick=${() => attempt(remove)}>${label}</button>`}>
    ${warning && html`<p>${warning}</p>`}
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
  </${Dialog}>`;
}
