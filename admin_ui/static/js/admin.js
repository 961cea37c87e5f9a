// The administrator's page.

import { html } from "./base.js";
import { t } from "./i18n.js";
import { useLive } from "./live.js";
import { Door, start, useSignedIn } from "./start.js";
import { Frame } from "./parts/frame.js";
import { Loaded } from "./parts/ui.js";

/** @param {{about: About}} props */
function Admin({ about }) {
  const signedIn = useSignedIn();
  const me = useLive(signedIn ? "/me" : null);
  if (!signedIn) return html`<${Door} about=${about} admin title=${t("to-admin")} text=${t("billing.what")} />`;
  return html`<${Frame} about=${about} admin title=${t("to-admin")} me=${me.data}><${Loaded} live=${me} what=${t("me.failed")}>${() => null}<//><//>`;
}

void start(Admin);
