// The states of subscriptions as an admin tells them apart: what customers see, and two more.

import { stateOf } from "../subscription.js";

/** As the API's `state` has them. */
export const STATES = ["pending", "scheduled", "trialing", "active", "cancelling", "past_due", "unpaid", "paused", "expired", "cancelled"];

/**
 * @param {Subscription} row
 * @param {number} now milliseconds
 * @returns {string} one of `STATES`
 */
export function exactState(row, now) {
  const state = stateOf(row, now);
  if (state === "active" && row.status === "trialing") return "trialing";
  return state === "past_due" && row.status === "unpaid" ? "unpaid" : state;
}
