// The scene that the mock gateway plays: a few customers, an agent, and a floor. Frames as in src/wire.ts.

const ME = 'agt_0190000000007000800000000000a001';
const MILA = 'agt_0190000000007000800000000000a002';
const JONAS = 'agt_0190000000007000800000000000a003';
const MIN = 60_000;

const receipt = (rule, over = {}) => ({
  rule,
  waited_ms: 72_000,
  idle_ms: 245_000,
  waiting_in_class: 3,
  runners_up: [
    { agent: MILA, idle_ms: 120_000 },
    { agent: JONAS, idle_ms: 31_000 },
  ],
  passed_over: { unqualified: 4, not_there: 2, full: 1, declined: 0 },
  ...over,
});

export class Scene {
  me = { agent: ME, title: 'Femke de Vries' };
  isDown = false;
  presence = 'online';
  reason;
  sockets = new Set();
  offers = [];
  contacts = [];
  threads = new Map();
  settled = new Map();
  drafts = new Map();
  births = 100;
  canned = new Map(
    [
      { name: 'late', revision: 1, title: 'Parcel is late', language: 'en', text: 'Dear {customer},\n\nyour order {order} is late, and we are sorry. It leaves today.\n\n{agent}' },
      { name: 'refund', revision: 1, title: 'Refund is on its way', language: 'en', text: 'Your refund was sent on {date}.', queues: ['payments'] },
      { name: 'te-laat', revision: 1, title: 'Pakket is te laat', language: 'nl', text: 'Beste {customer},\n\nuw bestelling {order} is te laat.' },
      { name: 'parcel', revision: 1, title: 'Parcel is at the shop', language: 'en', text: 'Hello {customer}, order {order} is at our shop.', template: { name: 'parcel_at_shop', language: 'en' } },
      { name: 'snow', revision: 1, title: 'Drive with care', text: 'Please do not drive in snow without winter tyres.' },
    ].map((one) => [one.name, one]),
  );

  constructor() {
    const now = Date.now();
    const anna = this.open('Anna Kowalska', 'Orders & delivery', 'delivery_late', now - 26 * MIN, receipt('longest_idle'));
    this.past(anna, now);
    const tom = this.open('Tom Okafor', 'Payments', 'refund_status', now - 9 * MIN, receipt('first_in_order'));
    this.add(tom, { is: 'from_customer' }, 'Hi, I returned the tyres on Monday. When do I get my money back?', now - 9 * MIN);
    this.add(tom, { is: 'joined', agent: ME }, undefined, now - 8 * MIN, this.me.title);
    this.add(tom, { is: 'from_agent', agent: ME }, 'Good morning Tom, I am looking it up.', now - 8 * MIN + 9_000, this.me.title);
    this.add(tom, { is: 'from_customer' }, 'Thank you.', now - 3 * MIN);
    this.add(tom, { is: 'from_customer' }, 'It was order 88-2041, two tyres.', now - 2 * MIN);
    const sam = this.open('Sam Peeters', 'Payments', undefined, now - 7 * MIN, receipt('preferred', { runners_up: [] }));
    sam.channel = 'whatsapp';
    this.add(sam, { is: 'from_customer' }, 'Is my refund on its way?', now - 5 * MIN);
    this.add(sam, { is: 'from_colleague' }, 'It is, since yesterday.', now - 4 * MIN);
    this.add(sam, { is: 'resolved', agent: ME, disposition: 'solved' }, undefined, now - 3 * MIN, this.me.title);
    this.add(sam, { is: 'feedback_asked', question: 'satisfaction' }, undefined, now - 3 * MIN + 1);
    this.add(sam, { is: 'feedback_given', question: 'satisfaction', score: 5 }, '5', now - 2 * MIN);
    sam.wrap_up_until = now + 180_000;
    const lise = this.open('Lise van den Berg', 'Orders & delivery', undefined, now - 14 * MIN, receipt('preferred', { runners_up: [] }));
    this.add(lise, { is: 'from_customer' }, 'Perfect, that is all. Bye!', now - 4 * MIN);
    this.add(lise, { is: 'resolved', agent: ME, disposition: 'solved' }, undefined, now - MIN, this.me.title);
    lise.wrap_up_until = now + 95_000;
    this.mails(now);
  }

