//! Finding where words were said, and reading there.
//!
//! Who leads every queue may watch any contact, so they search everything. Everybody else reads the conversations of the contacts that
//! they hold, are with or lead, their past included, and finds words in those.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Extensions, StatusCode};
use axum::response::Response;
use protocol::audit::Action;
use protocol::desk::DeskEntry;
use protocol::limits::{SEARCH_CONVERSATIONS_MAX, SEARCH_HITS_MAX, SEARCH_TERMS_MAX, SEARCH_WORDS_BYTES_MAX};
use protocol::search::{
    Said, SearchAnswer, SearchCursor, SearchHit, SearchOrder, SearchQuestion, SearchRefusal, SnippetPart,
};
use protocol::views::{History, HistoryQuestion};
use protocol::{AgentId, ChannelKind, ContactId, ConversationId, Millis, SubjectToken};
use serde::{Deserialize, Serialize};
use service::Problem;
use service::http::JsonBody;

use crate::pages::{ask, shown, signed_in, silent};
use crate::{Gateway, audit, history, render};

/// Largest body of a search, bytes: the words at their limit however they are written, and the filters.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024;
/// Hits on a page, if not said.
const HITS: u32 = 20;

/// What is searched for. It comes as a body and not in the address: addresses stand in logs of proxies, and what is searched
/// for is a customer's name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sought {
    words: String,
    #[serde(default)]
    order: SearchOrder,
    #[serde(default)]
    channel: Option<ChannelKind>,
    #[serde(default)]
    from: Option<Millis>,
    #[serde(default)]
    to: Option<Millis>,
    #[serde(default)]
    tag: Option<SubjectToken>,
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    conversation: Option<ConversationId>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<SearchCursor>,
}

/// A page of hits.
#[derive(Serialize)]
struct Found {
    log_seq: u64,
    /// Whether all conversations were searched, or only those of one's contacts.
    everything: bool,
    hits: Vec<FoundHit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<SearchCursor>,
    is_cut: bool,
}

/// A hit, with who wrote it by name.
#[derive(Serialize)]
struct FoundHit {
    conversation: ConversationId,
    contact: ContactId,
    seq: u64,
    at: Millis,
    channel: ChannelKind,
    said: Said,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_name: Option<String>,
    snippet: Vec<SnippetPart>,
}

/// Which part of a conversation is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    before: Option<u64>,
}

/// A part of a conversation.
#[derive(Serialize)]
struct PartPage {
    conversation: ConversationId,
    entries: Vec<DeskEntry>,
}

pub(crate) async fn search(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    JsonBody(sought): JsonBody<Sought>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let everything = gateway.hub.authority_of(agent).leads_everything();
    let readable = (!everything).then(|| gateway.hub.readable(agent, SEARCH_CONVERSATIONS_MAX));
    let question = SearchQuestion {
        words: sought.words,
        order: sought.order,
        channel: sought.channel,
        from: sought.from,
        to: sought.to,
        identity: None,
        within: within(readable, sought.conversation),
        tag: sought.tag,
        agent: sought.agent,
        limit: sought.limit.unwrap_or(HITS),
        cursor: sought.cursor,
    };
    let answer: Option<SearchAnswer> = ask(&gateway, &gateway.subjects.views_search(), &question).await;
    let answer = answer.ok_or_else(|| silent("search_silent", "the search does not answer now"))?;
    if let Some(refusal) = answer.refusal {
        return Err(refused(refusal));
    }
    look_at(&gateway, agent, &answer.hits).await?;
    let hits = answer.hits.into_iter().map(|hit| found(&gateway, hit)).collect();
    Ok(shown(Found { log_seq: answer.log_seq, everything, hits, next: answer.next, is_cut: answer.is_cut }))
}

/// A hit shows words: whoever sees those of a conversation that is not their own work looks into it.
async fn look_at(gateway: &Gateway, agent: AgentId, hits: &[SearchHit]) -> Result<(), Problem> {
    let conversations: BTreeSet<ConversationId> = hits.iter().map(|hit| hit.conversation).collect();
    for conversation in conversations {
        if !gateway.hub.works_on(agent, conversation) {
            audit::look(gateway, agent, Action::ConversationSeen, conversation).await?;
        }
    }
    Ok(())
}

