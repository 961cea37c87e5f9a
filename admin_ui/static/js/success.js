// Back from the payment provider: say whether the money has arrived, and look until it has.

import { html, useEffect, useRef } from "./base.js";
import { t } from "./i18n.js";
import { api, PREFIX, withQuery } from "./http.js";
import { useLive } from "./live.js";
import { stateOf } from "./subscription.js";
import { serverNow } from "./clock.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Loaded, State, Time } from "./parts/ui.js";
import { rememberedCheckout, forgetCheckout } from "./customer/checkout.js";

/** @param {{about: About}} props */
function Success({ about }) {
  const signedIn = useSignedIn();
  const bought = useRef(rememberedCheckout());
  const workspace = bought.current?.workspace ?? null;
  const list = useLive(signedIn ? withQuery("/subscription", { created_at: "desc", limit: 20 }) : null, { every: 4_000, workspace });
  const rows = /** @type {Subscription[]} */ (list.data ?? []);
  const row = rows.find((one) => one.id === bought.current?.id || (one.payment_external_id && one.payment_external_id === bought.current?.external_id)) ?? rows[0];
  const state = row && stateOf(row, serverNow());
  const asked = useRef(false);
  useEffect(() => {
    if (state === "active") forgetCheckout();
    if (!row || state !== "pending" || asked.current) return;
    asked.current = true;
    // The provider's message may be late or lost: ask it once ourselves.
    api(withQuery("/subscription/sync", { id: row.id }), { method: "POST", workspace }).then(list.reload, () => undefined);
  }, [row?.id, state]);
  if (!signedIn) return html`<${Door} about=${about} title=${t("success.title")} text=${t("success.sign-in")} />`;
  return html`<${Frame} about=${about} title=${t("billing")}><section class="door wide-door"><h1>${t(state === "active" ? "success.done" : "success.title")}</h1>
    <${Loaded} live=${list} what=${t("subscriptions.failed")}>${() => row ? html`
      <div class="panel padded" role="status"><p><strong>${row.plan?.name ?? bought.current?.plan}</strong> <${State} of=${state} /></p>
        <p>${t(state === "active" ? "success.active" : state === "pending" ? "success.pending" : "success.other")}</p>
        ${state === "active" && row.expires_at && html`<p class="muted">${t(row.payment_mode === "subscription" ? "renews" : "expires")} <${Time} at=${row.expires_at} /></p>`}</div>`
      : html`<p>${t("success.nothing")}</p>`}<//>
    <p><a class="button main" href=${`${PREFIX}#/${state === "active" ? "plans" : "subscriptions"}`}>${t("to-billing")}</a></p></section><//>`;
}

void start(Success);
