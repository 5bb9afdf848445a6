// What the administration page is shown while developing: a small shop's configuration, changed and checked a little.

const MIN = 60_000;
const DAY = 24 * 60 * MIN;
const ME = 'agt_0190000000007000800000000000a001';

const queue = (name, title, over = {}) => ({ name, title, offer_ms: 30_000, wrap_up_ms: 20_000, owner_wait_ms: 20_000, reopen_ms: DAY, decline_rest_ms: MIN, ...over });

export class Admin {
  seq = 12;
  passwords = new Map();
  /** Set by the cue `overtake`: somebody else changes the configuration before the next save. */
  isOvertaken = false;
  mine = { agent: ME, role: 'administrator', scope: [] };
  policy = '[sentence]\nen = "We make it right."\nnl = "We maken het goed."\n\n[[card]]\nid = "late"\ngives = ["refund"]\nup_to = { contact = { EUR = 2500 } }\n';
  config = {
    queues: [
      queue('service', 'Customer service', { wait_bound_ms: 15 * MIN, hours: 'shop', overflow: 'orders', steps: [{ after_ms: 0 }, { after_ms: 20_000, ease: 1 }], close_after_ms: 120 * MIN }),
      queue('returns', 'Returns and refunds'),
      queue('orders', 'Orders and delivery', { picking: false }),
    ],
    skills: [{ name: 'returns', title: 'Returns' }, { name: 'payments', title: 'Payments' }, { name: 'dutch', title: 'Dutch' }],
    agents: [
      { id: ME, name: 'femke', title: 'Femke de Vries', queues: ['service', 'returns', 'orders'], skills: { returns: 5, dutch: 5 }, capacity: { web: 3, email: 8 }, role: 'administrator' },
      { id: 'agt_0190000000007000800000000000a002', name: 'mila', title: 'Mila Brandt', queues: ['service'], skills: { payments: 4 }, capacity: { web: 3 }, role: 'lead', scope: ['service'], team: 'evening' },
      { id: 'agt_0190000000007000800000000000a003', name: 'jonas', title: 'Jonas Lindqvist', queues: ['orders', 'returns'], skills: {}, capacity: { web: 2, email: 6 } },
      { id: 'agt_0190000000007000800000000000a004', name: 'helper', title: 'Helper', queues: ['service'], skills: {}, capacity: { web: 20 }, bot: true },
    ],
    accounts: [
      { channel: 'web', name: 'shop', title: 'North & Needle', queue: 'service', priority: 1 },
      { channel: 'api', name: 'shop', title: 'North & Needle, from other systems', queue: 'service', priority: 2 },
      { channel: 'email', name: 'support', title: 'North & Needle, by mail', queue: 'orders', priority: 2 },
    ],
    categories: [{ name: 'delivery_late', queue: 'orders', priority: 0, needs: [] }],
    dispositions: [{ name: 'solved', title: 'Solved' }, { name: 'spam', title: 'Spam' }],
    hours: [{ name: 'shop', zone: 'Europe/Amsterdam', week: { mon: ['09:00-17:00'], tue: ['09:00-17:00'] }, holidays: [{ date: '2026-12-25' }] }],
    languages: { nl: { skill: 'dutch', level: 3 } },
    tags: [{ name: 'vip', title: 'VIP', colour: 'purple' }, { name: 'damaged', title: 'Damaged in transit', colour: 'red' }],
    contact_fields: [{ name: 'order', title: 'Order' }, { name: 'reason', title: 'Reason', choices: ['late', 'wrong', 'damaged'] }],
  };
  settings = new Map([
    ['web.shop', { secrets: ['set'] }],
    ['email.support', { address: 'support@shop.example', imap: 'imaps://mail.shop.example', smtp: 'smtps://mail.shop.example', password: 'set', poll_every: '240s' }],
  ]);
  keys = [
    { id: 'key_0123456789abcdef', name: 'the first one', admin: true, scopes: [] },
    { id: 'key_1123456789abcdef', name: 'Warehouse', admin: false, integration: 'warehouse', scopes: ['messages.write', 'facts.write'], made_at: Date.now() - 90 * DAY, expires_at: Date.now() + 200 * DAY },
  ];
  webhooks = [
    { id: 'whk_1', url: 'https://crm.shop.example/hooks/winterband', name: 'CRM', log: 'contacts', types: ['contact.opened', 'contact.resolved'], words: false, after: 0, made_at: Date.now() - 30 * DAY, state: 'delivering', number: 1_841, seq: 9_000 },
    { id: 'whk_2', url: 'https://old.shop.example/in', name: '', log: 'contacts', types: ['message.received'], words: true, after: 0, made_at: Date.now() - 60 * DAY, state: 'retrying', number: 77, seq: 400, failing: { since: Date.now() - 3 * 60 * MIN, attempts: 9, next_at: Date.now() + 40 * MIN, last: { is: 'refused', status: 500 } } },
  ];
  sessions = [
    { id: 'ses_0123456789abcdef', begun_at: Date.now() - 3 * 60 * MIN, seen_at: Date.now() - MIN, until: Date.now() + 9 * 60 * MIN, is_this: true },
    { id: 'ses_1123456789abcdef', begun_at: Date.now() - 2 * DAY, seen_at: Date.now() - DAY, until: Date.now() + 60 * MIN, is_this: false },
  ];

