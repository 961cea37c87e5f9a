// A failure in words: what the server said, and what to do about it.

import { t } from "./i18n.js";
import { minuteOf } from "./format.js";

/**
 * What a question came to, other than its answer: the server `refused`; nothing came (`silent`), or not in time (`late`);
 * or what came cannot be read (`broken`).
 * @typedef {"refused" | "silent" | "late" | "broken"} Kind
 */

export class Failure extends Error {
  /**
   * @param {number} status 0: there was no answer that can be read
   * @param {any} body what the server said
   * @param {{kind?: Kind, wrote?: boolean, requestId?: string | null, retryAfter?: number | null}} [more] `wrote`: something was to be changed
   */
  constructor(status, body, { kind = "refused", wrote = false, requestId = null, retryAfter = null } = {}) {
    super(sayFailure(status, body, kind));
    this.status = status;
    this.kind = kind;
    this.wrote = wrote;
    /** Whether it may have been done all the same: nobody heard, or the server (or what stands before it) broke down meanwhile. */
    this.unknown = wrote && (status === 0 || status >= 500);
    /** @type {{field: string, problem: string}[]} */
    this.fields = listed(body?.content?.fields ?? body?.fields);
    this.body = body;
    /** Whether what is said says what to do as well. */
    this.told = Boolean(body?.told ?? body?.content?.made);
    this.requestId = requestId ?? body?.content?.request_id ?? null;
    this.retryAfter = retryAfter;
    this.at = Date.now();
  }
}

/** @param {unknown} fields */
function listed(fields) {
  return Array.isArray(fields) ? fields : [];
}

/**
 * What went wrong, as one sentence: the server's own where it has one.
 * @param {number} status
 * @param {any} body
 * @param {Kind} [kind]
 * @returns {string}
 */
export function sayFailure(status, body, kind = "refused") {
  const content = body?.content;
  const said = content?.detail ?? body?.detail ?? body?.description ?? body?.message ?? (typeof body?.error === "string" ? body.error : null);
  if (typeof said === "string" && said) return said;
  if (kind === "late") return t("failure.late");
  if (kind === "broken") return t("failure.broken");
  return status === 0 ? t("failure.no-answer") : t("failure.status", { status });
}

/**
 * What did not work: whether it was done may be unknown, and that is more than any name for it.
 * @param {Failure} failure
 * @param {string} [what]
 */
export function sayWhat(failure, what) {
  return failure.unknown ? t("failure.unknown") : what ?? t("failure.title");
}

/**
 * What to do about it.
 * @param {Failure} failure
 * @param {boolean} [again] whether the page tries once more by itself
 * @returns {string}
 */
export function sayWayOut(failure, again = false) {
  const { status, unknown } = failure;
  const way = failure.told ? "" : unknown ? t("failure.do.unknown") : sayWait(failure) ?? t(wayOut(failure));
  return again && (status === 0 || status === 429 || status >= 500) ? `${way} ${t("failure.do.again")}` : way;
}

/**
 * How long to wait: as the time of day if it is long, for this may be read later.
 * @param {Failure} failure
 * @returns {string | null} `null`: nobody has said
 */
function sayWait({ status, retryAfter, at }) {
  if (status !== 429 || !retryAfter) return null;
  if (retryAfter < 120) return t("failure.do.wait-for", { n: Math.ceil(retryAfter) });
  const then = Math.ceil((at + retryAfter * 1000) / 60_000) * 60_000;
  return t("failure.do.wait-until", { at: minuteOf(then, at) });
}

/**
 * @param {Failure} failure
 * @returns {import("./i18n.js").Key}
 */
function wayOut({ status, kind }) {
  if (kind === "broken") return "failure.do.broken";
  if (status === 0) return "failure.do.network";
  if (status === 401) return "failure.do.sign-in";
  if (status === 403) return "failure.do.forbidden";
  if (status === 404) return "failure.do.missing";
  if (status === 409 || status === 412) return "failure.do.conflict";
  if (status === 422 || status === 400) return "failure.do.mend";
  if (status === 429) return "failure.do.wait"; // how long is said by `sayWait`, where it is known
  return "failure.do.server";
}
