// A subscription given by hand: to whom, which plan, how much, from when until when.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { instant } from "../format.js";
import { api, Failure } from "../http.js";
import { useOnce } from "../once.js";
import { FormDialog } from "../parts/dialog.js";
import { Choice, Failed, Field } from "../parts/ui.js";
import { ScopePicker } from "../parts/scope-picker.js";
import { toast } from "../parts/toasts.js";

/** @param {{plans: import("../live.js").Live<Plan[]>, close: () => void, done: () => Promise<void>}} props */
export function Grant({ plans, close, done }) {
  const offered = (plans.data ?? []).filter((plan) => !plan.shadowed);
  const [scope, setScope] = useState("user");
  const [user, setUser] = useState(/** @type {Known | null} */ (null));
  const [workspace, setWorkspace] = useState(/** @type {Known | null} */ (null));
  const [form, setForm] = useState({ plan_id: "", override: "", starts: "", ends: "" });
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [missing, setMissing] = useState(false);
  const once = useOnce();
  const set = (/** @type {Partial<typeof form>} */ changed) => setForm((was) => ({ ...was, ...changed }));
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field)?.problem ?? null;
  const holder = scope === "user" ? user : workspace;

  const grant = async () => {
    setMissing(!holder);
    if (!holder) throw new Failure(422, { message: t("grant.nobody") });
    /** @type {Record<string, any>} */
    const body = { plan_id: form.plan_id, scope };
    if (user) body.user_id = user.id;
    if (scope === "workspace") body.workspace_id = workspace?.id;
    if (form.override) body.throughput_override = Number(form.override);
    if (form.starts) body.starts_at = instant(form.starts) ?? form.starts;
    if (form.ends) body.expires_at = instant(form.ends) ?? form.ends;
    await api("/subscription/manual", { method: "POST", body, once: once(body) });
    toast(t("grant.done"));
    await done();
  };
  return html`<${FormDialog} title=${t("grant.title")} close=${close} save=${grant} action=${t("grant")} failed=${setFailure}>
    ${plans.failure && html`<${Failed} failure=${plans.failure} retry=${plans.reload} what=${t("plans.failed")} />`}
    <${Field} label=${t("plan")} value=${form.plan_id} change=${(/** @type {string} */ plan_id) => set({ plan_id })} options=${[["", t("choose")], ...offered.map((plan) => [plan.id, plan.source === "file" ? `${plan.name} (${t("file")})` : plan.name])]} required problem=${wrong("plan_id")} hint=${plans.data && offered.length === 0 ? t("grant.no-plans") : null} />
    <${Choice} label=${t("scope")} value=${scope} change=${setScope} options=${[["user", t("kind.user")], ["workspace", t("kind.workspace")]]} />
    ${scope === "workspace" && html`<${ScopePicker} kind="workspace" label=${t("kind.workspace")} chosen=${workspace} choose=${setWorkspace} problem=${missing && !workspace ? t("grant.nobody") : wrong("workspace_id")} />`}
    <${ScopePicker} kind="user" label=${t(scope === "user" ? "kind.user" : "grant.buyer")} chosen=${user} choose=${setUser} problem=${missing && scope === "user" && !user ? t("grant.nobody") : wrong("user_id")} />
    <div class="form-row"><${Field} label=${t("starts")} type="datetime-local" value=${form.starts} change=${(/** @type {string} */ starts) => set({ starts })} problem=${wrong("starts_at")} hint=${t("grant.now")} />
      <${Field} label=${t("subscription.ends")} type="datetime-local" value=${form.ends} change=${(/** @type {string} */ ends) => set({ ends })} problem=${wrong("expires_at")} hint=${t("grant.until")} /></div>
    <${Field} label=${t("override")} type="number" value=${form.override} change=${(/** @type {string} */ override) => set({ override })} problem=${wrong("throughput_override")} hint=${t("override.hint")} />
  <//>`;
}
