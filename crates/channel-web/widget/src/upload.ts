// Files over HTTP: to the server, with the visitor's token in a header, and links to what is there.

import { isNamed } from "./frames";
import { UPLOAD_STALL_MS } from "./limits";
import type { Answer, Carry } from "./tray";

/** Uploads to `base`, which ends with a slash. Not `fetch`: that does not say how much went. */
export function carrier(base: string, account: string, token: () => string | null): Carry {
  return (file, name, went) => {
    const request = new XMLHttpRequest();
    let stall: ReturnType<typeof setTimeout> | undefined;
    // A line may die without a word. Any length of time is well while something goes.
    const goes = () => {
      clearTimeout(stall);
      stall = setTimeout(() => request.abort(), UPLOAD_STALL_MS);
    };
    const answer = new Promise<Answer>((resolve) => {
      request.upload.onprogress = ({ loaded, total }) => {
        goes();
        went(total ? loaded / total : 0);
      };
      request.onloadend = () => {
        clearTimeout(stall);
        resolve(read(request.status, request.responseText, request.getResponseHeader("retry-after")));
      };
    });
    request.open("POST", `${base}files?account=${encodeURIComponent(account)}&name=${encodeURIComponent(name)}`);
    request.setRequestHeader("authorization", `Bearer ${token()}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    goes();
    request.send(file);
    return { answer, stop: () => request.abort() };
  };
}

/** What an answer to an upload means. Without one, or when the server is away or busy, it is worth another try. */
export function read(status: number, text: string, wait: string | null): Answer {
  let said: Record<string, unknown> = {};
  try {
    said = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A proxy's page, or nothing.
  }
  if (status === 200 && isNamed(said)) {
    const { object, name, type, bytes, signature } = said;
    return { named: { object, name, type, bytes, signature } };
  }
  const code = typeof said["code"] === "string" ? said["code"] : "file_failed";
  const words = said["detail"];
  if (status === 401 && code.startsWith("identity_")) return { code, ...(typeof words === "string" && { words }), held: true };
  const passes = status === 0 || status === 200 || status === 401 || status === 408 || status === 429 || status >= 500;
  return { code, ...(typeof words === "string" && { words }), ...(passes && { after: (Number(wait) || 0) * 1000 }) };
}

/** A link to a file that works again, or why there is none. */
export async function linkAnew(base: string, account: string, token: string | null, object: string, name: string): Promise<{ url: string } | { code: string; words: string }> {
  try {
    const query = `account=${encodeURIComponent(account)}&name=${encodeURIComponent(name)}`;
    const answer = await fetch(`${base}links/${object}?${query}`, { headers: { authorization: `Bearer ${token}` } });
    const { url, code, detail } = (await answer.json()) as Record<string, unknown>;
    if (answer.ok && typeof url === "string") return { url };
    return { code: String(code ?? ""), words: String(detail ?? "") };
  } catch {
    return { code: "", words: "" };
  }
}
