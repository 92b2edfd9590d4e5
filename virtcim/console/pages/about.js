/** What the console is made with, and its licences. */
import { html } from "../parts.js";
import { text } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";

export function About() {
  const licences = useRead(() => fetch("parts/licences.json").then((answer) => answer.json()), []);
  return html`<div class="head"><h1>${text("page.about")}</h1></div>
    <${Read} of=${licences}>${(/** @type {any[]} */ found) => found.map((each) => html`
      <${Panel} title=${`${each.name} ${each.version}`}><details><summary>${each.license}</summary><pre>${each.text}</pre></details></${Panel}>`)}</${Read}>`;
}
