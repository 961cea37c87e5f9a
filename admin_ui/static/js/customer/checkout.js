// The purchase on its way to the payment provider and back: which one it was, for the page that people come back to.

const KEPT = "weighbridge.checkout";

/** @typedef {{external_id?: string, plan?: string, workspace: string | null, id?: string}} Checkout */

/** @param {Checkout} checkout */
export function rememberCheckout(checkout) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(checkout));
  } catch {
    // Storage is switched off: the page will show the newest subscription.
  }
}

/** @returns {Checkout | null} */
export function rememberedCheckout() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

export function forgetCheckout() {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // Nothing was kept.
  }
}
