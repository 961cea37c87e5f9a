// The frame around each page: name, places to go, workspace, language, theme, who is signed in.

import { html, useEffect, useErrorBoundary, useRef, useShared, useState } from "../base.js";
import { chooseLanguage, language, LANGUAGES, t } from "../i18n.js";
import { accept, choose, offered, session, signOut, subjectOf, workspace } from "../session.js";
import { forget } from "../http.js";
import { isGood, ownerOf } from "../whose.js";
import { chooseTheme, theme } from "../theme.js";
import { keepers, link } from "../route.js";
import { Button } from "./ui.js";
import { Confirmation, Dialog } from "./dialog.js";
import { toast, Toasts } from "./toasts.js";
import { SignIn } from "./signin.js";

/** @typedef {{id: string, name: string}} Workspace */

export const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" /><path d="M6 22h20M9 22l3-10h8l3 10M16 12V8" /></svg>`;

/**
 * @param {{about: About, admin?: boolean, places?: [string, string][], here?: string, me?: Me, workspaces?: Workspace[], children?: any, title: string}} props
 */
export function Frame({ about, admin = false, places = [], here = "", me, workspaces = [], children, title }) {
  const { token, expired } = useShared(session);
  useShared(language);
  useEffect(() => {
    const place = places.find(([view]) => view === here)?.[1];
    document.title = place ? `${place} · ${title}` : title;
  }, [here, title, language.value]);
  return html`<a class="skip" href="#content" onClick=${skip}>${t("skip")}</a>
    <header class="top">
      <div class="top-row">
        <a class="brand" href=${link("")}><${Mark} /><span>${title}</span></a>
        <div class="top-tools">
          ${!admin && workspaces.length > 0 && html`<${WorkspaceChoice} workspaces=${workspaces} />`}
          <${Settings} about=${about} me=${me} admin=${admin} signedIn=${Boolean(token)} />
        </div>
      </div>
      ${!admin && places.length > 0 && html`<${Places} places=${places} here=${here} />`}
    </header>
    <div class=${admin && places.length ? "body with-side" : "body"}>
      ${admin && places.length > 0 && html`<${Places} places=${places} here=${here} side />`}
      <main id="content" tabindex="-1"><${View} key=${here}>${children}<//></main>
    </div>
    ${expired && html`<${Dialog} title=${t("sign-in.again")} close=${() => leave()} keep=${keepers.size > 0 ? t("keep.typed") : null}><${SignIn} about=${about} admin=${admin} why=${t("sign-in.expired")} /><//>`}
    <${HandedOver} />
    <${Confirmation} /><${Toasts} />`;
}

/** A view that fails while it is drawn fails alone: what is around it goes on. @param {{children?: any}} props */
function View({ children }) {
  const [broken, again] = useErrorBoundary((error) => console.error(error));
  return broken ? html`<${Broken} error=${broken} again=${again} />` : children;
}

/** @param {{error: any, again: () => void}} props */
export function Broken({ error, again }) {
  return html`<div class="failed" role="alert"><h1 class="failed-title">${t("broken")}</h1><p>${String(error?.message ?? error)}</p><p class="muted">${t("broken.do")}</p>
    <p class="row-actions"><${Button} small act=${again}>${t("try-again")}<//> <${Button} small act=${() => location.reload()}>${t("reload-page")}<//></p></div>`;
}

/** A link would sign in somebody else: nobody is exchanged without being asked. */
function HandedOver() {
  const given = useShared(offered);
  const { token } = useShared(session);
  if (!given) return null;
  const stay = () => offered.set(null);
  const change = async () => {
    const good = await isGood(given.token);
    if (offered.value !== given) return; // meanwhile somebody has stayed, or followed another link
    if (!good) return stay();
    forget();
    accept(given);
  };
  return html`<${Dialog} title=${t("handed.title")} close=${stay}>
    <p>${t("handed.what")}</p>
    <dl class="facts wide"><div><dt>${t("handed.now")}</dt><dd><${Owner} token=${token} /></dd></div><div><dt>${t("handed.link")}</dt><dd><${Owner} token=${given.token} /></dd></div></dl>
    <footer class="dialog-actions"><${Button} kind="main" act=${stay}>${t("handed.stay")}<//><${Button} act=${change}>${t("handed.change")}<//></footer>
  <//>`;
}

