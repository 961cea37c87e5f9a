// The state of a subscription as people understand it, and what they can do in each.

/** @typedef {"pending" | "active" | "cancelling" | "past_due" | "paused" | "scheduled" | "expired" | "cancelled"} State */
/** @typedef {"resume" | "sync" | "cancel" | "reactivate" | "pay" | "change"} Action */

/**
 * @param {Subscription} row
 * @param {number} now milliseconds
 * @returns {State}
 */
export function stateOf(row, now) {
  if (row.status === "pending") return "pending";
  if (row.status === "cancelled" || row.cancelled_at) return "cancelled";
  if (row.expires_at && Date.parse(row.expires_at) <= now) return "expired";
  if (row.status === "past_due" || row.status === "unpaid") return "past_due";
  if (row.status === "paused") return "paused";
  if (Date.parse(row.starts_at) > now) return "scheduled";
  return row.cancel_at_period_end ? "cancelling" : "active";
}

/**
 * @param {Subscription} row
 * @param {State} state
 * @returns {Action[]}
 */
export function ACTIONS(row, state) {
  const sold = row.payment_provider !== "manual" && row.source !== "file";
  const recurring = sold && row.payment_mode === "subscription";
  if (state === "pending") return sold ? ["resume", "sync", "cancel"] : [];
  if (state === "past_due") return recurring ? ["pay", "sync", "cancel"] : [];
  if (state === "paused") return recurring ? ["sync", "cancel"] : [];
  if (state === "expired") return recurring ? ["pay", "sync"] : [];
  if (state === "cancelling") return recurring ? ["reactivate", "sync"] : [];
  if (state === "active") return recurring ? ["change", "sync", "cancel"] : [];
  return [];
}