/// The conversations that are searched in: the one that is asked for, as long as it may be read.
fn within(readable: Option<Vec<ConversationId>>, one: Option<ConversationId>) -> Option<Vec<ConversationId>> {
    match (readable, one) {
        (readable, None) => readable,
        (None, Some(one)) => Some(vec![one]),
        (Some(readable), Some(one)) => Some(readable.into_iter().filter(|each| *each == one).collect()),
    }
}

fn found(gateway: &Gateway, hit: SearchHit) -> FoundHit {
    let SearchHit { conversation, contact, seq, at, channel, said, agent, customer_name, snippet } = hit;
    let by = agent.map(|agent| {
        gateway.hub.title_of(agent).map_or_else(|| agent.to_string(), |title| title.to_string())
    });
    FoundHit { conversation, contact, seq, at, channel, said, by, customer_name, snippet }
}

/// The entries of a conversation before one of them, the latest; for who leads or has a contact of it.
pub(crate) async fn part(
    State(gateway): State<Arc<Gateway>>,
    extensions: Extensions,
    Path(conversation): Path<String>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Response, Problem> {
    let agent = signed_in(&extensions)?;
    let Query(Part { before }) = part.map_err(|_| wrong_part())?;
    let conversation: ConversationId = conversation.parse().map_err(|_| not_yours())?;
    if !gateway.hub.reads(agent, conversation) {
        return Err(not_yours());
    }
    audit::look(&gateway, agent, Action::ConversationSeen, conversation).await?;
    let question = HistoryQuestion {
        conversation,
        after_seq: 0,
        before_seq: before,
        limit: history::ENTRIES_MAX,
        contact: None,
    };
    let away = || silent("history_silent", "what was said cannot be shown now");
    let history: Option<History> = ask(&gateway, &gateway.subjects.views_history(), &question).await;
    let entries = history.ok_or_else(away)?.entries;
    let pictures: Vec<_> = entries.into_iter().map(|entry| gateway.hub.picture_entry(entry)).collect();
    let entries = render::entries(&gateway, &pictures).await.map_err(|_| away())?;
    Ok(shown(PartPage { conversation, entries }))
}

fn refused(refusal: SearchRefusal) -> Problem {
    let (code, detail) = match refusal {
        SearchRefusal::NoWords => {
            ("no_words", "type a word, a \"phrase in quotes\" or the begin* of a word".to_owned())
        }
        SearchRefusal::TooLong => {
            ("too_long", format!("at most {SEARCH_WORDS_BYTES_MAX} bytes are searched for"))
        }
        SearchRefusal::TooManyWords => {
            ("too_many_words", format!("at most {SEARCH_TERMS_MAX} words are searched for at once"))
        }
        SearchRefusal::TooManyConversations => {
            ("too_many_conversations", format!("at most {SEARCH_CONVERSATIONS_MAX} are searched at once"))
        }
    };
    Problem::new(StatusCode::BAD_REQUEST, code, "this cannot be searched for", detail)
}

fn not_yours() -> Problem {
    let detail = "accept a contact of this customer, or ask a lead";
    Problem::new(StatusCode::FORBIDDEN, "not_yours", "this conversation is not yours", detail)
}

fn wrong_part() -> Problem {
    let detail = "ask as in /desk/history/CONVERSATION?before=20";
    Problem::new(StatusCode::BAD_REQUEST, "wrong_part", "this is no part of a conversation", detail)
}

const _: () = assert!(HITS as usize <= SEARCH_HITS_MAX, "a page fits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_searches_further_by_asking_for_one_conversation() {
        let id = |log_seq| ConversationId { log_seq, n: 0 };
        let own = || Some(vec![id(1), id(2)]);
        assert_eq!(within(None, None), None);
        assert_eq!(within(None, Some(id(3))), Some(vec![id(3)]));
        assert_eq!(within(own(), None), own());
        assert_eq!(within(own(), Some(id(2))), Some(vec![id(2)]));
        assert_eq!(within(own(), Some(id(3))), Some(Vec::new()));
        assert_eq!(within(Some(Vec::new()), Some(id(3))), Some(Vec::new()));
    }
}
