//! How a new configuration changes the floor.

use std::collections::BTreeSet;

use protocol::config::{Authority, Disposition, RoutingConfig};
use protocol::desk::Choice;
use protocol::hours::Calendar;
use protocol::{Cause, InputBody, Millis, SubjectToken};

use super::colleagues::folded;
use super::fold::Step;
use super::{Change, Projection, QueueFacts};

/// The queues that are closed at a moment.
fn closed(config: &RoutingConfig, at: Millis) -> BTreeSet<SubjectToken> {
    let is_closed = |name: &SubjectToken| {
        let hours = config.hours.iter().find(|hours| hours.name == *name);
        hours.and_then(Calendar::new).is_some_and(|calendar| !calendar.is_open(at))
    };
    let closed = config.queues.iter().filter(|queue| queue.hours.as_ref().is_some_and(is_closed));
    closed.map(|queue| queue.name.clone()).collect()
}

impl Projection {
    pub(super) fn configure(&mut self, step: &mut Step, cause: &Cause) {
        let Cause::Input { input, .. } = cause else { return };
        let InputBody::Config(config) = &input.body else { return };
        let RoutingConfig { queues, agents, dispositions, categories, accounts, .. } = config.config.as_ref();
        self.is_configured = true;
        self.closed = closed(&config.config, step.at());
        self.queues = queues
            .iter()
            .map(|queue| {
                let title = queue.title.as_str().into();
                (
                    queue.name.clone(),
                    QueueFacts {
                        title,
                        offer_ms: queue.offer_ms,
                        reopen_ms: queue.reopen_ms,
                        picking: queue.picking,
                    },
                )
            })
            .collect();
        let titled = accounts.iter().map(|one| (one.channel, one.name.clone(), one.title.as_str().into()));
        self.accounts = titled.collect();
        let choice = |each: &Disposition| Choice {
            name: each.name.clone(),
            title: each.title.clone(),
            fields: each.fields.clone(),
        };
        self.categories = categories.iter().map(|category| category.name.clone()).collect();
        self.tags.clone_from(&config.config.tags);
        self.contact_fields.clone_from(&config.config.contact_fields);
        self.dispositions = dispositions.iter().map(choice).collect();
        // Who was taken out keeps their name, because old entries carry it.
        for seat in self.seats.values_mut() {
            seat.is_configured = false;
            seat.authority = Authority::default();
            seat.team = None;
            seat.serves.clear();
        }
        self.names = agents.iter().map(|agent| (agent.name.clone(), agent.id)).collect();
        for agent in agents {
            let seat = self.seat(agent.id);
            seat.title = agent.title.as_str().into();
            seat.folded = folded(&agent.title).into();
            seat.is_configured = true;
            seat.authority = Authority::of(agent);
            seat.is_bot = agent.bot;
            seat.team = agent.team.clone();
            seat.serves.clone_from(&agent.queues);
        }
        self.floor_version += 1;
        for agent in self.seats.keys() {
            step.tell(*agent, Change::Configured);
        }
    }
}
