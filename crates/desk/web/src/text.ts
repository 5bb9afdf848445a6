// Texts measured as the gateway measures them.

const encoder = new TextEncoder();

/** Bytes of UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
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
