//! When what may be sent: a lane for each conversation, a gate for each account. Pure; times are given.

use std::collections::{BTreeSet, HashMap};

use protocol::{ConversationId, Hash128, Millis};

use crate::channels::book::AccountKey;

/// Pauses after the first, second, ... attempt in vain, ms; after the last one it failed. Together some three days, as long as
/// providers' outages and a weekend last.
const PAUSES_MS: [u64; 12] = [
    2_000, 10_000, 60_000, 300_000, 900_000, 3_600_000, 7_200_000, 14_400_000, 28_800_000, 43_200_000,
    64_800_000, 86_400_000,
];
/// Pauses of an account that is not let in, ms; the last one for ever: a person has to look, and is told.
const GATE_PAUSES_MS: [u64; 5] = [5_000, 15_000, 60_000, 180_000, 300_000];
/// Longest that a provider is believed who says when to come again, ms: a wrong number must not silence an account for days.
const AFTER_MS_MAX: u64 = 3_600_000;
/// A pause is up to so many percent longer: what failed together need not come back together.
const JITTER_PERCENT: u64 = 20;

/// The pause after attempt number `attempt`, `untried` of which do not count, ms; `None`: it was the last.
pub(crate) fn pause_ms(attempt: u32, untried: u32, dice: Hash128) -> Option<u64> {
    let tried = attempt.saturating_sub(untried);
    let n = usize::try_from(tried.saturating_sub(1)).unwrap_or(usize::MAX);
    PAUSES_MS.get(n).map(|pause| with_jitter(*pause, dice))
}

/// The longer of a usual pause and what the provider says, as far as it is believed. Who says "at once" and then says no again
/// must not use up all attempts within a minute.
pub(crate) fn longer_ms(usual: u64, after_ms: Option<u64>) -> u64 {
    after_ms.map_or(usual, |after_ms| after_ms.min(AFTER_MS_MAX).max(usual))
}

fn with_jitter(pause: u64, dice: Hash128) -> u64 {
    let roll = u64::from(dice.0[0]);
    pause + pause * JITTER_PERCENT * roll / (100 * 255)
}

/// The lanes and gates of whoever leads.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: HashMap<ConversationId, Lane>,
    gates: HashMap<AccountKey, Gate>,
    /// Conversations whose message the account refused when it was tried last.
    refused: HashMap<ConversationId, Refused>,
    /// Counts refusals, so that it is known which came first.
    refusals: u64,
    /// Counts what left, so that it is known what a refusal could not hold back.
    departures: u64,
}

/// A conversation that its account refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// The number of its latest refusal.
    number: u64,
    /// How often in a row, for the pauses.
    in_vain: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Busy,
    Until(Millis),
}

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    until: Option<Millis>,
    in_flight: usize,
    in_vain: u32,
    /// The last message that had left when the account refused one.
    shut_after: u64,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "its lane is free again only when it comes back"]
pub(crate) struct Left {
    pub(crate) conversation: ConversationId,
    pub(crate) key: AccountKey,
    /// The how manieth it was to leave.
    number: u64,
}

/// Whether something may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    Go,
    /// Not before then.
    From(Millis),
    /// When something else has come back.
    Later,
}

impl Lanes {
    /// Whether the conversation's next message may go, by its own lane and its account's gate.
    pub(crate) fn may(
        &self,
        conversation: ConversationId,
        key: &AccountKey,
        at_once: usize,
        now: Millis,
    ) -> May {
        match self.lanes.get(&conversation) {
            Some(Lane::Busy) => return May::Later,
            Some(Lane::Until(until)) if *until > now => return May::From(*until),
            Some(Lane::Until(_)) | None => {}
        }
        match self.gates.get(key) {
            Some(Gate { until: Some(until), .. }) if *until > now => May::From(*until),
            // After a refusal one message tries whether it is over.
            Some(Gate { in_vain: 1.., in_flight: 1.., .. }) => May::Later,
            Some(gate) if gate.in_flight >= at_once => May::Later,
            Some(_) | None => May::Go,
        }
    }

    pub(crate) fn leaves(&mut self, conversation: ConversationId, key: &AccountKey) -> Left {
        self.lanes.insert(conversation, Lane::Busy);
        self.gates.entry(key.clone()).or_default().in_flight += 1;
        self.departures += 1;
        Left { conversation, key: key.clone(), number: self.departures }
    }

    /// It came back; the lane's next goes from then on.
    pub(crate) fn returns(&mut self, left: &Left, next_from: Option<Millis>) {
        match next_from {
            Some(until) => self.lanes.insert(left.conversation, Lane::Until(until)),
            None => self.lanes.remove(&left.conversation),
        };
        let gate = self.gates.entry(left.key.clone()).or_default();
        gate.in_flight = gate.in_flight.saturating_sub(1);
    }

    /// The lane waits, as the log says.
    pub(crate) fn waits(&mut self, conversation: ConversationId, until: Millis) {
        self.lanes.insert(conversation, Lane::Until(until));
    }

