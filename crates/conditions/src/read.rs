//! Reads one condition: a CEL expression of one line, without loops, over facts of a vocabulary.
//!
//! The one file that names the `cel` crate. `cel` is the parser and the reference; what it parsed is typed here and made a small
//! tree of our own, which tells "unknown" exactly and is evaluated far faster than `cel` itself does it.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Parser;
use protocol::facts::FactType;
use protocol::limits::{CONDITION_LIST_MAX, CONDITION_NODES_MAX};

use crate::node::{Arithmetic, Comparison, Node};
use crate::wording::{NESTING_MAX, advice, fits, slip, type_word};
use crate::{Condition, Vocabulary, spelling};

const CAN_BE_USED: &str =
    "a condition compares facts with == != < <= > >= in && || ! ?: + - * / % and startsWith, nothing else";

/// Reads a condition.
///
/// # Errors
/// Everything that is wrong with it at once, each with what to write instead; what asked for it is refused as a whole.
pub fn read<V: Vocabulary>(text: &str, vocabulary: &V) -> Result<Condition, Vec<String>> {
    fits(text).map_err(|fault| vec![fault])?;
    let parser = Parser::new().max_recursion_depth(NESTING_MAX * 2);
    let parsed = parser.parse(text).map_err(|errors| vec![cannot_read(text, &errors)])?;
    let mut reader = Reader { vocabulary, faults: Vec::new(), nodes: 0, facts: BTreeSet::new() };
    let node = reader.needs(&parsed, FactType::Bool);
    if reader.nodes > CONDITION_NODES_MAX {
        reader.faults = vec![format!(
            "has more than {CONDITION_NODES_MAX} parts: split it into several lines of `when`, all of which must hold"
        )];
    }
    if reader.faults.is_empty() && reader.facts.is_empty() {
        reader.faults.push("names no fact: leave it out, or name the fact that it is about".to_owned());
    }
    match node {
        Some(node) if reader.faults.is_empty() => {
            Ok(Condition { node, facts: reader.facts.into_iter().collect() })
        }
        Some(_) | None => Err(reader.faults),
    }
}

fn cannot_read(text: &str, errors: &cel::ParseErrors) -> String {
    let told = errors.errors.first().map(|error| {
        let what = error.msg.lines().next().unwrap_or_default();
        format!(" at column {}: {}", error.pos.1.max(1), spelling::short(what))
    });
    format!("is no CEL expression{}; {}", told.unwrap_or_default(), slip(text))
}

struct Reader<'a, V> {
    vocabulary: &'a V,
    faults: Vec<String>,
    nodes: usize,
    facts: BTreeSet<usize>,
}

type Typed = (Node, FactType);