  /** One customer who chats and mails, and somebody who says to be them. */
  customer() {
    const at = Date.now() - 3 * 86_400_000;
    const contact = 'con_3_0';
    const person = (identity, channel, rest) => ({ identity, channel, account: channel === 'whatsapp' ? 'care' : 'shop', conversations: 1, since: at, ...rest });
    const says = (n, channel, kind, text, rest) => ({ place: n, conversation: `cnv_${channel}`, identity: channel === 'web' ? 'idn_1' : 'idn_2', channel, files: [], seq: n, at: at + n * 3_600_000, contact, kind, text, ...rest });
    return {
      log_seq: 1,
      identities: [person('idn_1', 'web', { name: 'Ann Bakker' }), person('idn_2', 'email', { name: 'Ann Bakker', address: 'ann@example.org', conversations: 3 }), person('idn_4', 'whatsapp', { name: 'Ann', address: '+31612345678' })],
      is_cut: false,
      links: [{ link: 'lnk_1', identity: 'idn_2', at, by: 'Bram' }],
      suggestions: [{ ...person('idn_3', 'webhook', { name: 'A. Bakker' }), link: 'lnk_2' }],
      timeline: [
        says(1, 'email', { is: 'from_customer' }, 'The tyre has a crack.', { mail: { subject: 'My tyre', from: { address: 'ann@example.org', name: 'Ann Bakker' } }, files: [{ name: 'crack.jpg', media_type: 'image/jpeg', bytes: 81_000, address: '#' }] }),
        says(2, 'email', { is: 'from_agent', agent: this.me.agent }, 'A new one is on its way.'),
        says(3, 'web', { is: 'from_customer' }, 'Hello, is it there yet?'),
      ],
      has_more: true,
    };
  }

  ways() {
    return {
      accounts: [
        { channel: 'sms', account: 'shop', title: 'Text messages', takes: 'words' },
        { channel: 'whatsapp', account: 'care', title: 'Care', takes: 'templates' },
      ],
      queues: [
        { name: 'delivery', title: 'Orders & delivery' },
        { name: 'payments', title: 'Payments' },
      ],
    };
  }

  /** Whom somebody means, as status and answer. */
  reached({ channel, to }) {
    const takes = channel === 'whatsapp' ? 'templates' : 'words';
    if (to.is === 'known') return [200, { address: '+31612345678', takes }];
    const digits = to.address.replace(/[^0-9+]/gu, '').replace(/^00/u, '+');
    if (!/^\+?[0-9]{7,15}$/u.test(digits)) return [422, 'bad_address'];
    if (!digits.startsWith('+')) return [422, 'no_country'];
    if (digits.endsWith('0')) return [422, 'opted_out'];
    if (digits.endsWith('9')) return [422, 'address_unknown'];
    return [200, { address: digits, takes }];
  }

  /** An agent writes first, or goes on with a contact elsewhere. */
  begin({ channel, account, to, queue, contact, message, text, with: extras }) {
    const refused = (refusal, words) => ({ outcome: { is: 'refused', refusal }, words });
    const [status, found] = this.reached({ channel, account, to });
    if (status !== 200) return refused(found === 'opted_out' ? 'opted_out' : 'bad_address', 'this customer cannot be written to there');
    if (found.takes === 'templates' && !extras?.template) return refused('templates_only', 'this customer may be sent an approved template there only: choose one');
    if (text.includes('REFUSE')) return refused('already_open', 'this customer has an open contact there already: take that one, or ask who has it');
    const now = Date.now();
    const n = this.births++;
    const title = this.ways().queues.find((one) => one.name === queue)?.title ?? queue;
    const card = this.contacts.find((one) => one.contact === contact) ?? this.open(found.address, title, undefined, now, receipt('picked', { runners_up: [], waited_ms: 0 }));
    if (contact) {
      const before = { conversation: card.conversation, channel: card.channel };
      this.tell(card, this.add(card, { is: 'went_on', channel }, undefined, now));
      Object.assign(card, { conversation: `cnv_${n}_1`, channel });
      this.add(card, { is: 'came_from', ...before }, undefined, now);
    } else Object.assign(card, { channel });
    this.add(card, { is: 'from_agent', agent: ME }, text, now, this.me.title, message);
    this.send({ t: 'contact', ...this.whole(card, 0) });
    return { outcome: { is: 'done' } };
  }

