// A failure in words: what the server said, and what to do about it.

import { t } from "./i18n.js";

/**
 * What went wrong, as one sentence: the server's own where it has one.
 * @param {number} status
 * @param {any} body
 * @returns {string}
 */
export function sayFailure(status, body) {
  const content = body?.content;
  const said = content?.detail ?? body?.detail ?? body?.description ?? body?.message ?? (typeof body?.error === "string" ? body.error : null);
  if (typeof said === "string" && said) return said;
  return status === 0 ? t("failure.no-answer") : t("failure.status", { status });
}

/**
 * What to do about it.
 * @param {number} status
 * @returns {string}
 */
export function sayWayOut(status) {
  if (status === 0) return t("failure.do.network");
  if (status === 401) return t("failure.do.sign-in");
  if (status === 403) return t("failure.do.forbidden");
  if (status === 404) return t("failure.do.missing");
  if (status === 409 || status === 412) return t("failure.do.conflict");
  if (status === 422 || status === 400) return t("failure.do.mend");
  if (status === 429) return t("failure.do.wait");
  return t("failure.do.server");
}
