// What the widget says. `{by}` is the agent's name, `{n}` a number.

const en = {
  open: "Chat with us",
  openUnread: "Chat with us, {n} new",
  close: "Close the chat",
  title: "Chat with us",
  greeting: "Hello! Write to us here. You can always ask for a person.",
  none: "We answer as soon as someone is free",
  waiting: "We are finding someone for you",
  next: "You are next",
  place: "You are number {n}",
  within: "usually within {n} min",
  late: "It takes longer than we said, sorry. You keep your place",
  withAgent: "is helping you",
  withSomeone: "A colleague is helping you",
  bot: "automatic assistant",
  person: "Talk to a person",
  news: "To everybody",
  informed: "We know about this and will write here",
  someone: "a colleague",
  resolved: "This conversation has ended",
  goodbye: "Thank you for writing. Is there anything else? Write again to come back.",
  thank: "Thank {by}",
  thankWords: "A few words, if you like",
  thanked: "Your thanks go to {by}.",
  offline: "No connection. What you write is kept and sent as soon as it is back.",
  connecting: "Connecting…",
  typing: "{by} is typing…",
  placeholder: "Write a message",
  send: "Send",
  leave: "End chat",
  log: "Messages",
  earlier: "Earlier messages are kept with us.",
  erased: "This message was erased.",
  joined: "{by} joined",
  transferred: "Your conversation goes on with a colleague",
  ended: "{by} closed the conversation",
  reopened: "Welcome back",
  closed: "We are closed now. What you write is kept, and answered when we open",
  left: "You ended the chat",
  callback: "We call you back. You keep your place, also when you close this page",
  callbackOpen: "Rather be called back?",
  callbackWords: "Phone number or mail address",
  callbackSend: "Call me back",
  closing: "Are you still there? This chat closes at {n} if we hear nothing",
  sending: "Sending…",
  taken: "Sent",
  recorded: "Delivered",
  refused: "Not sent",
  edit: "Edit",
  discard: "Discard",
  room: "{n} characters left",
  over: "{n} characters too many",
  full: "Too many messages are waiting: the connection has to come back first.",
  too_old: "This was never sent. Edit it to send it now.",
  text_too_long: "This is too long. Shorten it or send it in parts.",
  empty_text: "There are no words in it.",
  too_many_frames: "That was a bit fast. It will be sent in a moment.",
  too_many_new: "Many people are writing now. It will be sent in a moment.",
  network_busy: "Much is sent from your network now. It will be sent in a moment.",
  history_unavailable: "Earlier messages cannot be shown just now. You can write all the same.",
  inbound_full: "We cannot take it at the moment. It will be sent again by itself.",
  unavailable: "We cannot take it at the moment. It will be sent again by itself.",
  unknown_account: "This chat is not set up: its account is not known.",
};

export type Words = typeof en;

const nl: Words = {
  open: "Chat met ons",
  openUnread: "Chat met ons, {n} nieuw",
  close: "Chat sluiten",
  title: "Chat met ons",
  greeting: "Hallo! Schrijf ons hier. Je kunt altijd om een mens vragen.",
  none: "We antwoorden zodra er iemand vrij is",
  waiting: "We zoeken iemand voor je",
  next: "Je bent de volgende",
  place: "Je bent nummer {n}",
  within: "meestal binnen {n} min",
  late: "Het duurt langer dan we zeiden, sorry. Je houdt je plek",
  withAgent: "helpt je",
  withSomeone: "Een collega helpt je",
  bot: "automatische assistent",
  person: "Praat met een mens",
  news: "Aan iedereen",
  informed: "We weten ervan en schrijven hier",
  someone: "een collega",
  resolved: "Dit gesprek is afgerond",
  goodbye: "Bedankt voor je bericht. Toch nog iets? Schrijf gerust weer.",
  thank: "Bedank {by}",
  thankWords: "Een paar woorden, als je wilt",
  thanked: "Je dank gaat naar {by}.",
  offline: "Geen verbinding. Wat je schrijft blijft bewaard en gaat weg zodra die terug is.",
  connecting: "Verbinden…",
  typing: "{by} typt…",
  placeholder: "Schrijf een bericht",
  send: "Versturen",
  leave: "Chat beëindigen",
  log: "Berichten",
  earlier: "Eerdere berichten zijn bij ons bewaard.",
  erased: "Dit bericht is gewist.",
  joined: "{by} doet mee",
  transferred: "Je gesprek gaat verder met een collega",
  ended: "{by} heeft het gesprek afgerond",
  reopened: "Welkom terug",
  closed: "We zijn nu gesloten. Wat je schrijft bewaren we, en we antwoorden als we open zijn",
  left: "Je hebt de chat beëindigd",
  callback: "We bellen je terug. Je houdt je plek, ook als je deze pagina sluit",
  callbackOpen: "Liever teruggebeld worden?",
  callbackWords: "Telefoonnummer of mailadres",
  callbackSend: "Bel mij terug",
  closing: "Ben je er nog? Deze chat sluit om {n} als we niets horen",
  sending: "Wordt verstuurd…",
  taken: "Verstuurd",
  recorded: "Aangekomen",
  refused: "Niet verstuurd",
  edit: "Aanpassen",
  discard: "Weggooien",
  room: "nog {n} tekens",
  over: "{n} tekens te veel",
  full: "Er wachten te veel berichten: eerst moet de verbinding terug zijn.",
  too_old: "Dit is nooit verstuurd. Pas het aan om het nu te versturen.",
  text_too_long: "Dit is te lang. Maak het korter of verstuur het in delen.",
  empty_text: "Er staan geen woorden in.",
  too_many_frames: "Dat ging wat snel. Het wordt zo verstuurd.",
  too_many_new: "Er schrijven nu veel mensen. Het wordt zo verstuurd.",
  network_busy: "Er komt nu veel uit je netwerk. Het wordt zo verstuurd.",
  history_unavailable: "Eerdere berichten kunnen nu niet getoond worden. Schrijven kan wel.",
  inbound_full: "We kunnen het nu even niet aannemen. Het wordt vanzelf opnieuw verstuurd.",
  unavailable: "We kunnen het nu even niet aannemen. Het wordt vanzelf opnieuw verstuurd.",
  unknown_account: "Deze chat is niet ingesteld: het account is onbekend.",
};

export type Lang = "en" | "nl";

/** The first of the wishes that we speak; English if none. */
export function choose(wishes: (string | null | undefined)[]): Lang {
  for (const wish of wishes) {
    const lang = wish?.toLowerCase().split("-")[0];
    if (lang === "en" || lang === "nl") return lang;
  }
  return "en";
}

export function wordsOf(lang: Lang): Words {
  return lang === "nl" ? nl : en;
}

/** Our words for a code of the server's; its own for one that we do not know. */
export function explain(words: Words, code: string | undefined, theirs: string | undefined): string {
  return (code && (words as Record<string, string>)[code]) || theirs || words.refused;
}

export function fill(text: string, name: "by" | "n", value: string): string {
  // A function, because a name may hold what `replace` reads as a pattern.
  return text.replace(`{${name}}`, () => value);
}
