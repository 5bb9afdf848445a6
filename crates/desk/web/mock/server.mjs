// A gateway for looking at the desk while developing: it plays a short scene, keeps nothing, and is no part of the
// product. `npm run build && npm run mock`, then http://127.0.0.1:8099/desk/ (any name, password "winter"); or
// `npm run mock` beside `npm run dev`. POST /mock/<cue> plays a cue: see `cues` below.

import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { Admin } from './admin.mjs';
import { Regulars } from './regulars.mjs';
import { Scene } from './scene.mjs';

const PORT = Number(process.env.PORT ?? 8099);
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const scene = new Scene();
const admin = new Admin();
const regulars = new Regulars();
let signedIn = false;

const cues = {
  offer: () => scene.offer(),
  say: () => scene.customerSays('Are you still there?'),
  typing: () => scene.typing(),
  writing: () => scene.writing(),
  drop: () => scene.drop(),
  gap: () => scene.gap(),
  long: () => scene.long(),
  missed: () => scene.missed(),
  reclaim: () => scene.reclaim(),
  scoped: () => {
    admin.mine = { ...admin.mine, role: 'supervisor', scope: ['service'] };
  },
  overtake: () => {
    admin.isOvertaken = true;
  },
  expire: () => {
    signedIn = false;
    scene.drop();
  },
  down: () => {
    scene.isDown = true;
    scene.drop();
  },
  up: () => {
    scene.isDown = false;
  },
};

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://mock');
  if (pathname.startsWith('/desk/api/') && scene.isDown) return request.socket.destroy();
  if (pathname === '/desk/api/signin' && request.method === 'GET') return json(response, 200, { password: true });
  if (pathname === '/desk/api/signin') return signIn(request, response);
  if (pathname === '/desk/api/signout') {
    signedIn = false;
    return response.writeHead(204).end();
  }
  if (pathname === '/desk/api/me') {
    return signedIn ? json(response, 200, scene.me) : problem(response, 401, 'Not signed in', 'signed_out');
  }
  if (pathname === '/desk/api/sessions') return json(response, 200, admin.sessions);
  if (pathname.startsWith('/desk/api/sessions/')) {
    admin.sessions = admin.sessions.filter((one) => !pathname.endsWith(one.id));
    return response.writeHead(204).end();
  }
  if (pathname === '/desk/api/password') return changePassword(request, response);
  if (pathname.startsWith('/desk/admin/')) return administer(request, response, pathname.slice('/desk/admin/'.length), searchParams);
  if (pathname === '/desk/floor/accounts') return json(response, 200, { accounts: scene.accounts() });
  if (pathname === '/desk/reach') return reach(request, response);
  if (pathname.startsWith('/desk/customer/')) return json(response, 200, scene.customer());
  if (pathname.startsWith('/desk/api/mail/')) return mail(request, response);
  if (pathname.startsWith('/desk/api/files/')) return request.method === 'POST' ? upload(request, response) : picture(response);
  if (pathname === '/desk/regulars') return json(response, 200, regulars.page());
  if (pathname.startsWith('/desk/regulars/')) return ofRegular(response, pathname);
  if (pathname.startsWith('/desk/canned')) return canned(request, response, decodeURIComponent(pathname.slice('/desk/canned/'.length)));
  if (pathname.startsWith('/mock/')) {
    const cue = cues[pathname.slice('/mock/'.length)];
    cue?.();
    return response.writeHead(cue ? 204 : 404).end();
  }
  return file(pathname, response);
});

/** A mail as it was sent, under the headers that the gateway sets. */
function mail(request, response) {
  const { searchParams } = new URL(request.url, 'http://mock');
  const elsewhere = searchParams.get('images') === '1' ? ' https:' : '';
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `sandbox allow-popups; default-src 'none'; img-src 'self' data:${elsewhere}; style-src 'unsafe-inline'`,
  });
  response.end('<!doctype html><base target="_blank"><h1 style="color:#0a5">Good morning</h1><p>The tyre has a <b>crack</b>.</p><img alt="kept" src="/desk/api/files/x/y"><script>document.body.textContent = "it ran"</script>');
}

