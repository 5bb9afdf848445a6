// A customer's rights: what the gateway is asked, and what it answers.

import type { ConsentLine } from './customer';
import type { Problem } from './wire';

/** One place in a certificate. */
export interface PlaceErased {
  place: string;
  data: string;
  how: string;
  count?: number;
  tried?: number;
}

export interface Certificate {
  erasure: string;
  places: PlaceErased[];
  stays: string[];
}

export type RightsAnswer =
  | { is: 'erasing'; state: { id: string; certificate?: Certificate } }
  | { is: 'exporting'; id: string }
  | { is: 'unknown' }
  | { is: 'open'; contacts: string[] }
  | { is: 'too_many' }
  /** Nobody was there to be asked: nothing was done. */
  | { is: 'away' }
  /** No answer came: it may have been done, and can be looked for under its id, where that is known. */
  | { is: 'unsure'; id?: string };

/** What is typed to say that it is meant. */
export const CONFIRMATION = 'ERASE';

async function asked(path: string, init: RequestInit): Promise<RightsAnswer> {
  try {
    const response = await fetch(path, { credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(30_000), ...init });
    return response.ok ? ((await response.json()) as RightsAnswer) : refusedOf((await response.json()) as Problem & { id?: string });
  } catch {
    return { is: 'unsure' };
  }
}

/** What a problem says of what was done: nothing, if nobody was there or it was refused; else it may have been. */
export function refusedOf(problem: Pick<Problem, 'status' | 'code'> & { id?: string }): RightsAnswer {
  if (problem.code === 'rights_silent' || (problem.status ?? 500) < 500) return { is: 'away' };
  return { is: 'unsure', ...(problem.id === undefined ? {} : { id: problem.id }) };
}

function post(path: string, body: unknown): Promise<RightsAnswer> {
  return asked(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

export function erase(conversation: string, confirm: string): Promise<RightsAnswer> {
  return post(`/desk/customer/${conversation}/erase`, { confirm });
}

export function erasure(id: string): Promise<RightsAnswer> {
  return asked(`/desk/erasures/${id}`, {});
}

export function exportAll(conversation: string): Promise<RightsAnswer> {
  return post(`/desk/customer/${conversation}/export`, {});
}

/** Writes down what a customer said; `null` if that could not be done. */
export async function consent(conversation: string, identity: string, purpose: string, given: boolean): Promise<ConsentLine[] | null> {
  try {
    const response = await fetch(`/desk/customer/${conversation}/consents`, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identity, purpose, given }),
      signal: AbortSignal.timeout(10_000),
    });
    return response.ok ? ((await response.json()) as ConsentLine[]) : null;
  } catch {
    return null;
  }
}

export function exportPath(id: string): string {
  return `/desk/exports/${id}`;
}

/** Whether the archive can be fetched by now, or there is none of this name; its body is left to who follows the link. */
export async function lookFor(id: string): Promise<'whole' | 'not_yet' | 'none'> {
  const ended = new AbortController();
  try {
    const response = await fetch(exportPath(id), { credentials: 'same-origin', cache: 'no-store', signal: ended.signal });
    if (response.status === 200) return 'whole';
    return response.status === 404 || response.status === 410 ? 'none' : 'not_yet';
  } catch {
    return 'not_yet';
  } finally {
    ended.abort();
  }
}
