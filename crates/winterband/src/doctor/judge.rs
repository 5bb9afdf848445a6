//! What is made of what was seen.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::StreamSeen;
use protocol::canary::{CanariesAnswer, CanaryHop, CanaryStanding};
use protocol::formats::Member;
use protocol::{ChannelKind, Millis};

use super::{Finding, State};

/// What a place should be.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) stream: String,
    pub(super) max_age: Option<Duration>,
    /// Whether nothing works without it.
    pub(super) is_needed: bool,
    /// Whether it may forget when it is full.
    pub(super) may_forget: bool,
}

/// Percent from which somebody should make room.
const FULL_ODD: u32 = 70;
const FULL_SICK: u32 = 85;

/// One place, held against what it should be; nothing of one that is as it should be.
pub(super) fn place(wanted: &Place, seen: Option<&StreamSeen>) -> Vec<Finding> {
    let name = wanted.stream.as_str();
    let Some(seen) = seen else {
        return if wanted.is_needed {
            vec![Finding::sick(name, "is not there: start the product once, or restore a backup")]
        } else {
            Vec::new()
        };
    };
    let mut found = Vec::new();
    if !seen.is_on_disk {
        found.push(Finding::sick(
            name,
            "lies in the server's memory and is gone when it ends: make it anew on disk",
        ));
    }
    if !seen.refuses_when_full && !wanted.may_forget {
        found
            .push(Finding::sick(name, "forgets its oldest when it is full: set its discard policy to `new`"));
    }
    if seen.max_age.is_some_and(|has| wanted.max_age.is_none_or(|wanted| has < wanted)) {
        let has = humantime::format_duration(seen.max_age.unwrap_or_default());
        found.push(Finding::sick(
            name,
            format!("keeps its messages for {has} only, shorter than is promised: raise its max_age"),
        ));
    }
    if seen.is_in_cluster && seen.leader.is_none() {
        found.push(Finding::sick(
            name,
            "has no leading server, and takes nothing: start the servers that are away",
        ));
    }
    for lacking in &seen.lacking {
        found.push(Finding::odd(name, format!(
                "the copy on {lacking}: one more, and it may stand still; if it stays so for a minute though that server runs, restart it"
            )));
    }
    let used = seen.usage.used_percent();
    if used >= FULL_ODD {
        let state = if used >= FULL_SICK { State::Sick } else { State::Odd };
        found.push(Finding::new(
            state,
            name,
            format!("is {used} % full: raise its limit in [streams], or make room"),
        ));
    }
    found
}

/// What can be lost, said as README promises it.
pub(super) fn durability(log: Option<&StreamSeen>) -> Option<Finding> {
    let log = log?;
    Some(match log.replicas {
        0..=1 => Finding::odd(
            "durability",
            "one copy on one server: a process that dies loses nothing; a power cut may lose what came within that server's \
             `sync_interval` (a tenth of a second as shipped), and a broken disk loses all since the last backup",
        ),
        2 => Finding::odd(
            "durability",
            "two copies cannot outvote each other: with one server away nothing is taken; use three",
        ),
        copies => Finding::well(
            "durability",
            format!(
                "{copies} copies: {} servers may be away and nothing is lost, as long as they stand on machines of their own \
                 and sync always, which cannot be seen from here",
                (copies - 1) / 2
            ),
        ),
    })
}

/// Nobody renews a lease.
pub(super) fn lead(role: &str, does: &str) -> Finding {
    Finding::sick("leads", format!("nobody leads {role}: {does}; start a process with that role"))
}

/// How far the router is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Router {
    /// The newest input.
    pub(super) inbound: u64,
    /// The newest that was decided.
    pub(super) decided: u64,
}

impl Router {
    /// Inputs that wait.
    pub(super) fn waits(self) -> u64 {
        self.inbound.saturating_sub(self.decided)
    }
}

/// How far the router is, by two looks a moment apart.
pub(super) fn router(before: Router, after: Router) -> Finding {
    match after.waits() {
        0 => Finding::well("router", "has decided everything that came in"),
        waits if after.decided > before.decided || before.waits() == 0 => Finding::odd(
            "router",
            format!("{waits} inputs wait and are decided one after the other; look again"),
        ),
        waits => Finding::sick(
            "router",
            format!(
                "stands still before {waits} inputs: read the log of the process with the role routing, and start it again"
            ),
        ),
    }
}