  get hash() {
    return String(this.seq).padStart(32, '0');
  }

  applied() {
    this.seq += 1;
    return { hash: this.hash, log_seq: this.seq };
  }

  parked = ['unknown_account', 'floor_full', 'malformed'].map((reason, n) => ({
    seq: 9 - n, id: `prk_${n}`, at: Date.now() - n * 50 * MIN, channel: n === 2 ? 'webhook' : 'api', account: 'shop', reason, detail: 'As the server says it.', size: n === 2 ? 200 : 118, inbound_seq: null, replays: null,
  }));

  /** What is wrong with a configuration, as far as a mock looks. */
  faults(config) {
    const queues = new Set(config.queues.map((one) => one.name));
    const agents = config.agents.flatMap((agent, n) => agent.queues.filter((name) => !queues.has(name)).map((name) => ({ path: `agents[${n}].queues`, message: `there is no queue ${name}: add it to \`queues\`, or leave it out` })));
    const overflow = config.queues.flatMap((one, n) => (one.overflow !== undefined && !queues.has(one.overflow) ? [{ path: `queues[${n}].overflow`, message: `there is no queue ${one.overflow}` }] : []));
    return [...agents, ...overflow];
  }

  /** Answers with [status, body]; a problem's body has a code. */
  answer(method, path, query, body) {
    const [what, ...rest] = path.split('/').map(decodeURIComponent);
    const problem = (status, code, title, more = {}) => [status, { title, code, status, detail: 'This is a mock.', ...more }];
    if (what === 'config' && method === 'GET') return [200, { log_seq: this.seq, hash: this.hash, config: this.config, mine: this.mine }];
    if (what === 'config') {
      if (this.isOvertaken) {
        this.isOvertaken = false;
        this.config = { ...this.config, skills: [...this.config.skills, { name: 'french', title: 'French' }] };
        this.seq += 1;
      }
      if (query.get('if_hash') !== this.hash) return problem(409, 'config_changed', 'Somebody else changed it', { hash: this.hash });
      const faults = this.faults(body);
      if (faults.length > 0) return problem(422, 'config_faulty', 'The configuration cannot be used', { faults });
      this.config = { ...body, agents: body.agents.map((agent) => ({ id: agent.id ?? `agt_new_${agent.name}`, ...agent })) };
      return [200, this.applied()];
    }
    if (what === 'agents' && rest.length === 0) return this.addAgent(body.agent, problem);
    if (what === 'agents' && rest[1] === 'password') return [204];
    if (what === 'agents' && method === 'DELETE') return rest.length === 3 ? [204] : [200, { sessions: 2 }];
    if (what === 'agents') return [200, this.sessions.map((one) => ({ ...one, is_this: false }))];
    if (what === 'channels') return this.channels(method, rest, body, problem);
    if (what === 'policy' && method === 'POST') return [200, { faults: this.policyFaults(body.text) }];
    if (what === 'policy' && method === 'PUT') {
      const faults = this.policyFaults(body.text);
      if (faults.length > 0) return problem(422, 'policy_faulty', 'The policy cannot be used', { faults });
      this.policy = body.text;
      return [200, { hash: `p${body.text.length}` }];
    }
    if (what === 'policy') return [200, { log_seq: 5, hash: `p${this.policy.length}`, text: this.policy }];
    if (what === 'keys') return this.key(method, rest, body);
    if (what === 'webhooks') return this.webhook(method, rest, body);
    if (what === 'parked') return this.ofParked(method, rest, problem);
    if (what === 'audit') return [200, this.audit(query)];
    return problem(404, 'not_found', 'There is no such thing');
  }

