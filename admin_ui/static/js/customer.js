// The customer's page: plans and usage, subscriptions, payments.

import { html, useShared } from "./base.js";
import { t } from "./i18n.js";
import { ask } from "./http.js";
import { useLive } from "./live.js";
import { useRoute } from "./route.js";
import { workspace } from "./session.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Failed } from "./parts/ui.js";
import { PlansAndUsage } from "./customer/plans-usage.js";
import { Subscriptions } from "./customer/subscriptions.js";
import { Payments } from "./customer/payments.js";

/** @param {{about: About}} props */
function Customer({ about }) {
  const { view } = useRoute();
  const signedIn = useSignedIn();
  const me = useLive(signedIn ? "/me" : null);
  const workspaces = useLive(signedIn && about.login.upstream ? "workspaces" : null, { load: (signal) => ask("/workspace", { signal }) });
  const picked = useShared(workspace);
  const chosen = picked ?? me.data?.workspace_id ?? null; // a key may speak for one workspace only
  if (!signedIn) return html`<${Door} about=${about} title=${t("billing")} text=${t("billing.what")} />`;

  const sells = about.payments.providers.length > 0;
  /** @type {[string, string][]} */
  const places = [["plans", t("plans-usage")], ["subscriptions", t("subscriptions")], ...(sells ? [/** @type {[string, string]} */ (["payments", t("payments")])] : [])];
  const here = places.some(([name]) => name === view) ? view : "plans";
  const known = /** @type {import("./parts/frame.js").Workspace[]} */ (Array.isArray(workspaces.data) ? workspaces.data : []);
  const named = known.find((one) => one.id === chosen) ?? (chosen ? { id: chosen, name: chosen.slice(0, 8) } : null);
  const listed = named && !known.includes(named) ? [...known, named] : known;
  const shared = { about, me: me.data, workspace: named };
  return html`<${Frame} about=${about} title=${t("billing")} places=${places} here=${here} me=${me.data} workspaces=${listed}>
    <h1 class="hidden">${places.find(([name]) => name === here)?.[1]}</h1>
    ${me.failure && html`<${Failed} failure=${me.failure} retry=${me.reload} what=${t("me.failed")} />`}
    ${me.data?.via === "admin_login" && html`<p class="note">${t("me.admin-login")} <a href=${about.prefixes.admin}>${t("to-admin")}</a></p>`}
    ${here === "plans" && html`<${PlansAndUsage} ...${shared} />`}
    ${here === "subscriptions" && html`<${Subscriptions} ...${shared} />`}
    ${here === "payments" && html`<${Payments} ...${shared} />`}
  <//>`;
}

void start(Customer);