/// How far the customers come whom we play ourselves; of each something is heard within `quiet_ms`.
pub(super) fn canaries(answer: Option<&CanariesAnswer>, now: Millis, quiet_ms: u64) -> Vec<Finding> {
    let Some(CanariesAnswer { canaries }) = answer else {
        let words = "no process with the role watch answers: nobody tries the channels";
        return vec![Finding::odd("canaries", words)];
    };
    let broken = canaries.iter().filter_map(|one| {
        let CanaryStanding { channel, account, .. } = one;
        let advice = canary_advice(one.broken?, *channel);
        let told = one.words.as_deref().map(|words| format!(" ({words})")).unwrap_or_default();
        Some(Finding::sick("canaries", format!("who writes by {channel} {account} {advice}{told}")))
    });
    let mut found: Vec<Finding> = broken.collect();
    let of = |one: &CanaryStanding| format!("{} {}", one.channel, one.account);
    let quiet: Vec<&CanaryStanding> = canaries.iter().filter(|one| one.broken.is_none()).collect();
    found.extend(quiet.iter().filter_map(|one| {
        let ago = one.succeeded_at.map(|at| now.since(at)).filter(|ago| *ago > quiet_ms)?;
        let words = format!(
            "{} was tried last {} s ago: restart the process with the role watch",
            of(one),
            ago / 1000
        );
        Some(Finding::odd("canaries", words))
    }));
    let never: Vec<String> =
        quiet.iter().filter(|one| one.succeeded_at.is_none()).map(|one| of(one)).collect();
    let through = quiet.len() - never.len();
    let not_yet =
        if never.is_empty() { String::new() } else { format!("; not yet: {} (set up?)", never.join(", ")) };
    let words = format!("{through} of {} accounts that are tried came through{not_yet}", canaries.len());
    if through == 0 && found.is_empty() {
        found.push(Finding::odd("canaries", words));
    } else if found.is_empty() {
        found.push(Finding::well("canaries", words));
    }
    found
}

/// What is wrong where a canary stopped, and what to do.
fn canary_advice(hop: CanaryHop, channel: ChannelKind) -> String {
    let role = channel.role();
    match hop {
        CanaryHop::Door if channel == ChannelKind::Email => {
            format!("does not get through: look at the account's mail servers, and at the role {role}")
        }
        CanaryHop::Inbound if channel == ChannelKind::Email => {
            format!(
                "is not heard: look at the mailbox (a delay, the spam folder), at nats-server, and at the log of the role {role}"
            )
        }
        CanaryHop::Door => {
            format!("is not let in: look at the process with the role {role}, and the way there")
        }
        CanaryHop::Inbound => {
            format!(
                "is let in and not taken: look at nats-server, at its disk, and at the log of the role {role}"
            )
        }
        CanaryHop::Routing => "waits to be decided: look at the process with the role routing".to_owned(),
        CanaryHop::Desk => "is seen at no desk: look at the process with the role desk".to_owned(),
        CanaryHop::Delivery => {
            format!("is answered and not told: look at the process with the role {role}")
        }
    }
}

/// Who lives, of which versions.
pub(super) fn members(members: &[Member]) -> Finding {
    if members.is_empty() {
        return Finding::odd("members", "no process has said that it lives: start the product");
    }
    let told: BTreeSet<String> = members
        .iter()
        .map(|Member { role, version, reads, .. }| format!("{role} {version} (format {reads})"))
        .collect();
    let told = told.into_iter().collect::<Vec<_>>().join(", ");
    let lowest = members.iter().min_by_key(|member| member.reads);
    let highest = members.iter().map(|member| member.reads).max();
    match lowest {
        Some(old) if highest > Some(old.reads) => Finding::odd(
            "members",
            format!("{told}: kinds newer than format {} wait until {} is upgraded", old.reads, old.role),
        ),
        Some(_) | None => Finding::well("members", told),
    }
}

/// How much was kept aside for a person.
pub(super) fn parked(items: u64) -> Option<Finding> {
    (items > 0).then(|| {
        Finding::odd(
            "PARKED",
            format!("{items} items wait for a person: `winterband parked`, then replay or dismiss each"),
        )
    })
}

#[cfg(test)]
mod tests {
    use bus::StreamUsage;
    use protocol::{Millis, SubjectToken};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn seen() -> StreamSeen {
        StreamSeen {
            usage: StreamUsage {
                messages: 5,
                bytes: 10,
                max_bytes: Some(100),
                first_seq: 1,
                last_seq: 5,
                replicas: 1,
            },
            replicas: 1,
            max_age: None,
            is_on_disk: true,
            refuses_when_full: true,
            leader: None,
            is_in_cluster: false,
            lacking: Vec::new(),
        }
    }

    fn log() -> Place {
        Place { stream: "CONTACTS".to_owned(), max_age: None, is_needed: true, may_forget: false }
    }

    fn told(wanted: &Place, seen: &StreamSeen) -> Vec<(State, String)> {
        place(wanted, Some(seen)).into_iter().map(|finding| (finding.state, finding.words)).collect()
    }

    #[test]
    fn a_place_that_is_as_it_should_be_is_not_told_of() {
        assert_eq!(told(&log(), &seen()), []);
        let inbound = Place { max_age: Some(7 * DAY), ..log() };
        for max_age in [Some(7 * DAY), Some(8 * DAY), None] {
            assert_eq!(told(&inbound, &StreamSeen { max_age, ..seen() }), []);
        }
        let forgets = StreamSeen { refuses_when_full: false, ..seen() };
        assert_eq!(told(&Place { may_forget: true, ..log() }, &forgets), []);
    }

