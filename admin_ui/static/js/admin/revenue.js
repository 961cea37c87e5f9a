// Revenue: what was earned and given back, by plan and by month.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { instant, money, number } from "../format.js";
import { withQuery } from "../http.js";
import { serverNow } from "../clock.js";
import { useLive } from "../live.js";
import { save } from "../csv.js";
import { Button, Choice, Empty, Field, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";

/** @typedef {{plan?: string, plan_name?: string | null, month?: string, currency: string, gross: number, refunded: number, net: number, payments: number}} Row */

const DAY_MS = 86_400_000;

/** A day some days from another, both as a date field has them. Days are those of the server, which counts months in UTC. @param {number | string} at @param {number} days */
function dayFrom(at, days) {
  return new Date((typeof at === "string" ? Date.parse(at) : at) + days * DAY_MS).toISOString().slice(0, 10);
}

export function Revenue() {
  const [by, setBy] = useState("plan");
  const [from, setFrom] = useState(() => dayFrom(serverNow(), -89));
  const [to, setTo] = useState(() => dayFrom(serverNow(), 0));
  const first = instant(from), last = instant(to);
  const backwards = first !== null && last !== null && last < first;
  const whole = first !== null && last !== null && !backwards;
  const live = useLive(whole ? withQuery("/revenue", { by, from: first, to: instant(dayFrom(to, 1)) }) : null, { every: 120_000 });
  return html`<section aria-labelledby="revenue-title"><header class="section"><h2 id="revenue-title">${t("admin.revenue")}</h2><div class="tools"><${Choice} label=${t("usage.by")} value=${by} change=${setBy} options=${[["plan", t("plan")], ["month", t("range.month")]]} />
      <${Button} small disabled=${!live.data?.length} act=${() => save("revenue.csv", live.data ?? [])}>${t("csv")}<//></div></header>
    <div class="filters"><${Field} label=${t("from")} type="date" value=${from} change=${setFrom} /><${Field} label=${t("to")} type="date" value=${to} change=${setTo} problem=${backwards ? t("revenue.backwards") : null} /></div>
    <p class="hint after-filters">${t("revenue.days")}</p>
    ${whole && html`<${Loaded} live=${live} what=${t("revenue.failed")} lines=${5}>${(/** @type {Row[]} */ rows) => html`<${Totals} rows=${rows} /><div class="panel"><${Table} rows=${rows} caption=${t("admin.revenue")} keyOf=${(/** @type {Row} */ row) => `${row.plan} ${row.month} ${row.currency}`}
      empty=${html`<${Empty} title=${t("revenue.none")}>${t("revenue.none-do")}<//>`} columns=${[
        { name: t(by === "plan" ? "plan" : "range.month"), wide: true, show: (/** @type {Row} */ row) => (by === "plan" ? html`${row.plan_name ?? row.plan ?? "–"}${row.plan_name && html` <code class="muted">${row.plan}</code>`}` : row.month ?? row.plan ?? "–") },
        { name: t("revenue.payments"), right: true, show: (/** @type {Row} */ row) => number(row.payments) },
        { name: t("revenue.gross"), right: true, show: (/** @type {Row} */ row) => money(row.gross, row.currency) },
        { name: t("revenue.refunded"), right: true, show: (/** @type {Row} */ row) => money(row.refunded, row.currency) },
        { name: t("revenue.net"), right: true, show: (/** @type {Row} */ row) => html`<strong>${money(row.net, row.currency)}</strong>` }]} /></div>`}<//>`}
  </section>`;
}

/** @param {{rows: Row[]}} props */
function Totals({ rows }) {
  const sums = new Map(/** @type {[string, number][]} */ ([]));
  for (const row of rows) sums.set(row.currency, (sums.get(row.currency) ?? 0) + row.net);
  return html`<dl class="tiles">${[...sums].map(([currency, net]) => html`<div class="tile" key=${currency}><dt>${t("revenue.net")}, ${currency.toUpperCase()}</dt><dd class="tile-figure">${money(net, currency)}</dd></div>`)}</dl>`;
}
