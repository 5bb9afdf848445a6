import { describe, expect, it } from 'vitest';
import { addressesOf } from '../src/extras.svelte';
import { addressOf, isPicture, mailAddress, refused } from '../src/files';
import { en } from '../src/i18n/en';
import { bareSubject, partsOf, personOf, subjectsShown } from '../src/mail';
import { authorOf, inOneLine } from '../src/names';
import { FILE_BYTES_MAX, type Attachment } from '../src/wire';
import { contact, deskWith, entries, entry, state } from './make';

const file: Attachment = { object: 'ab'.repeat(16), name: 'a & b?.png', media_type: 'image/png', bytes: 5 };

describe('a mail', () => {
  it('shows its subject only when it is another one', () => {
    const subjects = ['Boots', 'Re: Boots', 'AW: re: Boots', '', 'Gloves', 'Fwd: Boots'];
    const mails = subjects.map((subject, i) => entry(i + 1, undefined, { mail: { subject } }));
    expect([...subjectsShown(mails)]).toEqual([1, 5, 6]);
    expect(bareSubject('Re[2]: Fwd: Régime')).toBe('Régime');
  });

  it('folds what is quoted, by bytes, and never all of it', () => {
    const text = 'größer\n> old';
    expect(partsOf(text, { new_bytes: 9 })).toEqual({ fresh: 'größer', earlier: '> old' });
    expect(partsOf(text, { new_bytes: 0 })).toEqual({ fresh: text, earlier: '' });
    expect(partsOf(text, {})).toEqual({ fresh: text, earlier: '' });
    expect(partsOf(text, undefined).earlier).toBe('');
  });

  it('names people', () => {
    expect(personOf({ address: 'a@b.example', name: 'Mia' })).toBe('Mia <a@b.example>');
    expect(personOf({ address: 'a@b.example' })).toBe('a@b.example');
  });
});

describe('addresses', () => {
  it('are read with and without names, or not at all', () => {
    expect(addressesOf('a@b.nl, "Mia M" <m@x.example>; c@d.org')).toEqual([
      { address: 'a@b.nl' },
      { address: 'm@x.example', name: 'Mia M' },
      { address: 'c@d.org' },
    ]);
    expect(addressesOf(' ')).toEqual([]);
    for (const bad of ['mia', 'a@b', 'a@b.nl c@d.nl', '<a@b.nl', 'a@@b.nl']) expect(addressesOf(bad), bad).toBeNull();
  });
});

describe('a file', () => {
  it('has an address that holds any name', () => {
    expect(addressOf('con_1_0', file, 3)).toBe(`/desk/api/files/con_1_0/${file.object}?name=a+%26+b%3F.png&seq=3`);
    expect(mailAddress('con_1_0', 3, true)).toBe('/desk/api/mail/con_1_0/3/html?images=1');
    expect([isPicture(file), isPicture({ ...file, media_type: 'image/svg+xml' })]).toEqual([true, false]);
  });

  it('is refused here when the server would refuse it', () => {
    const of = (size: number) => refused({ size } as File);
    expect([of(0), of(1), of(FILE_BYTES_MAX), of(FILE_BYTES_MAX + 1)]).toEqual(['empty', null, null, 'too_large']);
  });
});

describe('a reply with more than words', () => {
  it('carries it once, and waits while it is not whole', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ channel: 'email', entries: entries(1, 1) })] }));
    const held = desk.helds[0]!;
    held.extras.cc = 'mia';
    desk.write(held, 'reply', 'hello');
    expect(desk.say(held, 'reply')).toBe(false);
    held.extras.cc = 'm@x.example';
    held.extras.subject = ' About boots ';
    expect(desk.say(held, 'reply')).toBe(true);
    const sent = lines.commands().at(-1)!.command;
    expect(sent).toMatchObject({ do: 'reply', text: 'hello', with: { cc: [{ address: 'm@x.example' }], subject: 'About boots' } });
    desk.write(held, 'reply', 'again');
    desk.say(held, 'reply');
    expect(lines.commands().at(-1)!.command).not.toHaveProperty('with');
  });

  it('goes without words where there are files', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 1) })] }));
    const held = desk.helds[0]!;
    expect(desk.say(held, 'reply')).toBe(false);
    held.extras.files = [{ name: 'a', bytes: 1, progress: 1, attachment: file, refused: null, stop: () => {} }] as never;
    expect(desk.say(held, 'reply')).toBe(true);
    expect(lines.commands().at(-1)!.command).toMatchObject({ text: '', with: { attachments: [file] } });
  });
});

describe('a message sent again', () => {
  it('goes to whom it went, with what went along', () => {
    const { desk, lines } = deskWith();
    desk.apply(state({ contacts: [contact({ channel: 'email', entries: entries(1, 1) })] }));
    const held = desk.helds[0]!;
    const to = [{ address: 'desk@garage.example', name: 'The garage' }];
    desk.takeUp(held, entry(2, { is: 'from_agent', agent: 'agt_me' }, { text: 'look', attachments: [file], mail: { to, subject: 'Tyre' } }));
    expect([held.reply, held.extras.isOpen]).toEqual(['look', true]);
    expect(desk.say(held, 'reply')).toBe(true);
    expect(lines.commands().at(-1)!.command).toMatchObject({ text: 'look', with: { attachments: [file], forward_to: to, subject: 'Tyre' } });
    held.extras.takeUp(held.id, { mail: { cc: [{ address: 'j@d.example', name: 'Doe, John' }] } });
    expect(held.extras.ready()).toEqual({ cc: [{ address: 'j@d.example' }] });
    desk.takeUp(held, entry(3, { is: 'from_agent', agent: 'agt_me' }, { text: 'plain' }));
    expect(held.extras.ready()).toBeUndefined();
  });
});

describe('what became of a message', () => {
  it('comes with the contact and changes', () => {
    const { desk } = deskWith();
    desk.apply(state({ contacts: [contact({ entries: entries(1, 2), deliveries: [{ seq: 2, state: 'sending' }] })] }));
    const held = desk.helds[0]!;
    expect(held.deliveries.get(2)?.state).toBe('sending');
    desk.apply({ t: 'delivered', conversation: held.conversation, seq: 2, state: 'failed', reason: 'refused' });
    expect(held.deliveries.get(2)).toEqual({ seq: 2, state: 'failed', reason: 'refused' });
    desk.apply({ t: 'delivered', conversation: 'cnv_9_9', seq: 2, state: 'read' });
    expect(held.deliveries.get(2)?.state).toBe('failed');
  });
});

describe('an entry', () => {
  const names = { me: { agent: 'agt_me', title: 'Femke' }, floor: { queues: [] }, colleagues: { titleOf: () => undefined }, dispositions: [] };

  it('of somebody else than the customer has their own name', () => {
    const from = { address: 'desk@garage.example' };
    expect(authorOf(entry(1, undefined, { mail: { from, third_party: true } }), 'Noor', names, en)).toBe('desk@garage.example');
    expect(authorOf(entry(1, undefined, { mail: { from } }), 'Noor', names, en)).toBe('Noor');
  });

  it('in one line is its words, or its files, or that it was erased', () => {
    expect(inOneLine(entry(1, undefined, { text: 'a\n b' }), en)).toBe('a b');
    expect(inOneLine(entry(1, undefined, { text: '', attachments: [file, file] }), en)).toBe('a & b?.png, a & b?.png');
    const { text: _, ...erased } = entry(1);
    expect(inOneLine(erased, en)).toBe(en.conversation.erased);
  });
});
