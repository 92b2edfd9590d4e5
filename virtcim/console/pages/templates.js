/** Templates by group, and guests made of them. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useState } from "../parts.js";
import { useAppState, useChanges } from "../state.js";
import { text } from "../texts.js";
import { Buttons } from "../ui/actions.js";
import { Facts, Panel, Read, useRead } from "../ui/basics.js";
import { templateGroup, templateName } from "../values.js";
import { TemplateDialog, templateActions } from "./template-actions.js";

/** @param {{parts: string[]}} props of one template, where one is named */
export function Templates({ parts: [wanted] }) {
  useAppState();
  const [asked, setAsked] = useState(/** @type {{name: string, template: any} | null} */ (null));
  const templates = useRead(() => api.instancesIfAny("root/interop", "Virt_Template"), []);
  useChanges([], (event) => event.class === "Virt_Template", templates.again);
  return html`<div class="head"><h1>${text("page.templates")}</h1></div>
    <${Read} of=${templates}>${(/** @type {any[]} */ all) => {
      const found = wanted ? all.filter((each) => each.properties.InstanceID === wanted) : all;
      const groups = [...new Set(found.map(templateGroup))].sort();
      return html`${found.length === 0 && html`<p class="soft">${text("app.nothing")}</p>`}
        ${groups.map((group) => html`<h2>${group || text("templates.ungrouped")}</h2><div class="grid">${found.filter((each) => templateGroup(each) === group).map((each) => html`
          <${Panel} key=${each.href} title=${each.properties.Caption ?? each.properties.ElementName ?? each.properties.Name}>
            ${each.properties.Tried === false && html`<p class="notice">${text("templates.untried")}</p>`}
            <${Facts} facts=${[
              [text("guest.name"), html`<a href=${browserLink(each)}>${templateName(each)}</a>`],
              [text("guest.platform"), (each.properties.Platforms ?? []).join(", ") || text("app.all")],
              [text("templates.image"), html`<span class="code">${each.properties.ImageURL || "–"}</span>`],
            ]} />
            <p class="row"><${Buttons} actions=${templateActions(each, (name) => setAsked({ name, template: each }))} /></p></${Panel}>`)}</div>`)}`;
    }}</${Read}>
    ${asked && html`<${TemplateDialog} name=${asked.name} template=${asked.template} close=${() => setAsked(null)} done=${() => { setAsked(null); templates.again(); }} />`}`;
}
