//! Evaluates a condition over what is known: a small tree of our own, without loops, panics or allocations.
//!
//! Three-valued: a fact that is not known makes unknown whatever needs it, and so does arithmetic that has no result.

use std::cmp::Ordering;

use protocol::facts::FactValue;

/// Whether a condition or a card holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// It names what is not known.
    Unknown,
}

impl Truth {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Holds, Self::Holds) => Self::Holds,
        }
    }
}

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Text(&'a str),
}

impl<'a> From<&'a FactValue> for Value<'a> {
    fn from(value: &'a FactValue) -> Self {
        match value {
            FactValue::Bool(value) => Self::Bool(*value),
            FactValue::Int(value) => Self::Int(*value),
            FactValue::Text(value) => Self::Text(value),
        }
    }
}

/// What is known, by the place of a fact in the dictionary.
pub(super) type Known<'a> = [Option<Value<'a>>];

/// A condition as it is evaluated. Only [`super::condition`] builds one, and only of fitting types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Node {
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    /// A fact, by its place in the dictionary.
    Fact(usize),
    Not(Box<Node>),
    Negate(Box<Node>),
    Both(Box<[Node; 2]>),
    Either(Box<[Node; 2]>),
    /// If the first, the second, else the third.
    Choose(Box<[Node; 3]>),
    Same(Box<[Node; 2]>),
    Differs(Box<[Node; 2]>),
    Compare(Comparison, Box<[Node; 2]>),
    Compute(Arithmetic, Box<[Node; 2]>),
    OneOfInts(Box<Node>, Box<[i64]>),
    OneOfTexts(Box<Node>, Box<[Box<str>]>),
    StartsWith(Box<Node>, Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Node {
    /// Whether the condition holds.
    pub(super) fn truth(&self, known: &Known<'_>) -> Truth {
        match self.yes(known) {
            Some(true) => Truth::Holds,
            Some(false) => Truth::Fails,
            None => Truth::Unknown,
        }
    }

    fn value<'a>(&'a self, known: &Known<'a>) -> Option<Value<'a>> {
        match self {
            Self::Int(value) => Some(Value::Int(*value)),
            Self::Text(value) => Some(Value::Text(value)),
            Self::Fact(place) => known.get(*place).copied().flatten(),
            Self::Negate(of) => of.int(known)?.checked_neg().map(Value::Int),
            Self::Compute(how, of) => {
                let [left, right] = &**of;
                how.of(left.int(known)?, right.int(known)?).map(Value::Int)
            }
            Self::Choose(of) => {
                let [which, then, otherwise] = &**of;
                if which.yes(known)? { then.value(known) } else { otherwise.value(known) }
            }
            Self::Bool(_)
            | Self::Not(_)
            | Self::Both(_)
            | Self::Either(_)
            | Self::Same(_)
            | Self::Differs(_)
            | Self::Compare(..)
            | Self::OneOfInts(..)
            | Self::OneOfTexts(..)
            | Self::StartsWith(..) => self.yes(known).map(Value::Bool),
        }
    }

    fn yes(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Not(of) => of.yes(known).map(|yes| !yes),
            Self::Both(of) => {
                let [left, right] = &**of;
                match left.yes(known) {
                    Some(false) => Some(false),
                    Some(true) => right.yes(known),
                    None => right.yes(known).filter(|yes| !yes),
                }
            }
            Self::Either(of) => {
                let [left, right] = &**of;
                match left.yes(known) {
                    Some(true) => Some(true),
                    Some(false) => right.yes(known),
                    None => right.yes(known).filter(|yes| *yes),
                }
            }
            Self::Same(of) => same(of, known),
            Self::Differs(of) => same(of, known).map(|same| !same),
            Self::Compare(how, of) => {
                let [left, right] = &**of;
                Some(how.of(left.int(known)?.cmp(&right.int(known)?)))
            }
            Self::OneOfInts(of, list) => of.int(known).map(|value| list.contains(&value)),
            Self::OneOfTexts(of, list) => {
                of.text(known).map(|value| list.iter().any(|word| **word == *value))
            }
            Self::StartsWith(of, start) => of.text(known).map(|value| value.starts_with(&**start)),
            Self::Fact(_) | Self::Choose(_) => match self.value(known)? {
                Value::Bool(value) => Some(value),
                Value::Int(_) | Value::Text(_) => None,
            },
            Self::Int(_) | Self::Text(_) | Self::Negate(_) | Self::Compute(..) => None,
        }
    }

    fn int(&self, known: &Known<'_>) -> Option<i64> {
        match self.value(known)? {
            Value::Int(value) => Some(value),
            Value::Bool(_) | Value::Text(_) => None,
        }
    }

    fn text<'a>(&'a self, known: &Known<'a>) -> Option<&'a str> {
        match self.value(known)? {
            Value::Text(value) => Some(value),
            Value::Bool(_) | Value::Int(_) => None,
        }
    }
}

fn same(of: &[Node; 2], known: &Known<'_>) -> Option<bool> {
    let [left, right] = of;
    Some(left.value(known)? == right.value(known)?)
}

impl Comparison {
    fn of(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

impl Arithmetic {
    /// `None` on overflow and on division by zero.
    fn of(self, left: i64, right: i64) -> Option<i64> {
        match self {
            Self::Add => left.checked_add(right),
            Self::Subtract => left.checked_sub(right),
            Self::Multiply => left.checked_mul(right),
            Self::Divide => left.checked_div(right),
            Self::Remainder => left.checked_rem(right),
        }
    }
}
