// Payments as the provider has them, newest first.

import { html, useEffect, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { money } from "../format.js";
import { api, withQuery } from "../http.js";
import { useLive } from "../live.js";
import { Choice, Empty, Loaded, State, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { useLeavingIfGone } from "./leaving.js";

const PORTION = 50;

/** @param {{workspace: {id: string, name: string} | null}} props */
export function Payments({ workspace }) {
  const [whose, setWhose] = useState("mine");
  useEffect(() => setWhose(workspace ? "workspace" : "mine"), [workspace?.id]);
  const inWorkspace = whose === "workspace" && workspace ? workspace.id : null;
  const first = withQuery("/payment", { limit: PORTION });
  const live = useLive(first, { workspace: inWorkspace, load: (signal) => api(first, { workspace: inWorkspace, signal }).then(portion) });
  useLeavingIfGone(live.failure, inWorkspace ? workspace : null);
  const cursor = live.data?.next;
  const more = cursor ? async () => {
    const next = portion(await api(withQuery("/payment", { limit: PORTION, cursor }), { workspace: inWorkspace }));
    live.change((was) => ({ rows: [...was.rows, ...next.rows], next: next.next }));
  } : null;
  return html`<section class="view" aria-labelledby="payments-title">
    <header class="section"><h2 id="payments-title">${t("payments")}</h2>
      ${workspace && html`<${Choice} label=${t("history.whose")} value=${whose} change=${setWhose} options=${[["mine", t("mine")], ["workspace", workspace.name]]} />`}</header>
    <${Loaded} live=${live} what=${t("payments.failed")} lines=${5}>${(/** @type {{rows: Payment[]}} */ { rows }) => html`<div class="panel"><${Table} rows=${rows} caption=${t("payments")} more=${more}
      empty=${html`<${Empty} title=${t("payments.none")}>${t("payments.none-do")}<//>`} columns=${COLUMNS()} /></div>`}<//>
  </section>`;
}

/** @param {any} answer a list, or a page of one with its cursor @returns {{rows: Payment[], next: string | null}} */
function portion(answer) {
  if (Array.isArray(answer)) return { rows: answer, next: null };
  return { rows: answer.data, next: answer.has_more ? answer.next_cursor ?? null : null };
}

/** @returns {import("../parts/table.js").Column<Payment>[]} */
const COLUMNS = () => [
  { name: t("date"), show: (row) => html`<${Time} at=${row.created_at} />` },
  { name: t("payments.plan"), wide: true, show: (row) => row.plan_name ?? row.plan ?? "–" },
  { name: t("description"), wide: true, show: (row) => row.description ?? "–" },
  { name: t("method"), show: (row) => tWord("method", row.payment_method) },
  { name: t("state"), show: (row) => html`<${State} of=${row.refunded_cents && row.refunded_cents >= row.amount_cents ? "refunded" : row.status} group="payment" /> ${row.dispute === "open" && html`<${State} of="disputed" group="payment" />`}` },
  { name: t("amount"), right: true, show: (row) => html`${money(row.amount_cents, row.currency)}${row.refunded_cents ? html`<br /><span class="muted">−${money(row.refunded_cents, row.currency)}</span>` : null}` },
  { name: "", right: true, show: (row) => html`<span class="row-actions">
    ${row.pay_url && html`<a href=${row.pay_url} rel="noopener noreferrer">${t("pay")}</a>`}
    ${row.boleto_url && html`<a href=${row.boleto_url} rel="noopener noreferrer" target="_blank">${t("boleto")}</a>`}
    ${row.boleto_pdf_url && html`<a href=${row.boleto_pdf_url} rel="noopener noreferrer" target="_blank">${t("boleto-pdf")}</a>`}
    ${row.receipt_url && html`<a href=${row.receipt_url} rel="noopener noreferrer" target="_blank">${t("receipt")}</a>`}</span>` },
];
