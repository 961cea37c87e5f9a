// The form of an endpoint weight.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, withQuery } from "../http.js";
import { FormDialog } from "../parts/dialog.js";
import { Field } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";
import { onShown, Overtaken, useRevised } from "./revised.js";

export const METHODS = ["ANY", "GET", "POST", "PUT", "PATCH", "DELETE"];
const NAMES = /** @type {const} */ ({ method: "method", path_pattern: "path", weight: "weight", description: "description" });

/** @param {Weight | null} weight */
function draftOf(weight) {
  return { method: weight?.method ?? "GET", path_pattern: weight?.path_pattern ?? "", weight: String(weight?.weight ?? 1), description: weight?.description ?? "" };
}

/** @param {{weight: Weight | null, close: () => void, done: () => Promise<void>}} props */
export function WeightForm({ weight, close, done }) {
  const { row, draft, set, meet, overtaken } = useRevised(weight, draftOf);
  const [failure, setFailure] = useState(/** @type {import("../http.js").Failure | null} */ (null));
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field)?.problem ?? null;
  const save = async () => {
    const body = { ...draft, weight: /^\d+$/.test(draft.weight.trim()) ? Number(draft.weight) : draft.weight };
    if (row) await onShown(`/endpoint-weight/${row.id}`, row, (etag) => api(withQuery("/endpoint-weight", { id: row.id }), { method: "PUT", body, etag }), meet);
    else await api("/endpoint-weight", { method: "POST", body });
    toast(t("weight.saved"));
    await done();
  };
  return html`<${FormDialog} title=${t(weight ? "weight.edit" : "weight.new")} close=${close} save=${save} action=${t(weight ? "save" : "create")} failed=${setFailure}>
    <${Overtaken} changes=${overtaken} nameOf=${(/** @type {keyof typeof NAMES} */ field) => t(NAMES[field])} />
    <div class="form-row"><${Field} label=${t("method")} value=${draft.method} change=${(/** @type {string} */ method) => set({ method })} options=${[...new Set([...METHODS, draft.method])].map((one) => [one, one])} problem=${wrong("method")} />
      <${Field} label=${t("weight")} value=${draft.weight} change=${(/** @type {string} */ value) => set({ weight: value })} inputmode="numeric" required problem=${wrong("weight")} hint=${t("weight.hint")} /></div>
    <${Field} label=${t("path")} value=${draft.path_pattern} change=${(/** @type {string} */ path_pattern) => set({ path_pattern })} required placeholder="/message/{id}/**" problem=${wrong("path_pattern")} hint=${t("weight.path-hint")} />
    <${Field} label=${t("description")} value=${draft.description} change=${(/** @type {string} */ description) => set({ description })} problem=${wrong("description")} />
  <//>`;
}
