// Another plan for a running subscription: first what it costs now, then the change.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { money } from "../format.js";
import { api } from "../http.js";
import { useLive } from "../live.js";
import { FormDialog } from "../parts/dialog.js";
import { Empty, Field, Loaded, Missing, Time } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";

/**
 * @param {{subscription: Subscription, plans: import("../live.js").Live<Plan[]>, workspace: string | null, close: () => void, done: () => Promise<void>}} props
 */
export function ChangePlan({ subscription, plans, workspace, close, done }) {
  const others = (plans.data ?? []).filter((plan) => plan.id !== (subscription.next_plan_id ?? subscription.plan_id) && plan.prices?.length && !plan.pack);
  const [plan, setPlan] = useState(""); // whoever opens this has chosen nothing yet
  const path = `/subscription/${subscription.id}`;
  const preview = useLive(plan ? `${path}/preview ${plan}` : null, {
    load: (signal) => api(`${path}/preview`, { method: "POST", harmless: true, workspace, body: { plan_id: plan }, signal }),
  });
  // Nobody pays what they have not seen: a price that is being asked for, or was not told, cannot be agreed to.
  const seen = Boolean(plan) && preview.data !== undefined && !preview.busy && !preview.failure;
  const save = async () => {
    const { shown_at, amount_due, begins_at, amount_then } = preview.data;
    const shown = { shown_at, amount_due, begins_at, amount_then };
    try {
      await api(`${path}/change`, { method: "POST", workspace, body: { plan_id: plan, ...shown } });
    } catch (failure) {
      await preview.reload();
      throw failure;
    }
    toast(t(preview.data.begins_at ? "change.agreed" : "change.done"));
    await done();
  };
  return html`<${FormDialog} title=${t("change.title")} close=${close} save=${save} ready=${seen} action=${t("change.do")}>
    <${Missing} live=${plans} what=${t("plans.failed")} />
    ${plans.data && others.length === 0 && html`<${Empty} title=${t("change.none")}>${t("change.none-do")}<//>`}
    ${others.length > 0 && html`<${Field} label=${t("change.to")} value=${plan} change=${setPlan} options=${[["", t("change.choose")], ...others.map((one) => [one.id, one.name])]} />
    ${plan && html`<${Loaded} live=${preview} what=${t("change.no-preview")} lines=${2}>${(/** @type {any} */ said) => html`
      ${said.begins_at && html`<p>${t("change.later")} <${Time} at=${said.begins_at} /></p>`}
      <p>${t("change.due")} <strong>${money(said.amount_due, said.currency)}</strong></p>
      ${said.lines?.length > 0 && html`<ul class="lines">${said.lines.map((/** @type {any} */ line) => html`<li><span>${line.description}</span><span>${money(line.amount, said.currency)}</span></li>`)}</ul>`}`}<//>`}`}
  <//>`;
}
