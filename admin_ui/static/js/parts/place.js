// Where the focus goes on when what had it is gone: a row that was deleted, a button that is not offered any more.

const HOME = "section, dialog, main";

/**
 * Remember where somebody is, before that may go.
 * @param {Element | null | undefined} from
 * @returns {() => void} to be called once it may have gone: if the focus was lost with it, what is nearest has it then
 */
export function placeOf(from) {
  const row = from?.closest("tr, li");
  const next = row?.nextElementSibling;
  const near = [row, next, next?.nextElementSibling, row?.previousElementSibling]; // beside a row may be its details, which go with it
  const homes = /** @type {Element[]} */ ([]);
  for (let home = from?.closest(HOME); home; home = home.parentElement?.closest(HOME)) homes.push(home);
  const goOn = () => {
    if (!from || from.isConnected || (document.activeElement && document.activeElement !== document.body)) return;
    const place = near.map((one) => (one?.isConnected ? one.querySelector(".button:not(:disabled)") ?? one.querySelector("button, a[href]") : null)).find(Boolean)
      ?? titleOf(homes.find((one) => one.isConnected));
    if (place instanceof HTMLElement) place.focus();
  };
  return () => void setTimeout(goOn); // when what was changed is drawn
}

/** @param {Element | undefined} home */
function titleOf(home) {
  const title = home?.querySelector("h1, h2, h3");
  title?.setAttribute("tabindex", "-1");
  return title;
}
