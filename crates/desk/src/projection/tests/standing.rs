//! Where a contact stands and what it cost the customer; what the worker's side adds to the floor.

use protocol::remedy::{ContactContext, Effort, RemedyCommand, Wish};
use protocol::{AskId, Language, RemedyId, TellId};

use super::*;
use crate::projection::contact::HAD_BY_MAX;

const CLEO: AgentId = AgentId(uuid::Uuid::from_u128(3));

/// As [`Log::said`], by somebody who names a language.
fn said_in(log: &Log, language: &str) -> Cause {
    let Cause::Input { seq, mut input } = log.said() else { panic!("an input") };
    let InputBody::Message(message) = &mut input.body else { panic!("a message") };
    message.language = language.parse().ok();
    Cause::Input { seq, input }
}

fn assigned(log: &mut Log, agent: AgentId) {
    log.write(Cause::Timer, vec![Event::Assigned { contact: CONTACT, agent }]);
}

fn requeued(log: &mut Log, why: QueuedWhy) {
    let queued = log.queued(why);
    log.write(Cause::Timer, vec![queued]);
}

fn effort(log: &Log, agent: AgentId) -> Effort {
    log.floor.standing(agent, CONTACT).unwrap().effort
}

#[test]
fn the_worker_is_told_where_a_held_contact_stands_and_only_by_who_holds_it() {
    let mut log = Log::started();
    log.opened();
    assert_eq!(log.floor.standing(ANNA, CONTACT), None, "asked, but not held yet");
    log.accepted();
    let more = log.entry(EntryKind::FromCustomer);
    log.write(said_in(&log, "nl"), vec![more]);
    let more = log.entry(EntryKind::FromCustomer);
    log.write(log.said(), vec![more]);
    let expected = ContactContext {
        contact: CONTACT,
        conversation: CONVERSATION,
        identity: CUSTOMER,
        channel: ChannelKind::Api,
        queue: token("general"),
        holder: Some(ANNA),
        team: None,
        // Of the latest message that named one.
        language: "nl".parse::<Language>().ok(),
        effort: Effort { waited_ms: 1_000, ..Effort::default() },
        practice: false,
        scores: protocol::feedback::Scores::default(),
    };
    assert_eq!(log.floor.standing(ANNA, CONTACT), Some(expected));
    assert_eq!(log.floor.standing(BEN, CONTACT), None);
    let wrap_up = Event::WrapUpStarted { contact: CONTACT, agent: ANNA, until: Millis(90_000) };
    log.write(Cause::Timer, vec![wrap_up]);
    assert!(log.floor.standing(ANNA, CONTACT).is_some(), "wrap-up included");
}

#[test]
fn what_a_contact_cost_the_customer_is_counted_as_routing_does() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    requeued(&mut log, QueuedWhy::Transferred);
    assigned(&mut log, BEN);
    let once = Effort { transfers: 1, waited_ms: 2_000, ..Effort::default() };
    assert_eq!(effort(&log, BEN), once);
    // From one who was gone to the queue, where an offer is missed: one transfer and one wait.
    requeued(&mut log, QueuedWhy::Reclaimed);
    requeued(&mut log, QueuedWhy::OfferEnded);
    assigned(&mut log, ANNA);
    assert_eq!(effort(&log, ANNA), Effort { transfers: 2, waited_ms: 4_000, ..once });

    log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: ANNA }]);
    let (reopened, queued) = (log.entry(EntryKind::Reopened), log.queued(QueuedWhy::Reopened));
    log.write(log.said(), vec![Event::ContactReopened { contact: CONTACT }, reopened, queued]);
    assigned(&mut log, BEN);
    assert_eq!(
        effort(&log, BEN),
        Effort { transfers: 2, reopenings: 1, waited_ms: 5_000, contacts_before: 0 }
    );

    // Another contact of the same customer begins anew, but is not their first.
    log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: BEN }]);
    log.opened();
    log.accepted();
    assert_eq!(effort(&log, ANNA), Effort { contacts_before: 1, waited_ms: 1_000, ..Effort::default() });
    let forgotten = Event::ConversationForgotten { conversation: CONVERSATION };
    log.write(Cause::Timer, vec![forgotten]);
    assert!(log.floor.conversations.is_empty());
}

#[test]
fn who_had_a_contact_is_remembered_and_who_never_had_it_is_not_among_them() {
    let mut log = Log::started();
    log.opened();
    assert!(!log.floor.had(ANNA, CONTACT));
    log.accepted();
    requeued(&mut log, QueuedWhy::Transferred);
    assert!(log.floor.had(ANNA, CONTACT) && !log.floor.had(BEN, CONTACT));
    assigned(&mut log, BEN);
    log.write(Cause::Timer, vec![Event::Resolved { contact: CONTACT, agent: BEN }]);
    assert!(log.floor.had(ANNA, CONTACT) && log.floor.had(BEN, CONTACT), "also when it has ended");
    log.write(
        log.said(),
        vec![
            Event::ContactReopened { contact: CONTACT },
            Event::EntryAdded {
                conversation: CONVERSATION,
                contact: CONTACT,
                seq: 9,
                entry: EntryKind::Reopened,
            },
        ],
    );
    assert!(log.floor.had(ANNA, CONTACT), "also when it came back");
    for n in 0..HAD_BY_MAX as u128 {
        assigned(&mut log, AgentId(uuid::Uuid::from_u128(100 + n)));
    }
    assert!(!log.floor.had(ANNA, CONTACT), "so many are remembered");
}

