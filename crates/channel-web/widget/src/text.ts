// Text as pieces, so that no word of a stranger is ever read as markup.

export interface Piece {
  text: string;
  href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`]+/gi;
// What ends a sentence does not belong to the address in it.
const SENTENCE_END = /[.,;:!?)\]}»”’…]+$/;

/** Splits a text into plain pieces and links; only http and https become links. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(SENTENCE_END, "");
    const href = link(address);
    if (!href) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push({ text: address, href });
    from = match.index + address.length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

function link(address: string): string | null {
  try {
    const url = new URL(address);
    const web = url.protocol === "http:" || url.protocol === "https:";
    // user:password@host is how one site is dressed up as another.
    return web && url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * The text with each lone half of a character made visible as U+FFFD. Such a text has no form in UTF-8: as JSON it would
 * be refused by the server, for ever. (`toWellFormed` does the same where a browser has it.)
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

/** A size for people, in steps of a thousand. */
export function sizeOf(bytes: number, lang: string): string {
  const [unit, n] = bytes < 1000 ? ["byte", bytes] : bytes < 999_500 ? ["kilobyte", Math.round(bytes / 1000)] : ["megabyte", bytes / 1e6];
  return new Intl.NumberFormat(lang, { style: "unit", unit: unit as string, maximumFractionDigits: 1 }).format(n as number);
}

/** Bytes of UTF-8. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