  addAgent(agent, problem) {
    if (this.config.agents.some((one) => one.name === agent.name)) return problem(409, 'agent_exists', 'There is an agent of this name');
    const config = { ...this.config, agents: [...this.config.agents, { id: `agt_new_${agent.name}`, ...agent }] };
    const faults = this.faults(config);
    if (faults.length > 0) return problem(422, 'config_faulty', 'The agent cannot be added', { faults });
    this.config = config;
    return [201, { agent: `agt_new_${agent.name}`, name: agent.name, password: 'kelp-otter-7Qm2-violin', ...this.applied() }];
  }

  channels(method, [channel, name, check], body, problem) {
    const key = `${channel}.${name}`;
    if (channel === undefined) {
      const listed = this.config.accounts.map(({ channel, name, ...account }) => ({ channel, name, account, settings: this.settings.get(`${channel}.${name}`) ?? null, revision: 1 }));
      return [200, { channels: [...listed, { channel: 'webhook', name: 'partner', account: null, settings: { url: 'https://partner.example', secret: 'set' }, revision: 3 }] }];
    }
    if (check === 'check') return [200, { findings: [{ what: 'sign in by IMAP', good: true, found: '14 unread mails' }, { what: 'sign in by SMTP', good: false, found: 'the server refused the password: set a new one' }] }];
    const others = this.config.accounts.filter((one) => `${one.channel}.${one.name}` !== key);
    if (method === 'DELETE') {
      this.config = { ...this.config, accounts: others };
      this.settings.delete(key);
      this.seq += 1;
      return [204];
    }
    if (channel === 'email' && !String(body.settings.address).includes('@')) return problem(422, 'channel_faulty', 'The account cannot be used', { faults: [{ path: 'settings.address', message: 'expected an address of mail' }] });
    this.config = { ...this.config, accounts: [...others, { channel, name, ...body.account }] };
    const secret = (field, value) => (['password', 'secret'].includes(field) ? 'set' : field === 'secrets' ? value.map(() => 'set') : value);
    this.settings.set(key, Object.fromEntries(Object.entries(body.settings).map(([field, value]) => [field, secret(field, value)])));
    return [200, { revision: 8, ...this.applied() }];
  }

  policyFaults(text) {
    return text.split('\n').flatMap((line, n) => (line.includes('wrong') ? [{ line: n + 1, path: 'card.0.when.0', message: 'there is no fact of this name' }] : []));
  }

  key(method, [id, rotate], body) {
    if (method === 'GET') return [200, { keys: this.keys }];
    if (method === 'DELETE') {
      this.keys = this.keys.filter((one) => one.id !== id);
      return [204];
    }
    const made = { id: `key_${this.keys.length}`, key: 'wbk_4f7d1c9ae2b8460da3c5e7f1b2d4a6c8' };
    const old = this.keys.find((one) => one.id === id);
    if (rotate === 'rotate') {
      this.keys = [...this.keys.map((one) => (one === old ? { ...one, replaced_until: Date.now() + DAY } : one)), { ...old, id: made.id, made_at: Date.now() }];
    } else this.keys = [...this.keys, { id: made.id, admin: false, scopes: [], name: `signs in as ${body.agent}`, made_at: Date.now(), ...body }];
    return [201, made];
  }

