// The prices of a plan: one per currency, each changed on its own.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { currencies, decimal, exponent, minorUnits, money } from "../format.js";
import { api, Failure, withQuery } from "../http.js";
import { useLive } from "../live.js";
import { Dialog } from "../parts/dialog.js";
import { Badge, Button, Empty, Failed, Field, Loaded } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";

/** @param {{plan: Plan, close: () => void, done: () => Promise<void>}} props */
export function Prices({ plan, close, done }) {
  const path = `/plan/${plan.id}/price`;
  const live = useLive(withQuery(path, { limit: 200 }));
  const [currency, setCurrency] = useState("");
  const [amount, setAmount] = useState("");
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));

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
      return false;
    }
  };
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
  return html`<${Dialog} title=${t("price.of", { name: plan.name })} close=${close}>
    <${Loaded} live=${live} what=${t("price.failed")} lines=${2}>${(/** @type {Price[]} */ rows) => html`
      ${rows.length === 0 && html`<${Empty} title=${t("price.none")}>${t("price.none-do")}<//>`}
      <ul class="cards">${rows.map((price) => html`<${Row} key=${price.id} price=${price} path=${path} act=${act} />`)}</ul>`}<//>
    ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
    <form onSubmit=${add} class="price-row">
      <${Field} label=${t("currency")} value=${currency} change=${(/** @type {string} */ typed) => setCurrency(typed.toLowerCase())} list=${currencies()} required placeholder="usd" />
      <${Field} label=${t("amount")} value=${amount} change=${setAmount} inputmode="decimal" required placeholder="49.00" />
      <button type="submit" class="button main">${t("price.add")}</button>
    </form>
  <//>`;
}

/**
 * @param {{price: Price, path: string, act: (ask: () => Promise<unknown>, said: string) => Promise<boolean>}} props
 */
function Row({ price, path, act }) {
  const [typed, setTyped] = useState(decimal(price.price_cents, exponent(price.currency)));
  const minor = minorUnits(typed, price.currency);
  const at = withQuery(path, { id: price.id });
  const name = price.currency.toUpperCase();
  return html`<li class="price-row">
    <p><strong>${name}</strong> ${price.is_default && html`<${Badge} tone="info">${t("plan.default")}<//>`}</p>
    <${Field} label=${t("price.in", { currency: name })} value=${typed} change=${setTyped} inputmode="decimal" problem=${minor === null ? t("price.wrong", { digits: exponent(price.currency) }) : null} hint=${minor === null ? null : money(minor, price.currency)} />
    <${Button} small disabled=${minor === null || minor === price.price_cents} act=${() => act(() => api(at, { method: "PUT", body: { price_cents: minor } }), t("price.saved"))}>${t("save")}<//>
    <span class="row-actions">${!price.is_default && html`<${Button} small kind="quiet" act=${() => act(() => api(at, { method: "PUT", body: { is_default: true } }), t("price.saved"))}>${t("price.make-default")}<//>`}
      <${Button} small kind="quiet" act=${() => act(() => api(at, { method: "DELETE" }), t("price.removed"))} label=${t("price.remove", { currency: name })}>${t("remove")}<//></span>
  </li>`;
}
