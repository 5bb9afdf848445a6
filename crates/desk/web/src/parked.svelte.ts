// What could not be used and waits for a person: how much there is, and its bytes as they can be shown.

import { countParked, openParked, type ParkedShown } from './admin';

/** How often it is looked how much there is, ms. */
const LOOK_EVERY_MS = 60_000;
/** Bytes that are shown at first. */
export const LOOK_BYTES = 16 * 1024;
/** Bytes that are fetched at once for a file. */
const PART_BYTES = 1024 * 1024;
const ROW_BYTES = 16;

/** How much is parked; `null`: nobody knows, or it is not theirs. */
export class ParkedCount {
  count = $state<number | null>(null);

  async look(): Promise<void> {
    const answer = await countParked();
    if (answer.is === 'done') this.count = answer.page.parked;
  }

  /** Looks now and then, until what it gives is called. */
  follow(): () => void {
    void this.look();
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void this.look();
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }
}

/** The bytes of a part, as they came. */
export function bytesOf(shown: Pick<ParkedShown, 'bytes' | 'base64'>): Uint8Array<ArrayBuffer> {
  if (shown.base64 === undefined) return new TextEncoder().encode(shown.bytes);
  const packed = atob(shown.base64);
  return Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
}

/** The bytes as text, if that is what they are; their end may be cut within a letter. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return /[\u0000-\u0008\u000b\u000e-\u001f\u007f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** The bytes as rows of sixteen: where they stand, what they are, and their letters where they are some. */
export function hexOf(bytes: Uint8Array, from = 0): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = [...bytes.subarray(at, at + ROW_BYTES)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    rows.push(`${(from + at).toString(16).padStart(8, '0')}  ${hex.padEnd(ROW_BYTES * 3 - 1)}  ${letters}`);
  }
  return rows.join('\n');
}

/** JSON with its lines apart, if the whole of it is some. */
export function laidOut(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

/** All bytes of one, part by part; `null` if they could not be had. */
export async function whole(id: string, size: number): Promise<Blob | null> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let from = 0; from < size; from += PART_BYTES) {
    const answer = await openParked(id, from, PART_BYTES);
    if (answer.is !== 'done') return null;
    parts.push(bytesOf(answer.page));
  }
  return new Blob(parts, { type: 'application/octet-stream' });
}

/** A size as people say it. */
export function sizeWords(bytes: number, language: string): string {
  const [value, unit] = bytes < 1024 ? [bytes, 'byte'] : bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: bytes < 1024 ? 'long' : 'short', maximumFractionDigits: 1 }).format(value);
}