async function administer(request, response, path, query) {
  const [status, body] = admin.answer(request.method, path, query, await read(request));
  if (body === undefined) return response.writeHead(status).end();
  return json(response, status, body);
}

function ofRegular(response, pathname) {
  const [customer, what] = pathname.split('/').slice(-2);
  const [status, code] = regulars.act(customer, what);
  if (code !== undefined) return problem(response, status, 'Not sent', code);
  return status === 204 ? response.writeHead(204).end() : json(response, status, { sent: true });
}

async function changePassword(request, response) {
  const { current, new: next } = await read(request);
  if (current !== 'winter') return problem(response, 401, 'Wrong password', 'wrong_name_or_password');
  if (next.length < 12) return problem(response, 422, 'Too short', 'password_too_short');
  return response.writeHead(204).end();
}

async function read(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text === '' ? undefined : JSON.parse(text);
}

async function canned(request, response, name) {
  if (request.method === 'GET') return json(response, 200, { canned: [...scene.canned.values()] });
  const old = scene.canned.get(name);
  if (request.method === 'DELETE') {
    scene.canned.delete(name);
    return response.writeHead(204).end();
  }
  const body = await read(request);
  if (body.revision !== old?.revision) return problem(response, 409, 'Somebody else changed it meanwhile', 'canned_changed');
  const revision = (old?.revision ?? 0) + 1;
  scene.canned.set(name, { name, revision, ...body.canned });
  return json(response, 200, { revision });
}

/** By what one can write first, and whom an address reaches: numbers that end in 0 want no more, those that end in 9 reach nobody. */
async function reach(request, response) {
  if (request.method === 'GET') return json(response, 200, scene.ways());
  const [status, body] = scene.reached(await read(request));
  return status === 200 ? json(response, status, body) : problem(response, status, body, body);
}

async function upload(request, response) {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  const { searchParams } = new URL(request.url, 'http://mock');
  return json(response, 200, { object: 'f'.repeat(32), name: searchParams.get('name'), media_type: 'application/octet-stream', bytes });
}

const SQUARE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAeklEQVR4nO3PUQkAIBTAwNfIikYzmiH8OITBAtxm7fN1wwUNaEEDWtCAFjSgBQ1oQQNa0IAWNKAFDWhBA1rQgBY0oAUNaEEDWtCAFjSgBQ1oQQNa0IAWNKAFDWhBA1rQgBY0oAUNaEEDWtCAFjSgBQ1oQQNa0IAWPHYBjhvxS4J5aDsAAAAASUVORK5CYII=', 'base64');

function picture(response) {
  response.writeHead(200, { 'content-type': 'image/png', 'content-security-policy': "sandbox; default-src 'none'" }).end(SQUARE);
}

async function signIn(request, response) {
  const { password } = await read(request);
  if (password !== 'winter') return problem(response, 401, 'Wrong name or password', 'wrong_sign_in');
  signedIn = true;
  return response.writeHead(204, { 'set-cookie': 'wb_session=mock; HttpOnly; SameSite=Strict; Path=/desk' }).end();
}

function file(pathname, response) {
  if (pathname === '/' || pathname === '/desk') return response.writeHead(302, { location: '/desk/' }).end();
  const name = normalize(pathname.replace(/^\/desk\//, '') || 'index.html');
  const path = join(DIST, name);
  if (name.startsWith('..') || !existsSync(path)) return response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
    'content-security-policy': "default-src 'self'; frame-ancestors 'none'",
  });
  return createReadStream(path).pipe(response);
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function problem(response, status, title, code) {
  const body = { type: 'about:blank', title, status, code, detail: title };
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
}

const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (request, socket, head) => {
  if (!signedIn || scene.isDown) return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n');
  sockets.handleUpgrade(request, socket, head, (ws) => scene.connect(ws));
});
server.listen(PORT, '127.0.0.1', () => console.log(`mock gateway: http://127.0.0.1:${PORT}/desk/ (password "winter")`));