/** Whose token it is, by name and by id: two may have one name. @param {{token: string | null}} props */
function Owner({ token }) {
  const [name, setName] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    let gone = false;
    void ownerOf(token).then((found) => { if (!gone) setName(found); });
    return () => { gone = true; };
  }, [token]);
  const subject = subjectOf(token);
  if (!subject) return name ?? t("handed.unnamed");
  return html`${name && html`<strong>${name}</strong> `}<code>${subject}</code>`;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function leave() {
  forget();
  signOut();
}

/** @param {{places: [string, string][], here: string, side?: boolean}} props */
function Places({ places, here, side = false }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => { // on a narrow screen the list is wider than its window
    const box = list.current, place = /** @type {HTMLElement | null | undefined} */ (box?.querySelector("[aria-current]"));
    if (box && place) box.scrollLeft = place.offsetLeft - box.offsetLeft - (box.clientWidth - place.offsetWidth) / 2;
  }, [here, places.length]);
  return html`<nav class=${side ? "side" : "tabs"} aria-label=${t("places")}><ul ref=${list}>
    ${places.map(([view, name]) => html`<li><a href=${link(view)} aria-current=${view === here ? "page" : undefined}>${name}</a></li>`)}
  </ul></nav>`;
}

/** @param {{workspaces: Workspace[]}} props */
function WorkspaceChoice({ workspaces }) {
  const chosen = useShared(workspace);
  return html`<label class="inline"><span class="muted">${t("workspace")}</span>
    <select value=${chosen ?? ""} onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value || null)}>
      <option value="">${t("workspace.none")}</option>
      ${workspaces.map((one) => html`<option value=${one.id} selected=${one.id === chosen}>${one.name}</option>`)}
    </select></label>`;
}

/** @param {import("../i18n.js").Language} wanted */
async function changeLanguage(wanted) {
  if (!(await chooseLanguage(wanted))) toast(t("language.failed"), { bad: true });
}

/** @param {{about: About, me?: Me, admin: boolean, signedIn: boolean}} props */
function Settings({ about, me, admin, signedIn }) {
  const speaks = useShared(language);
  const shown = useShared(theme);
  return html`<details class="menu"><summary>${t("menu")}</summary><div class="menu-body">
    ${me && html`<p class="muted">${t("signed-in-as")} ${me.via === "admin_login" ? t("the-admin") : html`${me.name && html`<strong>${me.name}</strong><br />`}<code>${me.user_id ?? "–"}</code>`}</p>`}
    <label>${t("language")}<select value=${speaks} onChange=${(/** @type {any} */ event) => void changeLanguage(event.currentTarget.value)}>
      ${Object.entries(LANGUAGES).map(([key, name]) => html`<option value=${key} selected=${key === speaks}>${name}</option>`)}</select></label>
    <label>${t("theme")}<select value=${shown} onChange=${(/** @type {any} */ event) => chooseTheme(event.currentTarget.value)}>
      ${/** @type {const} */ (["auto", "light", "dark"]).map((one) => html`<option value=${one} selected=${one === shown}>${t(`theme.${one}`)}</option>`)}</select></label>
    ${me?.admin && html`<a href=${admin ? about.prefixes.billing : about.prefixes.admin}>${t(admin ? "to-billing" : "to-admin")}</a>`}
    ${signedIn && html`<${Button} act=${leave} small>${t("sign-out")}<//>`}
    <p class="muted small-print">Weighbridge ${about.version}</p>
  </div></details>`;
}
