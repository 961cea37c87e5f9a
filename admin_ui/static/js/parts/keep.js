// What was typed and not saved: before a dialog closes over it, or the reader goes elsewhere, the reader is asked.

import { html, useEffect, useRef, useState } from "../base.js";
import { t } from "../i18n.js";
import { keepers } from "../route.js";
import { Button } from "./ui.js";

/**
 * @param {string | null} what would be lost; `null`: nothing
 * @param {() => void} close
 * @returns {{asking: boolean, leave: () => void, stay: () => void}} `leave`: closes, or asks first
 */
export function useKept(what, close) {
  const [asking, setAsking] = useState(false);
  const kept = Boolean(what);
  useEffect(() => {
    if (!kept) return undefined;
    const keeps = () => {
      setAsking(true);
      return true;
    };
    const unloads = (/** @type {Event} */ event) => event.preventDefault();
    keepers.add(keeps);
    window.addEventListener("beforeunload", unloads);
    return () => {
      keepers.delete(keeps);
      window.removeEventListener("beforeunload", unloads);
    };
  }, [kept]);
  return { asking: asking && kept, leave: () => (kept ? setAsking(true) : close()), stay: () => setAsking(false) };
}

/** @param {{what: string, stay: () => void, leave: () => void}} props */
export function Leaving({ what, stay, leave }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    box.current?.querySelector("button")?.focus();
    return () => { if (before?.isConnected) before.focus(); };
  }, []);
  return html`<div class="leaving" role="alertdialog" aria-label=${what} ref=${box}><p>${what}</p>
    <p class="row-actions"><${Button} small kind="main" act=${stay}>${t("keep.stay")}<//><${Button} small kind="danger" act=${leave}>${t("keep.leave")}<//></p></div>`;
}
