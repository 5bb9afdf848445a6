import { expect, test } from 'vitest';
import { admin as en } from '../src/i18n/admin.en';
import { admin as nl } from '../src/i18n/admin.nl';
import { bytesOf, hexOf, laidOut, sizeWords, textOf } from '../src/parked.svelte';

const utf8 = (text: string) => new TextEncoder().encode(text);

test('bytes come back as they were, text or not', () => {
  expect([...bytesOf({ bytes: 'é', base64: undefined as never })]).toEqual([0xc3, 0xa9]);
  expect([...bytesOf({ bytes: '\ufffd', base64: 'AP8=' })]).toEqual([0x00, 0xff]);
});

test('text is shown as text, also when its end is cut within a letter', () => {
  expect(textOf(utf8('Héé\n\tja'))).toBe('Héé\n\tja');
  expect(textOf(utf8('Hé').slice(0, 2))).toBe('H');
  expect(textOf(new Uint8Array([0x41, 0xff, 0x42]))).toBeNull();
  expect(textOf(utf8('a\u0000b'))).toBeNull();
  expect(textOf(new Uint8Array())).toBe('');
});

test('what is no text is shown with where it stands', () => {
  const rows = hexOf(Uint8Array.from({ length: 18 }, (_, n) => n + 0x3a), 0x10).split('\n');
  expect(rows[0]).toBe('00000010  3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49  :;<=>?@ABCDEFGHI');
  expect(rows[1]).toBe(`00000020  4a 4b${' '.repeat(42)}  JK`);
  expect(hexOf(new Uint8Array([0x0a, 0x7f]))).toContain('..');
});

test('JSON is laid out, and all else stays as it is', () => {
  expect(laidOut('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect([laidOut('{"a":'), laidOut('7'), laidOut('null')]).toEqual(['{"a":', '7', 'null']);
});

test('sizes are told in units', () => {
  expect([sizeWords(1, 'en'), sizeWords(640, 'nl'), sizeWords(1536, 'en')]).toEqual(['1 byte', '640 byte', '1.5 kB']);
});

test('both languages know the same reasons and noes', () => {
  for (const list of ['reasons', 'noes', 'outcome', 'dismissals'] as const) {
    expect(Object.keys(nl.parked[list])).toEqual(Object.keys(en.parked[list]));
  }
});