    #[test]
    fn each_way_to_lose_something_is_told_with_what_to_do() {
        let usage = |bytes| StreamUsage { bytes, ..seen().usage };
        for (wrong, state, words) in [
            (StreamSeen { is_on_disk: false, ..seen() }, State::Sick, "memory"),
            (StreamSeen { refuses_when_full: false, ..seen() }, State::Sick, "discard policy"),
            (StreamSeen { max_age: Some(DAY), ..seen() }, State::Sick, "for 1day only"),
            (StreamSeen { is_in_cluster: true, ..seen() }, State::Sick, "no leading server"),
            (StreamSeen { lacking: vec!["n2 is away".to_owned()], ..seen() }, State::Odd, "n2 is away"),
            (StreamSeen { usage: usage(70), ..seen() }, State::Odd, "70 % full"),
            (StreamSeen { usage: usage(85), ..seen() }, State::Sick, "85 % full"),
        ] {
            let told = told(&log(), &wrong);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told.iter().all(|(found, said)| *found == state && said.contains(words)), "{told:?}");
        }
        assert_eq!(told(&log(), &StreamSeen { usage: usage(69), ..seen() }), []);
        assert!(place(&log(), None).iter().all(|finding| finding.state == State::Sick));
        assert_eq!(place(&Place { is_needed: false, ..log() }, None), []);
    }

    const NOW: Millis = Millis(1_000);

    #[test]
    fn where_a_canary_stopped_is_said_with_what_to_do() {
        let (channel, account) = (ChannelKind::Web, "shop".parse().unwrap());
        let one = |broken| CanaryStanding {
            channel,
            account: SubjectToken::clone(&account),
            broken,
            words: broken.map(|_| "connect to chat:8080".to_owned()),
            since: NOW,
            succeeded_at: Some(NOW),
        };
        let of = |broken| canaries(Some(&CanariesAnswer { canaries: vec![one(broken)] }), NOW, 9).remove(0);
        assert_eq!(of(None).state, State::Well);
        for hop in CanaryHop::ALL {
            let found = of(Some(hop));
            assert_eq!(found.state, State::Sick);
            for words in ["who writes by web shop ", "look at ", "(connect to chat:8080)"] {
                assert!(found.words.contains(words), "{}", found.words);
            }
        }
        assert_eq!(canaries(None, NOW, 9)[0].state, State::Odd, "nobody watches");
        assert_eq!(
            canaries(Some(&CanariesAnswer::default()), NOW, 9)[0].state,
            State::Odd,
            "nobody is tried"
        );
        let quiet = |beside: Vec<CanaryStanding>, succeeded_at| {
            let mut answer = CanariesAnswer { canaries: beside };
            answer.canaries.push(CanaryStanding { succeeded_at, ..one(None) });
            let found = canaries(Some(&answer), NOW, 9).remove(0);
            (found.state, found.words)
        };
        assert_eq!(quiet(vec![], None).0, State::Odd, "nobody comes through");
        let (state, words) = quiet(vec![one(None)], None);
        assert!(
            state == State::Well && words.contains("1 of 2") && words.contains("not yet: web shop"),
            "{words}"
        );
        assert_eq!(quiet(vec![], Some(NOW)).0, State::Well);
        let (state, words) = quiet(vec![], Some(Millis(NOW.0 - 10)));
        assert!(
            state == State::Odd && words.contains("restart the process"),
            "nobody plays it any more: {words}"
        );
    }

    #[test]
    fn what_can_be_lost_is_said_by_the_number_of_copies() {
        let of = |replicas| durability(Some(&StreamSeen { replicas, ..seen() })).map(|found| found.state);
        assert_eq!(
            [1, 2, 3, 5].map(of),
            [Some(State::Odd), Some(State::Odd), Some(State::Well), Some(State::Well)]
        );
        assert_eq!(durability(None), None);
    }

    #[test]
    fn a_router_that_stands_still_is_sick_and_one_that_catches_up_is_not() {
        let at = |inbound, decided| Router { inbound, decided };
        let state = |before, after| router(before, after).state;
        assert_eq!(state(at(9, 9), at(9, 9)), State::Well);
        assert_eq!(state(at(9, 3), at(9, 9)), State::Well);
        assert_eq!(state(at(9, 3), at(20, 5)), State::Odd, "it decides, and more comes");
        assert_eq!(state(at(9, 9), at(12, 9)), State::Odd, "that came just now");
        assert_eq!(state(at(9, 3), at(9, 3)), State::Sick);
        assert_eq!(state(at(9, 3), at(50, 3)), State::Sick, "more comes and nothing is decided");
    }
}
