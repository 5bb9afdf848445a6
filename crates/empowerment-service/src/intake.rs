//! What of CONTACTS concerns the worker.

use protocol::command::Command;
use protocol::input::InputBody;
use protocol::remedies::RemedyInput;
use protocol::remedy::{ContactContext, Wish};
use protocol::{Cause, Event, Record};

/// The one thing in a record of routing that concerns the worker; most records hold none.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what is the worker's is looked at")]
pub(crate) fn input(record: Record) -> Option<RemedyInput> {
    let Cause::Input { input, .. } = record.cause else { return None };
    match input.body {
        InputBody::Wish(wish) => carried_out(&wish, record.events),
        InputBody::Command(asked) => match asked.command {
            Command::Empower { ask } => {
                let context = passed(record.events)?;
                Some(RemedyInput::Command { id: asked.id, agent: asked.agent, command: *ask, context })
            }
            _ => None,
        },
        InputBody::Empowerment(input) => Some(RemedyInput::Input { input, context: passed(record.events)? }),
        _ => None,
    }
}

/// Where the contact stands, if routing passed the input on: what it refused or knew before is not the worker's.
#[expect(clippy::wildcard_enum_match_arm, reason = "only that it was passed on is looked at")]
fn passed(events: Vec<Event>) -> Option<Option<ContactContext>> {
    events.into_iter().find_map(|event| match event {
        Event::Passed { context } => Some(context.map(|context| *context)),
        _ => None,
    })
}

/// What routing did about a wish.
///
/// One that it knows from before was carried out: the record that said so was read, or it was lost in a power cut, and then
/// this one says it.
#[expect(clippy::wildcard_enum_match_arm, reason = "each wish has its own answers")]
fn carried_out(wish: &Wish, events: Vec<Event>) -> Option<RemedyInput> {
    match wish {
        Wish::Tell { tell, .. } => events.iter().find_map(|event| match event {
            Event::CustomerTold { told, .. } => Some(RemedyInput::Told { tell: *tell, told: *told }),
            Event::DuplicateSkipped => Some(RemedyInput::Told { tell: *tell, told: true }),
            _ => None,
        }),
        Wish::AskFor { .. } => events.into_iter().find_map(|event| match event {
            Event::ColleaguesAsked { ask, round, agents } => Some(RemedyInput::Asked { ask, round, agents }),
            _ => None,
        }),
        // Without an event the conversation is not known any more: nobody can put it first.
        Wish::Risk { tell, .. } => {
            let told =
                events.iter().any(|event| matches!(event, Event::AtRisk { .. } | Event::DuplicateSkipped));
            Some(RemedyInput::Told { tell: *tell, told })
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::input::{Input, WIRE_VERSION};
    use protocol::{AskId, ConversationId, Hash128, Millis, TellId};

    use super::*;

    const TELL: TellId = TellId { log_seq: 7, n: 1 };

    fn of(wish: Wish, events: Vec<Event>) -> Option<RemedyInput> {
        let at = Millis(0);
        let body = InputBody::Wish(wish);
        let cause = Cause::Input { seq: 1, input: Input { v: WIRE_VERSION, made_at: at, body } };
        input(Record { v: WIRE_VERSION, at, epoch: 1, policy: Hash128([0; 16]), cause, events })
    }

    #[test]
    fn a_conversation_put_first_ends_the_wish_for_it_and_so_does_one_that_is_gone() {
        let conversation = ConversationId { log_seq: 1, n: 0 };
        let risk = || Wish::Risk { tell: TELL, conversation, until: Millis(5) };
        let told = |told| Some(RemedyInput::Told { tell: TELL, told });
        assert_eq!(of(risk(), vec![Event::AtRisk { conversation, until: Millis(5) }]), told(true));
        assert_eq!(of(risk(), vec![Event::DuplicateSkipped]), told(true));
        assert_eq!(of(risk(), vec![]), told(false));
    }

    #[test]
    fn a_wish_that_routing_knows_from_before_was_carried_out() {
        let ask = AskId { log_seq: 1, n: 0 };
        let queue = protocol::SubjectToken::new("general").unwrap();
        let whom = protocol::policy::Ask::AskPeer;
        let ask_for = Wish::AskFor { ask, round: 0, whom, queue, but: vec![] };
        assert_eq!(of(ask_for, vec![Event::DuplicateSkipped]), None, "who was asked is not said again");
    }
}
