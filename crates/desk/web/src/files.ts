// Files of conversations: where they are had, what of them may be shown, and how they are sent to the server.

import { FILE_BYTES_MAX, type Attachment, type ContactId, type Problem } from './wire';

/** Why a file did not get to the server. */
export type Refused = 'too_large' | 'empty' | 'not_yours' | 'away' | 'stopped';

/** Pictures that every browser shows. */
const PICTURES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']);

export function isPicture(file: Attachment): boolean {
  return PICTURES.has(file.media_type);
}

/** Where a file is had; `seq` is the entry that it stands in. */
export function addressOf(contact: ContactId, file: Attachment, seq?: number): string {
  const query = new URLSearchParams({ name: file.name });
  if (seq !== undefined) query.set('seq', String(seq));
  return `/desk/api/files/${contact}/${file.object}?${query}`;
}

/** Where a mail is had as it was sent. */
export function mailAddress(contact: ContactId, seq: number, withImages: boolean): string {
  return `/desk/api/mail/${contact}/${seq}/html?images=${withImages ? 1 : 0}`;
}

/** Why a file would not be taken, without asking. */
export function refused(file: File): Refused | null {
  if (file.size === 0) return 'empty';
  return file.size > FILE_BYTES_MAX ? 'too_large' : null;
}

const WHY: Readonly<Record<string, Refused>> = { file_too_large: 'too_large', file_empty: 'empty', not_yours: 'not_yours' };

/** Sends a file; tells how much of it is there. `fetch` does not say. */
export function upload(contact: ContactId, file: File, tell: (part: number) => void, stop: AbortSignal): Promise<Attachment | Refused> {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/desk/api/files/${contact}?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = (event) => tell(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => done(answerOf(request.status, request.responseText));
    request.onerror = () => done('away');
    request.onabort = () => done('stopped');
    stop.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

function answerOf(status: number, text: string): Attachment | Refused {
  try {
    if (status === 200) return JSON.parse(text) as Attachment;
    return WHY[(JSON.parse(text) as Problem).code] ?? 'away';
  } catch {
    return 'away';
  }
}
