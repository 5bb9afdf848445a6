// UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then randomness, so that ids sort by birth.

/** Builds the 32 hex digits, without dashes, of a version 7 UUID from a moment and 10 random bytes. */
export function uuid7Of(ms: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  let rest = Math.floor(ms);
  for (let i = 5; i >= 0; i--) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

let lastMs = 0;

/** A new id `<prefix>_<uuid>`; ids made later never carry an earlier millisecond, also when the clock steps back. */
export function newId(prefix: 'cmd' | 'inc' | 'msg', nowMs: number): string {
  lastMs = Math.max(lastMs, nowMs);
  return `${prefix}_${uuid7Of(lastMs, crypto.getRandomValues(new Uint8Array(10)))}`;
}
