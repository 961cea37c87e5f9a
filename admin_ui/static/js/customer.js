// The customer's page: plans and usage, subscriptions, payments.

import { html, useShared } from "./base.js";
import { t } from "./i18n.js";
import { ask, Failure } from "./http.js";
import { useLive } from "./live.js";
import { useRoute } from "./route.js";
import { workspace } from "./session.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Missing } from "./parts/ui.js";
import { PlansAndUsage } from "./customer/plans-usage.js";
import { Subscriptions } from "./customer/subscriptions.js";
import { Payments } from "./customer/payments.js";

/**
 * The upstream's list of the caller's workspaces; an upstream that has none says 404.
 * @param {AbortSignal} signal
 * @returns {Promise<import("./parts/frame.js").Workspace[]>}
 */
async function workspacesOf(signal) {
  try {
    const found = await ask("/workspace", { signal });
    return Array.isArray(found) ? found : [];
  } catch (failure) {
    if (failure instanceof Failure && failure.status === 404) return [];
    throw failure;
  }
}

/** @param {{about: About}} props */
function Customer({ about }) {
  const { view } = useRoute();
  const signedIn = useSignedIn();
  const me = useLive(signedIn ? "/me" : null);
  const workspaces = useLive(signedIn && about.login.upstream ? "workspaces" : null, { load: workspacesOf });
  const picked = useShared(workspace);
  const chosen = picked ?? me.data?.workspace_id ?? null; // a key may speak for one workspace only
  if (!signedIn) return html`<${Door} about=${about} title=${t("billing")} text=${t("billing.what")} />`;

  const sells = about.payments.providers.length > 0;
  /** @type {[string, string][]} */
  const places = [["plans", t("plans-usage")], ["subscriptions", t("subscriptions")], ...(sells ? [/** @type {[string, string]} */ (["payments", t("payments")])] : [])];
  const here = places.some(([name]) => name === view) ? view : "plans";
  const known = workspaces.data ?? [];
  const named = known.find((one) => one.id === chosen) ?? (chosen ? { id: chosen, name: chosen.slice(0, 8) } : null);
  const listed = named && !known.includes(named) ? [...known, named] : known;
  const shared = { about, me: me.data, workspace: named };
  return html`<${Frame} about=${about} title=${t("billing")} places=${places} here=${here} me=${me.data} workspaces=${listed}>
    <h1 class="hidden">${places.find(([name]) => name === here)?.[1]}</h1>
    <${Missing} live=${me} what=${t("me.failed")} />
    <${Missing} live=${workspaces} what=${t("workspaces.failed")} />
    ${me.data?.via === "admin_login" && html`<p class="note">${t("me.admin-login")} <a href=${about.prefixes.admin}>${t("to-admin")}</a></p>`}
    ${here === "plans" && html`<${PlansAndUsage} ...${shared} />`}
    ${here === "subscriptions" && html`<${Subscriptions} ...${shared} />`}
    ${here === "payments" && html`<${Payments} ...${shared} />`}
  <//>`;
}

void start(Customer);
