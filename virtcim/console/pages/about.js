/** Who is logged in, what the console is made with, and its licences. */
import * as api from "../api.js";
import { html } from "../parts.js";
import { state, tell } from "../state.js";
import { text } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";

export function About() {
  const licences = useRead(() => fetch("parts/licences.json").then((answer) => answer.json()), []);
  const logOut = () => api.logOut(true).then(() => location.reload(), (error) => tell(error.message, "bad"));
  return html`<div class="head"><h1>${text("page.about")}</h1></div>
    <${Panel} title=${state.session?.user ?? ""}><p>${text("about.everywhere")}</p>
      <button onClick=${logOut}>${text("login.everywhere")}</button></${Panel}>
    <${Read} of=${licences}>${(/** @type {any[]} */ found) => found.map((each) => html`
      <${Panel} title=${`${each.name} ${each.version}`}><details><summary>${each.license}</summary><pre>${each.text}</pre></details></${Panel}>`)}</${Read}>`;
}
