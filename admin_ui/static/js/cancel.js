// Back from the payment provider without having paid.

import { html } from "./base.js";
import { t } from "./i18n.js";
import { PREFIX } from "./http.js";
import { start } from "./start.js";
import { Frame } from "./parts/frame.js";

/** @param {{about: About}} props */
function Cancel({ about }) {
  return html`<${Frame} about=${about} title=${t("billing")}><section class="door wide-door"><h1>${t("cancel.title")}</h1><p>${t("cancel.text")}</p>
    <p class="row-actions"><a class="button main" href=${`${PREFIX}#/plans`}>${t("refused.see-plans")}</a> <a class="button" href=${`${PREFIX}#/subscriptions`}>${t("subscriptions")}</a></p></section><//>`;
}

void start(Cancel);