  accounts() {
    const now = Date.now();
    return [
      { channel: 'email', account: 'service', state: 'working', since: now, heard_at: now - 40_000, waiting: 0 },
      { channel: 'email', account: 'orders', state: 'refused', since: now, words: 'the server refused the password: set a new one', waiting: 4 },
    ];
  }

  /** A conversation by mail: pictures, a third party, a machine, and answers that went in several ways. */
  mails(now) {
    const card = this.open('Noor Haddad', 'Workshop', undefined, now - 50 * MIN, receipt('longest_idle'));
    card.channel = 'email';
    const [noor, garage] = [{ address: 'noor@mail.example', name: 'Noor Haddad' }, { address: 'desk@garage.example' }];
    const us = { address: 'service@winter.example' };
    const file = (object, name, media_type, bytes, inline) => ({ object: object.repeat(32), name, media_type, bytes, ...(inline ? { inline } : {}) });
    const fresh = 'Good morning,\n\nthe tyre in the picture has a crack. Is it safe?\n\nNoor';
    const words = `${fresh}\n\n> On Monday you wrote:\n> your tyres are ready.`;
    const say = (kind, text, at, over) => Object.assign(this.add(card, kind, text, now - at * MIN, kind.agent ? this.me.title : undefined), over);
    say({ is: 'from_customer' }, words, 50, {
      attachments: [file('a', 'crack.png', 'image/png', 120_000), file('b', 'invoice 2041.pdf', 'application/pdf', 1_840_000), file('c', 'logo.png', 'image/png', 900, true)],
      mail: { from: noor, to: [us], cc: [garage], subject: 'Crack in a tyre', new_bytes: fresh.length, html: file('d', 'mail.html', 'text/html', 2_000), raw: file('e', 'mail.eml', 'message/rfc822', 9_000), verified: true },
    });
    say({ is: 'from_agent', agent: ME }, 'Please do not drive with it. I ask the garage.', 45);
    say({ is: 'from_agent', agent: ME }, 'Could you look at this tyre?', 44);
    say({ is: 'from_customer' }, 'It has to be replaced.', 20, { mail: { from: garage, to: [us], subject: 'Re: Crack in a tyre', third_party: true } });
    say({ is: 'from_customer' }, 'I am away until Monday.', 10, { automatic: true, mail: { from: noor, subject: 'Out of office', verified: true } });
    say({ is: 'from_customer' }, '', 5, { mail: { from: noor, subject: 'Out of office', unreadable: true, raw: file('e', 'mail.eml', 'message/rfc822', 9_000) } });
    say({ is: 'from_agent', agent: ME }, 'It has to be replaced; when can you come?', 4);
    card.deliveries = [{ seq: 2, state: 'delivered' }, { seq: 3, state: 'failed', reason: 'address_unknown' }, { seq: 7, state: 'unknown', reason: 'no_answer' }];
  }

  past(anna, now) {
    const day = 24 * 60 * MIN;
    const old = { ...anna, contact: 'con_11_0' };
    for (let i = 0; i < 60; i++) {
      const kind = i % 3 === 2 ? { is: 'from_agent', agent: MILA } : { is: 'from_customer' };
      this.add(old, kind, `Earlier words, number ${i + 1}.`, now - day - (60 - i) * MIN, i % 3 === 2 ? 'Mila Brandt' : undefined);
    }
    this.add(old, { is: 'resolved', agent: MILA, disposition: 'solved' }, undefined, now - day + MIN, 'Mila Brandt');
    const at = (m) => now - m * MIN;
    this.add(anna, { is: 'from_customer' }, 'Hello, my order was to arrive yesterday. It did not.', at(26));
    this.add(anna, { is: 'from_customer' }, 'The number is 88-1977. I need the tyres before the weekend, we drive to the mountains on Saturday and the forecast says snow.', at(25.6));
    this.add(anna, { is: 'joined', agent: JONAS }, undefined, at(24), 'Jonas Lindqvist');
    this.add(anna, { is: 'from_agent', agent: JONAS }, 'Hello Anna, I see the parcel at the depot in Utrecht. I give you to a colleague who can talk to the carrier.', at(23), 'Jonas Lindqvist');
    this.add(anna, { is: 'transferred_to_queue', agent: JONAS, queue: 'delivery' }, undefined, at(22.8), 'Jonas Lindqvist');
    this.add(anna, { is: 'joined', agent: ME }, undefined, at(22), this.me.title);
    this.add(anna, { is: 'note', agent: ME }, 'Carrier says: wrong label, relabelled today. Delivery tomorrow before noon is certain if we confirm by 16:00.', at(18), this.me.title);
    this.add(anna, { is: 'from_agent', agent: ME }, 'Good morning Anna. The carrier had a wrong label on it; that is put right.\n\nIf you are at home tomorrow before noon, I can fix the delivery for then. Shall I?', at(16), this.me.title);
    this.add(anna, { is: 'from_customer' }, 'Yes please! I am at home all morning.', at(1));
  }

