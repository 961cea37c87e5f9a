// Who is signed in. The token lives in this tab's session storage, never in a URL that is sent anywhere.

import { Shared } from "./base.js";

const KEPT = "weighbridge.session";
const CHOSEN = "weighbridge.workspace";

/**
 * @typedef {object} Session
 * @property {string | null} token
 * @property {string | null} refresh
 * @property {"upstream" | "handed" | "admin" | null} via
 * @property {boolean} expired the server has refused the token: sign in again, what is on the page stays
 * @property {string} workspaceHeader
 */

/** @type {Session} */
const nobody = { token: null, refresh: null, via: null, expired: false, workspaceHeader: "X-Workspace-ID" };

export const session = new Shared(/** @type {Session} */ (nobody));
export const workspace = new Shared(/** @type {string | null} */ (null));

/** Take what the fragment hands over, and take it out of the address bar; else what this tab has kept. */
export function begin() {
  const fragment = new URLSearchParams(location.hash.replace(/^#\/?/, ""));
  const handed = fragment.get("access_token");
  if (handed) {
    const view = fragment.get("view");
    history.replaceState(null, "", location.pathname + location.search + (view ? `#/${view}` : ""));
    signIn({ token: handed.replace(/^Bearer\s+/i, ""), refresh: fragment.get("refresh_token"), via: "handed" });
    choose(fragment.get("workspace"));
    return;
  }
  const kept = read(KEPT);
  if (kept && typeof kept.token === "string") session.set({ ...nobody, ...kept, expired: false });
  const chosen = read(CHOSEN);
  if (typeof chosen === "string") workspace.set(chosen);
}

/** @param {string} header the name of the field that names a workspace */
export function useWorkspaceHeader(header) {
  session.set({ ...session.value, workspaceHeader: header });
}

/** @param {{token: string, refresh?: string | null, via: Session["via"]}} granted */
export function signIn({ token, refresh = null, via }) {
  session.set({ ...session.value, token, refresh, via, expired: false });
  write(KEPT, { token, refresh, via });
}

export function signOut() {
  session.set({ ...nobody, workspaceHeader: session.value.workspaceHeader });
  workspace.set(null);
  write(KEPT, null);
  write(CHOSEN, null);
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
 * @returns {Promise<boolean>} whether there is a new one
 */
export function renew(ask) {
  const { refresh, via } = session.value;
  if (!refresh) return Promise.resolve(false);
  renewing ??= ask("/user/oauth/token", { method: "POST", anonymous: true, body: { grant_type: "refresh_token", refresh_token: refresh } })
    .then((granted) => {
      if (!granted?.access_token) return false;
      signIn({ token: granted.access_token, refresh: granted.refresh_token ?? refresh, via });
      return true;
    }, () => false)
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
