//! Every limit of the wire has its name and its default here (law 14).

/// Longest word in a subject, bytes.
pub const TOKEN_BYTES_MAX: usize = 64;
/// Longest text of one message, bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest internal note or draft, bytes of UTF-8.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Longest name that a customer gives, bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 200;
/// Longest reason of a decline, transfer or presence, bytes of UTF-8.
pub const REASON_BYTES_MAX: usize = 200;
/// Longest id that a provider gives a message, bytes.
pub const PROVIDER_ID_BYTES_MAX: usize = 256;
/// Longest value of an identity (an address, a number, a visitor), bytes.
pub const IDENTITY_BYTES_MAX: usize = 320;
/// Largest input or record on the bus, bytes: below the server's 1 MiB, with room for what a record adds.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;
/// Most required skills of one contact.
pub const SKILLS_PER_CONTACT_MAX: usize = 16;
/// Most queues in a configuration.
pub const QUEUES_MAX: usize = 5_000;
/// Most agents in a configuration.
pub const AGENTS_MAX: usize = 100_000;
/// Most skills in a configuration.
pub const SKILLS_MAX: usize = 5_000;
/// Most accounts in a configuration.
pub const ACCOUNTS_MAX: usize = 5_000;
/// Most categories in a configuration.
pub const CATEGORIES_MAX: usize = 5_000;
/// Most routes in a configuration.
pub const ROUTES_MAX: usize = 500;
/// Most dispositions in a configuration.
pub const DISPOSITIONS_MAX: usize = 5_000;
/// Most skills of one agent.
pub const SKILLS_PER_AGENT_MAX: usize = 64;
/// Most steps in which a queue widens.
pub const STEPS_PER_QUEUE_MAX: usize = 8;
/// Most alternatives in the requirement of a step.
pub const ALTERNATIVES_PER_STEP_MAX: usize = 8;
/// Longest head start, wait bound and time after which a step widens, ms: a year.
pub const ORDER_MS_MAX: u64 = 366 * 24 * 3_600_000;
/// Fastest ageing of a priority, percent of the time waited.
pub const AGEING_PERCENT_MAX: u32 = 10_000;
/// Most offers in a row that an agent may leave unanswered before they are away.
pub const MISSES_MAX: u8 = 10;
/// Most opening hours of a configuration.
pub const HOURS_MAX: usize = 500;
/// Most holidays of one.
pub const HOLIDAYS_MAX: usize = 400;
/// Most fields that a disposition asks for.
pub const FIELDS_PER_DISPOSITION_MAX: usize = 12;
/// Most tags in a configuration.
pub const TAGS_MAX: usize = 500;
/// Most tags of one contact.
pub const TAGS_PER_CONTACT_MAX: usize = 16;
/// Most fields that a contact can have.
pub const CONTACT_FIELDS_MAX: usize = 32;
/// Most colleagues mentioned in one note.
pub const MENTIONS_PER_NOTE_MAX: usize = 8;
/// Most mentions kept for one agent until they are read; past that the oldest is dropped.
pub const MENTIONS_PER_AGENT_MAX: usize = 50;
/// How soon a block of a customer may end, ms.
pub const BLOCK_MS_MIN: u64 = 60_000;
/// How far ahead a block of a customer may end, ms: a year.
pub const BLOCK_MS_MAX: u64 = 366 * 24 * 3_600_000;
/// Most customers blocked at once.
pub const BLOCKS_MAX: usize = 10_000;
/// Most waiting contacts of one customer that end with a block; the same block once more ends the next ones.
pub const ENDED_BY_BLOCK_MAX: usize = 80;
/// Most waiting contacts shown to an agent who looks for one to pick.
pub const LINE_SHOWN_MAX: usize = 100;
/// Most colleagues that every desk is shown without asking.
pub const COLLEAGUES_SHOWN_MAX: usize = 200;
/// Most colleagues that one question by name finds.
pub const COLLEAGUES_FOUND_MAX: usize = 50;
/// Most choices of a field.
pub const CHOICES_PER_FIELD_MAX: usize = 60;
/// Shortest silence of a customer that means something, ms.
pub const SILENCE_MS_MIN: u64 = 10_000;
/// How far ahead an incident may end, ms: seven days.
pub const INCIDENT_MS_MAX: u64 = 7 * 24 * 3_600_000;
/// Longest words of an incident in one language, bytes: a record holds those of a hundred customers.
pub const INCIDENT_WORDS_BYTES_MAX: usize = 1_000;
/// Most languages of the words of an incident.
pub const INCIDENT_LANGUAGES_MAX: usize = 20;
/// Most incidents at once.
pub const INCIDENTS_MAX: usize = 50;
/// Most contacts gathered by name with one command.
pub const GATHERED_AT_ONCE_MAX: usize = 100;
/// Most that is still to be done to the contacts of one incident.
pub const INCIDENT_WORKS_MAX: usize = 16;
/// How soon a contact that is laid aside may come back, ms.
pub const SNOOZE_MS_MIN: u64 = 60_000;
/// How far ahead a contact may be laid aside, ms.
pub const SNOOZE_MS_MAX: u64 = 90 * 24 * 3_600_000;
/// Most contacts that one agent has laid aside by hand; those whose customers are silent are not counted.
pub const SNOOZED_PER_AGENT_MAX: usize = 500;
/// Most colleagues who are with one contact besides its owner.
pub const COMPANIONS_PER_CONTACT_MAX: usize = 8;
/// Most contacts of others that one agent is with.
pub const COMPANY_PER_AGENT_MAX: usize = 32;
/// How long a bot may let its customer wait when its configuration does not say, ms.
pub const BOT_ANSWER_MS: u64 = 20_000;
/// Shortest time in which a bot can be asked to answer, ms.
pub const BOT_ANSWER_MS_MIN: u64 = 1_000;
/// Longest time in which a bot may be asked to answer, ms: past it nobody would call it an answer.
pub const BOT_ANSWER_MS_MAX: u64 = 3_600_000;
/// How long an unreachable bot keeps its contacts, ms: it has no cable to plug in again.
pub const BOT_RECLAIM_MS: u64 = 1_000;
/// How long after a bot lost the voice its words become suggestions, ms; later ones are refused.
pub const LATE_TEXT_MS: u64 = 60_000;
/// Most contacts that one agent may hold at once, over all channels.
pub const CAPACITY_MAX: u16 = 100;
/// Most agents remembered as having declined one contact; past that the first of them may be asked again.
pub const DECLINES_PER_CONTACT_MAX: usize = 1_000;
/// Most conversations that the router remembers, each with its contact, open or ended last; past that the one that has been
/// idle for longest is forgotten. Measured: 330 bytes of memory each while idle, 600 while its contact can be reopened, 800
/// with an open contact, so 0.7 to 1.6 GB in all, and 0.3 to 0.7 GB of a snapshot.
pub const CONVERSATIONS_MAX: usize = 2_000_000;
/// Most ids of customers' messages that the router remembers; past that the oldest day loses some before its time.
pub const MESSAGE_IDS_MAX: usize = 10_000_000;
/// Most ids of commands that the router remembers, with their answers; past that the oldest day loses some before its time.
pub const COMMAND_IDS_MAX: usize = 4_000_000;
/// Most ids of notices that the router remembers; past that the oldest day loses some before its time.
pub const NOTICE_IDS_MAX: usize = 2_000_000;
/// Most ids of parked items that the router remembers as replayed; past that the first of them is forgotten.
pub const REPLAYED_IDS_MAX: usize = 1_000_000;
/// Most wishes of the empowerment worker that the router remembers as carried out; past that the first of them is forgotten.
pub const WISH_IDS_MAX: usize = 1_000_000;
/// Most files attached to one message.
pub const ATTACHMENTS_MAX: usize = 15;
/// Longest name of an attached file, bytes.
pub const FILE_NAME_BYTES_MAX: usize = 120;
/// Largest attached file, bytes.
pub const FILE_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Most hashes by which a message's thread is found again.
pub const ALIASES_MAX: usize = 24;
/// Most of what a message names its customer by, verified and claimed each.
pub const CUSTOMER_KEYS_MAX: usize = 4;
/// Most identities of one customer that are looked through.
pub const IDENTITIES_MAX: usize = 50;
/// Most runners-up named in a receipt.
pub const RUNNERS_UP_MAX: usize = 5;
/// Most entries of one conversation's history sent in one answer.
pub const HISTORY_ENTRIES_MAX: usize = 200;
/// Most contacts in one answer about which there are.
pub const CONTACTS_PAGE_MAX: usize = 500;
/// Longest text that is searched for, bytes.
pub const SEARCH_WORDS_BYTES_MAX: usize = 500;
/// Most words searched for at once, those within quotes counted one by one.
pub const SEARCH_TERMS_MAX: usize = 16;
/// Fewest letters before a `*`: one letter begins too many words.
pub const SEARCH_PREFIX_CHARS_MIN: usize = 2;
/// Most hits in one answer of a search.
pub const SEARCH_HITS_MAX: usize = 50;
/// Most conversations that a search can be confined to.
pub const SEARCH_CONVERSATIONS_MAX: usize = 1_000;
/// Most hits that are weighed against each other, the newest of them.
pub const SEARCH_RANKED_MAX: usize = 20_000;
/// How far the clock of a sender may be off before its time is ignored, ms.
pub const CLOCK_SKEW_MS_MAX: u64 = 24 * 3_600_000;
/// Oldest command that is still carried out, ms (law 5).
pub const COMMAND_AGE_MS_MAX: u64 = 24 * 3_600_000;
/// Longest text of a fact, bytes: a word of a list.
pub const FACT_TEXT_BYTES_MAX: usize = 64;
/// Most facts pushed or answered at once.
pub const FACTS_MAX: usize = 100;
/// Most cards in a policy.
pub const CARDS_MAX: usize = 500;
/// Largest policy, bytes of JSON.
pub const POLICY_BYTES_MAX: usize = 512 * 1024;
/// Most faults of a policy told at once; what is more is counted.
pub const POLICY_FAULTS_MAX: usize = 100;
/// Most conditions of a card, a route and a step.
pub const CONDITIONS_PER_CARD_MAX: usize = 16;
/// Longest condition, bytes.
pub const CONDITION_BYTES_MAX: usize = 400;
/// Most nodes in the syntax tree of a condition.
pub const CONDITION_NODES_MAX: usize = 64;
/// Longest list in a condition.
pub const CONDITION_LIST_MAX: usize = 32;
/// Largest amount that is not absurd, cents of any currency.
pub const AMOUNT_CENTS_MAX: i64 = 100_000_000;
/// Longest story title, bytes.
pub const TITLE_BYTES_MAX: usize = 120;
/// Answers that are written beforehand.
pub const CANNED_MAX: usize = 2_000;
/// Text of such an answer, bytes of UTF-8.
pub const CANNED_TEXT_BYTES_MAX: usize = 4 * 1024;
/// Longest name of an approved form of words, bytes (Meta's; Twilio's have 34).
pub const TEMPLATE_NAME_BYTES_MAX: usize = 512;
/// Longest language of one, bytes.
pub const TEMPLATE_LANGUAGE_BYTES_MAX: usize = 16;
/// Most places of one.
pub const TEMPLATE_PLACES_MAX: usize = 64;
/// Longest text that stands in a place of one, bytes.
pub const TEMPLATE_PLACE_BYTES_MAX: usize = 1024;
/// Queues that such an answer names.
pub const CANNED_QUEUES_MAX: usize = 100;
/// How far ahead something may be promised, ms.
pub const PROMISE_MS_MAX: u64 = 90 * 24 * 3_600_000;
/// Most colleagues asked at once.
pub const ASKED_MAX: usize = 5;
/// Longest answer that an integration may give, bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most API keys at once.
pub const KEYS_MAX: usize = 1_000;
/// Longest name of an API key, bytes.
pub const KEY_NAME_BYTES_MAX: usize = 64;
/// Most days after which an API key ends by itself.
pub const KEY_DAYS_MAX: u32 = 3_650;
/// How long a key works beside its successor if it is not said, hours.
pub const KEY_OVERLAP_HOURS: u32 = 24;
/// Longest time for which a key works beside its successor, hours.
pub const KEY_OVERLAP_HOURS_MAX: u32 = 30 * 24;
/// Longest name of an integration, bytes: with what stands before it, the name of its streams stays below 32.
pub const GUEST_NAME_BYTES_MAX: usize = 20;
/// Most integrations that speak NATS with us; each has two streams of its own.
pub const INTEGRATIONS_MAX: usize = 100;
/// Most public keys of one integration at once.
pub const GUEST_KEYS_MAX: usize = 4;
/// Most accounts that one integration may publish for.
pub const GUEST_ACCOUNTS_MAX: usize = 20;
/// What an integration may publish in a second if nothing else was said.
pub const GUEST_PER_SECOND_DEFAULT: u32 = 200;
/// Most that an integration may be allowed to publish in a second.
pub const GUEST_PER_SECOND_MAX: u32 = 5_000;
/// Questions that an integration may put in a second.
pub const GUEST_ASKS_PER_SECOND: u32 = 20;
/// Questions of one integration being answered at once; waiting ones count.
pub const GUEST_ASKS_AT_ONCE_MAX: usize = 8;
/// Longest that a question of an integration may wait for something new, ms.
pub const GUEST_WAIT_MS_MAX: u64 = 20_000;
/// Most rejections of one page.
pub const REJECTIONS_PAGE_MAX: usize = 500;
/// Rejections of a page if nothing else was said.
pub const REJECTIONS_PAGE_DEFAULT: usize = 100;
/// Most events of one page of the feed; those of one record stay together, so it may be a few more.
pub const EVENTS_PAGE_MAX: usize = 500;
/// Events of a page if nothing else was said.
pub const EVENTS_PAGE_DEFAULT: usize = 100;
/// Most bytes of one page of the feed over the bus, as long as it holds more than one record: a shorter page is given instead.
pub const EVENTS_ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most questions after a contact.
pub const QUESTIONS_MAX: usize = 3;
/// Arrivals of which regulars are told first, at once.
pub const ARRIVALS_MAX: usize = 200;
/// Words of an arrival in one language, bytes.
pub const ARRIVAL_WORDS_BYTES_MAX: usize = 1_000;
/// Languages of the words of an arrival.
pub const ARRIVAL_LANGUAGES_MAX: usize = 20;
/// Tags, categories and fields of whom an arrival suits.
pub const ARRIVAL_SUITS_MAX: usize = 16;
/// How far ahead regulars may choose first, ms.
pub const ARRIVAL_MS_MAX: u64 = 60 * 24 * 3_600_000;
/// Contacts of a customer that an agent has resolved before the customer is a regular of theirs.
pub const REGULAR_CONTACTS_MIN: u32 = 2;
/// Within how many days.
pub const REGULAR_DAYS: u64 = 365;
/// Regulars of one agent of whom an arrival is told, the latest.
pub const REGULARS_MAX: usize = 50;
/// Contacts of one agent that are looked through for regulars, the latest.
pub const REGULAR_CONTACTS_LOOKED_AT_MAX: usize = 5_000;
