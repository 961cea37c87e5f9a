// Tables: a page of rows at a time, so that ten thousand are as quick as ten; stacked into cards where there is no room.

import { html, useEffect, useState } from "../base.js";
import { t } from "../i18n.js";
import { number } from "../format.js";
import { Button } from "./ui.js";

const PAGE = 50;

/**
 * @template R
 * @typedef {object} Column
 * @property {string} name
 * @property {(row: R) => any} show
 * @property {boolean} [right] a number: aligned right
 * @property {boolean} [wide] takes what room there is
 */

/**
 * @param {{rows: any[], columns: Column<any>[], caption: string, keyOf?: (row: any) => string, nameOf?: (row: any) => string, empty?: any, more?: (() => Promise<unknown>) | null, details?: ((row: any) => any)}} props `nameOf`: what tells a row with details from the others, in words
 */
export function Table({ rows, columns, caption, keyOf = (row) => row.id, nameOf = keyOf, empty, more = null, details }) {
  const { shown, pager } = useTurned(rows, { more, caption });
  const [open, setOpen] = useState(/** @type {string | null} */ (null));
  if (rows.length === 0) return empty ?? null;
  return html`<div class="table-box"><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((column) => html`<th scope="col" class=${classOf(column)}>${column.name || html`<span class="hidden">${t("actions")}</span>`}</th>`)}
      ${details && html`<th scope="col"><span class="hidden">${t("details.show")}</span></th>`}</tr></thead>
    <tbody>${shown.flatMap((row) => { // flat, or the rows after one that goes would be made anew
      const key = keyOf(row);
      return html`<tr key=${key}>${columns.map((column) => html`<td class=${classOf(column)} data-name=${column.name}><div>${column.show(row)}</div></td>`)}
        ${details && html`<td class="right"><button type="button" class="button quiet small" onClick=${() => setOpen(open === key ? null : key)} aria-expanded=${open === key ? "true" : "false"} aria-label=${t("action.of", { action: t(open === key ? "details.hide" : "details.show"), name: nameOf(row) })}>${t("details")}</button></td>`}</tr>
        ${details && open === key && html`<tr key=${`${key} details`} class="details-row"><td colspan=${columns.length + 1}>${details(row)}</td></tr>`}`;
    })}</tbody></table>
    ${pager}
  </div>`;
}

/**
 * The page of a long list that is looked at, and what turns it: for what is no table as well.
 * @template R
 * @param {R[]} rows
 * @param {{more: (() => Promise<unknown>) | null, caption: string}} how
 * @returns {{shown: R[], pager: any}}
 */
export function useTurned(rows, { more, caption }) {
  const [wanted, turn] = useState(0);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  const page = Math.min(wanted, pages - 1);
  useEffect(() => { if (wanted >= pages) turn(pages - 1); }, [pages]);
  const pager = (pages > 1 || more) && html`<${Pager} page=${page} pages=${pages} total=${rows.length} turn=${turn} more=${more} caption=${caption} />`;
  return { shown: rows.slice(page * PAGE, (page + 1) * PAGE), pager };
}

/** @param {Column<any>} column */
function classOf(column) {
  return [column.right && "right", column.wide && "wide"].filter(Boolean).join(" ") || undefined;
}

/**
 * @param {{page: number, pages: number, total: number, turn: (page: number) => void, more: (() => Promise<unknown>) | null, caption: string}} props
 */
function Pager({ page, pages, total, turn, more, caption }) {
  const last = page === pages - 1;
  const onward = async () => {
    if (more && total < (page + 2) * PAGE) await more();
    turn(page + 1);
  };
  return html`<nav class="pager" aria-label=${t("pager.of", { caption })}>
    <span class="muted">${t("pager.rows", { from: page * PAGE + 1, to: Math.min(total, (page + 1) * PAGE), total: number(total) + (more ? "+" : "") })}</span>
    <${Button} small act=${() => turn(page - 1)} disabled=${page === 0}>${t("pager.before")}<//>
    <${Button} small act=${onward} disabled=${last && !more}>${t("pager.next")}<//>
  </nav>`;
}