  open(customer_name, queue, category, opened_at, why) {
    const n = this.births++;
    const card = { contact: `con_${n}_0`, conversation: `cnv_${n}_1`, channel: n % 2 ? 'api' : 'web', queue, opened_at, customer_name, receipt: why, effort: { contacts_before: 1, reopenings: 0, transfers: 1, waited_ms: why.waited_ms } };
    if (category) card.category = category;
    this.contacts.push(card);
    this.threads.set(card.conversation, []);
    return card;
  }

  add(card, kind, text, at, by, message) {
    const thread = this.threads.get(card.conversation) ?? [];
    this.threads.set(card.conversation, thread);
    const entry = { seq: thread.length + 1, at, contact: card.contact, kind };
    if (text !== undefined) Object.assign(entry, { text, message: message ?? `msg_m${card.conversation}${entry.seq}` });
    if (by) entry.by = by;
    thread.push(entry);
    return entry;
  }

  // ---- cues ----

  send(frame) {
    for (const ws of this.sockets) ws.send(JSON.stringify(frame));
  }

  drop() {
    for (const ws of this.sockets) ws.terminate();
  }

  offer() {
    const now = Date.now();
    const n = this.births++;
    const card = {
      offer: `off_${n}_2`, contact: `con_${n}_0`, conversation: `cnv_${n}_1`, channel: 'web', queue: 'Orders & delivery',
      waiting_since: now - 48_000, expires_at: now + 20_000, customer_name: 'Sofie Jansen',
      words: ['Hi!', 'I ordered 205/55 R16 but got 205/60 R16.', 'Can I exchange them this week? The car is on the lift on Thursday.'],
      receipt: receipt('longest_idle'),
      history: [
        { seq: 1, at: now - 40 * 24 * 60 * MIN, contact: 'con_3_0', kind: { is: 'from_customer' }, text: 'Do you have winter tyres for a Golf?' },
        { seq: 2, at: now - 40 * 24 * 60 * MIN + MIN, contact: 'con_3_0', kind: { is: 'from_agent', agent: MILA }, text: 'We do: 205/55 R16, in stock.', by: 'Mila Brandt' },
      ],
    };
    if (this.offers.length % 2) delete card.history;
    this.offers.push(card);
    this.send({ t: 'offer', ...card });
    setTimeout(() => this.endOffer(card.offer, 'timed_out'), card.expires_at - now);
  }

  endOffer(id, how) {
    if (!this.offers.some((offer) => offer.offer === id)) return;
    this.offers = this.offers.filter((offer) => offer.offer !== id);
    this.send({ t: 'offer_ended', offer: id, how });
    if (how === 'timed_out') this.missed();
  }

  missed() {
    this.setPresence('away', 'missed_offer');
  }

  setPresence(presence, reason) {
    this.presence = presence;
    this.reason = reason;
    this.send({ t: 'presence', presence, ...(reason ? { reason } : {}) });
  }

  customerSays(text, card = this.contacts[0]) {
    this.tell(card, this.add(card, { is: 'from_customer' }, text, Date.now()));
  }

  typing() {
    this.send({ t: 'typing', conversation: this.contacts[0].conversation });
  }

  writing() {
    for (const card of this.contacts) this.send({ t: 'writing', conversation: card.conversation, agent: MILA, title: 'Mila Brandt' });
  }

  gap() {
    const card = this.contacts[0];
    this.add(card, { is: 'from_customer' }, 'These words are lost on the way.', Date.now());
    this.customerSays('These come, and show that something is missing.');
  }

