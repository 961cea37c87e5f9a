// Ours against the payment provider's: when it was compared last, what differed, and a comparison now.

import { html, useEffect, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { moment, money, number } from "../format.js";
import { api, Failure } from "../http.js";
import { useLive } from "../live.js";
import { Badge, Button, Empty, Failed, Loaded, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { toast } from "../parts/toasts.js";

/** @typedef {{started_at: string, ended_at: string, full: boolean, dry_run: boolean, happenings: number, compared: number, changes: Record<string, string[]>, drift: string[], problems: string[], cut?: boolean}} Run */
/** @typedef {{provider: string, test: boolean, cursor_at?: string | null, last_full_at?: string | null, overdue: number, events: Record<string, number>, running?: Run | null, runs: Run[], drift: string[], paid_twice: {subscription_id: string, agreement: string, amount_cents: number, currency: string}[]}} State */

export function Sync() {
  const [asked, setAsked] = useState(/** @type {{at: string, full: boolean, dry: boolean} | null} */ (null));
  const [pace, setPace] = useState(10_000);
  const live = useLive("/sync", { every: pace });
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const answer = (asked && /** @type {State | undefined} */ (live.data)?.runs.find((run) => Date.parse(run.started_at) >= Date.parse(asked.at) && (run.full || !asked.full) && run.dry_run === asked.dry)) || null;
  useEffect(() => setPace(asked && !answer ? 2_000 : 10_000), [asked, answer]);
  const run = async (/** @type {{full?: boolean, dry_run?: boolean}} */ how) => {
    setFailure(null);
    try {
      const wanted = /** @type {{asked_at: string}} */ (await api("/sync", { method: "POST", body: how }));
      setAsked({ at: wanted.asked_at, full: how.full === true, dry: how.dry_run === true });
      toast(t("sync.asked"));
      await live.reload();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
    }
  };
  return html`<section aria-labelledby="sync-title"><header class="section"><h2 id="sync-title">${t("admin.sync")}</h2><div class="tools"><${Button} small act=${() => run({ dry_run: true })}>${t("sync.dry")}<//><${Button} small kind="main" act=${() => run({})}>${t("sync.now")}<//><${Button} small act=${() => run({ full: true })}>${t("sync.full")}<//></div></header>
    <p class="intro">${t("sync.what")}</p>
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    ${answer && html`<section class="panel padded view" role="status"><h3>${t("sync.answer")}</h3><${Outcome} run=${answer} /></section>`}
    <${Loaded} live=${live} what=${t("sync.failed")} lines=${4}>${(/** @type {State} */ seen) => html`
      <dl class="tiles">
        <div class="tile"><dt>${t("provider")}</dt><dd class="tile-figure">${tWord("provider", seen.provider)} ${seen.test && html`<${Badge} tone="warn">${t("sync.test")}<//>`}</dd></div>
        <div class="tile"><dt>${t("sync.overdue")}</dt><dd class="tile-figure">${number(seen.overdue)}</dd></div>
        <div class="tile"><dt>${t("sync.last-full")}</dt><dd><${Time} at=${seen.last_full_at} exact="second" /></dd><dt>${t("sync.cursor")}</dt><dd><${Time} at=${seen.cursor_at} exact="second" /></dd></div>
        <div class="tile"><dt>${t("admin.webhooks")}</dt>${Object.keys(seen.events).length === 0 && html`<dd class="muted">–</dd>`}${Object.entries(seen.events).map(([state, count]) => html`<dd class="part"><span>${tWord("event", state)}</span><span>${number(count)}</span></dd>`)}</div>
      </dl>
      ${seen.paid_twice.length > 0 && html`<section class="panel padded view" aria-labelledby="twice-title"><h3 id="twice-title">${t("sync.twice")}</h3><p>${t("sync.twice-do")}</p><ul class="lines">${seen.paid_twice.map((one) => html`<li>${one.subscription_id}: ${money(one.amount_cents, one.currency)} (${one.agreement})</li>`)}</ul></section>`}
      ${seen.drift.length > 0 && html`<section class="panel padded view" aria-labelledby="drift-title"><h3 id="drift-title">${t("sync.drifted")}</h3><p>${t("sync.drifted-do")}</p><ul class="lines">${seen.drift.map((line) => html`<li>${line}</li>`)}</ul></section>`}
      ${seen.running && html`<p class="note" role="status">${t("sync.running", { how: seen.running.full ? t("sync.full") : t("sync.recent"), compared: seen.running.compared })} <${Time} at=${seen.running.started_at} exact="time" /></p>`}
      <section aria-labelledby="runs-title"><header class="section"><h2 id="runs-title">${t("sync.runs")}</h2></header>
      <div class="panel"><${Table} rows=${seen.runs} caption=${t("sync.runs")} keyOf=${(/** @type {Run} */ row) => row.started_at} nameOf=${(/** @type {Run} */ row) => moment(row.started_at, "second")} details=${(/** @type {Run} */ row) => html`<${Outcome} run=${row} />`}
        empty=${html`<${Empty} title=${t("sync.no-runs")}>${t("sync.no-runs-do")}<//>`} columns=${[
          { name: t("time"), show: (/** @type {Run} */ row) => html`<${Time} at=${row.started_at} exact="second" />` },
          { name: t("sync.how"), show: (/** @type {Run} */ row) => [row.full ? t("sync.full") : t("sync.recent"), row.dry_run && t("sync.dry")].filter(Boolean).join(", ") },
          { name: t("sync.compared"), right: true, show: (/** @type {Run} */ row) => number(row.compared) },
          { name: t("sync.changed"), right: true, show: (/** @type {Run} */ row) => number(changes(row).length) },
          { name: t("sync.problems"), right: true, wide: true, show: (/** @type {Run} */ row) => (row.problems.length ? html`<${Badge} tone="bad">${number(row.problems.length)}<//>` : "0") }]} /></div></section>`}<//>
  </section>`;
}

/** @param {Run} run @returns {string[]} */
function changes(run) {
  return Object.entries(run.changes).flatMap(([id, what]) => what.map((one) => `${id}: ${one}`));
}

/** @param {{run: Run}} props */
function Outcome({ run }) {
  const lists = /** @type {[string, string[]][]} */ ([[t("sync.changed"), changes(run)], [t("sync.drift"), run.drift], [t("sync.problems"), run.problems]]);
  if (lists.every(([, lines]) => lines.length === 0)) return html`<p class="muted">${t("sync.nothing")} (${t("sync.compared")}: ${number(run.compared)})</p>`;
  return html`${lists.map(([name, lines]) => lines.length > 0 && html`<p><strong>${name}</strong></p><ul class="lines">${lines.map((line) => html`<li>${line}</li>`)}</ul>`)}${run.cut && html`<p class="muted">${t("sync.cut")}</p>`}`;
}
