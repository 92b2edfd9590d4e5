/** A template is edited: the fields of its settings by a form, everything as a document. */
import * as api from "../api.js";
import { html, useState } from "../parts.js";
import { MODES, TYPES, formText, formValue, holder, keyOf, limitedFields, modifySame, refusedKey } from "../settings.js";
import { state, tell } from "../state.js";
import { text } from "../texts.js";
import { setValue } from "../toml.js";
import { Dialog, Field, Read, Tabs, useRead } from "../ui/basics.js";
import { FieldGroups, Review, useComplaints, wrong } from "../ui/form.js";
import { prefixOf, templateName } from "../values.js";

/** Where a field of a class stands in the document. @param {string} fieldClass */
const tableOf = (fieldClass) => (fieldClass === "VirtualSystemSettingData" ? { header: "[settings]" }
  : { header: "[[resources]]", kind: fieldClass.replace("ResourceAllocationSettingData", "") });

/**
 * What the settings of a template are on a node that has a platform for it.
 *
 * @param {any} template
 * @throws {Error} where no node has one
 */
async function configurationOf(template) {
  for (const node of state.nodes.filter((each) => each.state >= 2 && each.state <= 3)) {
    const services = await api.instancesIfAny(node.namespace, "Virt_VirtualSystemManagementService");
    const wanted = template.properties.Platforms ?? [];
    const service = services.find((each) => !wanted.length || wanted.includes(prefixOf(each.class)));
    if (!service) continue;
    const prefix = prefixOf(service.class);
    const href = `/api/namespaces/${api.part(node.namespace)}/instances/${prefix}_VirtualSystemSettingData/InstanceID=${api.part(template.properties.InstanceID)}`;
    const system = await api.get({ href });
    const [fields, resources] = await Promise.all([
      limitedFields(node.namespace, prefix), api.associators({ href }, { associationClass: "CIM_VirtualSystemSettingDataComponent" })]);
    return { namespace: node.namespace, prefix, system, resources, fields };
  }
  throw new Error(text("templates.no-platform"));
}

/** The lines that differ, without those around them. @param {string} one @param {string} other */
function lineChanges(one, other) {
  const before = one.split("\n"), after = other.split("\n");
  let head = 0, tail = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  return { label: text("templates.document"), before: before.slice(head, before.length - tail).join("\n"), after: after.slice(head, after.length - tail).join("\n") };
}

/**
 * Edits a template, or makes another one like it.
 *
 * @param {{template: any, isNew: boolean, close: () => void, done: () => void}} props
 */
export function TemplateForm({ template, isNew, close, done }) {
  const own = template.properties;
  const [tab, setTab] = useState(isNew ? "document" : "fields");
  const [document, setDocument] = useState(/** @type {string} */ (isNew ? own.Document.replace(/^(\s*id\s*=\s*)"([^"]*)"/m, '$1"$2-copy"') : own.Document));
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [reviewed, setReviewed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const configuration = useRead(() => configurationOf(template), [template.href, state.nodes.length]);
  const held = /** @type {any} */ (configuration.value);
  const rows = (held?.fields ?? []).filter((/** @type {any} */ field) => field.modes.includes(MODES.template))
    .map((/** @type {any} */ field) => ({ field, key: keyOf(field), held: holder(held, field), disabled: false }))
    .map((/** @type {any} */ row) => ({ ...row, before: formText(row.field, row.held?.properties[row.field.name]) }));
  const changed = rows.filter((/** @type {any} */ row) => row.key in typed && typed[row.key] !== row.before);
  const said = useComplaints(held?.namespace ?? "", held?.prefix ?? "", "template", held?.fields ?? [], typed);
  const faulty = changed.some((/** @type {any} */ row) => wrong(row.field, typed[row.key]) || said[row.key]) || Boolean(said[""]);
  /** The document with what the form says. */
  const written = () => changed.reduce((/** @type {string} */ text_, /** @type {any} */ row) => {
    const given = formValue(row.field, typed[row.key], row.held?.properties[row.field.name]);
    return setValue(text_, tableOf(row.field.fieldClass), row.field.name, row.field.type === TYPES.number && given !== null ? Number(given) : given);
  }, document);
  const review = () => {
    try {
      setDocument(written());
      setTyped({});
      setRefusal("");
      setReviewed(true);
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
    }
  };
  const save = async () => {
    setBusy(true);
    setRefusal("");
    try {
      if (isNew) await api.create("root/interop", "Virt_Template", { Document: document });
      else await modifySame(template, { Document: document });
      tell(text("settings.applied"));
      done();
    } catch (error) {
      setRefusal(/** @type {Error} */ (error).message);
      setReviewed(false);
    } finally {
      setBusy(false);
    }
  };
  if (reviewed) return html`<${Review} key="review" busy=${busy} close=${close} apply=${save} changes=${[lineChanges(isNew ? "" : own.Document, document)]} />`;
  const refused = refusal ? refusedKey(rows.map((/** @type {any} */ row) => row.field), refusal) : "";
  return html`<${Dialog} key="form" title=${`${text(isNew ? "templates.copy" : "app.edit")}: ${templateName(template)}`} onClose=${close}
      end=${html`<button class="main" disabled=${faulty || (!isNew && !changed.length && document === own.Document)} onClick=${review}>${text("settings.review")}</button>`}>
    ${refusal && html`<div class="notice bad" role="alert">${refusal}</div>`}
    ${said[""] && html`<div class="notice" role="status">${said[""]}</div>`}
    <${Tabs} label=${own.Name} chosen=${tab} choose=${setTab} tabs=${[["fields", text("guest.tab.settings")], ["document", text("templates.document")]]} />
    <div role="tabpanel" id="panel-${tab}" aria-labelledby="tab-${tab}">
    ${tab === "fields" && html`<${Read} of=${configuration}>${() => html`
      <${FieldGroups} id="template" rows=${rows} typed=${typed} said=${refused ? { ...said, [refused]: refusal } : said}
        change=${(/** @type {string} */ key, /** @type {string} */ given) => setTyped({ ...typed, [key]: given })} />`}</${Read}>`}
    ${tab === "document" && html`<${Field} id="template-document" label=${text("templates.document")}>
      <textarea id="template-document" class="code" rows="20" spellcheck="false" value=${document} onInput=${(/** @type {any} */ event) => setDocument(event.target.value)}></textarea></${Field}>`}
    </div></${Dialog}>`;
}
