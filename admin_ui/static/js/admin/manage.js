// One subscription in an admin's hands: another end, another limit, or the end of it now.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { serverNow } from "../clock.js";
import { api, Failure } from "../http.js";
import { stateOf } from "../subscription.js";
import { Dialog } from "../parts/dialog.js";
import { Button, Failed, Field, Id, State, Time } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";
import { instant } from "./grant.js";

/** An instant as a date field wants it, in the viewer's zone. @param {string | null | undefined} at */
function typed(at) {
  if (!at) return "";
  const when = new Date(at);
  return new Date(when.getTime() - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {{subscription: Subscription, close: () => void, done: () => Promise<void>}} props */
export function Manage({ subscription, close, done }) {
  const [ends, setEnds] = useState(typed(subscription.expires_at));
  const [override, setOverride] = useState(subscription.throughput_override === null || subscription.throughput_override === undefined ? "" : String(subscription.throughput_override));
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [sure, setSure] = useState(false);
  const state = stateOf(subscription, serverNow());

  const act = async (/** @type {string} */ name, /** @type {any} */ body, /** @type {string} */ said) => {
    setFailure(null);
    try {
      await api(`/subscription/${subscription.id}/${name}`, { method: "POST", body });
      toast(said);
      close();
      await done();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    }
  };
  return html`<${Dialog} title=${t("manage.title", { plan: subscription.plan?.name ?? "" })} close=${close}><div class="form">
    <dl class="facts"><div><dt>${t("state")}</dt><dd><${State} of=${state} /></dd></div><div><dt>${t("starts")}</dt><dd><${Time} at=${subscription.starts_at} /></dd></div>
      <div><dt>${t("id")}</dt><dd><${Id} id=${subscription.id} /></dd></div><div><dt>${t("buyer")}</dt><dd><${Id} id=${subscription.user_id} /></dd></div></dl>
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    <${Field} label=${t("subscription.ends")} type="datetime-local" value=${ends} change=${setEnds} hint=${t("manage.ends-hint")} />
    <p><${Button} small act=${() => act("extend", { expires_at: instant(ends) }, t("manage.extended"))}>${t(ends ? "manage.extend" : "manage.no-end")}<//></p>
    <${Field} label=${t("override")} type="number" value=${override} change=${setOverride} hint=${t("override.hint")} />
    <p><${Button} small act=${() => act("override", { throughput_override: override === "" ? null : Number(override) }, t("manage.overridden"))}>${t("manage.override")}<//></p>
    ${state !== "cancelled" && html`<p class="row-actions">${sure ? html`<span>${t("manage.sure")}</span><${Button} kind="danger" small act=${() => act("cancel", undefined, t("manage.cancelled"))}>${t("manage.cancel")}<//>` : html`<${Button} small kind="quiet" act=${() => setSure(true)}>${t("manage.cancel")}…<//>`}</p>`}
  </div><//>`;
}
