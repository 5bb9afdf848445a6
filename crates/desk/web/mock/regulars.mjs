// What has arrived for the agent's regulars: one draft that goes, one that only goes as it is, and one that somebody else sends first.

const DAY_MS = 86_400_000;
const WORDS = {
  en: 'Dear {customer}, the new winter coats are here. Until {until} they are yours to choose from before anybody else. {agent}',
  nl: 'Beste {customer}, de nieuwe winterjassen zijn er. Tot {until} kies jij als eerste. {agent}',
};

export class Regulars {
  #sent = 0;
  #until = Date.now() + 5 * DAY_MS;
  #drafts = [
    this.#draft('a', 'sms', 'Noor Haddad', 'nl', 4, {}),
    this.#draft('b', 'whatsapp', 'Ann Bakker', 'en', 2, { form_only: true }),
    this.#draft('c', 'telegram', undefined, 'en', 3, {}),
  ];

  #draft(sign, channel, name, language, resolved, rest) {
    const last_at = Date.now() - resolved * DAY_MS;
    return { customer: `idn_${sign.repeat(32)}`, channel, account: 'shop', name, language, words: WORDS[language], form_only: false, resolved, last_at, ...rest };
  }

  page() {
    return { arrivals: [{ id: 'winter', title: 'Winter collection', until: this.#until, sent: this.#sent, drafts: this.#drafts }] };
  }

  /** The status, and the code of a no. */
  act(customer, what) {
    const draft = this.#drafts.find((one) => one.customer === customer);
    if (draft === undefined) return [404, 'no_draft'];
    this.#drafts = this.#drafts.filter((one) => one !== draft);
    if (what === 'let-go') return [204];
    if (draft.channel === 'telegram') return [409, 'written_already'];
    this.#sent += 1;
    return [200];
  }
}
