// Texts measured as the gateway measures them.

const encoder = new TextEncoder();

/** Bytes of UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/**
 * The text without halves of signs, which a broken input method or a cut may leave. JSON writes them in a way that the
 * gateway cannot read, and a frame that cannot be read is never answered.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** The longest beginning of whole signs that fits. */
export function cutToBytes(text: string, bytesMax: number): string {
  let out = '';
  let bytes = 0;
  for (const sign of text) {
    bytes += bytesOf(sign);
    if (bytes > bytesMax) break;
    out += sign;
  }
  return out;
}
