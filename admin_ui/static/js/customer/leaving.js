// Workspaces that somebody cannot see any more.

import { useEffect, useShared } from "../base.js";
import { t } from "../i18n.js";
import { useLive } from "../live.js";
import { choose, workspace as chosenWorkspace } from "../session.js";
import { toast } from "../parts/toasts.js";

/** @typedef {import("../http.js").Failure} Failure */

/**
 * A workspace that is gone, or has let somebody go, takes nobody's own budget out of sight: it is left, and that is said.
 * @param {Failure | null} failure
 * @param {{id: string, name: string} | null} workspace
 */
export function useLeaving(failure, workspace) {
  const picked = useShared(chosenWorkspace);
  useEffect(() => {
    if (!failure || !workspace || workspace.id !== picked || ![400, 403, 404].includes(failure.status)) return;
    toast(failure, { what: t("workspace.left", { name: workspace.name }) });
    choose(null);
  }, [failure]);
}

/**
 * The same where more is needed than to belong to it: whoever may not see this of their workspace does not leave it.
 * @param {Failure | null} failure of what the view shows
 * @param {{id: string, name: string} | null} workspace whose that is; `null`: one's own
 */
export function useLeavingIfGone(failure, workspace) {
  const member = useLive(failure && workspace ? "/usage" : null, { workspace: workspace?.id });
  useLeaving(member.failure, workspace);
}