  webhook(method, [id, what], body) {
    const one = this.webhooks.find((each) => each.id === id);
    if (method === 'GET' && what === 'deliveries') {
      const at = (n) => Date.now() - n * 7 * MIN;
      return [200, { attempts: Array.from({ length: 14 }, (_, n) => ({ number: one.number - n, seq: 900 - n, at: at(n), ms: 40 + n * 3, outcome: one.failing && n < 9 ? { is: 'refused', status: 500 } : { is: 'taken', status: 204 } })) }];
    }
    if (method === 'GET') return [200, { webhooks: this.webhooks }];
    if (method === 'DELETE') {
      this.webhooks = this.webhooks.filter((each) => each !== one);
      return [204];
    }
    if (method === 'PATCH') {
      one.state = body.enabled ? 'delivering' : 'stopped';
      return [200, one];
    }
    if (what === 'replay') return [202, one];
    if (what === 'rotate') return [201, { secret: 'whsec_c2VjcmV0IG9mIGEgbW9jaw==' }];
    const made = { id: `whk_${this.webhooks.length + 1}`, name: '', log: 'contacts', types: [], words: false, after: 0, made_at: Date.now(), state: 'delivering', number: 0, seq: 0, ...body };
    this.webhooks = [...this.webhooks, made];
    return [201, { webhook: made, secret: 'whsec_c2VjcmV0IG9mIGEgbW9jaw==' }];
  }

  /** Some that are parked: text, no text, and a replay that is parked again. */
  ofParked(method, [id, what], problem) {
    const one = this.parked.find((each) => each.id === id);
    if (id === undefined) return [200, { items: this.parked, total: this.parked.length }];
    if (id === 'count') return [200, { parked: this.parked.length }];
    if (one === undefined) return problem(404, 'not_parked', 'Nothing is parked under this id');
    if (method !== 'GET') this.parked = this.parked.filter((each) => each !== one);
    if (method === 'DELETE') return [200, { id, input_seq: 90 }];
    if (what === 'replay') return [202, { message: 'msg_1', input_seq: 91, duplicate: false, outcome: one.reason === 'floor_full' ? { is: 'parked', log_seq: 92, reason: one.reason } : { is: 'taken', log_seq: 92, contact: 'con_92_1' } }];
    const text = '{"account":"shop","id":"m-17","from":{"value":"ann@example.org","name":"Ann"},"text":"Where is my parcel?"}';
    if (one.reason === 'malformed') return [200, { item: one, from: 0, bytes: '\ufffd', base64: btoa(Array.from({ length: 200 }, (_, n) => String.fromCharCode((n * 7) % 256)).join('')), content: null, becomes: { is: 'nothing', code: 'malformed', title: 'It is no message', detail: 'Send another one.' } }];
    return [200, { item: one, from: 0, bytes: text, content: { text: 'Where is my parcel?', name: 'Ann' }, becomes: { is: 'message', channel: 'api', account: 'shop', from: 'ann@example.org', practice: false, own: false } }];
  }

  audit(query) {
    const last = 240;
    const end = Number(query.get('before') ?? last + 1);
    const kinds = [
      ['signed_in', { agent: ME }, {}],
      ['config_published', { agent: ME }, { hash: '00f1e2d3c4b5a6978877665544332211' }],
      ['customer_seen', { agent: 'agt_0190000000007000800000000000a002' }, { conversation: 'cnv_103_1' }],
      ['key_made', { key: { id: 'key_0123456789abcdef', name: 'the first one' } }, { key: 'key_1123456789abcdef' }],
      ['retention_swept', 'system', {}],
      ['password_set', 'operator', { agent: 'agt_0190000000007000800000000000a003' }],
    ];
    const entry = (n) => {
      const [action, actor, about] = kinds[n % kinds.length];
      return { v: 1, n, at: Date.now() - (last - n) * 11 * MIN, actor, action, ...(Object.keys(about).length > 0 ? { about } : {}), prev: '0', hash: '0' };
    };
    const first = Math.max(1, end - Number(query.get('limit')));
    return { entries: Array.from({ length: end - first }, (_, n) => entry(first + n)), last };
  }
}
