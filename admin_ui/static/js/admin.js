// The administrator's page: what is sold and to whom, what requests cost, what is going on, and how it is set up.

import { html, useEffect, useState } from "./base.js";
import { addMessages, t } from "./i18n.js";
import { forget } from "./http.js";
import { useLive } from "./live.js";
import { useRoute } from "./route.js";
import { signOut } from "./session.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Button, Empty, Loaded } from "./parts/ui.js";

/** @typedef {(props: {about: About, me: Me}) => any} View */
/** @type {Record<string, () => Promise<View>>} fetched when they are first looked at */
const VIEWS = {
  overview: async () => (await import("./admin/overview.js")).Overview,
  plans: async () => (await import("./admin/plans.js")).Plans,
  subscriptions: async () => (await import("./admin/subscriptions.js")).AllSubscriptions,
  weights: async () => (await import("./admin/weights.js")).Weights,
  keys: async () => (await import("./admin/keys.js")).Keys,
  usage: async () => (await import("./admin/usage.js")).Explorer,
  revenue: async () => (await import("./admin/revenue.js")).Revenue,
  webhooks: async () => (await import("./admin/webhooks.js")).Webhooks,
  sync: async () => (await import("./admin/sync.js")).Sync,
  audit: async () => (await import("./admin/audit.js")).Audit,
  config: async () => (await import("./admin/config.js")).Config,
};
const OF_PROVIDERS = new Set(["revenue", "webhooks", "sync"]);

addMessages({ en: () => import("./messages/admin-en.js"), pt: () => import("./messages/admin-pt.js") });

/** @param {{about: About}} props */
function Admin({ about }) {
  const { view } = useRoute();
  const signedIn = useSignedIn();
  const me = useLive(signedIn ? "/me" : null);
  if (!signedIn) return html`<${Door} about=${about} admin title=${t("admin")} text=${t("admin.what")} />`;
  const names = Object.keys(VIEWS).filter((name) => about.payments.providers.length > 0 || !OF_PROVIDERS.has(name));
  const places = names.map((name) => /** @type {[string, string]} */ ([name, t(/** @type {import("./i18n.js").Key} */ (`admin.${name}`))]));
  const here = names.includes(view) ? view : "overview";
  return html`<${Frame} about=${about} admin title=${t("admin")} places=${me.data?.admin ? places : []} here=${here} me=${me.data}>
    <${Loaded} live=${me} what=${t("me.failed")}>${(/** @type {Me} */ who) => (who.admin ? html`<${Fetched} key=${here} name=${here} about=${about} me=${who} />` : html`<${NoAdmin} about=${about} />`)}<//>
  <//>`;
}

/** @param {{name: string, about: About, me: Me}} props */
function Fetched({ name, about, me }) {
  const [view, setView] = useState(/** @type {{View: View} | null} */ (null));
  const [missing, setMissing] = useState(false);
  useEffect(() => {
    let gone = false;
    VIEWS[name]?.().then((found) => { if (!gone) setView({ View: found }); }, () => { if (!gone) setMissing(true); });
    return () => { gone = true; };
  }, [name]);
  const heading = t(/** @type {import("./i18n.js").Key} */ (`admin.${name}`));
  if (missing) return html`<${Empty} title=${t("view.missing")}>${t("view.missing-do")} <${Button} act=${() => location.reload()}>${t("reload")}<//><//>`;
  return html`<h1 class="hidden">${heading}</h1>${view ? html`<${view.View} about=${about} me=${me} />` : html`<div class="skeleton" role="status"><span class="hidden">${t("loading")}</span><i></i><i></i><i></i></div>`}`;
}

/** @param {{about: About}} props */
function NoAdmin({ about }) {
  const again = () => {
    forget();
    signOut();
  };
  return html`<${Empty} title=${t("admin.no")}>${t("admin.no-do")}
    <p class="row-actions"><${Button} kind="main" act=${again}>${t("admin.as-another")}<//><a class="button" href=${about.prefixes.billing}>${t("to-billing")}</a></p><//>`;
}

void start(Admin);
