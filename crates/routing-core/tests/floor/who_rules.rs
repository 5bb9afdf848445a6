//! Who may say that two identities are one customer, and what stands in the log of it.

use protocol::command::Refusal;
use protocol::customer::{CustomerChange, CustomerWish};
use protocol::{Command, ContactId, Event, LinkId};

use crate::builder::{AgentWith, Floor, agent, hash, identity};

/// Ada has carl's contact, bob nothing, and lea leads.
fn three() -> (Floor, ContactId) {
    let lead = protocol::config::Agent { lead: true, ..agent("lea").web(0) };
    let mut floor = Floor::online([agent("ada"), agent("bob"), lead]);
    floor.has("ada", "carl");
    let contact = floor.contact_of("carl");
    (floor, contact)
}

impl Floor {
    fn says(&mut self, name: &str, contact: ContactId, wish: CustomerWish) -> Option<CustomerChange> {
        self.asks(name, Command::ChangeCustomer { contact, wish });
        self.log.last()?.events.iter().find_map(|event| match event {
            Event::CustomerChanged { change, .. } => Some(*change),
            _ => None,
        })
    }
}

#[test]
fn who_has_the_contact_or_leads_says_who_the_customer_is() {
    let (mut floor, contact) = three();
    let wish = CustomerWish::Link { identity: identity("carla") };
    let said = floor.says("ada", contact, wish);
    let Some(CustomerChange::Linked { link, one, other }) = said else { panic!("{said:?}") };
    assert_eq!((one, other), (identity("carl"), identity("carla")));
    let part = CustomerWish::Part { link };
    assert_eq!(floor.says("lea", contact, part), Some(CustomerChange::Parted { link }));
    assert_eq!(floor.says("bob", contact, part), None);
    assert_eq!(floor.refused(), Some(Refusal::NotYours));
}

#[test]
fn every_link_has_a_name_of_its_own_and_nobody_is_linked_to_themselves() {
    let (mut floor, contact) = three();
    let link = |said| match said {
        Some(CustomerChange::Linked { link, .. }) => link,
        other => panic!("{other:?}"),
    };
    let wish = CustomerWish::Link { identity: identity("carla") };
    let (one, two) = (link(floor.says("ada", contact, wish)), link(floor.says("ada", contact, wish)));
    assert_ne!(one, two);
    let itself = CustomerWish::Link { identity: identity("carl") };
    assert_eq!(floor.says("ada", contact, itself), None);
    assert_eq!(floor.refused(), None, "that is so already");
}

#[test]
fn a_contact_that_has_ended_says_nothing_of_its_customer() {
    let (mut floor, _) = three();
    let contact = floor.mails("mia").accepts("bob").contact_of("mia");
    floor.resolves("bob");
    let link = LinkId::of_key(identity("mia"), hash("mia@shop.example"));
    let part = CustomerWish::Part { link };
    assert_eq!(
        floor.says("bob", contact, part),
        Some(CustomerChange::Parted { link }),
        "while it is wrapped up"
    );
    floor.ends_wrap_up("bob");
    for name in ["bob", "lea"] {
        assert_eq!(floor.says(name, contact, part), None);
        assert!(floor.refused().is_some(), "{name}");
    }
}
