/**
 * Begins: asks who is logged in, draws the frame, and chooses the page by the address.
 */
import * as api from "./api.js";
import { readAddress } from "./links.js";
import { html, render, useEffect, useErrorBoundary, useState } from "./parts.js";
import { catchUp, changed, follow, loadAll, loadFigures, mayAnywhere, nodeName, state, tell, useAppState } from "./state.js";
import { chooseLanguage, language, languages, text } from "./texts.js";
import { Messages } from "./ui/basics.js";
import { Tree } from "./ui/tree.js";
import { Login } from "./pages/login.js";
import { Overview } from "./pages/overview.js";
import { Guests } from "./pages/guests.js";

/** The pages that are fetched when they are first opened. @type {Record<string, () => Promise<any>>} */
const LATER = {
  guest: () => import("./pages/guest.js").then((module) => module.Guest),
  node: () => import("./pages/node.js").then((module) => module.NodePage),
  nodes: () => import("./pages/nodes.js").then((module) => module.Nodes),
  create: () => import("./pages/create.js").then((module) => module.Create),
  storage: () => import("./pages/storage.js").then((module) => module.Storage),
  networks: () => import("./pages/networks.js").then((module) => module.Networks),
  templates: () => import("./pages/templates.js").then((module) => module.Templates),
  jobs: () => import("./pages/jobs.js").then((module) => module.Jobs),
  subscriptions: () => import("./pages/subscriptions.js").then((module) => module.Subscriptions),
  topology: () => import("./pages/topology.js").then((module) => module.Topology),
  browser: () => import("./pages/browser.js").then((module) => module.Browser),
  profiles: () => import("./pages/profiles.js").then((module) => module.Profiles),
  about: () => import("./pages/about.js").then((module) => module.About),
};

const MENU = ["overview", "guests", "create", "nodes", "storage", "networks", "templates", "jobs", "subscriptions", "topology", "browser", "profiles", "about"];

/** Seconds between two readings of the figures, while the page is seen. */
const FIGURES = 5;

/** Milliseconds after which a page is fetched again that could not be, as while the server is away. */
const AGAIN = 2000;

const THEME = "virtcim-theme";

/** @param {string} name */
function chooseTheme(name) {
  localStorage.setItem(THEME, name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}
chooseTheme(localStorage.getItem(THEME) ?? "auto");

/** @param {{address: ReturnType<typeof readAddress>}} props */
function Page({ address }) {
  const [loaded, setLoaded] = useState(/** @type {Record<string, any>} */ ({}));
  const [tries, setTries] = useState(0);
  const [error, forget] = useErrorBoundary();
  const [missing, setMissing] = useState({ page: "", detail: "" });
  const name = address.page;
  useEffect(() => {
    let open = true;
    forget();
    if (LATER[name] && !loaded[name])
      LATER[name]().then(
        (page) => setLoaded((/** @type {any} */ before) => ({ ...before, [name]: page })),
        (problem) => {
          setMissing({ page: name, detail: String(problem) });
          setTimeout(() => open && setTries(tries + 1), AGAIN);
        },
      );
    return () => {
      open = false;
    };
  }, [name, tries]);
  if (missing.page === name && !loaded[name]) return html`<div class="notice bad" role="alert">${text("app.missing", { detail: missing.detail })} <button onClick=${() => location.reload()}>${text("app.reload")}</button></div>`;
  if (error) return html`<div class="notice bad" role="alert">${text("app.error", { detail: String(error) })}</div>`;
  /** @type {Record<string, any>} */
  const pages = { overview: Overview, guests: Guests, ...loaded };
  const Chosen = pages[name];
  // Beyond what names a guest stands the part of its page: another part is no other page, and keeps the focus.
  if (Chosen) return html`<${Chosen} key=${address.parts.slice(0, 3).join("/")} parts=${address.parts} options=${address.options} />`;
  return html`<p class="soft">${LATER[name] ? text("app.loading") : text("app.nothing")}</p>`;
}

function Frame() {
  useAppState();
  const [hash, setHash] = useState(location.hash);
  const [side, setSide] = useState(false);
  useEffect(() => {
    const moved = () => {
      setHash(location.hash);
      setSide(false);
    };
    addEventListener("hashchange", moved);
    // The address may have changed between the first drawing and now.
    moved();
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    if (!state.session) return undefined;
    const end = follow((live, fresh, refused) => {
      if ((live && fresh) || refused) (state.loaded ? catchUp() : loadAll()).catch((error) => error.http === 401 || tell(error.message, "bad"));
      state.live = live;
      state.refused = refused;
      changed();
    });
    const timer = setInterval(() => {
      if (document.visibilityState !== "visible" || !state.live) return;
      loadFigures();
    }, FIGURES * 1000);
    return () => {
      end();
      clearInterval(timer);
    };
  }, [state.session]);
  if (!state.session) return html`<${Login} />`;
  const address = readAddress(hash);
  document.title = `${text(`page.${address.page}`)} – virtcim`;
  return html`<div class="frame ${side ? "side-open" : ""}">
    <a class="skip" href="#content" onClick=${(/** @type {Event} */ event) => {
      event.preventDefault();
      document.getElementById("content")?.focus();
    }}>${text("app.skip")}</a>
    <header class="top">
      <button class="open-side" aria-expanded=${String(side)} onClick=${() => setSide(!side)}>${text("app.open-tree")}</button>
      <a class="brand" href="#/"><img src="icon.svg" alt="" />virtcim</a>
      <nav aria-label="virtcim">
        ${MENU.filter((name) => name !== "create" || mayAnywhere("administer")).map((name) => html`<a href="#/${name}" aria-current=${address.page === name ? "page" : undefined}>${text(`page.${name}`)}</a>`)}
      </nav>
      <label><span class="hidden-label">${text("app.theme")}</span>
        <select onChange=${(/** @type {any} */ event) => chooseTheme(event.target.value)}>
          ${["auto", "light", "dark"].map((name) => html`<option value=${name} selected=${name === (localStorage.getItem(THEME) ?? "auto")}>${text(`app.theme.${name}`)}</option>`)}
        </select></label>
      <label><span class="hidden-label">${text("app.language")}</span>
        <select onChange=${(/** @type {any} */ event) => chooseLanguage(event.target.value)}>
          ${languages.map((name) => html`<option value=${name} selected=${name === language}>${name}</option>`)}
        </select></label>
      <span class="soft">${state.session.user}</span>
      <button onClick=${() => api.logOut().then(() => location.reload(), (error) => tell(error.message, "bad"))}>${text("login.out")}</button>
    </header>
    <aside class="side" aria-label=${text("tree.title")}><${Tree} here=${hash} /></aside>
    <main class="content" id="content" tabindex="-1">
      ${!state.live && html`<div class="notice bad" role="alert">${state.refused ? text("app.refused", { detail: state.refused }) : text("app.lost")}</div>`}
      ${[...state.unread].map(([key, detail]) => html`<div key=${key} class="notice bad" role="alert">${text("app.unread", { name: key ? nodeName(key) : text("page.nodes"), detail })}</div>`)}
      <${Page} address=${address} />
    </main>
    <${Messages} />
  </div>`;
}

api.whenSessionEnds(() => {
  if (!state.session) return;
  state.session = null;
  state.ended = true;
  changed();
});

const page = /** @type {Element} */ (document.getElementById("page"));
(api.mayHaveSession() ? api.session() : Promise.resolve(null)).then(
  (session) => {
    state.session = session;
  },
  () => undefined,
).finally(() => {
  page.replaceChildren();
  render(html`<${Frame} />`, page);
});
