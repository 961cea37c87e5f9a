// How each page begins: language, theme and session, then what this gateway offers, then its view.

import { html, render, useErrorBoundary, useShared } from "./base.js";
import { beginLanguage, language, t } from "./i18n.js";
import { begin, session, useWorkspaceHeader } from "./session.js";
import { beginTheme } from "./theme.js";
import { readRoute } from "./route.js";
import { setCurrencies } from "./format.js";
import { api } from "./http.js";
import { useLive } from "./live.js";
import { Button, Loaded } from "./parts/ui.js";
import { Frame, Mark } from "./parts/frame.js";
import { SignIn } from "./parts/signin.js";

/**
 * @param {(props: {about: About}) => any} view
 */
export async function start(view) {
  beginTheme();
  begin();
  readRoute();
  window.addEventListener("hashchange", handedOver);
  await beginLanguage();
  const place = /** @type {HTMLElement} */ (document.getElementById("app"));
  place.replaceChildren();
  render(html`<${Root} view=${view} />`, place);
}

/** A link that hands a token over, followed in a tab that is open already. */
function handedOver() {
  if (!/[#&/]access_token=/.test(location.hash)) return;
  begin();
  readRoute();
}

/** @param {{view: (props: {about: About}) => any}} props */
function Root({ view }) {
  useShared(language);
  const [broken, mended] = useErrorBoundary((error) => console.error(error));
  const about = useLive("/about", { anonymous: true, load: (signal) => api("/about", { anonymous: true, signal }).then(learn) });
  if (broken) {
    return html`<main class="boot"><h1>${t("broken")}</h1><p>${String(broken?.message ?? broken)}</p><p>${t("broken.do")}</p>
      <${Button} kind="main" act=${mended}>${t("try-again")}<//></main>`;
  }
  if (about.data) return html`<${view} about=${about.data} />`;
  return html`<main class="boot"><${Loaded} live=${about} what=${t("about.failed")}>${() => null}<//></main>`;
}

/** @param {About} about */
function learn(about) {
  setCurrencies(about.currencies);
  if (about.workspace_header) useWorkspaceHeader(about.workspace_header);
  return about;
}

/**
 * Nobody is signed in: say what this is, and let them in.
 * @param {{about: About, admin?: boolean, title: string, text: string}} props
 */
export function Door({ about, admin = false, title, text }) {
  return html`<${Frame} about=${about} admin=${admin} title=${title}>
    <section class="door"><${Mark} /><h1>${title}</h1><p class="muted">${text}</p><${SignIn} about=${about} admin=${admin} /></section>
  <//>`;
}

/** Whether somebody is signed in, or was until a moment ago: then what is on the page stays. */
export function useSignedIn() {
  const { token, expired } = useShared(session);
  return Boolean(token) || expired;
}