#[test]
fn who_leads_is_as_configured() {
    let mut log = Log::started();
    assert!(!log.floor.is_lead(ANNA) && log.floor.is_lead(BEN));
    assert!(log.floor.state_of(BEN, Lacks::All).authority.leads());
    log.configure(&["Anna"]);
    assert!(!log.floor.is_lead(BEN), "whoever is taken out does not lead");
}

#[test]
fn who_leads_some_queues_is_shown_and_reads_those() {
    use protocol::config::{Authority, Role};
    let mut log = Log::started();
    log.opened();
    let lead_of = |log: &mut Log, scope: &str| {
        let seat = log.floor.seats.get_mut(&BEN).unwrap();
        seat.authority = Authority { role: Role::Lead, scope: [token(scope)].into() };
    };
    let shown = |log: &Log| {
        let authority = log.floor.authority_of(BEN);
        let floor = log.floor.supervised(Millis(9_000), &authority, &crate::projection::Sought::default());
        let floor = serde_json::to_value(&floor).unwrap();
        let count = |list: &str| floor[list].as_array().unwrap().len();
        (count("queues"), count("agents"), count("contacts"))
    };
    assert_eq!(shown(&log), (1, 2, 1));
    assert_eq!(log.floor.readable(BEN, 9), [CONVERSATION], "who leads reads what waits");
    lead_of(&mut log, "general");
    assert_eq!(shown(&log), (1, 2, 1));
    assert!(log.floor.leads(BEN, CONTACT) && !log.floor.leads(BEN, ContactId { log_seq: 99, n: 0 }));
    assert!(log.floor.leads_conversation(BEN, CONVERSATION));
    assert_eq!(log.floor.readable(BEN, 9), [CONVERSATION]);
    assert_eq!(log.floor.readable(BEN, 0), [], "at most so many");
    lead_of(&mut log, "other");
    assert_eq!(shown(&log), (0, 0, 0));
    assert!(log.floor.is_lead(BEN) && !log.floor.leads(BEN, CONTACT));
    assert!(!log.floor.leads_conversation(BEN, CONVERSATION));
    assert_eq!(log.floor.readable(BEN, 9), []);
}

#[test]
fn a_command_for_the_worker_that_routing_refuses_is_answered_in_the_workers_way() {
    let mut log = Log::started();
    let ask = RemedyCommand::Answer { ask: AskId { log_seq: 1, n: 0 }, yes: true };
    let cause = log.asked(command(4), CLEO, Command::Empower { ask: Box::new(ask) });
    let outcome = Outcome::Refused { refusal: Refusal::UnknownAgent };
    let changes = log.write(cause, vec![Event::CommandSettled { command: command(4), outcome }]);
    let answer = Answer::NotPassed(Refusal::UnknownAgent);
    assert_eq!(changes, [(CLEO, Change::Settled { command: command(4), answer: answer.clone() })]);
    assert_eq!(log.floor.settled(CLEO, command(4)), Some(&answer));
    // What was passed on is answered in the worker's log.
    let ask = RemedyCommand::Answer { ask: AskId { log_seq: 1, n: 0 }, yes: true };
    let cause = log.asked(command(5), ANNA, Command::Empower { ask: Box::new(ask) });
    assert_eq!(log.write(cause, vec![Event::Passed { context: None }]), []);
    assert_eq!(log.floor.settled(ANNA, command(5)), None);
}

#[test]
fn what_the_customer_is_told_of_a_gift_stands_in_the_thread_as_the_agents_words() {
    let mut log = Log::started();
    log.opened();
    log.accepted();
    let remedy = Some(RemedyId { log_seq: 1, n: 0 });
    let (tell, message) = (TellId { log_seq: 1, n: 1 }, MessageId(uuid::Uuid::from_u128(8)));
    let body = Sealed::from_parts(CUSTOMER, 1, "AAAA");
    let wish = Wish::Tell {
        tell,
        conversation: CONVERSATION,
        contact: CONTACT,
        agent: ANNA,
        remedy,
        message,
        body: body.clone(),
    };
    let cause = log.input(InputBody::Wish(wish));
    let told = log.entry(EntryKind::Told { agent: ANNA, remedy });
    let changes = log.write(cause, vec![told, Event::CustomerTold { tell, told: true }]);
    let [(ANNA, Change::Entry { entry, .. })] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&entry.body, entry.message), (&Some(body), Some(message)));
    assert_eq!(log.floor.entry_picture(entry).by.as_deref(), Some("Anna"));
}
