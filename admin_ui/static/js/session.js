// Who is signed in. The token lives in this tab's session storage, never in a URL that is sent anywhere.

import { Shared } from "./base.js";

const OURS = "weighbridge.";
const KEPT = `${OURS}session`;
const CHOSEN = `${OURS}workspace`;

/**
 * @typedef {object} Session
 * @property {string | null} token
 * @property {string | null} refresh
 * @property {"upstream" | "handed" | "admin" | null} via
 * @property {boolean} expired the server has refused the token: sign in again, what is on the page stays
 * @property {string} workspaceHeader
 * @property {string | null} subject whom the last token named: what was fetched for one is not shown to another
 * @property {number} person counts the people that sat here
 */

/** @type {Session} */
const nobody = { token: null, refresh: null, via: null, expired: false, workspaceHeader: "X-Workspace-ID", subject: null, person: 0 };

export const session = new Shared(/** @type {Session} */ (nobody));
export const workspace = new Shared(/** @type {string | null} */ (null));

/**
 * What a link has handed over.
 * @typedef {{token: string, refresh: string | null, workspace: string | null}} Handed
 */

/** A token from a link while another is in use: whoever sits here decides. A stranger's link could sign them in as the stranger. */
export const offered = new Shared(/** @type {Handed | null} */ (null));

/**
 * Take what the fragment hands over, and take it out of the address bar; else what this tab has kept.
 * @returns {string | null} who is signed in by the link just now; `null`: nobody
 */
export function begin() {
  const fragment = new URLSearchParams(location.hash.replace(/^#\/?/, ""));
  const handed = fragment.get("access_token");
  if (!session.value.token) remember();
  if (!handed) return null;
  const view = fragment.get("view");
  history.replaceState(null, "", location.pathname + location.search + (view ? `#/${view}` : ""));
  const given = { token: handed.replace(/^Bearer\s+/i, ""), refresh: fragment.get("refresh_token"), workspace: fragment.get("workspace") };
  const { token } = session.value;
  if (token && token !== given.token) {
    if (alike(token, given.token)) untried = given;
    else offered.set(given);
    return null;
  }
  accept(given);
  return token ? null : subjectOf(given.token) ?? "";
}

/** What this tab has kept. */
function remember() {
  const kept = read(KEPT);
  if (kept && typeof kept.token === "string" && !session.value.expired) session.set({ ...session.value, ...kept, subject: subjectOf(kept.token) });
  const chosen = read(CHOSEN);
  if (typeof chosen === "string") workspace.set(chosen);
}

/** @param {Handed} given */
export function accept({ token, refresh, workspace: named }) {
  signIn({ token, refresh, via: "handed" });
  choose(named);
  offered.set(null);
}

/** @type {Handed | null} */
let untried = null;

/**
 * Take a newer token of the same person, by its own word, without a question: once `good` has shown that it is good.
 * Anybody can write a name into a token, and one that is refused must end no session.
 * @param {(token: string) => Promise<boolean>} good whether it is
 */
export async function takeNewer(good) {
  const given = untried;
  untried = null;
  if (!given || !(await good(given.token))) return;
  const { token } = session.value;
  if (token && alike(token, given.token)) accept(given);
}

/**
 * Whether both tokens name the same person.
 * @param {string} one
 * @param {string} other
 */
function alike(one, other) {
  const subject = subjectOf(one);
  return subject !== null && subject === subjectOf(other);
}

/**
 * Whom a JWT names, for showing and comparing alone: nothing here is verified.
 * @param {string | null} token
 * @returns {string | null}
 */
export function subjectOf(token) {
  const { sub } = claimsOf(token);
  return typeof sub === "string" ? sub : null;
}

/**
 * What a JWT says, for showing and comparing alone.
 * @param {string | null} token
 * @returns {Record<string, unknown>}
 */
export function claimsOf(token) {
  try {
    const claims = atob(((token ?? "").split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(claims, (one) => one.charCodeAt(0))));
    return found && typeof found === "object" ? found : {};
  } catch {
    return {}; // not a JWT: an API key, for instance
  }
}

/** @param {string} header the name of the field that names a workspace */
export function useWorkspaceHeader(header) {
  session.set({ ...session.value, workspaceHeader: header });
}

/** @param {{token: string, refresh?: string | null, via: Session["via"]}} granted */
export function signIn({ token, refresh = null, via }) {
  const subject = subjectOf(token);
  const { value } = session;
  session.set({ ...value, token, refresh, via, expired: false, subject, person: subject === value.subject ? value.person : value.person + 1 });
  write(KEPT, { token, refresh, via });
}

export function signOut() {
  session.set({ ...nobody, workspaceHeader: session.value.workspaceHeader, person: session.value.person + 1 });
  workspace.set(null);
  offered.set(null);
  empty();
}

/** The server refuses the token. It is dropped; the page stays as it is and asks to sign in again. */
export function expire() {
  write(KEPT, null);
  session.set({ ...session.value, token: null, refresh: null, expired: true });
}

/** @param {string | null} id */
export function choose(id) {
  workspace.set(id);
  write(CHOSEN, id);
}

/** @type {Promise<boolean> | null} */
let renewing = null;

/**
 * Get a new token with the refresh token, if there is one; once, however many ask for it.
 * @param {(url: string, asked: object) => Promise<any>} ask
 * @returns {Promise<boolean>} whether there is a new one; `false`: it was refused. Throws where nobody could say.
 */
export function renew(ask) {
  const { refresh, via } = session.value;
  if (!refresh) return Promise.resolve(false);
  renewing ??= ask("/user/oauth/token", { method: "POST", anonymous: true, harmless: true, body: { grant_type: "refresh_token", refresh_token: refresh } })
    .then((granted) => {
      if (session.value.refresh !== refresh) return Boolean(session.value.token); // signed out, or in as somebody else, meanwhile
      if (typeof granted?.access_token !== "string") return false;
      signIn({ token: granted.access_token, refresh: granted.refresh_token ?? refresh, via });
      return true;
    }, (failure) => {
      // Refused is refused. No answer, too many questions, or a server that breaks down says nothing of the token.
      if (failure?.status >= 400 && failure.status < 500 && ![408, 425, 429].includes(failure.status)) return false;
      throw failure;
    })
    .finally(() => { renewing = null; });
  return renewing;
}

/** @param {string} key */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {unknown} value `null` removes it
 */
function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is switched off: the session then lasts as long as the page.
  }
}

/** Remove all that this tab has kept of whoever sat here. */
function empty() {
  try {
    for (const key of Object.keys(sessionStorage).filter((one) => one.startsWith(OURS))) sessionStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}
