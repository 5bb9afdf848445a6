//! Conditions of policies: CEL expressions of one line, without loops, over facts that a policy knows.
//!
//! Three-valued: what names a fact that is not known is neither true nor false. A condition is read once, when its policy is
//! checked, and evaluated as a small tree of our own; `read` is the one file that knows the `cel` crate.

mod node;
mod read;
pub mod routing;
pub mod spelling;
mod wording;

#[cfg(test)]
mod tests;

pub use node::{Arithmetic, Comparison, Known, Node, Truth, Value};
pub use read::read;
pub use wording::type_word;

use protocol::facts::FactType;

/// The facts that conditions may name, each with its place, and what is said of those that they may not.
pub trait Vocabulary {
    /// What a missing fact leads to, as a sentence for who wants to ask for its absence.
    const MISSING: &'static str;

    /// The place of a fact.
    fn place(&self, name: &str) -> Option<usize>;

    /// The type of the fact at a place.
    fn type_at(&self, place: usize) -> Option<FactType>;

    /// The name of the fact at a place and the only words that it can be, where these are known.
    fn words_at(&self, place: usize) -> Option<(&str, &[String])>;

    /// Every name.
    fn names(&self) -> impl Iterator<Item = &str> + Clone;

    /// Why a name is no fact and never will be, if that is so.
    fn never_a_fact(&self, name: &str) -> Option<String>;
}

/// A condition that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// What is evaluated.
    pub node: Node,
    /// The places of the facts that it names.
    pub facts: Box<[usize]>,
}

impl Condition {
    /// That a fact is true.
    #[must_use]
    pub fn fact(place: usize) -> Self {
        Self { node: Node::Fact(place), facts: Box::new([place]) }
    }

    /// That both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut facts = [self.facts, other.facts].concat();
        facts.sort_unstable();
        facts.dedup();
        Self { node: Node::Both(Box::new([self.node, other.node])), facts: facts.into() }
    }
}
