// What failed, in full: what the server said, of which fields, what to do, and by which id the operator finds it.

import { html } from "../base.js";
import { t } from "../i18n.js";
import { sayWayOut, sayWhat } from "../failure.js";

/**
 * @param {{failure: import("../failure.js").Failure, what?: string, again?: boolean}} props `again`: the page tries once more by itself
 */
export function FailureWords({ failure, what, again = false }) {
  return html`<p class="failed-title">${sayWhat(failure, what)}</p>
    <p>${failure.message}</p>
    ${failure.fields.length > 0 && html`<ul>${failure.fields.map((one) => html`<li><code>${one.field}</code>: ${one.problem}</li>`)}</ul>`}
    <p class="muted">${sayWayOut(failure, again)}${failure.requestId && html` <span class="request">${t("failure.request")} <code>${failure.requestId}</code></span>`}</p>`;
}