  /** A conversation of 5,000 entries, the words of very different lengths. */
  long() {
    const now = Date.now();
    const card = this.open('Petra Lang', 'Orders & delivery', undefined, now - MIN, receipt('longest_idle'));
    const old = { ...card, contact: 'con_5_0' };
    for (let i = 1; i <= 5_000; i++) {
      const kind = i % 3 === 2 ? { is: 'from_agent', agent: MILA } : { is: 'from_customer' };
      const words = `Number ${i}. ${'The tyres are not here yet, and the snow is. '.repeat((i * 7) % 11)}`;
      this.add(i > 4_900 ? card : old, kind, words, now - (5_001 - i) * 4 * MIN, i % 3 === 2 ? 'Mila Brandt' : undefined);
    }
    this.send({ t: 'contact', ...this.whole(card, undefined) });
  }

  reclaim() {
    this.letGo(this.contacts[0].contact, 'reclaimed');
  }

  tell(card, entry) {
    this.send({ t: 'entry', conversation: card.conversation, entry });
  }

  letGo(contact, why) {
    this.contacts = this.contacts.filter((card) => card.contact !== contact);
    this.send({ t: 'contact_gone', contact, why });
  }

  // ---- frames ----

  connect(ws) {
    ws.on('close', () => this.sockets.delete(ws));
    ws.on('message', (data) => this.receive(ws, JSON.parse(data)));
  }

  mentions = [{ contact: 'con_100_0', conversation: 'cnv_100_1', seq: 70, at: Date.now() - 300_000, by: 'Mila Brandt' }];
  picked = new Set();

  line() {
    const now = Date.now();
    return [
      { contact: 'con_901_0', channel: 'web', queue: 'delivery', category: 'delivery_late', waiting_since: now - 95_000, priority: 0, tags: ['vip'] },
      { contact: 'con_902_0', channel: 'email', queue: 'workshop', waiting_since: now - 30_000, priority: 0, practice: true },
    ].filter((one) => !this.picked.has(one.contact));
  }

  receive(ws, frame) {
    if (frame.t === 'line') return ws.send(JSON.stringify({ t: 'line', contacts: this.line(), more: 0 }));
    if (frame.t === 'hello') return this.welcome(ws, frame.have);
    if (frame.t === 'ping') return ws.send(JSON.stringify({ t: 'pong', n: frame.n, now: Date.now() }));
    if (frame.t === 'draft') return void this.drafts.set(frame.contact, frame.text);
    if (frame.t === 'older') return this.older(ws, frame);
    if (frame.t === 'command') return this.command(ws, frame);
  }

  welcome(ws, have) {
    this.sockets.add(ws);
    const contacts = this.contacts.map((card) => this.whole(card, have[card.conversation]));
    const state = { t: 'state', log_seq: 1, now: Date.now(), ...this.me, presence: this.presence, offers: this.offers, contacts };
    state.dispositions = [
      { name: 'solved', title: 'Solved' },
      { name: 'told', title: 'Question answered' },
      { name: 'callback', title: 'We come back to it' },
      { name: 'spam', title: 'Not a customer', fields: [{ name: 'kind', title: 'Kind', choices: ['robot', 'wrong_number'] }, { name: 'source', title: 'Source' }] },
    ];
    state.lead = true;
    state.role = 'administrator';
    state.tags = [
      { name: 'vip', title: 'Very important', colour: 'purple' },
      { name: 'late', title: 'Late parcel', colour: 'orange' },
      { name: 'legal', title: 'Legal', colour: 'red' },
    ];
    state.contact_fields = [
      { name: 'cause', title: 'Cause', choices: ['carrier', 'stock', 'wrong_size'] },
      { name: 'rma', title: 'Return number' },
    ];
    state.mentions = this.mentions;
    if (this.reason) state.reason = this.reason;
    ws.send(JSON.stringify(state));
    ws.send(JSON.stringify({
      t: 'floor',
      queues: [
        { name: 'delivery', title: 'Orders & delivery', waiting: 3 },
        { name: 'payments', title: 'Payments', waiting: 0 },
        { name: 'workshop', title: 'Workshop', waiting: 1 },
      ],
      colleagues: [
        { agent: MILA, title: 'Mila Brandt', is_there: true },
        { agent: JONAS, title: 'Jonas Lindqvist', is_there: false },
      ],
    }));
  }

  whole(card, have) {
    const thread = this.threads.get(card.conversation);
    const entries = have === undefined ? thread.slice(-12) : thread.slice(have);
    const draft = this.drafts.get(card.contact);
    return { ...card, entries, ...(draft ? { draft } : {}) };
  }

