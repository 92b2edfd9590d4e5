/** Small pictures of the screens of guests, taken again while they are seen. */
import * as api from "../api.js";
import { html, useEffect, useState } from "../parts.js";
import { guestLink } from "../links.js";
import { text } from "../texts.js";

const SECONDS = 10;
/** Pictures that are taken at a time. */
const MOST = 24;
const WIDTH = 240;

/** The newest pictures of guests, by where they are served. @param {any[]} guests */
function usePictures(guests) {
  const [pictures, setPictures] = useState(/** @type {Record<string, string>} */ ({}));
  const names = guests.map((each) => each.href).join(" ");
  useEffect(() => {
    let open = true;
    const take = async () => {
      const spaces = [...new Set(guests.map((each) => each.namespace))];
      const answers = await Promise.allSettled(spaces.map((space) =>
        api.summariesOf(space, guests.filter((each) => each.namespace === space), { screens: "true", width: WIDTH })));
      const found = answers.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
      if (open) setPictures(Object.fromEntries(found.map((each) => [each.href, each.properties.ScreenImage ?? ""])));
    };
    if (names) take().catch(() => undefined);
    const timer = setInterval(() => names && document.visibilityState === "visible" && take().catch(() => undefined), SECONDS * 1000);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [names]);
  return pictures;
}

/** @param {{guests: any[]}} props */
export function Screens({ guests }) {
  const shown = guests.filter((each) => each.state === 2 || each.state === 9).slice(0, MOST);
  const pictures = usePictures(shown);
  if (!shown.length) return html`<p class="soft">${text("screens.none")}</p>`;
  return html`<ul class="screens">${shown.map((each) => html`<li key=${each.href}><a href=${`${guestLink(each)}/console`}>
    ${pictures[each.href] ? html`<img class="thumb" alt=${text("screens.of", { name: each.name })} src=${`data:image/png;base64,${pictures[each.href]}`} />`
      : html`<span class="thumb"></span>`}
    <span>${each.name}</span></a></li>`)}</ul>`;
}
