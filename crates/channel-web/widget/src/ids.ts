/** A message's id: `msg_` and a UUID of version 7, so that ids sort by the time they were made. */
export function messageId(now: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  bytes.set(random.subarray(0, 10), 6);
  for (let i = 5, rest = now; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return "msg_" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