  older(ws, { contact, before_seq }) {
    const card = this.contacts.find((one) => one.contact === contact);
    const entries = this.threads.get(card.conversation).slice(Math.max(0, before_seq - 51), before_seq - 1);
    setTimeout(() => ws.send(JSON.stringify({ t: 'older', conversation: card.conversation, entries })), 150);
  }

  command(ws, { id, command }) {
    const answer = this.settled.get(id) ?? this.carryOut(command);
    this.settled.set(id, answer);
    setTimeout(() => ws.send(JSON.stringify({ t: 'settled', id, ...answer })), 60);
  }

  carryOut(command) {
    const done = { outcome: { is: 'done' } };
    const refused = (refusal, words) => ({ outcome: { is: 'refused', refusal }, words });
    const card = this.contacts.find((one) => one.contact === command.contact);
    switch (command.do) {
      case 'begin':
        return this.begin(command);
      case 'set_presence':
        this.setPresence(command.presence);
        return done;
      case 'accept': {
        const offer = this.offers.find((one) => one.offer === command.offer);
        if (!offer) return refused('offer_ended', 'this offer has ended: the contact went on');
        this.take(offer);
        return done;
      }
      case 'decline':
        this.endOffer(command.offer, 'declined');
        return done;
      case 'reply':
      case 'note': {
        if (command.text.includes('REFUSE')) return refused('contact_closed', 'this contact is closed: it opens again when the customer writes');
        const kind = { is: command.do === 'reply' ? 'from_agent' : 'note', agent: ME };
        const entry = this.add(card, kind, command.text, Date.now(), this.me.title, command.message);
        if (command.with?.attachments) entry.attachments = command.with.attachments;
        const delay = command.text.includes('SLOW') ? 3_000 : 40;
        setTimeout(() => this.tell(card, entry), delay);
        return done;
      }
      case 'set_tags':
      case 'set_fields': {
        if (command.do === 'set_tags') card.tags = [...new Set([...(card.tags ?? []), ...command.add])].filter((tag) => !command.remove.includes(tag));
        else card.fields = { ...card.fields, ...command.fields };
        this.send({ t: 'contact', ...this.whole(card, Infinity) });
        return done;
      }
      case 'read_mentions':
        this.mentions = this.mentions.filter((one) => one.contact !== command.contact);
        this.send({ t: 'mentions', mentions: this.mentions });
        return done;
      case 'pick': {
        const one = this.line().find((other) => other.contact === command.contact);
        if (!one) return refused('not_waiting', 'it waits no more');
        this.picked.add(command.contact);
        this.take({ ...one, offer: 'off_none', conversation: `cnv_${one.contact.split('_')[1]}_9`, customer_name: 'Picked Pieter', words: ['Anybody there?'], receipt: receipt('picked', { runners_up: [] }) });
        return done;
      }
      case 'resolve': {
        card.wrap_up_until = Date.now() + 60_000;
        this.tell(card, this.add(card, { is: 'resolved', agent: ME, disposition: command.disposition }, undefined, Date.now(), this.me.title));
        this.send({ t: 'contact', ...this.whole(card, Infinity) });
        return done;
      }
      case 'transfer_to_queue':
      case 'transfer_to_agent':
        this.letGo(command.contact, 'transferred');
        return done;
      case 'snooze':
      case 'resume':
        if (command.do === 'snooze') card.aside = { is: 'snoozed', until: command.until };
        else delete card.aside;
        this.send({ t: 'contact', ...this.whole(card, Infinity) });
        return done;
      case 'end_wrap_up':
        this.letGo(command.contact, 'ended');
        return done;
    }
  }

  take(offer) {
    const { contact, conversation, channel, queue, customer_name, waiting_since } = offer;
    const card = { contact, conversation, channel, queue, customer_name, opened_at: waiting_since, receipt: offer.receipt, effort: { contacts_before: 0, reopenings: 0, transfers: 0, waited_ms: offer.receipt.waited_ms } };
    this.contacts.push(card);
    for (const text of offer.words) this.add(card, { is: 'from_customer' }, text, waiting_since);
    this.add(card, { is: 'joined', agent: ME }, undefined, Date.now(), this.me.title);
    this.endOffer(offer.offer, 'accepted');
    this.send({ t: 'contact', ...this.whole(card, 0) });
  }
}
