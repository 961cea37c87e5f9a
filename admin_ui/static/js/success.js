// Back from the payment provider: say whether the money has arrived, and look until it has, or until that is no use.

import { html, useEffect, useRef } from "./base.js";
import { t } from "./i18n.js";
import { api, PREFIX, withQuery } from "./http.js";
import { useLive } from "./live.js";
import { endName, endOf, stateOf } from "./subscription.js";
import { serverNow } from "./clock.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Button, Id, Loaded, State, Time } from "./parts/ui.js";
import { toast } from "./parts/toasts.js";
import { rememberedCheckout, forgetCheckout } from "./customer/checkout.js";

/** How long to wait after each look: a quarter of an hour in all. Then somebody has to ask for it. */
const PAUSES_S = [2, 2, 3, 3, 4, 5, 6, 8, 10, 15, 20, 30, ...Array.from({ length: 12 }, () => 60)];
const WAITS = new Set(["pending", undefined]);

/** @param {{about: About}} props */
function Success({ about }) {
  const signedIn = useSignedIn();
  const bought = useRef(rememberedCheckout());
  const workspace = bought.current?.workspace ?? null;
  /** @param {Subscription[] | undefined} rows */
  const mine = (rows) => rows?.find((one) => one.id === bought.current?.id || (one.payment_external_id && one.payment_external_id === bought.current?.external_id)) ?? (bought.current ? undefined : rows?.[0]);
  const pace = (/** @type {Subscription[] | undefined} */ rows, /** @type {number} */ asked) => {
    const one = mine(rows);
    return WAITS.has(one && stateOf(one, serverNow())) ? (PAUSES_S[asked - 1] ?? 0) * 1000 : 0;
  };
  const list = useLive(signedIn ? withQuery("/subscription", { created_at: "desc", limit: 20 }) : null, { every: pace, workspace });
  const row = mine(list.data);
  const state = row && stateOf(row, serverNow());
  const arrived = state === "active" || state === "trialing";
  const sync = async () => {
    if (row) await api(withQuery("/subscription/sync", { id: row.id }), { method: "POST", harmless: true, workspace });
    await list.reload();
  };
  const asked = useRef(false);
  useEffect(() => {
    if (arrived) forgetCheckout();
    if (state !== "pending" || asked.current) return;
    asked.current = true;
    sync().catch((failure) => toast(failure, { what: t("success.sync-failed") })); // the provider's message may be late or lost: ask it once ourselves
  }, [row?.id, state]);
  if (!signedIn) return html`<${Door} about=${about} title=${t("success.title")} text=${t("success.sign-in")} />`;
  return html`<${Frame} about=${about} title=${t("billing")}><section class="door wide-door"><h1>${t(arrived ? "success.done" : "success.title")}</h1>
    <${Loaded} live=${list} what=${t("subscriptions.failed")}>${() => html`<div class="panel padded" role="status">
      ${row && state ? html`<p><strong>${row.plan?.name ?? bought.current?.plan}</strong> <${State} of=${state} /></p>
        <p>${t(state === "trialing" ? "success.trial" : arrived ? "success.active" : state !== "pending" ? "success.other" : list.again ? "success.pending" : "success.late")}</p>
        ${arrived && row.expires_at && html`<p class="muted">${t(endName(row, state))} <${Time} at=${endOf(row, state)} /></p>`}
        ${!arrived && html`<p class="muted">${t("success.reference")} <${Id} id=${row.id} /></p>`}`
      : html`<p>${t(list.again ? "success.nothing" : "success.nothing-late")}</p>`}</div>`}<//>
    <p class="row-actions"><a class="button main" href=${`${PREFIX}#/${arrived ? "plans" : "subscriptions"}`}>${t(arrived ? "to-billing" : "subscriptions")}</a>
      ${!arrived && list.data && html`<${Button} act=${sync}>${t("success.look")}<//>`}</p></section><//>`;
}

void start(Success);
