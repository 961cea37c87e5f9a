// Who is behind an id: names from the directory, fetched once and shared by every table.

import { html, useEffect } from "./base.js";
import { t, tWord } from "./i18n.js";
import { useLive } from "./live.js";
import { withQuery } from "./http.js";
import { toast } from "./parts/toasts.js";
import { Badge, Id } from "./parts/ui.js";

/** @returns {(kind: string | null | undefined, id: string | null | undefined) => string | null} */
export function useNames() {
  const known = useLive(withQuery("/directory", { limit: 1000 }), { every: 300_000 });
  useEffect(() => { if (known.failure) toast(known.failure, { what: t("names.failed") }); }, [known.failure]);
  const names = new Map(/** @type {Known[]} */ (known.data ?? []).filter((one) => one.name).map((one) => [`${one.kind} ${one.id}`, one.name ?? ""]));
  return (kind, id) => names.get(`${kind} ${id}`) ?? null;
}

/**
 * A scope: its kind, and its name or id.
 * @param {{kind?: string | null, id?: string | null, name?: string | null}} props
 */
export function Who({ kind, id, name = null }) {
  return html`<span class="who"><${Badge}>${tWord("kind", kind)}<//> <${Id} id=${id} name=${name} /></span>`;
}
