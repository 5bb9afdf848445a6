//! The facts that conditions may name: the product's own and those that the policy declares.

use conditions::{Value, Vocabulary};
use protocol::facts::{FactName, FactType, FactValue, FactValues};
use protocol::policy::Policy;
use protocol::remedy::{Claim, RemedyKind};
use protocol::token::ChannelKind;

use super::Case;

/// The source of what the agent says for the customer.
pub(super) const CLAIM: &str = "claim";
/// The source of what routing says.
pub(super) const FLOOR: &str = "floor";

/// The product's own facts, which no policy declares.
const PRODUCT: [(&str, FactType); 10] = [
    ("claim.has_order", FactType::Bool),
    ("claim.order", FactType::Text),
    ("claim.reason", FactType::Text),
    ("claim.wish", FactType::Text),
    ("contact.channel", FactType::Text),
    ("contact.contacts_before", FactType::Int),
    ("contact.queue", FactType::Text),
    ("contact.reopenings", FactType::Int),
    ("contact.transfers", FactType::Int),
    ("contact.waited_minutes", FactType::Int),
];

/// What the customer answered last when they were asked after a contact; unknown where they never were or did not. A policy that
/// declares one of these names itself has its own fact there, as policies could before these were.
const SCORES: [(&str, FactType); 3] = [
    ("customer.effort", FactType::Int),
    ("customer.recommend", FactType::Int),
    ("customer.satisfaction", FactType::Int),
];

/// Words for what is no fact because it would be the amount.
const AMOUNT_WORDS: [&str; 8] = ["amount", "price", "money", "cents", "value", "sum", "total", "cost"];

/// One fact.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: FactName,
    pub(super) type_: FactType,
    /// Whether the agent says it.
    pub(super) claimed: bool,
    /// What its absence means; unknown if not said.
    pub(super) absent: Option<FactValue>,
    /// The only words that it can be.
    pub(super) words: Option<Vec<String>>,
}

/// Every fact, in the order of names; its index is its place.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    entries: Vec<Entry>,
}

impl Dictionary {
    pub(super) fn of(policy: &Policy) -> Self {
        let own = PRODUCT.iter().filter_map(|(name, type_)| {
            let name: FactName = name.parse().ok()?;
            let (absent, words) = said_of(&name, policy);
            let claimed = name.parts().0 == CLAIM;
            Some(Entry { name, type_: *type_, claimed, absent, words })
        });
        let declared = policy.facts.iter().filter(|fact| !is_product(fact.name.as_str())).map(|fact| Entry {
            name: fact.name.clone(),
            type_: fact.type_,
            claimed: fact.source.as_str() == CLAIM,
            absent: fact.absent.clone(),
            words: None,
        });
        let scores = SCORES.iter().filter_map(|(name, type_)| {
            let name: FactName = name.parse().ok()?;
            Some(Entry { name, type_: *type_, claimed: false, absent: None, words: None })
        });
        let mut entries: Vec<Entry> = own.chain(declared).chain(scores).collect();
        // Of two of a name the first stays.
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        entries.dedup_by(|left, right| left.name == right.name);
        Self { entries }
    }

    pub(super) fn entry(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Entry> {
        self.entry(self.place(name)?)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn type_of(&self, name: &str) -> Option<FactType> {
        self.named(name).map(|entry| entry.type_)
    }

    /// What is known, by place. A value of another type than declared is not known.
    pub(super) fn known<'a>(&'a self, facts: &'a FactValues) -> Vec<Option<Value<'a>>> {
        let mut given = facts.iter().peekable();
        let lookup = |entry: &'a Entry| {
            while given.next_if(|(name, _)| **name < entry.name).is_some() {}
            match given.next_if(|(name, _)| **name == entry.name) {
                Some((_, value)) => Some(value).filter(|value| value.kind() == entry.type_),
                None => entry.absent.as_ref(),
            }
        };
        self.entries.iter().map(lookup).map(|value| value.map(Value::from)).collect()
    }

    pub(super) fn case(&self, claim: Claim, mut facts: FactValues) -> Case {
        facts.extend(claim_facts(&claim));
        let said = claim.facts.iter().filter(|(name, _)| {
            !is_product(name.as_str()) && self.named(name.as_str()).is_some_and(|entry| entry.claimed)
        });
        facts.extend(said.map(|(name, value)| (name.clone(), value.clone())));
        Case { claim, facts }
    }
}

impl Vocabulary for Dictionary {
    const MISSING: &'static str =
        "a fact that is missing is unknown, and a card that needs it does not open the till";

    fn place(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()
    }

    fn type_at(&self, place: usize) -> Option<FactType> {
        self.entry(place).map(|entry| entry.type_)
    }

    fn words_at(&self, place: usize) -> Option<(&str, &[String])> {
        let entry = self.entry(place)?;
        Some((entry.name.as_str(), entry.words.as_deref()?))
    }

    fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    fn never_a_fact(&self, name: &str) -> Option<String> {
        names_the_amount(name).then(|| {
            format!(
                "`{name}` would be the amount, which no condition can name: a claimed price is a sufficient price, and how much \
                 may be given is said by `up_to`, with `beyond` for who is asked above it"
            )
        })
    }
}

/// Whether a name would be the amount: no fact may be one, or a claimed price would have to be believed in degrees.
pub(super) fn names_the_amount(name: &str) -> bool {
    match name.split_once('.') {
        Some(("claim" | "gift", says)) => AMOUNT_WORDS.contains(&says),
        Some(_) => false,
        None => AMOUNT_WORDS.contains(&name),
    }
}

/// What the absence of a product fact means, and which words it can be.
fn said_of(name: &FactName, policy: &Policy) -> (Option<FactValue>, Option<Vec<String>>) {
    let nothing_said = Some(FactValue::Text(String::new()));
    match name.as_str() {
        "claim.has_order" => (Some(FactValue::Bool(false)), None),
        "claim.order" => (nothing_said, None),
        "claim.reason" => {
            (nothing_said, Some(policy.reasons.iter().map(|reason| reason.name.to_string()).collect()))
        }
        "claim.wish" => {
            (nothing_said, Some(RemedyKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()))
        }
        "contact.channel" => {
            (None, Some(ChannelKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect()))
        }
        _ => (None, None),
    }
}

/// Whether it is one of the product's own.
pub(super) fn is_product(name: &str) -> bool {
    PRODUCT.iter().any(|(own, _)| *own == name)
}

pub(super) fn claim_facts(claim: &Claim) -> FactValues {
    let text = |text: &str| FactValue::Text(text.to_owned());
    let said = [
        ("claim.has_order", Some(FactValue::Bool(claim.order.is_some()))),
        ("claim.order", claim.order.as_ref().map(|order| text(order.as_str()))),
        ("claim.reason", claim.reason.as_ref().map(|reason| text(reason.as_str()))),
        ("claim.wish", claim.wish.map(|wish| text(wish.as_str()))),
    ];
    said.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value?))).collect()
}
