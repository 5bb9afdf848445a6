//! By what and in whose name an agent may write first.

use std::sync::Arc;

use protocol::desk::Choice;
use protocol::{AgentId, ChannelKind, SubjectToken};

use super::Projection;

impl Projection {
    /// What an account is called; `None` if it is not configured.
    pub(crate) fn account_title(&self, channel: ChannelKind, account: &SubjectToken) -> Option<Arc<str>> {
        let is_it = |one: &&(ChannelKind, SubjectToken, Arc<str>)| one.0 == channel && one.1 == *account;
        self.accounts.iter().find(is_it).map(|(.., title)| Arc::clone(title))
    }

    /// The queues that an agent serves, in the order of their names.
    pub(crate) fn served_by(&self, agent: AgentId) -> Vec<Choice> {
        let serves = self.seats.get(&agent).filter(|seat| seat.is_configured).map(|seat| &seat.serves);
        let queues = serves.into_iter().flatten().filter_map(|name| Some((name, self.queues.get(name)?)));
        let choice = |(name, facts): (&SubjectToken, &super::QueueFacts)| Choice {
            name: name.clone(),
            title: facts.title.to_string(),
            fields: Vec::new(),
        };
        queues.map(choice).collect()
    }
}
