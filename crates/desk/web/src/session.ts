// Signing in and out, by HTTP; the session itself is a cookie that scripts cannot read.

import type { Me, Problem } from './wire';

export type SignIn =
  | { is: 'in' }
  /** The password was set by somebody else: another one has to be chosen before anything else. */
  | { is: 'must_change' }
  | { is: 'refused'; status: number; problem: Problem | null }
  | { is: 'unreachable' };
export type WhoAmI = { is: 'in'; me: Me } | { is: 'must_change' } | { is: 'out' } | { is: 'unreachable' };

/** How one can sign in here: by password, and by the company's identity provider, by its name. */
export type SignInWays = { password: boolean; provider?: string };

/** How long a request may take before the server counts as unreachable, ms. */
const DEADLINE_MS = 10_000;

export async function signIn(name: string, password: string): Promise<SignIn> {
  const response = await call('/desk/api/signin', 'POST', { name, password });
  if (response === null || response.status >= 500) return { is: 'unreachable' };
  if (response.status === 200) return { is: 'must_change' };
  if (response.ok) return { is: 'in' };
  return { is: 'refused', status: response.status, problem: await problemOf(response) };
}

/** How one can sign in here; passwords alone if the server does not say. */
export async function signInWays(): Promise<SignInWays> {
  const passwords = { password: true };
  const response = await call('/desk/api/signin', 'GET');
  if (response === null || !response.ok) return passwords;
  try {
    return (await response.json()) as SignInWays;
  } catch {
    return passwords;
  }
}

export async function changePassword(current: string, next: string): Promise<SignIn> {
  const response = await call('/desk/api/password', 'POST', { current, new: next });
  if (response === null || response.status >= 500) return { is: 'unreachable' };
  if (response.ok) return { is: 'in' };
  return { is: 'refused', status: response.status, problem: await problemOf(response) };
}

export async function signOut(): Promise<void> {
  await call('/desk/api/signout', 'POST');
}

export async function whoAmI(): Promise<WhoAmI> {
  const response = await call('/desk/api/me', 'GET');
  if (response?.status === 401) return { is: 'out' };
  if (response === null || !response.ok) return { is: 'unreachable' };
  try {
    const me = (await response.json()) as Me;
    return me.must_change ? { is: 'must_change' } : { is: 'in', me };
  } catch {
    return { is: 'unreachable' };
  }
}

async function call(path: string, method: 'GET' | 'POST', body?: object): Promise<Response | null> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(DEADLINE_MS) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  try {
    return await fetch(path, init);
  } catch {
    return null;
  }
}

async function problemOf(response: Response): Promise<Problem | null> {
  try {
    return (await response.json()) as Problem;
  } catch {
    return null;
  }
}
