// The state of a subscription as people understand it, and what they can do in each.

/** @typedef {"pending" | "active" | "trialing" | "cancelling" | "past_due" | "unpaid" | "paused" | "scheduled" | "expired" | "cancelled"} State */
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
  if (row.status === "past_due" || row.status === "unpaid") return row.status;
  if (row.status === "paused") return "paused";
  if (Date.parse(row.starts_at) > now) return "scheduled";
  if (row.cancel_at_period_end) return "cancelling";
  return row.status === "trialing" ? "trialing" : "active";
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
  if (state === "past_due" || state === "unpaid") return recurring ? ["pay", "sync", "cancel"] : [];
  if (state === "paused" || state === "scheduled") return recurring ? ["sync", "cancel"] : [];
  if (state === "expired") return recurring ? ["pay", "sync"] : [];
  if (state === "cancelling") return recurring ? ["reactivate", "sync"] : [];
  if (state === "active" || state === "trialing") return recurring ? ["change", "sync", "cancel"] : [];
  return [];
}

/**
 * When it is paid for next, which is before it would end; else when it ends.
 * @param {Subscription} row
 * @param {State} state
 */
export function endOf(row, state) {
  return (renews(row, state) && row.period_end) || row.expires_at;
}

/**
 * What then happens.
 * @param {Subscription} row
 * @param {State} state
 * @returns {"expired-at" | "first-payment" | "renews" | "expires"}
 */
export function endName(row, state) {
  if (state === "expired") return "expired-at";
  if (state === "trialing" && renews(row, state)) return "first-payment";
  return renews(row, state) ? "renews" : "expires";
}

/** @param {Subscription} row @param {State} state */
function renews(row, state) {
  return row.payment_mode === "subscription" && (state === "active" || state === "trialing");
}
