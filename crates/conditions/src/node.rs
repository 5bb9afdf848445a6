//! Evaluates a condition over what is known: a small tree of our own, without loops, panics or allocations.
//!
//! Three-valued: a fact that is not known makes unknown whatever needs it, and so does arithmetic that has no result.

use std::cmp::Ordering;

use protocol::facts::FactValue;

/// Whether something holds.
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
    /// Both of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Holds, Self::Holds) => Self::Holds,
        }
    }
}

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A word.
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

/// What is known, by the place of a fact in its vocabulary.
pub type Known<'a> = [Option<Value<'a>>];

/// A condition as it is evaluated. [`crate::read`] builds it of fitting types only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A word.
    Text(Box<str>),
    /// A fact, by its place in the vocabulary.
    Fact(usize),
    /// The other answer.
    Not(Box<Node>),
    /// The number below zero.
    Negate(Box<Node>),
    /// `&&`.
    Both(Box<[Node; 2]>),
    /// `||`.
    Either(Box<[Node; 2]>),
    /// If the first, the second, else the third.
    Choose(Box<[Node; 3]>),
    /// `==`.
    Same(Box<[Node; 2]>),
    /// `!=`.
    Differs(Box<[Node; 2]>),
    /// Two numbers compared.
    Compare(Comparison, Box<[Node; 2]>),
    /// Two numbers reckoned.
    Compute(Arithmetic, Box<[Node; 2]>),
    /// `in` a list of numbers.
    OneOfInts(Box<Node>, Box<[i64]>),
    /// `in` a list of words.
    OneOfTexts(Box<Node>, Box<[Box<str>]>),
    /// A word that begins with another.
    StartsWith(Box<Node>, Box<str>),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    Greater,
    /// `>=`.
    AtLeast,
}

/// How two numbers are reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arithmetic {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Remainder,
}

impl Node {
    /// Whether the condition holds.
    #[must_use]
    pub fn truth(&self, known: &Known<'_>) -> Truth {
        match self.yes(known) {
            Some(true) => Truth::Holds,
            Some(false) => Truth::Fails,
            None => Truth::Unknown,
        }
    }

    /// What is left to ask once some facts are known: true and false where nothing is, and in all else the same answer for
    /// every further fact as this one has.
    #[must_use]
    pub fn given(&self, known: &Known<'_>) -> Self {
        let pair = |of: &[Self; 2]| {
            let [left, right] = of;
            Box::new([left.given(known), right.given(known)])
        };
        let rest = match self {
            Self::Bool(_) | Self::Int(_) | Self::Text(_) => return self.clone(),
            Self::Fact(place) => {
                return known.get(*place).copied().flatten().map_or_else(|| self.clone(), Self::literal);
            }
            Self::Both(of) => match *pair(of) {
                [Self::Bool(false), _] | [_, Self::Bool(false)] => return Self::Bool(false),
                [Self::Bool(true), rest] | [rest, Self::Bool(true)] => return rest,
                both => Self::Both(Box::new(both)),
            },
            Self::Either(of) => match *pair(of) {
                [Self::Bool(true), _] | [_, Self::Bool(true)] => return Self::Bool(true),
                [Self::Bool(false), rest] | [rest, Self::Bool(false)] => return rest,
                either => Self::Either(Box::new(either)),
            },
            Self::Choose(of) => {
                let [which, then, otherwise] = &**of;
                let which = which.given(known);
                if let Self::Bool(yes) = which {
                    return if yes { then.given(known) } else { otherwise.given(known) };
                }
                Self::Choose(Box::new([which, then.given(known), otherwise.given(known)]))
            }
            Self::Not(of) => Self::Not(Box::new(of.given(known))),
            Self::Negate(of) => Self::Negate(Box::new(of.given(known))),
            Self::Same(of) => Self::Same(pair(of)),
            Self::Differs(of) => Self::Differs(pair(of)),
            Self::Compare(how, of) => Self::Compare(*how, pair(of)),
            Self::Compute(how, of) => Self::Compute(*how, pair(of)),
            Self::OneOfInts(of, list) => Self::OneOfInts(Box::new(of.given(known)), list.clone()),
            Self::OneOfTexts(of, list) => Self::OneOfTexts(Box::new(of.given(known)), list.clone()),
            Self::StartsWith(of, start) => Self::StartsWith(Box::new(of.given(known)), start.clone()),
        };
        // Whatever has a value without any fact is that value.
        match rest.value(&[]).map(Self::literal) {
            Some(value) => value,
            None => rest,
        }
    }

    /// Adds the places of the facts that it names.
    pub(crate) fn names(&self, places: &mut Vec<usize>) {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Text(_) => {}
            Self::Fact(place) => places.push(*place),
            Self::Not(of)
            | Self::Negate(of)
            | Self::OneOfInts(of, _)
            | Self::OneOfTexts(of, _)
            | Self::StartsWith(of, _) => of.names(places),
            Self::Both(of)
            | Self::Either(of)
            | Self::Same(of)
            | Self::Differs(of)
            | Self::Compare(_, of)
            | Self::Compute(_, of) => of.iter().for_each(|one| one.names(places)),
            Self::Choose(of) => of.iter().for_each(|one| one.names(places)),
        }
    }

    fn literal(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Int(value) => Self::Int(value),
            Value::Text(value) => Self::Text(value.into()),
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
