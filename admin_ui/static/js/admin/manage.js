// One subscription in an admin's hands: another end, another limit, or the end of it now. It stays open, and shows what became of it.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { instant, number } from "../format.js";
import { serverNow } from "../clock.js";
import { api, Failure } from "../http.js";
import { Dialog } from "../parts/dialog.js";
import { Button, Failed, Field, Id, State, Time } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";
import { exactState } from "./states.js";
import { onShown, Overtaken, useRevised } from "./revised.js";

/** An instant as a date field wants it, in the viewer's zone. @param {string | null | undefined} at */
function typed(at) {
  if (!at) return "";
  const when = new Date(at);
  return new Date(when.getTime() - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What is typed, and beside it what others may change. @param {Subscription | null} row */
function draftOf(row) {
  return {
    ends: typed(row?.expires_at), override: row?.throughput_override === null || row?.throughput_override === undefined ? "" : String(row.throughput_override),
    state: row ? exactState(row, serverNow()) : "", plan: row?.plan?.name ?? "",
  };
}

const NAMES = /** @type {const} */ ({ ends: "subscription.ends", override: "override", state: "state", plan: "plan" });

/** @param {{subscription: Subscription, nameOf: (kind: string, id: string | null | undefined) => string | null, close: () => void, done: () => Promise<void>}} props */
export function Manage({ subscription, nameOf, close, done }) {
  const { row: held, draft, set, meet, begin, overtaken } = useRevised(/** @type {Subscription | null} */ (subscription), draftOf);
  const row = held ?? subscription;
  const shown = draftOf(row);
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [sure, setSure] = useState(false);
  const state = exactState(row, serverNow());
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field)?.problem ?? null;

  const act = async (/** @type {"extend" | "override" | "cancel"} */ name, /** @type {any} */ body, /** @type {string} */ said) => {
    setFailure(null);
    setSure(false);
    try {
      const now = await onShown(`/subscription/${row.id}`, row, (etag) => api(`/subscription/${row.id}/${name}`, { method: "POST", body, etag }), meet);
      begin(now);
      // What was typed in the other field is not part of this act.
      if (name === "extend") set({ override: draft.override });
      if (name === "override") set({ ends: draft.ends });
      toast(said);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    }
    void done();
  };
  const changed = draft.ends !== shown.ends || draft.override !== shown.override;
  return html`<${Dialog} title=${t("manage.title", { plan: row.plan?.name ?? "" })} close=${close} keep=${changed ? t("keep.typed") : null}><div class="form">
    <dl class="facts"><div><dt>${t("state")}</dt><dd><${State} of=${state} /></dd></div><div><dt>${t("starts")}</dt><dd><${Time} at=${row.starts_at} /></dd></div>
      <div><dt>${t("subscription.ends")}</dt><dd>${row.expires_at ? html`<${Time} at=${row.expires_at} />` : t("never")}</dd></div>
      <div><dt>${t("limit")}</dt><dd>${limitOf(row)}</dd></div>
      <div><dt>${t("id")}</dt><dd><${Id} id=${row.id} /></dd></div><div><dt>${t("buyer")}</dt><dd><${Id} id=${row.user_id} name=${nameOf("user", row.user_id)} /></dd></div></dl>
    <${Overtaken} changes=${overtaken} nameOf=${(/** @type {keyof typeof NAMES} */ field) => t(NAMES[field])} show=${inWords} />
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    ${state === "cancelled" ? html`<p class="muted">${t("state-words.cancelled")}</p>` : html`
      <${Field} label=${t("manage.new-end")} type="datetime-local" value=${draft.ends} change=${(/** @type {string} */ ends) => set({ ends })} problem=${wrong("expires_at")} hint=${t("manage.ends-hint")} />
      <p><${Button} small disabled=${draft.ends === shown.ends} act=${() => act("extend", { expires_at: draft.ends ? instant(draft.ends) ?? draft.ends : null }, t("manage.extended"))}>${t(draft.ends || draft.ends === shown.ends ? "manage.extend" : "manage.no-end")}<//></p>
      <${Field} label=${t("override")} type="number" value=${draft.override} change=${(/** @type {string} */ override) => set({ override })} problem=${wrong("throughput_override")} hint=${t("override.hint")} />
      <p><${Button} small disabled=${draft.override === shown.override} act=${() => act("override", { throughput_override: draft.override === "" ? null : Number(draft.override) }, t("manage.overridden"))}>${t("manage.override")}<//></p>
      <p class="row-actions">${sure ? html`<span>${t("manage.sure")}</span><${Button} kind="danger" small act=${() => act("cancel", undefined, t("manage.cancelled"))}>${t("manage.cancel")}<//><${Button} small act=${() => setSure(false)}>${t("manage.keep")}<//>` : html`<${Button} small kind="quiet" act=${() => setSure(true)}>${t("manage.cancel")}…<//>`}</p>`}
  </div><//>`;
}

/** @param {Subscription} row */
function limitOf(row) {
  const amount = row.throughput_override;
  if (amount === null || amount === undefined) return t("manage.as-plan");
  return amount <= 0 ? t("unlimited") : number(amount);
}

/** @param {string} field @param {string} value */
function inWords(field, value) {
  if (field === "ends") return value ? html`<${Time} at=${instant(value)} />` : t("never");
  if (field === "state") return tWord("state", value);
  return value || "–";
}
