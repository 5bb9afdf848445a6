//! Every subject of the product, built in this one module.

use std::fmt;

use crate::edge::EdgeKind;
use crate::ids::{AgentId, ConversationId};
use crate::token::{ChannelKind, SubjectToken};

/// A subject or a pattern of subjects; only this module makes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(Box<str>);

impl Subject {
    /// The text as the server knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest reply subject that is answered, bytes.
const REPLY_BYTES_MAX: usize = 200;

/// What every inbox of an integration begins with; its client has to be told (`inbox_prefix`, without the dot).
fn inbox_prefix(integration: &SubjectToken) -> String {
    format!("_INBOX_{integration}.")
}

/// The subjects of one cell: `wb.<cell>.…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    cell: SubjectToken,
}

impl Subjects {
    /// For the cell of this name.
    #[must_use]
    pub fn new(cell: SubjectToken) -> Self {
        Self { cell }
    }

    /// The cell.
    #[must_use]
    pub fn cell(&self) -> &SubjectToken {
        &self.cell
    }

    fn of(&self, rest: &str) -> Subject {
        Subject(format!("wb.{}.{rest}", self.cell).into())
    }

    /// A customer's message or leaving, by channel and account.
    #[must_use]
    pub fn inbound_message(&self, channel: ChannelKind, account: &SubjectToken) -> Subject {
        self.of(&format!("in.msg.{channel}.{account}"))
    }

    /// All messages and leavings of customers, of one channel or of any.
    #[must_use]
    pub fn inbound_messages(&self, channel: Option<ChannelKind>) -> Subject {
        match channel {
            Some(channel) => self.of(&format!("in.msg.{channel}.*")),
            None => self.of("in.msg.*.*"),
        }
    }

    /// All commands of agents.
    #[must_use]
    pub fn inbound_commands(&self) -> Subject {
        self.of("in.cmd.*")
    }

    /// All acts of integrations.
    #[must_use]
    pub fn inbound_acts(&self) -> Subject {
        self.of("in.act.*")
    }

    /// An agent's command.
    #[must_use]
    pub fn inbound_command(&self, agent: AgentId) -> Subject {
        self.of(&format!("in.cmd.{agent}"))
    }

    /// Presence edges.
    #[must_use]
    pub fn inbound_presence(&self) -> Subject {
        self.of("in.presence")
    }

    /// Configuration.
    #[must_use]
    pub fn inbound_config(&self) -> Subject {
        self.of("in.config")
    }

