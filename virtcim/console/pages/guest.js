/** One guest: what it is, what can be done with it, and everything that hangs on it. */
import * as api from "../api.js";
import { browserLink, nodeLink } from "../links.js";
import { html, useEffect } from "../parts.js";
import { fillSoon, guestKey, guestPlace, nodeName, state, useAppState, useChanges, useSeen } from "../state.js";
import { bytesText, durationText, numberText, percentText, text } from "../texts.js";
import { Facts, Panel, Read, State, Tabs, useRead } from "../ui/basics.js";
import { LoadChart } from "../ui/chart.js";
import { Console } from "../ui/console.js";
import { Properties } from "../ui/properties.js";
import { Screens } from "../ui/screens.js";
import { intervalSeconds } from "../values.js";
import { Devices } from "./devices.js";
import { Actions } from "./guest-actions.js";
import { Settings } from "./settings.js";
import { Snapshots } from "./snapshots.js";
import { Changes, JobList } from "./jobs.js";
import { Neighbours } from "./topology.js";

const TABS = ["summary", "console", "settings", "devices", "snapshots", "jobs", "graph", "cim"];

/** @param {{guest: any}} props */
function Figures({ guest }) {
  const raw = guest?.raw ?? {};
  const rate = (/** @type {number | undefined} */ value) => (value === undefined ? "–" : `${bytesText(value)}/s`);
  return html`<${Panel} title=${text("guest.tab.summary")}><${Facts} facts=${[
    [text("guest.state"), html`<${State} value=${guest?.state ?? 5} />`],
    [text("guest.load"), percentText(guest?.load)],
    [text("guest.processors"), numberText(guest?.processors)],
    [text("guest.memory"), `${bytesText(guest?.memory)} / ${bytesText(raw.MemoryMaximum === undefined ? null : Number(raw.MemoryMaximum))}`],
    [text("guest.disks"), `${rate(raw.ReadRate)} · ${rate(raw.WriteRate)}`],
    [text("guest.network"), `${rate(raw.ReceiveRate)} · ${rate(raw.SendRate)}`],
    [text("guest.uptime"), durationText(intervalSeconds(guest?.uptime))],
    [text("guest.addresses"), guest?.addresses.join(", ") || "–"],
    [text("guest.uuid"), html`<code>${guest?.uuid ?? "–"}</code>`],
  ]} /></${Panel}>`;
}

/** @param {{parts: string[]}} props */
export function Guest({ parts }) {
  useAppState();
  const [namespace, className, name, tab = "summary"] = parts;
  const href = guestPlace(namespace, className, name);
  const guest = state.guests.get(guestKey(namespace, className, name));
  const named = { href, name, namespace, className };
  useSeen(() => (guest ? [guest] : []));
  useEffect(() => {
    if (guest?.brief) fillSoon();
  }, [guest?.brief]);
  const system = useRead(() => api.get({ href }), [href]);
  useChanges([], (event) => event.namespace === namespace && String(event.path ?? event.source?.path ?? "").includes(`"${name}"`), system.again);
  const choose = (/** @type {string} */ chosen) => {
    location.hash = `#/guest/${[namespace, className, name, chosen].map(encodeURIComponent).join("/")}`;
  };
  if (system.error && /** @type {api.ServerError} */ (system.error).http === 404)
    return html`<div class="head"><h1>${name}</h1></div><p>${text("guest.gone")}</p>`;
  return html`
    <div class="head">
      <h1 title=${name}>${name}</h1><${State} value=${system.value?.properties.EnabledState ?? guest?.state ?? 5} />
      <a href=${nodeLink(namespace)}>${nodeName(namespace)}</a>
      ${system.value && html`<${Actions} guest=${named} system=${system.value} again=${system.again} />`}
    </div>
    <${Tabs} label=${name} tabs=${TABS.map((each) => [each, text(`guest.tab.${each}`)])} chosen=${tab} choose=${choose} />
    <div role="tabpanel" aria-labelledby="tab-${tab}">
    ${tab === "summary" && html`<div class="two"><${Figures} guest=${guest} />
      <div><${Panel} title=${text("guest.load")}><${LoadChart} guest=${named} /></${Panel}>
        ${guest && (guest.state === 2 || guest.state === 9) && html`<${Panel} title=${text("screens.title")}><${Screens} guests=${[guest]} /></${Panel}>`}</div></div>`}
    ${tab === "console" && html`<div class="two with-screen"><${Console} guest=${named} running=${guest?.state === 2 || guest?.state === 9} />
      <div><${Figures} guest=${guest} /><${Panel} title=${text("guest.load")}><${LoadChart} guest=${named} /></${Panel}></div></div>`}
    ${tab === "settings" && html`<${Settings} guest=${named} running=${guest?.state === 2 || guest?.state === 9} />`}
    ${tab === "devices" && html`<${Devices} guest=${named} running=${guest?.state === 2 || guest?.state === 9} />`}
    ${tab === "snapshots" && html`<${Snapshots} guest=${named} />`}
    ${tab === "jobs" && html`<${JobList} of=${named} /><${Changes} about=${name} />`}
    ${tab === "graph" && html`<${Neighbours} start=${{ href, class: className, label: name }} />`}
    ${tab === "cim" && html`<${Panel} title=${className}><p><a href=${browserLink({ href })}>${text("page.browser")}</a></p>
      <${Read} of=${system}>${(/** @type {api.Instance} */ value) => html`<${Properties} instance=${value} />`}</${Read}></${Panel}>`}
    </div>`;
}
