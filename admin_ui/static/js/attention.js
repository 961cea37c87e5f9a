// Whether somebody looks at the page and uses it: one that lies open overnight need not ask as if somebody did.

const MINUTE_MS = 60_000;
/** Untouched for so long → asked once in so long at most: the longest time first. */
const PACES = /** @type {const} */ ([[60 * MINUTE_MS, 5 * MINUTE_MS], [10 * MINUTE_MS, MINUTE_MS]]);
const SIGNS = /** @type {const} */ (["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]);

let last = Date.now();
/** @type {Set<() => void>} */
const waiting = new Set();

function noticed() {
  const slept = idlePace() > 0;
  last = Date.now();
  if (slept) for (const back of [...waiting]) back();
}

for (const sign of SIGNS) window.addEventListener(sign, noticed, { passive: true });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  last = Date.now();
  for (const back of [...waiting]) back();
});

/** How long to wait between questions at least, in milliseconds; 0 while somebody is there. */
export function idlePace() {
  return PACES.find(([untouched]) => Date.now() - last >= untouched)?.[1] ?? 0;
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
