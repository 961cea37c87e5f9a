// How each page begins: language, theme and session, then what this gateway offers, then its view.

import { html, render, useErrorBoundary, useShared } from "./base.js";
import { beginLanguage, language, t } from "./i18n.js";
import { begin, session, takeNewer, useWorkspaceHeader } from "./session.js";
import { beginTheme } from "./theme.js";
import { readRoute } from "./route.js";
import { setCurrencies } from "./format.js";
import { api } from "./http.js";
import { isGood, ownerOf } from "./whose.js";
import { useLive } from "./live.js";
import { Loaded } from "./parts/ui.js";
import { Broken, Frame, Mark } from "./parts/frame.js";
import { SignIn } from "./parts/signin.js";
import { toast } from "./parts/toasts.js";

/**
 * @param {(props: {about: About}) => any} view
 */
export async function start(view) {
  beginTheme();
  const handed = begin();
  readRoute();
  window.addEventListener("hashchange", handedOver);
  window.addEventListener("unhandledrejection", (event) => tellOfFault(event.reason));
  await beginLanguage();
  void tellWho(handed);
  void takeNewer(isGood);
  const place = /** @type {HTMLElement} */ (document.getElementById("app"));
  place.replaceChildren();
  render(html`<${Root} view=${view} />`, place);
}

/** A link that hands a token over, followed in a tab that is open already. */
function handedOver() {
  if (!/[#&/]access_token=/.test(location.hash)) return;
  void tellWho(begin());
  void takeNewer(isGood);
  readRoute();
}

/** Who was signed in by a link: it may have come from anybody. @param {string | null} subject */
async function tellWho(subject) {
  if (subject === null) return;
  const who = await ownerOf(session.value.token) ?? subject;
  toast(who ? t("handed.as", { who }) : t("handed.in"));
}

/** A fault of the page itself: nothing that was pressed may do nothing without a word. @param {any} reason */
function tellOfFault(reason) {
  if (reason?.name !== "AbortError") toast(`${t("broken")}: ${String(reason?.message ?? reason)}. ${t("broken.do")}`, { bad: true });
}

/** @param {{view: (props: {about: About}) => any}} props */
function Root({ view }) {
  useShared(language);
  const [broken, mended] = useErrorBoundary((error) => console.error(error));
  const about = useLive("/about", { anonymous: true, load: (signal) => api("/about", { anonymous: true, signal }).then(learn) });
  if (broken) return html`<main class="boot"><${Broken} error=${broken} again=${mended} /></main>`;
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
