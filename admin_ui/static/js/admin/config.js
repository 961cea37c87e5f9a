// The running configuration, each value with where it comes from. Secrets are masked by the server.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { useLive } from "../live.js";
import { Button, Empty, Field, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";

/** @typedef {{key: string, value: any, origin?: string | null}} Setting */

export function Config() {
  const live = useLive("/config", { every: 60_000 });
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  return html`<section aria-labelledby="config-title"><header class="section"><h2 id="config-title">${t("admin.config")}</h2><div class="tools"><${Button} small kind="quiet" act=${live.reload}>${t("refresh")}<//></div></header>
    <p class="intro">${t("config.what")}</p>
    <${Loaded} live=${live} what=${t("config.failed")} lines=${8}>${(/** @type {{settings: Setting[], warnings?: string[], notes?: string[]}} */ said) => html`
      ${said.warnings?.map((one) => html`<p class="note warn">${one}</p>`)}${said.notes?.map((one) => html`<p class="note">${one}</p>`)}
      <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${text} change=${setText} type="search" placeholder=${t("config.search")} /></div></div>
      <div class="panel"><${Table} rows=${said.settings.filter((row) => `${row.key} ${JSON.stringify(row.value)}`.toLowerCase().includes(wanted))} caption=${t("admin.config")} keyOf=${(/** @type {Setting} */ row) => row.key}
        empty=${html`<${Empty} title=${t("nothing-found")}>${t("nothing-found-do")}<//>`} columns=${[
          { name: t("config.key"), show: (/** @type {Setting} */ row) => html`<span class="config-key">${row.key}</span>` },
          { name: t("config.value"), wide: true, show: (/** @type {Setting} */ row) => html`<code>${typeof row.value === "string" ? row.value : JSON.stringify(row.value ?? null)}</code>` },
          { name: t("origin"), show: (/** @type {Setting} */ row) => html`<span class="muted origin">${!row.origin || row.origin === "default" ? t("config.default") : row.origin}</span>` }]} /></div>`}<//>
  </section>`;
}
