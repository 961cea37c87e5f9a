// Signing in: through the upstream's own login, with the gateway's admin password, or with a token.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, ask, Failure, forget } from "../http.js";
import { signIn } from "../session.js";
import { Choice, Failed, Field } from "./ui.js";

/** @typedef {"account" | "admin" | "token"} Way */

/** @param {About} about @param {boolean} admin @returns {Way[]} */
function ways(about, admin) {
  /** @type {Way[]} */
  const found = [];
  if (about.login.upstream) found.push("account");
  if (admin && about.login.admin) found.push("admin");
  return [...found, "token"];
}

/**
 * @param {{about: About, admin: boolean, why?: string}} props
 */
export function SignIn({ about, admin, why }) {
  const offered = ways(about, admin);
  const [way, setWay] = useState(/** @type {Way} */ (offered[0] ?? "token"));
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [busy, setBusy] = useState(false);

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure(null);
    try {
      forget();
      await grant(way, name, secret);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  const tabs = /** @type {[string, string][]} */ (offered.map((one) => [one, t(`sign-in.${one}`)]));
  return html`<form class="sign-in" onSubmit=${submit}>
    ${why && html`<p class="note warn">${why}</p>`}
    ${offered.length > 1 && html`<${Choice} label=${t("sign-in.how")} value=${way} options=${tabs} change=${(/** @type {Way} */ one) => { setWay(one); setSecret(""); setFailure(null); }} />`}
    ${way === "account" && html`<${Field} label=${t("sign-in.email")} value=${name} change=${setName} type="email" autocomplete="username" required />`}
    <${Field} key=${way} label=${t(way === "token" ? "sign-in.the-token" : "sign-in.password")} value=${secret} change=${setSecret} type="password"
      autocomplete=${way === "token" ? "off" : "current-password"} required hint=${way === "account" ? null : t(`sign-in.${way}-hint`)} />
    ${failure && html`<${Failed} failure=${failure} what=${t("sign-in.failed")} />`}
    <button type="submit" class="button main" aria-busy=${busy}>${busy && html`<span class="spinner" aria-hidden="true"></span>`}${t("sign-in.do")}</button>
    <p class="hint">${t("sign-in.kept")}</p>
  </form>`;
}

/**
 * @param {Way} way
 * @param {string} name
 * @param {string} secret
 */
async function grant(way, name, secret) {
  if (way === "token") {
    signIn({ token: secret.trim().replace(/^Bearer\s+/i, ""), via: "handed" });
    return;
  }
  const granted = way === "admin"
    ? await api("/login", { method: "POST", anonymous: true, harmless: true, body: { password: secret } })
    : await ask("/user/oauth/token", { method: "POST", anonymous: true, harmless: true, body: { grant_type: "password", username: name, password: secret } });
  if (typeof granted?.access_token !== "string") throw new Failure(0, null, { kind: "broken" });
  signIn({ token: granted.access_token, refresh: granted.refresh_token, via: way === "admin" ? "admin" : "upstream" });
}