impl<V: Vocabulary> Reader<'_, V> {
    /// Reads an expression; `None` when a fault was noted.
    fn read(&mut self, of: &IdedExpr) -> Option<Typed> {
        self.nodes += 1;
        if self.nodes > CONDITION_NODES_MAX {
            return None;
        }
        match &of.expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(name) => self.fact(name),
            Expr::Select(select) if select.test => self.fault(format!("has() cannot be used: {}", V::MISSING)),
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(about) => self.fact(&format!("{about}.{}", select.field)),
                Expr::Unspecified
                | Expr::Call(_)
                | Expr::Comprehension(_)
                | Expr::List(_)
                | Expr::Literal(_)
                | Expr::Map(_)
                | Expr::Select(_)
                | Expr::Struct(_) => {
                    let seen = seen(&of.expr);
                    self.fault(format!("{seen} is no fact: a fact has two words, as in order.days_late"))
                }
            },
            Expr::Call(call) => self.call(of, call),
            Expr::Comprehension(_) => self.fault(
                "all, exists, exists_one, map and filter are loops, and a condition has none: compare facts one by one, or \
                 declare a fact that says it",
            ),
            Expr::List(_) => {
                self.fault("a list can only stand after `in`, as in claim.reason in [\"used\", \"no_receipt\"]")
            }
            Expr::Map(_) | Expr::Struct(_) => self.fault(format!("{{...}} cannot be used: {CAN_BE_USED}")),
            Expr::Unspecified => self.fault(format!("has a part that cannot be read: {CAN_BE_USED}")),
        }
    }

    fn fault<T>(&mut self, message: impl Into<String>) -> Option<T> {
        self.faults.push(message.into());
        None
    }

    fn literal(&mut self, literal: &LiteralValue) -> Option<Typed> {
        match literal {
            LiteralValue::Boolean(value) => Some((Node::Bool(*value.inner()), FactType::Bool)),
            LiteralValue::Int(value) => Some((Node::Int(*value.inner()), FactType::Int)),
            LiteralValue::String(value) => Some((Node::Text(value.inner().into()), FactType::Text)),
            LiteralValue::Double(_) => self.fault("numbers are whole: write 4, not 4.0 or 3.5"),
            LiteralValue::UInt(_) => self.fault("numbers are written without u: 4, not 4u"),
            LiteralValue::Bytes(_) => self.fault("words are written without b: \"gold\", not b\"gold\""),
            LiteralValue::Null => self.fault(format!("null cannot be compared with: {}", V::MISSING)),
        }
    }

    fn fact(&mut self, name: &str) -> Option<Typed> {
        if let Some(place) = self.vocabulary.place(name) {
            self.facts.insert(place);
            return self.vocabulary.type_at(place).map(|type_| (Node::Fact(place), type_));
        }
        if let Some(fault) = self.vocabulary.never_a_fact(name) {
            return self.fault(fault);
        }
        let hint = spelling::hint(name, self.vocabulary.names());
        self.fault(format!(
            "`{}` is no fact that this policy knows{hint} (or declare it under `facts`)",
            spelling::short(name)
        ))
    }

    /// Reads an expression that has to be of a type.
    fn needs(&mut self, of: &IdedExpr, type_: FactType) -> Option<Node> {
        let (node, found) = self.read(of)?;
        if found == type_ {
            return Some(node);
        }
        let seen = seen(&of.expr);
        self.fault(format!(
            "{seen} is {}, but {} is needed here{}",
            type_word(found),
            type_word(type_),
            advice(found, type_)
        ))
    }

    fn call(&mut self, of: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        if let Some(target) = &call.target {
            return match (call.func_name.as_str(), call.args.as_slice()) {
                ("startsWith", [start]) => self.starts_with(target, start),
                _ => self.no_function(&call.func_name),
            };
        }
        match call.args.as_slice() {
            [of] => match call.func_name.as_str() {
                operators::LOGICAL_NOT => {
                    Some((Node::Not(Box::new(self.needs(of, FactType::Bool)?)), FactType::Bool))
                }
                operators::NEGATE => Some((negated(self.needs(of, FactType::Int)?), FactType::Int)),
                name => self.no_function(name),
            },
            [left, right] => self.operator(of, &call.func_name, left, right),
            [which, then, otherwise] if call.func_name == operators::CONDITIONAL => {
                let which = self.needs(which, FactType::Bool);
                let (then, type_) = self.read(then)?;
                let otherwise = self.needs(otherwise, type_);
                Some((Node::Choose(Box::new([which?, then, otherwise?])), type_))
            }
            _ => self.no_function(&call.func_name),
        }
    }

    fn no_function<T>(&mut self, name: &str) -> Option<T> {
        self.fault(format!("`{}` cannot be called: {CAN_BE_USED}", spelling::short(name)))
    }

    fn operator(&mut self, of: &IdedExpr, name: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Typed> {
        let (comparison, arithmetic) = (comparison(name), arithmetic(name));
        if let Some(how) = comparison {
            let node = Node::Compare(how, self.pair(left, right, FactType::Int)?);
            return Some((node, FactType::Bool));
        }
        if let Some(how) = arithmetic {
            let node = Node::Compute(how, self.pair(left, right, FactType::Int)?);
            return Some((node, FactType::Int));
        }
        let node = match name {
            operators::LOGICAL_AND => Node::Both(self.pair(left, right, FactType::Bool)?),
            operators::LOGICAL_OR => Node::Either(self.pair(left, right, FactType::Bool)?),
            operators::EQUALS => Node::Same(self.alike(of, left, right)?),
            operators::NOT_EQUALS => Node::Differs(self.alike(of, left, right)?),
            operators::IN => self.one_of(left, right)?,
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => {
                return self.fault(format!("[...] after a fact cannot be used: {CAN_BE_USED}"));
            }
            name => return self.no_function(name),
        };
        Some((node, FactType::Bool))
    }

    fn pair(&mut self, left: &IdedExpr, right: &IdedExpr, type_: FactType) -> Option<Box<[Node; 2]>> {
        let left = self.needs(left, type_);
        let right = self.needs(right, type_);
        Some(Box::new([left?, right?]))
    }

    /// Two of the same type.
    fn alike(&mut self, of: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Option<Box<[Node; 2]>> {
        let left = self.read(left);
        let right = self.read(right);
        let ((left, left_type), (right, right_type)) = (left?, right?);
        if left_type != right_type {
            let seen = seen(&of.expr);
            return self.fault(format!(
                "{seen} compares {} with {}: they are never the same",
                type_word(left_type),
                type_word(right_type)
            ));
        }
        match (&left, &right) {
            (Node::Fact(place), Node::Text(text)) | (Node::Text(text), Node::Fact(place)) => {
                self.can_be(*place, text)?;
            }
            _ => {}
        }
        Some(Box::new([left, right]))
    }

    /// A word that the fact can be, where its words are known.
    fn can_be(&mut self, place: usize, text: &str) -> Option<()> {
        let Some((name, words)) = self.vocabulary.words_at(place) else { return Some(()) };
        if text.is_empty() || words.iter().any(|word| word == text) {
            return Some(());
        }
        let hint = spelling::hint(text, words.iter().map(String::as_str));
        let fault = format!("{name} is never \"{}\"{hint}", spelling::short(text));
        self.fault(fault)
    }

    fn one_of(&mut self, value: &IdedExpr, list: &IdedExpr) -> Option<Node> {
        let Expr::List(list) = &list.expr else {
            return self.fault(
                "`in` needs a list of words or numbers after it, as in claim.reason in [\"used\", \"no_receipt\"]",
            );
        };
        self.nodes += 1;
        if list.elements.len() > CONDITION_LIST_MAX {
            return self.fault(format!(
                "the list has {} entries, at most {CONDITION_LIST_MAX} are read: declare a fact that says it",
                list.elements.len()
            ));
        }
        if list.elements.is_empty() {
            return self.fault("the list is empty, so nothing is in it: name what is meant");
        }
        let (value, type_) = self.read(value)?;
        let listed: Vec<Option<Node>> = list.elements.iter().map(|one| self.needs(one, type_)).collect();
        let listed: Vec<Node> = listed.into_iter().collect::<Option<_>>()?;
        match type_ {
            FactType::Int => {
                let ints =
                    listed.iter().map(|node| if let Node::Int(value) = node { Some(*value) } else { None });
                match ints.collect::<Option<Box<[i64]>>>() {
                    Some(ints) => Some(Node::OneOfInts(Box::new(value), ints)),
                    None => self.fault("a list after `in` holds plain numbers only"),
                }
            }
            FactType::Text => {
                let texts = listed
                    .iter()
                    .map(|node| if let Node::Text(text) = node { Some(text.clone()) } else { None });
                let Some(texts) = texts.collect::<Option<Box<[Box<str>]>>>() else {
                    return self.fault("a list after `in` holds plain words only");
                };
                if let Node::Fact(place) = value {
                    let fitting: Vec<Option<()>> =
                        texts.iter().map(|text| self.can_be(place, text)).collect();
                    fitting.into_iter().collect::<Option<()>>()?;
                }
                Some(Node::OneOfTexts(Box::new(value), texts))
            }
            FactType::Bool => {
                self.fault("`in` needs a word or a number before it; for yes or no write the fact alone")
            }
        }
    }

    fn starts_with(&mut self, target: &IdedExpr, start: &IdedExpr) -> Option<Typed> {
        let target = self.needs(target, FactType::Text);
        let Node::Text(start) = self.needs(start, FactType::Text)? else {
            return self.fault("startsWith needs a plain word, as in claim.order.startsWith(\"B2B-\")");
        };
        Some((Node::StartsWith(Box::new(target?), start), FactType::Bool))
    }
}

/// An expression as it is named in a message.
fn seen(of: &Expr) -> String {
    match of {
        Expr::Ident(name) => spelling::short(name),
        Expr::Select(select) => spelling::short(&format!("{}.{}", seen(&select.operand.expr), select.field)),
        Expr::Literal(LiteralValue::Int(value)) => value.inner().to_string(),
        Expr::Literal(LiteralValue::Boolean(value)) => value.inner().to_string(),
        Expr::Literal(LiteralValue::String(value)) => format!("\"{}\"", spelling::short(value.inner())),
        Expr::Call(call) => call.func_name.replace(['_', '@'], ""),
        Expr::Literal(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Map(_)
        | Expr::Struct(_)
        | Expr::Unspecified => "this".to_owned(),
    }
}

fn negated(node: Node) -> Node {
    if let Node::Int(value) = &node
        && let Some(value) = value.checked_neg()
    {
        return Node::Int(value);
    }
    Node::Negate(Box::new(node))
}

fn comparison(name: &str) -> Option<Comparison> {
    match name {
        operators::LESS => Some(Comparison::Less),
        operators::LESS_EQUALS => Some(Comparison::AtMost),
        operators::GREATER => Some(Comparison::Greater),
        operators::GREATER_EQUALS => Some(Comparison::AtLeast),
        _ => None,
    }
}

fn arithmetic(name: &str) -> Option<Arithmetic> {
    match name {
        operators::ADD => Some(Arithmetic::Add),
        operators::SUBSTRACT => Some(Arithmetic::Subtract),
        operators::MULTIPLY => Some(Arithmetic::Multiply),
        operators::DIVIDE => Some(Arithmetic::Divide),
        operators::MODULO => Some(Arithmetic::Remainder),
        _ => None,
    }
}
