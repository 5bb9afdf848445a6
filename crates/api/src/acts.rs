//! What other systems do with contacts: they tag them, fill their fields in, and write notes for agents.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::act::{Act, IntegrationAct};
use protocol::command::Outcome;
use protocol::content::{Content, Sealed};
use protocol::input::WIRE_VERSION;
use protocol::integration::{ActTaken, NewAct, PublicLog};
use protocol::{
    CommandId, ContactId, Event, IdentityId, Input, InputBody, MessageId, Millis, Refusal, SubjectToken,
};
use service::Problem;

use crate::door::Caller;
use crate::problems::unprocessable;
use crate::{Api, NAME, Shared, body, contacts, feed, message, publish};

/// Who does it, and what it is called if they do not say.
pub(crate) struct By<'a> {
    /// The integration.
    pub(crate) integration: &'a SubjectToken,
    /// The act's id, unless it has one of its own.
    pub(crate) id: CommandId,
    /// How long to wait for the router's answer.
    pub(crate) wait: Duration,
}

/// `POST /api/v1/contacts/{id}/acts`
pub(crate) async fn post(
    State(api): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ActTaken>), Problem> {
    let contact: ContactId = id.parse().map_err(|_| contacts::unknown_contact())?;
    let asked: NewAct = body::read(&api, body)?;
    let own = match caller.integration() {
        Some(own) => own.clone(),
        // Whoever has no name of its own acts in the API's.
        None => SubjectToken::new(NAME).map_err(|_| Problem::internal())?,
    };
    if asked.contact.is_some_and(|named| named != contact) {
        return Err(contacts::unknown_contact());
    }
    let by = By {
        integration: &own,
        id: CommandId(uuid::Uuid::now_v7()),
        wait: api.kit.settings.desk.command_wait,
    };
    let taken = take(&api, NewAct { contact: Some(contact), ..asked }, by).await?;
    Ok((if taken.done { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(taken)))
}

/// Stores an act and waits a while for the router to carry it out.
///
/// # Errors
/// When it cannot be carried out (fate: refuse), or not be stored now (fate: retry, under the same id).
pub(crate) async fn take(api: &Api, asked: NewAct, by: By<'_>) -> Result<ActTaken, Problem> {
    message::has_room(api)?;
    let id = asked.id.unwrap_or(by.id);
    let act = act_of(api, id, asked).await?;
    let contact = act.contact();
    let end = api.feeds.end(PublicLog::Contacts).last();
    let asked = IntegrationAct { id, integration: by.integration.clone(), act };
    let made_at = Millis(api.kit.clock.unix_ms());
    let input = Input { v: WIRE_VERSION, made_at, body: InputBody::Integration(asked) };
    let subject = api.subjects.inbound_act(by.integration);
    // With its integration: the same id made up by another one is another act.
    let msg_id = format!("act-{}-{id}", by.integration);
    let published = publish::store(api, &subject, &msg_id, publish::json(&input)?).await?;
    let record = contacts::outcome_of(api, end, published.seq, published.duplicate, by.wait).await?;
    let settled = record.iter().flat_map(|record| &record.events).find_map(|event| {
        let Event::ActSettled { act, outcome, .. } = event else { return None };
        (*act == id).then_some(outcome)
    });
    let done = match settled {
        Some(Outcome::Refused { refusal }) => return Err(refused(*refusal)),
        Some(Outcome::Done) => true,
        None => false,
    };
    Ok(ActTaken { id, contact, input_seq: published.seq, duplicate: published.duplicate, done })
}

async fn act_of(api: &Api, id: CommandId, asked: NewAct) -> Result<Act, Problem> {
    let one = || {
        let detail = "send one of `tags`, `fields` and `note`; each is an act of its own";
        unprocessable("one_act", "what is to be done is not said, or too much at once", detail)
    };
    let contact = asked.contact.ok_or_else(|| {
        let detail = "name it as `contact`, as events do";
        unprocessable("contact_missing", "which contact is not said", detail)
    })?;
    match (asked.tags, asked.fields, asked.note) {
        (Some(tags), None, None) => Ok(Act::SetTags { contact, add: tags.add, remove: tags.remove }),
        (None, Some(fields), None) => Ok(Act::SetFields { contact, fields }),
        (None, None, Some(text)) => {
            let words = note(api, text)?;
            let identity = feed::identity_of(api, contact).await?.ok_or_else(contacts::unknown_contact)?;
            // Of the same UUID, so that the same act is the same note.
            let message = MessageId(id.0);
            Ok(Act::Annotate { contact, message, body: seal(api, identity, words).await? })
        }
        (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            Err(one())
        }
    }
}

/// The words of a note, if it can be one.
fn note(api: &Api, text: String) -> Result<Content, Problem> {
    let most = api.kit.settings.limits.note_max_bytes;
    if text.trim().is_empty() {
        return Err(unprocessable("text_empty", "the note is empty", "send at least one word as `note`"));
    }
    if text.len() > most {
        let title = format!("the note has {} bytes", text.len());
        return Err(unprocessable("text_too_long", title, format!("shorten it to {most} bytes"))
            .with("limit_bytes", most));
    }
    Ok(Content::words(text))
}

/// Seals what is written about or to a customer, without what nobody should have.
pub(crate) async fn seal(api: &Api, identity: IdentityId, mut words: Content) -> Result<Sealed, Problem> {
    for kind in api.privacy.mask.content(&mut words) {
        api.kit.metrics.masked_total.inc([NAME, kind.name()]);
    }
    publish::seal(api, identity, &publish::json(&words)?).await
}

/// Why the router does not do what was asked.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    let says = refusal.to_string();
    let (title, detail) = says.split_once(": ").unwrap_or((says.as_str(), "look at the contact again"));
    let status = match refusal {
        Refusal::UnknownContact | Refusal::UnknownAgent => StatusCode::NOT_FOUND,
        Refusal::UnknownQueue
        | Refusal::UnknownDisposition
        | Refusal::TooLong
        | Refusal::FieldMissing
        | Refusal::BadTime
        | Refusal::OddText
        | Refusal::EmptyText
        | Refusal::UnknownTag
        | Refusal::UnknownField
        | Refusal::UnknownColleague
        | Refusal::TooManyMentions
        | Refusal::BlockTime
        | Refusal::IncidentTime
        | Refusal::UnknownAccount
        | Refusal::BadAddress
        | Refusal::TemplatesOnly
        | Refusal::IncidentTooWide => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::OfferEnded
        | Refusal::NotYours
        | Refusal::ContactClosed
        | Refusal::ColleagueNotThere
        | Refusal::TooOld
        | Refusal::NotLead
        | Refusal::NotInScope
        | Refusal::NoRoom
        | Refusal::CompanyFull
        | Refusal::NotBot
        | Refusal::UnknownIncident
        | Refusal::TooManyIncidents
        | Refusal::NotWaiting
        | Refusal::NoPicking
        | Refusal::NotAble
        | Refusal::Reserved
        | Refusal::TooManyTags
        | Refusal::TooManyBlocks
        | Refusal::AlreadyOpen
        | Refusal::CustomerBlocked
        | Refusal::CannotBegin
        | Refusal::OptedOut
        | Refusal::NotNow
        | Refusal::NotBlocked => StatusCode::CONFLICT,
    };
    Problem::new(status, refusal.code(), title, detail)
}

/// The id of what an integration published under this id of its own, at that time: the same however often it is looked at.
pub(crate) fn id_at(at: Millis, own: uuid::Uuid) -> CommandId {
    let [.., a, b, c, d, e, f, g, h, i, j] = *own.as_bytes();
    let random = [a, b, c, d, e, f, g, h, i, j];
    CommandId(uuid::Builder::from_unix_timestamp_millis(at.0, &random).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_a_problem_with_words_and_something_to_do() {
        for refusal in Refusal::ALL {
            let problem = refused(refusal);
            assert_eq!(serde_json::to_value(refusal).unwrap(), problem.code);
            assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{}", problem.code);
            assert!(problem.status.is_client_error());
        }
    }

    #[test]
    fn an_id_tells_when_and_is_the_same_again() {
        let (at, own) = (Millis(1_790_000_000_123), uuid::Uuid::from_u128(7));
        assert_eq!(id_at(at, own), id_at(at, own));
        assert_eq!(id_at(at, own).born_ms(), Some(at.0));
        assert_ne!(id_at(at, own), id_at(at, uuid::Uuid::from_u128(8)));
    }
}
