//! Who a customer is, and all that was ever said with them, on every channel: for who has a contact of theirs, or leads.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use bus::FileLink;
use protocol::audit::Action;
use protocol::content::Sealed;
use protocol::customer::{
    CustomerAnswer, CustomerLink, CustomerQuestion, KnownIdentity, LinkWhy, TimelineEntry,
};
use protocol::desk::DeskEntry;
use protocol::thread::Entry;
use protocol::{ChannelKind, ConversationId, Hash128, IdentityId, LinkId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;

use crate::consents::{self, ConsentLine};
use crate::pages::{ask, shown, signed_in, silent};
use crate::render::WordsAway;
use crate::{Gateway, audit, files, history, render};

/// How long the addresses of files in a timeline work, ms: as long as somebody reads one.
const FILES_MS: u64 = 60 * 60 * 1_000;

/// Which part of the timeline is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    before: Option<u64>,
    /// At most so many entries; none for who only asks who it is.
    limit: Option<u32>,
}

/// A customer.
#[derive(Serialize)]
struct CustomerPage {
    log_seq: u64,
    identities: Vec<Person>,
    is_cut: bool,
    links: Vec<LinkLine>,
    suggestions: Vec<Suggestion>,
    timeline: Vec<Line>,
    has_more: bool,
}

/// An identity, with what the customer calls themselves there.
#[derive(Serialize)]
struct Person {
    identity: IdentityId,
    channel: ChannelKind,
    account: SubjectToken,
    conversations: u32,
    since: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    consents: Vec<ConsentLine>,
}

/// What joins an identity; `by`: the agent who said so, and nobody where it was verified.
#[derive(Serialize)]
struct LinkLine {
    link: LinkId,
    identity: IdentityId,
    at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

#[derive(Serialize)]
struct Suggestion {
    link: LinkId,
    #[serde(flatten)]
    person: Person,
}

/// An entry of the timeline; files lie where they are addressed, for an hour.
#[derive(Serialize)]
struct Line {
    place: u64,
    conversation: ConversationId,
    identity: IdentityId,
    channel: ChannelKind,
    files: Vec<FileLine>,
    #[serde(flatten)]
    entry: DeskEntry,
}

#[derive(Serialize)]
struct FileLine {
    name: String,
    media_type: String,
    bytes: u64,
    address: String,
}

pub(crate) async fn page(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(conversation): Path<String>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let Query(Part { before, limit }) = part.map_err(|_| wrong_part())?;
    let conversation: ConversationId = conversation.parse().map_err(|_| files::not_yours())?;
    if !gateway.hub.reads(agent, conversation) {
        return Err(files::not_yours());
    }
    let away = || silent("customer_silent", "who this customer is cannot be shown now");
    audit::look(&gateway, agent, Action::CustomerSeen, conversation).await?;
    let limit = limit.unwrap_or(history::ENTRIES_MAX).min(history::ENTRIES_MAX);
    let question = CustomerQuestion { conversation, before, limit };
    let answer: Option<CustomerAnswer> = ask(&gateway, &gateway.subjects.views_customer(), &question).await;
    let page = opened(&gateway, answer.ok_or_else(away)?).await.map_err(|_| away())?;
    Ok(shown(page))
}

async fn opened(gateway: &Gateway, answer: CustomerAnswer) -> Result<CustomerPage, WordsAway> {
    let CustomerAnswer { log_seq, identities, is_cut, links, suggestions, timeline, has_more } = answer;
    let mut page = CustomerPage {
        log_seq,
        identities: Vec::new(),
        is_cut,
        links: links.into_iter().map(|link| link_line(gateway, &link)).collect(),
        suggestions: Vec::new(),
        timeline: Vec::new(),
        has_more,
    };
    for identity in identities {
        page.identities.push(person(gateway, identity).await?);
    }
    for suggestion in suggestions {
        let person = person(gateway, suggestion.identity).await?;
        page.suggestions.push(Suggestion { link: suggestion.link, person });
    }
    for entry in timeline {
        page.timeline.push(line(gateway, entry).await?);
    }
    Ok(page)
}

fn link_line(gateway: &Gateway, link: &CustomerLink) -> LinkLine {
    let by = match link.why {
        LinkWhy::Verified { .. } => None,
        LinkWhy::Agent { agent, .. } => {
            Some(gateway.hub.title_of(agent).map_or_else(|| agent.to_string(), |title| title.to_string()))
        }
    };
    LinkLine { link: link.link, identity: link.identity, at: link.at, by }
}

/// What the customer says of themselves in their first words; nothing of who was erased.
async fn person(gateway: &Gateway, known: KnownIdentity) -> Result<Person, WordsAway> {
    let KnownIdentity { identity, channel, account, conversations, since, sample } = known;
    let content = match &sample {
        Some(entry) => render::content(gateway, entry).await?,
        None => None,
    };
    let content = content.unwrap_or_default();
    let from = content.mail.and_then(|head| head.from);
    let (address, called) = from.map_or((None, None), |from| (Some(from.address), from.name));
    Ok(Person {
        identity,
        channel,
        account,
        conversations,
        since,
        name: content.name.or(called),
        address: address.or(content.identity),
        consents: consents::lines(gateway, identity).await.map_err(|error| WordsAway(error.to_string()))?,
    })
}

async fn line(gateway: &Gateway, found: TimelineEntry) -> Result<Line, WordsAway> {
    let TimelineEntry { place, conversation, identity, channel, entry } = found;
    let owner = owner_of(&entry);
    let picture = gateway.hub.picture_entry(entry);
    let entry = render::entry(gateway, &picture).await?;
    let files = match owner {
        Some(owner) => entry.attachments.iter().map(|file| file_line(gateway, owner, file)).collect(),
        None => Vec::new(),
    };
    Ok(Line { place, conversation, identity, channel, files, entry })
}

/// With whose key the words and files of an entry are sealed.
fn owner_of(entry: &Entry) -> Option<IdentityId> {
    let (identity, _, _) = entry.body.as_ref().and_then(Sealed::parts)?;
    Some(identity)
}

fn file_line(gateway: &Gateway, owner: IdentityId, file: &protocol::content::Attachment) -> FileLine {
    let until = gateway.now().plus(FILES_MS);
    let link = gateway.files.link(owner, file.object, &file.name, until);
    FileLine {
        name: file.name.clone(),
        media_type: file.media_type.clone(),
        bytes: file.bytes,
        address: format!("/desk/api{link}"),
    }
}

/// What an address of a file carries besides what it names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signed {
    until: Millis,
    signature: Hash128,
}

/// A file of a timeline: for an agent who is signed in, by an address that we made while it still works.
pub(crate) async fn file(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path((identity, object, name)): Path<(String, String, String)>,
    signed: Result<Query<Signed>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let (Ok(identity), Ok(object), Ok(Query(Signed { until, signature }))) =
        (identity.parse::<IdentityId>(), object.parse::<Hash128>(), signed)
    else {
        return Err(files::no_such_file());
    };
    let link = FileLink { identity, object, name: &name, until, signature };
    if !gateway.files.admits(&link, gateway.now()) {
        return Err(files::no_such_file());
    }
    audit::look_at_file(&gateway, agent, None, identity).await?;
    let bytes = files::fetch(&gateway, identity, object).await?;
    Ok(files::handed_out(bytes, &name))
}

fn wrong_part() -> Problem {
    let detail = "ask as in /desk/customer/CONVERSATION?before=2000";
    Problem::new(StatusCode::BAD_REQUEST, "wrong_part", "this is no part of a timeline", detail)
}
