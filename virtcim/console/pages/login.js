/** Asks for user and password. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { changed, state } from "../state.js";
import { text } from "../texts.js";
import { Field } from "../ui/basics.js";

export function Login() {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (/** @type {any} */ event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    setBusy(true);
    try {
      await api.logIn(String(form.get("user")), String(form.get("password")));
      state.session = await api.session();
      state.ended = false;
      changed();
    } catch (problem) {
      const { http, message } = /** @type {api.ServerError} */ (problem);
      setError(http === 401 ? text("login.refused") : http === 429 ? text("login.limited") : message);
    } finally {
      setBusy(false);
    }
  };
  return html`<main class="login"><form class="panel" onSubmit=${send}>
    <h1>virtcim</h1>
    ${state.ended && !error && html`<div class="notice" role="status">${text("login.ended")}</div>`}
    ${error && html`<div class="notice bad" role="alert">${error}</div>`}
    <${Field} id="user" label=${text("login.user")}><input id="user" name="user" autocomplete="username" required autofocus /></${Field}>
    <${Field} id="password" label=${text("login.password")}>
      <input id="password" name="password" type="password" autocomplete="current-password" required /></${Field}>
    <button class="main" disabled=${busy}>${text("login.send")}</button>
  </form></main>`;
}
