// What goes over the wire, and nothing else.

export type State = "none" | "waiting" | "with_agent" | "resolved";

export type Kind =
  | "customer"
  | "agent"
  | "joined"
  | "transferred"
  | "resolved"
  | "reopened"
  | "closed"
  | "callback"
  | "closing"
  | "blocked"
  | "incident"
  | "asked"
  | "moved"
  | "left"
  | "hidden";

/** A file as a message names it: what the answer to its upload said. */
export interface Named {
  object: string;
  name: string;
  type: string;
  bytes: number;
  signature: string;
}

/** A file of an entry. */
export interface Attached {
  object: string;
  name: string;
  type: string;
  bytes: number;
  /** A link that expires, relative to where the socket is. */
  url: string;
  /** When this page was given the link, by its own clock. */
  got?: number;
}

export interface Entry {
  seq: number;
  at: number;
  kind: Kind;
  id?: string;
  text?: string;
  files?: Attached[];
  by?: string;
  /** Whether that is a machine. */
  bot?: boolean;
  opens_at?: number;
  closes_at?: number;
  /** What is asked, or was answered. */
  question?: string;
}

/** Where the customer stands in line: 1 is next; times in ms, where they can be said. */
export interface Outlook {
  position: number;
  p50_ms?: number;
  p90_ms?: number;
  late: boolean;
}

export type ToServer =
  | { t: "hello"; token: string | null; identity?: string; after: number; lang: string }
  | { t: "say"; id: string; text: string; callback?: true; attachments?: Named[] }
  | { t: "typing" }
  | { t: "leave" }
  | { t: "person" }
  | { t: "thank"; id: string; text: string | null }
  | { t: "ping"; n: number };

export type FromServer =
  | { t: "welcome"; token?: string; conversation: string | null; state: State; from?: number }
  | { t: "taken"; id: string }
  | { t: "refused"; id: string; code: string; words: string; retry_after_ms?: number }
  | ({ t: "entry" } & Entry)
  | { t: "state"; state: State }
  | ({ t: "outlook" } & Outlook)
  | { t: "typing" }
  | { t: "error"; code: string; words: string }
  | { t: "pong"; n: number };

/** Whether that is the answer to an upload. */
export function isNamed(value: unknown): value is Named {
  return isFile(value, "signature");
}

function isFile(value: unknown, ends: "signature" | "url"): boolean {
  if (!value || typeof value !== "object") return false;
  const file = value as Record<string, unknown>;
  const bytes = file["bytes"];
  return ["object", "name", "type", ends].every((name) => typeof file[name] === "string") && Number.isSafeInteger(bytes) && (bytes as number) >= 0;
}

const STATES = ["none", "waiting", "with_agent", "resolved"];

/** Reads a frame; null for what is none, so that a later server can say more than we know. */
export function read(data: unknown): FromServer | null {
  if (typeof data !== "string") return null;
  let frame: Record<string, unknown>;
  try {
    frame = JSON.parse(data) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (!frame || typeof frame !== "object") return null;
  return fits(frame) ? (frame as unknown as FromServer) : null;
}

function fits(f: Record<string, unknown>): boolean {
  const text = (name: string) => typeof f[name] === "string";
  const count = (name: string) => Number.isSafeInteger(f[name]) && (f[name] as number) >= 0;
  const maybe = (name: string, is: (name: string) => boolean) => f[name] == null || is(name);
  const files = (name: string) => Array.isArray(f[name]) && (f[name] as unknown[]).every((file) => isFile(file, "url"));
  const state = () => STATES.includes(f["state"] as string);
  switch (f["t"]) {
    case "welcome":
      return maybe("token", text) && maybe("conversation", text) && maybe("from", count) && state();
    case "taken":
      return text("id");
    case "refused":
      return text("id") && text("code") && text("words") && maybe("retry_after_ms", count);
    case "entry":
      return (
        count("seq") && count("at") && text("kind") && maybe("id", text) && maybe("text", text) && maybe("by", text) &&
        maybe("opens_at", count) && maybe("closes_at", count) && maybe("files", files) && maybe("question", text)
      );
    case "outlook":
      return count("position") && maybe("p50_ms", count) && maybe("p90_ms", count);
    case "state":
      return state();
    case "error":
      return text("code") && text("words");
    case "pong":
      return count("n");
    default:
      return f["t"] === "typing";
  }
}