    /// The account takes what it is sent. What had left before it refused something says nothing about afterwards.
    pub(crate) fn opens(&mut self, left: &Left) {
        let gate = self.gates.entry(left.key.clone()).or_default();
        if left.number > gate.shut_after {
            (gate.until, gate.in_vain) = (None, 0);
        }
    }

    /// The account was set up anew: what it refused before counts no more, nor do the conversations' pauses since then.
    pub(crate) fn renews(&mut self, key: &AccountKey, waiting: impl IntoIterator<Item = ConversationId>) {
        let gate = self.gates.entry(key.clone()).or_default();
        (gate.until, gate.in_vain, gate.shut_after) = (None, 0, self.departures);
        for conversation in waiting {
            if matches!(self.lanes.get(&conversation), Some(Lane::Until(_))) {
                self.lanes.remove(&conversation);
            }
            self.refused.remove(&conversation);
        }
    }

    /// The account does not take anything for the usual pause, or longer if it says so; gives from when on the conversation may
    /// go.
    pub(crate) fn shuts(&mut self, left: &Left, after_ms: Option<u64>, now: Millis, dice: Hash128) -> Millis {
        let gate = self.gates.entry(left.key.clone()).or_default();
        if left.number > gate.shut_after {
            gate.in_vain = gate.in_vain.saturating_add(1);
        }
        gate.shut_after = self.departures;
        let until = now.plus(longer_ms(gate_pause_ms(gate.in_vain, dice), after_ms));
        let until = gate.until.map_or(until, |before| before.max(until));
        gate.until = Some(until);
        self.refusals += 1;
        let refused = self.refused.entry(left.conversation).or_insert(Refused { number: 0, in_vain: 0 });
        (refused.number, refused.in_vain) = (self.refusals, refused.in_vain.saturating_add(1));
        // Where others pass and this one never does, its own pauses grow while the account's begin anew.
        until.max(now.plus(gate_pause_ms(refused.in_vain, dice)))
    }

    /// The conversation's message was taken, or came to an end that says nothing about the account.
    pub(crate) fn passes(&mut self, conversation: ConversationId) {
        self.refused.remove(&conversation);
    }

    /// In which order conversations may try: who was refused last comes last, so that no one message keeps an account shut.
    pub(crate) fn in_turn(&self, ready: BTreeSet<ConversationId>) -> Vec<ConversationId> {
        let mut ready: Vec<ConversationId> = ready.into_iter().collect();
        ready.sort_by_key(|id| self.refused.get(id).map(|refused| refused.number));
        ready
    }
}

/// The pause after so many refusals in a row, ms.
fn gate_pause_ms(in_vain: u32, dice: Hash128) -> u64 {
    let n = usize::try_from(in_vain.saturating_sub(1)).unwrap_or(usize::MAX).min(GATE_PAUSES_MS.len() - 1);
    with_jitter(GATE_PAUSES_MS.get(n).copied().unwrap_or_default(), dice)
}

#[cfg(test)]
mod tests {
    use protocol::{ChannelKind, SubjectToken};

    use super::*;

    fn key(name: &str) -> AccountKey {
        AccountKey { channel: ChannelKind::Webhook, account: SubjectToken::new(name).unwrap() }
    }

    fn talk(n: u64) -> ConversationId {
        ConversationId { log_seq: n, n: 0 }
    }

    #[test]
    fn one_slow_conversation_holds_up_no_other() {
        let (crm, now) = (key("crm"), Millis(1000));
        let mut lanes = Lanes::default();
        let first = lanes.leaves(talk(1), &crm);
        assert_eq!(lanes.may(talk(1), &crm, 2, now), May::Later, "a conversation goes in order");
        assert_eq!(lanes.may(talk(2), &crm, 2, now), May::Go);
        let _second = lanes.leaves(talk(2), &crm);
        assert_eq!(lanes.may(talk(3), &crm, 2, now), May::Later, "two at once");
        lanes.returns(&first, Some(Millis(5000)));
        assert_eq!(lanes.may(talk(1), &crm, 2, now), May::From(Millis(5000)));
        assert_eq!(lanes.may(talk(1), &crm, 2, Millis(5000)), May::Go);
        assert_eq!(lanes.may(talk(3), &crm, 2, now), May::Go);
    }

