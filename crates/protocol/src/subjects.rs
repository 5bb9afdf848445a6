//! Every subject of the product, built in this one module.

use std::fmt;

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

    /// What a person decides about something parked.
    #[must_use]
    pub fn inbound_parked(&self) -> Subject {
        self.of("in.parked")
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

    /// Where integrations push facts over the bus: the body of `POST /api/v1/facts`, answered as that is.
    #[must_use]
    pub fn push_facts(&self) -> Subject {
        self.of("svc.integrations.facts")
    }

    /// Where an integration is asked for facts over the bus.
    #[must_use]
    pub fn ask_facts(&self, integration: &SubjectToken) -> Subject {
        self.of(&format!("ask.facts.{integration}"))
    }

    /// What can be given, and how often it was: questions to the read models.
    #[must_use]
    pub fn views_empowerment(&self) -> Subject {
        self.of("svc.views.empowerment")
    }

    /// How queues went, hour by hour: questions to the read models.
    #[must_use]
    pub fn views_floor(&self) -> Subject {
        self.of("svc.views.floor")
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