    /// An act of an integration.
    #[must_use]
    pub fn inbound_act(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("in.act.{integration}"))
    }

    /// What a person decides about something parked.
    #[must_use]
    pub fn inbound_parked(&self) -> Subject {
        self.of("in.parked")
    }

    /// What desks answer to canary customers.
    #[must_use]
    pub fn inbound_canary(&self) -> Subject {
        self.of("in.canary")
    }

    /// How the canary customers are doing.
    #[must_use]
    pub fn canaries(&self) -> Subject {
        self.of("watch.canaries")
    }

    /// All of INBOUND.
    #[must_use]
    pub fn inbound_all(&self) -> Subject {
        self.of("in.>")
    }

    /// The routing core's records.
    #[must_use]
    pub fn contacts(&self) -> Subject {
        self.of("log.contacts")
    }

    /// The empowerment worker's records.
    #[must_use]
    pub fn remedies(&self) -> Subject {
        self.of("log.remedies")
    }

    /// What became of an account's messages.
    #[must_use]
    pub fn deliveries(&self, channel: ChannelKind, account: &SubjectToken) -> Subject {
        self.of(&format!("log.deliveries.{channel}.{account}"))
    }

    /// What became of all messages.
    #[must_use]
    pub fn deliveries_all(&self) -> Subject {
        self.of("log.deliveries.>")
    }

    /// Asks how the accounts of channels are doing.
    #[must_use]
    pub fn channel_accounts(&self) -> Subject {
        self.of("svc.channel.accounts")
    }

    /// What reaches the worker from outside.
    #[must_use]
    pub fn inbound_empowerment(&self) -> Subject {
        self.of("in.empowerment")
    }

    /// What the worker wishes of routing.
    #[must_use]
    pub fn inbound_wish(&self) -> Subject {
        self.of("in.wish")
    }

    /// "What can I do for you?": a [`crate::till::TillQuestion`].
    #[must_use]
    pub fn till(&self) -> Subject {
        self.of("svc.empowerment.till")
    }

    /// What stands in the wallets: a [`crate::till::WalletsQuestion`].
    #[must_use]
    pub fn wallets(&self) -> Subject {
        self.of("svc.empowerment.wallets")
    }

    /// Whether a policy would be used: a [`crate::policy::Policy`], answered by a [`crate::till::PolicyChecked`].
    #[must_use]
    pub fn policy_check(&self) -> Subject {
        self.of("svc.empowerment.check")
    }

    /// Where an integration publishes: one word for the kind and one of its own behind it.
    #[must_use]
    pub fn edge_all(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("edge.{integration}.>"))
    }

    /// Where an integration publishes something of a kind, under an id of its own.
    #[must_use]
    pub fn edge(&self, integration: &SubjectToken, kind: EdgeKind, id: &SubjectToken) -> Subject {
        self.of(&format!("edge.{integration}.{}.{id}", kind.as_str()))
    }

    /// What stands behind the integration's name in a subject of its edge: the kind and the id, if that is all there is.
    #[must_use]
    pub fn read_edge(&self, integration: &SubjectToken, subject: &str) -> Option<(EdgeKind, SubjectToken)> {
        let rest = subject.strip_prefix(self.of(&format!("edge.{integration}.")).as_str())?;
        let (kind, id) = rest.split_once('.')?;
        Some((EdgeKind::of(kind)?, SubjectToken::new(id).ok()?))
    }

    /// Where an integration hears what became of what it published.
    #[must_use]
    pub fn answer(&self, integration: &SubjectToken, kind: EdgeKind, id: &SubjectToken) -> Subject {
        self.of(&format!("answers.{integration}.{}.{id}", kind.as_str()))
    }

    /// Where an integration hears that something was refused whose kind or id cannot be read.
    #[must_use]
    pub fn answer_unread(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("answers.{integration}.unread"))
    }

    /// What of an integration was refused, for its stream of rejections.
    #[must_use]
    pub fn rejected(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("rejected.{integration}"))
    }

    /// Where an integration puts a question, by the word for it.
    #[must_use]
    pub fn ext(&self, integration: &SubjectToken, word: &SubjectToken) -> Subject {
        self.of(&format!("ext.{integration}.{word}"))
    }

    /// Where all integrations put their questions.
    #[must_use]
    pub fn ext_all(&self) -> Subject {
        self.of("ext.*.*")
    }

    /// Whose question it is, and its word.
    #[must_use]
    pub fn read_ext(&self, subject: &str) -> Option<(SubjectToken, SubjectToken)> {
        let (integration, word) = subject.strip_prefix(self.of("ext.").as_str())?.split_once('.')?;
        Some((SubjectToken::new(integration).ok()?, SubjectToken::new(word).ok()?))
    }

    /// All that the server lets an integration publish: its edge and its questions, each with exactly the words that belong there.
    #[must_use]
    pub fn guest_publishes(&self, integration: &SubjectToken) -> [Subject; 2] {
        [self.of(&format!("edge.{integration}.*.*")), self.of(&format!("ext.{integration}.*"))]
    }

    /// All that the server lets an integration subscribe to: its answers and its inboxes.
    #[must_use]
    pub fn guest_subscribes(&self, integration: &SubjectToken) -> [Subject; 2] {
        let inboxes = Subject(format!("{}>", inbox_prefix(integration)).into());
        [self.of(&format!("answers.{integration}.>")), inboxes]
    }

    /// The reply subject that an integration named, if it lies among its own inboxes: nothing is ever written to any other.
    #[must_use]
    pub fn guest_reply(integration: &SubjectToken, reply: &str) -> Option<Subject> {
        let rest = reply.strip_prefix(&inbox_prefix(integration))?;
        let fits =
            reply.len() <= REPLY_BYTES_MAX && rest.split('.').all(|word| SubjectToken::new(word).is_ok());
        fits.then(|| Subject(reply.into()))
    }

    /// Where an integration is asked for facts over the bus.
    #[must_use]
    pub fn ask_facts(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("ask.facts.{integration}"))
    }

    /// Where all integrations are asked for facts.
    #[must_use]
    pub fn ask_facts_all(&self) -> Subject {
        self.of("ask.facts.*")
    }

    /// What who supervises asks of the API: a [`crate::admin::AdminRequest`], answered by a [`crate::admin::AdminAnswer`].
    #[must_use]
    pub fn admin(&self) -> Subject {
        self.of("svc.api.admin")
    }

    /// Whether an account of a channel can be used, and whether it works: a [`crate::channels::ChannelQuestion`].
    #[must_use]
    pub fn channel_check(&self) -> Subject {
        self.of("svc.channel.check")
    }

    /// Whom an agent means who writes first: a [`crate::reach::ReachQuestion`], answered by a [`crate::reach::ReachAnswer`].
    #[must_use]
    pub fn channel_reach(&self) -> Subject {
        self.of("svc.channel.reach")
    }

    /// What can be given, and how often it was: questions to the read models.
    #[must_use]
    pub fn views_empowerment(&self) -> Subject {
        self.of("svc.views.empowerment")
    }

    /// Which contacts there are: a [`crate::views::ContactsQuestion`] to the read models.
    #[must_use]
    pub fn views_contacts(&self) -> Subject {
        self.of("svc.views.contacts")
    }

    /// How queues went, hour by hour: questions to the read models.
    #[must_use]
    pub fn views_floor(&self) -> Subject {
        self.of("svc.views.floor")
    }

    /// What customers answered when they were asked: a [`crate::views::FeedbackQuestion`] to the read models.
    #[must_use]
    pub fn views_feedback(&self) -> Subject {
        self.of("svc.views.feedback")
    }

    /// Where words were said: a [`crate::search::SearchQuestion`] to the read models.
    #[must_use]
    pub fn views_search(&self) -> Subject {
        self.of("svc.views.search")
    }

    /// Who a customer is and what they ever wrote: a [`crate::customer::CustomerQuestion`] to the read models.
    #[must_use]
    pub fn views_customer(&self) -> Subject {
        self.of("svc.views.customer")
    }

    /// Who an agent's regulars are: a [`crate::arrival::RegularsQuestion`] to the read models.
    #[must_use]
    pub fn views_regulars(&self) -> Subject {
        self.of("svc.views.regulars")
    }

    /// Why a contact is where it is: a [`crate::views::WhyQuestion`] to the leading router.
    #[must_use]
    pub fn explain(&self) -> Subject {
        self.of("svc.routing.explain")
    }

    /// Why a contact was offered to whom, at each offer: a [`crate::views::WhyQuestion`] to the leading router.
    #[must_use]
    pub fn decisions(&self) -> Subject {
        self.of("svc.routing.decisions")
    }

    /// Who changed what, and who looked into a customer's file.
    #[must_use]
    pub fn audit(&self) -> Subject {
        self.of("audit")
    }

    /// What could not become an input.
    #[must_use]
    pub fn parked(&self) -> Subject {
        self.of("parked")
    }

    /// Who is typing in a conversation; never stored.
    #[must_use]
    pub fn typing(&self, conversation: ConversationId) -> Subject {
        self.of(&format!("typing.{conversation}"))
    }

    /// All typing.
    #[must_use]
    pub fn typing_all(&self) -> Subject {
        self.of("typing.*")
    }

    /// Where it is tried whether a server lets an integration do more than it should; nobody listens there.
    #[must_use]
    pub fn probe(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("probe.{integration}"))
    }

    /// What became of erasures.
    #[must_use]
    pub fn erasures(&self) -> Subject {
        self.of("log.erasures")
    }

    /// Questions to the keeper of the customer's rights.
    #[must_use]
    pub fn rights(&self) -> Subject {
        self.of("svc.rights")
    }

    /// Questions to the read models: what is held of identities.
    #[must_use]
    pub fn views_holdings(&self) -> Subject {
        self.of("svc.views.holdings")
    }

    /// Questions to the index of the search: how much it still holds of identities.
    #[must_use]
    pub fn views_traces(&self) -> Subject {
        self.of("svc.views.traces")
    }

    /// What the bench publishes on the raw bus; outside every stream of the product.
    #[must_use]
    pub fn bench(&self) -> Subject {
        self.of("bench")
    }

    /// Questions to the read models.
    #[must_use]
    pub fn views_history(&self) -> Subject {
        self.of("svc.views.history")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> SubjectToken {
        SubjectToken::new(text).unwrap()
    }

    #[test]
    fn an_integrations_subject_is_read_whole_or_not_at_all() {
        let (subjects, shop) = (Subjects::new(token("c1")), token("shop"));
        let at = subjects.edge(&shop, EdgeKind::Message, &token("m-1"));
        assert_eq!(at.as_str(), "wb.c1.edge.shop.message.m-1");
        assert_eq!(subjects.read_edge(&shop, at.as_str()), Some((EdgeKind::Message, token("m-1"))));
        for other in [
            "wb.c1.edge.shop.message.*",
            "wb.c1.edge.shop.message.>",
            "wb.c1.edge.shop.*.m-1",
            "wb.c1.edge.shop.message",
            "wb.c1.edge.shop.message.",
            "wb.c1.edge.shop..m-1",
            "wb.c1.edge.shop.message.m-1.more",
            "wb.c1.edge.shop.config.m-1",
            "wb.c1.edge.shop2.message.m-1",
            "wb.c1.edge.*.message.m-1",
            "wb.c2.edge.shop.message.m-1",
            "",
        ] {
            assert_eq!(subjects.read_edge(&shop, other), None, "{other}");
        }
        assert_eq!(subjects.read_ext("wb.c1.ext.shop.events"), Some((shop.clone(), token("events"))));
        for other in ["wb.c1.ext.shop", "wb.c1.ext.shop.*", "wb.c1.ext.*.events", "wb.c1.ext.shop.a.b"] {
            assert_eq!(subjects.read_ext(other), None, "{other}");
        }
    }

    #[test]
    fn only_an_own_inbox_is_answered() {
        let shop = token("shop");
        let reply = |text: &str| Subjects::guest_reply(&shop, text).map(|subject| subject.to_string());
        assert_eq!(reply("_INBOX_shop.a.b"), Some("_INBOX_shop.a.b".to_owned()));
        let long = |bytes: usize| format!("_INBOX_shop.{}", "a.".repeat(bytes).trim_end_matches('.'));
        assert!(reply(&long(94)).is_some() && reply(&long(95)).is_none());
        for other in [
            "",
            "_INBOX_shop",
            "_INBOX_shop.",
            "_INBOX_shop.*",
            "_INBOX_shop.>",
            "_INBOX_shop.a..b",
            "_INBOX_shop.a b",
            "_INBOX_shop2.a",
            "_INBOX.winterband.a",
            "$JS.ACK.CONTACTS.x.1.1.1.1.1",
            "$KV.ACCOUNTS.key.00",
            "wb.c1.answers.other.message.1",
        ] {
            assert_eq!(reply(other), None, "{other}");
        }
    }
}