    #[test]
    fn a_refused_account_holds_up_its_own_and_one_message_tries_again() {
        let (crm, shop, now) = (key("crm"), key("shop"), Millis(1000));
        let mut lanes = Lanes::default();
        let first = lanes.leaves(talk(1), &crm);
        let until = lanes.shuts(&first, None, now, Hash128([0; 16]));
        assert_eq!(until, Millis(6000));
        lanes.returns(&first, Some(until));
        assert_eq!(lanes.may(talk(2), &crm, 9, now), May::From(until));
        assert_eq!(lanes.may(talk(2), &shop, 9, now), May::Go);
        assert_eq!(lanes.may(talk(1), &crm, 9, until), May::Go);
        let again = lanes.leaves(talk(1), &crm);
        assert_eq!(lanes.may(talk(3), &crm, 9, until), May::Later);
        let longer = lanes.shuts(&again, None, until, Hash128([255; 16]));
        assert_eq!(longer, Millis(6000 + 18_000), "longer, and scattered");
        lanes.returns(&again, None);
        let third = lanes.leaves(talk(1), &crm);
        lanes.opens(&third);
        assert_eq!(lanes.may(talk(3), &crm, 9, until), May::Go);
        lanes.passes(talk(1));
        let told = lanes.shuts(&third, Some(90_000), Millis(50_000), Hash128([0; 16]));
        assert_eq!(told, Millis(140_000), "as the provider says");
    }

    #[test]
    fn what_left_before_a_refusal_neither_ends_nor_lengthens_it() {
        let (crm, dice) = (key("crm"), Hash128([0; 16]));
        let mut lanes = Lanes::default();
        let [one, two, three] = [1, 2, 3].map(|n| lanes.leaves(talk(n), &crm));
        assert_eq!(lanes.shuts(&two, Some(60_000), Millis(1000), dice), Millis(61_000));
        lanes.opens(&one);
        assert_eq!(
            lanes.may(talk(4), &crm, 9, Millis(2000)),
            May::From(Millis(61_000)),
            "it has us wait still"
        );
        lanes.shuts(&three, None, Millis(2000), dice);
        for left in [&one, &two, &three] {
            lanes.returns(left, None);
        }
        let probe = lanes.leaves(talk(4), &crm);
        let second = lanes.shuts(&probe, None, Millis(61_000), dice);
        assert_eq!(second, Millis(61_000 + 15_000), "three together were one refusal");
    }

    #[test]
    fn a_message_that_the_account_never_takes_starves_no_other() {
        let (crm, dice) = (key("crm"), Hash128([0; 16]));
        let mut lanes = Lanes::default();
        let mut now = Millis(1000);
        let mut tried = Vec::new();
        // 1 and 2 are refused whenever they are tried, 3 and 4 would be taken.
        for _ in 0..4 {
            let ready: BTreeSet<ConversationId> = (1..=4).map(talk).collect();
            let goes = |id: &ConversationId| lanes.may(*id, &crm, 9, now) == May::Go;
            let first = lanes.in_turn(ready).into_iter().find(goes).unwrap();
            tried.push(first.log_seq);
            let left = lanes.leaves(first, &crm);
            if first.log_seq > 2 {
                lanes.opens(&left);
                lanes.passes(first);
                lanes.returns(&left, Some(Millis(u64::MAX)));
            } else {
                let from = lanes.shuts(&left, None, now, dice);
                lanes.returns(&left, Some(from));
                now = now.max(from);
            }
        }
        assert_eq!(tried, [1, 2, 3, 4]);
        let left = lanes.leaves(talk(1), &crm);
        let again = lanes.shuts(&left, None, now, dice);
        assert_eq!(again, now.plus(15_000), "the account begins anew at 5 s, the conversation does not");
        lanes.returns(&left, Some(again));
        assert_eq!(lanes.may(talk(5), &crm, 9, now.plus(5_000)), May::Go);
    }

    #[test]
    fn no_provider_silences_an_account_for_days_or_hurries_it() {
        assert_eq!(longer_ms(2_000, None), 2_000);
        assert_eq!(longer_ms(2_000, Some(90_000)), 90_000);
        assert_eq!(longer_ms(2_000, Some(u64::MAX)), 3_600_000);
        assert_eq!(longer_ms(86_400_000, Some(0)), 86_400_000);
        let (crm, dice) = (key("crm"), Hash128([0; 16]));
        let (mut lanes, mut now) = (Lanes::default(), Millis(0));
        for pause in [5_000, 15_000, 60_000, 180_000, 300_000, 300_000] {
            let left = lanes.leaves(talk(1), &crm);
            let until = lanes.shuts(&left, Some(0), now, dice);
            assert_eq!(until, now.plus(pause), "it says at once, and says no each time");
            assert_eq!(lanes.may(talk(2), &crm, 9, now), May::From(until));
            lanes.returns(&left, Some(until));
            now = until;
        }
    }

    #[test]
    fn attempts_end_after_days() {
        let pauses: Vec<u64> =
            (1..=12).map(|attempt| pause_ms(attempt, 0, Hash128([0; 16])).unwrap()).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]));
        let days = pauses.iter().sum::<u64>() / 86_400_000;
        assert!((2..=5).contains(&days), "{days} days");
        assert_eq!(pause_ms(13, 0, Hash128([0; 16])), None);
        let after_outage = pause_ms(41, 40, Hash128([0; 16]));
        assert_eq!(after_outage, pauses.first().copied(), "an account that was away took nothing from it");
    }
}
