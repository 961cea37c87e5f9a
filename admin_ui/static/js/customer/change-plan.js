// Another plan for a running subscription: first what it costs now, then the change.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { money } from "../format.js";
import { api } from "../http.js";
import { useLive } from "../live.js";
import { FormDialog } from "../parts/dialog.js";
import { Empty, Field, Loaded, Missing } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";

/**
 * @param {{subscription: Subscription, plans: import("../live.js").Live<Plan[]>, workspace: string | null, close: () => void, done: () => Promise<void>}} props
 */
export function ChangePlan({ subscription, plans, workspace, close, done }) {
  const others = (plans.data ?? []).filter((plan) => plan.id !== subscription.plan_id && plan.prices?.length && !plan.pack);
  const [chosen, setPlan] = useState("");
  const plan = chosen || others[0]?.id || "";
  const path = `/subscription/${subscription.id}`;
  const preview = useLive(plan ? `${path}/preview ${plan}` : null, {
    load: (signal) => api(`${path}/preview`, { method: "POST", harmless: true, workspace, body: { plan_id: plan }, signal }),
  });
  const save = async () => {
    const shown = preview.data && { proration_date: preview.data.proration_date, amount_due: preview.data.amount_due };
    try {
      await api(`${path}/change`, { method: "POST", workspace, body: { plan_id: plan, ...shown } });
    } catch (failure) {
      await preview.reload();
      throw failure;
    }
    toast(t("change.done"));
    await done();
  };
  return html`<${FormDialog} title=${t("change.title")} close=${close} save=${save} ready=${Boolean(plan)} action=${t("change.do")}>
    <${Missing} live=${plans} what=${t("plans.failed")} />
    ${plans.data && others.length === 0 && html`<${Empty} title=${t("change.none")}>${t("change.none-do")}<//>`}
    ${others.length > 0 && html`<${Field} label=${t("change.to")} value=${plan} change=${setPlan} options=${others.map((one) => [one.id, one.name])} />
    <${Loaded} live=${preview} what=${t("change.no-preview")} lines=${2}>${(/** @type {any} */ said) => html`
      <p>${t("change.due")} <strong>${money(said.amount_due, said.currency)}</strong></p>
      ${said.lines?.length > 0 && html`<ul class="lines">${said.lines.map((/** @type {any} */ line) => html`<li><span>${line.description}</span><span>${money(line.amount, said.currency)}</span></li>`)}</ul>`}`}<//>`}
  <//>`;
}
