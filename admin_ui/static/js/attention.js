// Whether somebody looks at the page and uses it: one that lies open overnight need not ask as if somebody did.

const IDLE_MS = 600_000;
const SIGNS = /** @type {const} */ (["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]);

let last = Date.now();
/** @type {Set<() => void>} */
const waiting = new Set();

function noticed() {
  const slept = isIdle();
  last = Date.now();
  if (slept) for (const back of [...waiting]) back();
}

for (const sign of SIGNS) window.addEventListener(sign, noticed, { passive: true });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  last = Date.now();
  for (const back of [...waiting]) back();
});

/** Whether nobody has touched anything for ten minutes. */
export function isIdle() {
  return Date.now() - last >= IDLE_MS;
}

/**
 * Be told when somebody comes back: to the tab, or to the mouse.
 * @param {() => void} back
 * @returns {() => void} for an end of it
 */
export function whenBack(back) {
  waiting.add(back);
  return () => void waiting.delete(back);
}
