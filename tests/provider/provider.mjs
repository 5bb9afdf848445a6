// An identity provider for the tests: the real protocol, by a certified library; its people and its form are made up.
//
// node provider.mjs PORT REDIRECT ALGORITHM: says "ready" when it answers. Its keys are new at each start.

import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const [port, redirect, algorithm] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const PEOPLE = {
  anna: { preferred_username: 'anna', groups: ['desk'] },
  mallory: { preferred_username: 'mallory', groups: ['desk'] },
  outsider: { preferred_username: 'ben', groups: ['guests'] },
};

async function key(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${Date.now()}` };
}

const provider = new Provider(issuer, {
  jwks: { keys: [await key('RS256'), await key('ES256')] },
  clients: [
    {
      client_id: 'desk',
      client_secret: 'a secret of the tests: + and %',
      redirect_uris: [redirect],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: algorithm,
    },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  // We read the token alone, so it has to hold what we read.
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ['of the tests'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => PEOPLE[id] && { accountId: id, claims: () => ({ ...PEOPLE[id], sub: id }) },
  // Nobody is asked whether their employer's desk may know their name.
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
});

const FORM = `<!doctype html><meta charset="utf-8"><title>Provider</title>
<form method="post"><input name="who" data-testid="who"><button data-testid="go">Sign in</button></form>`;

async function interact(request, response) {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(FORM);
    return;
  }
  const parts = [];
  for await (const part of request) parts.push(part);
  const who = new URLSearchParams(Buffer.concat(parts).toString()).get('who');
  await provider.interactionFinished(request, response, { login: { accountId: who } }, { mergeWithLastSubmission: false });
}

const answer = provider.callback();
const server = createServer((request, response) => {
  if (request.url === '/favicon.ico') return response.writeHead(204).end();
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
