// The prices of a plan: one per currency, each changed on its own.

import { html, useEffect, useRef, useState } from "../base.js";
import { t } from "../i18n.js";
import { currencies, decimal, exponent, minorUnits, money } from "../format.js";
import { api, Failure, withQuery } from "../http.js";
import { useLive } from "../live.js";
import { confirm, Dialog } from "../parts/dialog.js";
import { Badge, Button, Empty, Failed, Field, Loaded } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";
import { onShown } from "./revised.js";

/** @param {{plan: Plan, close: () => void, done: () => Promise<void>}} props */
export function Prices({ plan, close, done }) {
  const path = `/plan/${plan.id}/price`;
  const live = useLive(withQuery(path, { limit: 200 }));
  const [currency, setCurrency] = useState("");
  const [amount, setAmount] = useState("");
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [typed, setTyped] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const mark = (/** @type {string} */ id, /** @type {boolean} */ differs) => setTyped((was) => (was.has(id) === differs ? was : new Set(differs ? [...was, id] : [...was].filter((one) => one !== id))));

  const act = async (/** @type {() => Promise<unknown>} */ ask, /** @type {string} */ said) => {
    setFailure(null);
    try {
      await ask();
      toast(said);
      await Promise.all([live.reload(), done()]);
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
      if (error.status === 412) await live.reload();
      return false;
    }
  };
  const remove = (/** @type {Price} */ price) => confirm({
    title: t("price.remove", { currency: price.currency.toUpperCase() }) + "?", text: t("price.remove-text", { amount: money(price.price_cents, price.currency), name: plan.name }), action: t("remove"),
    save: async () => {
      await onShown(`${path}/${price.id}`, price, (etag) => api(withQuery(path, { id: price.id }), { method: "DELETE", etag }), live.reload);
      toast(t("price.removed"));
      await Promise.all([live.reload(), done()]);
    },
  });
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const minor = minorUnits(amount, currency);
    if (minor === null) {
      setFailure(new Failure(422, { message: t("price.wrong", { digits: exponent(currency) }) }));
      return;
    }
    const first = (live.data ?? []).length === 0;
    if (await act(() => api(path, { method: "POST", body: { currency, price_cents: minor, is_default: first } }), t("price.added"))) {
      setCurrency("");
      setAmount("");
    }
  };
  return html`<${Dialog} title=${t("price.of", { name: plan.name })} close=${close} keep=${amount || typed.size ? t("keep.typed") : null}>
    <${Loaded} live=${live} what=${t("price.failed")} lines=${2}>${(/** @type {Price[]} */ rows) => html`
      ${rows.length === 0 && html`<${Empty} title=${t("price.none")}>${t("price.none-do")}<//>`}
      <ul class="cards">${rows.map((price) => html`<${Row} key=${price.id} price=${price} path=${path} act=${act} remove=${remove} mark=${mark} />`)}</ul>`}<//>
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    <form onSubmit=${add} class="price-row">
      <${Field} label=${t("currency")} value=${currency} change=${(/** @type {string} */ typed) => setCurrency(typed.toLowerCase())} list=${currencies()} required placeholder="usd" />
      <${Field} label=${t("amount")} value=${amount} change=${setAmount} inputmode="decimal" required placeholder="49.00" />
      <button type="submit" class="button main">${t("price.add")}</button>
    </form>
  <//>`;
}

/**
 * @param {{price: Price, path: string, act: (ask: () => Promise<unknown>, said: string) => Promise<boolean>, remove: (price: Price) => void, mark: (id: string, differs: boolean) => void}} props `mark`: whether something is typed that is not saved
 */
function Row({ price, path, act, remove, mark }) {
  const now = decimal(price.price_cents, exponent(price.currency));
  const [typed, setTyped] = useState(now);
  const was = useRef(now);
  useEffect(() => {
    if (typed === was.current) setTyped(now); // somebody else has changed it, and nothing else is typed here
    was.current = now;
  }, [now]);
  useEffect(() => {
    mark(price.id, typed !== now);
    return () => mark(price.id, false);
  }, [typed, now]);
  const minor = minorUnits(typed, price.currency);
  const change = (/** @type {object} */ body) => act(() => onShown(`${path}/${price.id}`, price, (etag) => api(withQuery(path, { id: price.id }), { method: "PUT", body, etag }), () => {}), t("price.saved"));
  const name = price.currency.toUpperCase();
  return html`<li class="price-row">
    <p><strong>${name}</strong> ${price.is_default && html`<${Badge} tone="info">${t("plan.default")}<//>`}</p>
    <${Field} label=${t("price.in", { currency: name })} value=${typed} change=${setTyped} inputmode="decimal" problem=${minor === null ? t("price.wrong", { digits: exponent(price.currency) }) : null} hint=${minor === null ? null : minor === price.price_cents ? money(minor, price.currency) : t("price.instead", { now: money(price.price_cents, price.currency), then: money(minor, price.currency) })} />
    <${Button} small disabled=${minor === null || minor === price.price_cents} act=${() => change({ price_cents: minor })}>${t("save")}<//>
    <span class="row-actions">${!price.is_default && html`<${Button} small kind="quiet" act=${() => change({ is_default: true })} label=${t("action.of", { action: t("price.make-default"), name })}>${t("price.make-default")}<//>`}
      <${Button} small kind="quiet" act=${() => remove(price)} label=${t("price.remove", { currency: name })}>${t("remove")}<//></span>
  </li>`;
}
