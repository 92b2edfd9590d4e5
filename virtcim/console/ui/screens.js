/** Small pictures of the screens of guests, taken again while they are seen. */
import * as api from "../api.js";
import { html, useEffect, useState } from "../parts.js";
import { guestLink } from "../links.js";
import { text } from "../texts.js";
import { shortName } from "../values.js";

const SECONDS = 10;
/** Pictures that are taken at a time. */
const MOST = 24;
const WIDTH = 240;

/** The newest pictures of guests, by where they are served, and why there are none of some. @param {any[]} guests */
function usePictures(guests) {
  const [errors, setErrors] = useState(/** @type {string[]} */ ([]));
  const [pictures, setPictures] = useState(/** @type {Record<string, string>} */ ({}));
  const names = guests.map((each) => each.href).join(" ");
  useEffect(() => {
    let open = true;
    const take = async () => {
      const spaces = [...new Set(guests.map((each) => each.namespace))];
      const answers = await Promise.allSettled(spaces.map((space) =>
        api.summariesOf(space, guests.filter((each) => each.namespace === space), { screens: "true", width: WIDTH })));
      const found = answers.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
      if (!open) return;
      setErrors([...new Set(answers.flatMap((each) => (each.status === "rejected" ? [each.reason.message] : [])))]);
      setPictures(Object.fromEntries(found.map((each) => [each.href, each.properties.ScreenImage ?? ""])));
    };
    if (names) take();
    const timer = setInterval(() => names && document.visibilityState === "visible" && take(), SECONDS * 1000);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [names]);
  return { pictures, errors };
}

/** @param {{guests: any[]}} props */
export function Screens({ guests }) {
  const shown = guests.filter((each) => each.state === 2 || each.state === 9).slice(0, MOST);
  const { pictures, errors } = usePictures(shown);
  if (!shown.length) return html`<p class="soft">${text("screens.none")}</p>`;
  return html`${errors.map((each) => html`<div key=${each} class="notice" role="status">${each}</div>`)}<ul class="screens">${shown.map((each) => html`<li key=${each.href}><a href=${`${guestLink(each)}/console`}>
    ${pictures[each.href] ? html`<img class="thumb" alt=${text("screens.of", { name: each.name })} src=${`data:image/png;base64,${pictures[each.href]}`} />`
      : html`<span class="thumb"></span>`}
    <span>${shortName(each.name)}</span></a></li>`)}</ul>`;
}
