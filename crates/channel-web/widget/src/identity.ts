// Who the page says that its visitor is. The server alone believes it; here it says whose things are whose.

import { wellFormed } from "./text";

/** The user that a token names, read without being believed; null if it cannot be read. */
export function userOf(identity: string): string | null {
  try {
    const [, claims = ""] = identity.split(".");
    const bytes = Uint8Array.from(atob(claims.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof sub === "string" && sub ? sub : null;
  } catch {
    return null;
  }
}

/**
 * Under what name everything of them is kept in this browser, so that two users of one computer never meet. No account
 * has a name with an @ in it. What cannot be read is kept apart too: it is not the visitor's.
 */
export function scopeOf(account: string, identity: string | null): string {
  return identity === null ? account : `${account}@${encodeURIComponent(wellFormed(userOf(identity) ?? ""))}`;
}
