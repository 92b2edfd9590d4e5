/** Jobs with their progress, and the changes as they come. */
import * as api from "../api.js";
import { browserLink } from "../links.js";
import { html, useEffect } from "../parts.js";
import { may, state, tell, useAppState, useChanges, useFollowed } from "../state.js";
import { serverText, text, timeText } from "../texts.js";
import { Panel, Read, useRead } from "../ui/basics.js";

const OVER = [7, 8, 9, 10];
const TERMINATE = 4;

/** @param {api.Instance} job */
async function end(job) {
  try {
    await api.invoke(/** @type {any} */ (job), "RequestStateChange", { RequestedState: TERMINATE });
  } catch (error) {
    tell(/** @type {Error} */ (error).message, "bad");
  }
}

/** What a job says: why it failed, the step that it is at, what became of each of several. @param {Record<string, any>} own */
function sayingOf({ JobState, ErrorDescription, JobStatus, Step, StepNumber, Steps, JobOutParameters }) {
  const step = Step && !OVER.includes(JobState) ? text("jobs.step", { number: StepNumber, all: Steps, name: serverText(Step) }) : "";
  return [ErrorDescription ?? (step || JobStatus), ...(JobOutParameters?.properties.Results ?? [])].filter(Boolean).join(" · ");
}

/** Jobs of a guest, or of all nodes. @param {{of?: {href: string}}} props */
export function JobList({ of }) {
  const jobs = useRead(async () => {
    const found = of
      ? await api.associators(of, { associationClass: "CIM_AffectedJobElement" })
      : (await Promise.all(state.nodes.map((each) => api.instancesIfAny(each.namespace, "CIM_ConcreteJob")))).flat();
    return found.sort((one, two) => String(two.properties.StartTime ?? "").localeCompare(String(one.properties.StartTime ?? "")));
  }, [of?.href, state.nodes.length]);
  useChanges(["CIM_Job"], (event) => /Job/.test(event.class ?? ""), jobs.again);
  const goes = jobs.value?.some((/** @type {api.Instance} */ each) => !OVER.includes(each.properties.JobState));
  useEffect(() => {
    if (!goes) return undefined;
    const timer = setInterval(jobs.again, 1000);
    return () => clearInterval(timer);
  }, [goes]);
  return html`<${Panel} title=${text("jobs.title")}><${Read} of=${jobs}>${(/** @type {api.Instance[]} */ found) =>
    found.length === 0 ? html`<p class="soft">${text("jobs.none")}</p>` : html`<div class="table"><table>
      <thead><tr><th>${text("jobs.job")}</th><th>${text("jobs.state")}</th><th>${text("jobs.percent")}</th><th>${text("jobs.started")}</th><th><span class="hidden-label">${text("jobs.end")}</span></th></tr></thead>
      <tbody>${found.slice(0, 200).map((job) => {
        const { Name, ElementName, JobState, PercentComplete, StartTime, InstanceID } = job.properties;
        const said = sayingOf(job.properties);
        return html`<tr key=${InstanceID}>
          <td><a href=${browserLink(job)}>${Name ?? ElementName ?? InstanceID}</a>
            ${said && html`<div class="soft">${said}</div>`}</td>
          <td>${text(`jobs.state.${JobState}`)}</td>
          <td><progress max="100" value=${PercentComplete ?? 0} aria-label=${text("jobs.percent")}></progress> ${PercentComplete ?? 0} %</td>
          <td>${timeText(StartTime)}</td>
          <td>${!OVER.includes(JobState) && may(String(job.namespace), "operate") && html`<button onClick=${() => end(job).then(jobs.again)}>${text("jobs.end")}</button>`}</td></tr>`;
      })}</tbody></table></div>`}</${Read}></${Panel}>`;
}

/** The changes since the page was opened. @param {{about?: string}} props */
export function Changes({ about }) {
  useAppState();
  useFollowed([api.EVERYTHING]);
  const found = state.events.filter((each) => !about || JSON.stringify(each).includes(about));
  return html`<${Panel} title=${text("jobs.events")}>
    ${found.length === 0 && html`<p class="soft">${text("jobs.no-events")}</p>`}
    ${found.length > 0 && html`<div class="table"><table><tbody>${found.slice(0, 200).map((each) => html`<tr>
      <td>${timeText(each.seen)}</td><td>${text(`event.${each.kind}`)}</td><td>${each.class ?? ""}</td><td>${each.path ?? each.description ?? ""}</td></tr>`)}</tbody></table></div>`}
  </${Panel}>`;
}

export const Jobs = () => html`<div class="head"><h1>${text("page.jobs")}</h1></div><${JobList} /><${Changes} />`;
