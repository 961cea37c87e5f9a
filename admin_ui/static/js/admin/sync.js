// Ours against the payment provider's: when it was compared last, what differed, and a comparison now.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, Failure } from "../http.js";
import { useLive } from "../live.js";
import { Badge, Button, Empty, Failed, Loaded, State, Time } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";

export function Sync() {
  const live = useLive("/sync", { every: 10_000 });
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const run = async (/** @type {{full?: boolean, dry_run?: boolean}} */ how) => {
    setFailure(null);
    try {
      setAnswer(await api("/sync", { method: "POST", body: how }));
      toast(t("sync.done"));
      await live.reload();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    }
  };
  return html`<section aria-labelledby="sync-title"><header class="section"><h2 id="sync-title">${t("admin.sync")}</h2><div class="tools"><${Button} small act=${() => run({ dry_run: true })}>${t("sync.dry")}<//><${Button} small kind="main" act=${() => run({})}>${t("sync.now")}<//><${Button} small act=${() => run({ full: true })}>${t("sync.full")}<//></div></header>
    <p class="intro">${t("sync.what")}</p>
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    ${answer && html`<section class="panel padded view" role="status"><h3>${t("sync.answer")}</h3><${Facts} of=${answer} /></section>`}
    <${Loaded} live=${live} what=${t("sync.failed")} lines=${4}>${(/** @type {any} */ seen) => html`<div class="panel padded"><${Facts} of=${seen} /></div>`}<//>
  </section>`;
}

/** Whatever the server tells, as a list: names, values, lists of changes. @param {{of: any}} props */
function Facts({ of }) {
  if (Array.isArray(of)) return of.length ? html`<ul class="lines">${of.map((one) => html`<li><${Value} of=${one} /></li>`)}</ul>` : html`<${Empty} title=${t("sync.nothing")}><//>`;
  return html`<dl class="facts">${Object.entries(of ?? {}).map(([name, value]) => html`<div class=${value && typeof value === "object" ? "whole" : ""}><dt>${name.replaceAll("_", " ")}</dt><dd><${Value} of=${value} name=${name} /></dd></div>`)}</dl>`;
}

/** @param {{of: any, name?: string}} props */
function Value({ of, name = "" }) {
  if (of === null || of === undefined) return html`<span class="muted">–</span>`;
  if (typeof of === "boolean") return html`<${Badge}>${t(of ? "yes" : "no")}<//>`;
  if (typeof of === "object") return html`<${Facts} of=${of} />`;
  if (name.endsWith("_at") || (typeof of === "string" && /^\d{4}-\d\d-\d\dT/.test(of))) return html`<${Time} at=${of} exact="second" />`;
  return name === "status" || name === "state" ? html`<${State} of=${String(of)} group="event" />` : html`${String(of)}`;
}
