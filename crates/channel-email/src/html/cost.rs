//! What a parser would make of html, before one keeps it: a few bytes of a stranger's can become millions of elements, since formatting that
//! was never closed is begun anew in every paragraph behind it.
//!
//! The same parser that cleans is fed a little at a time and keeps nothing but counts.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;

use html5ever::interface::ElementFlags;
use html5ever::tendril::{StrTendril, TendrilSink as _};
use html5ever::tree_builder::{NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, local_name, ns, parse_fragment};

/// Deepest nesting that is cleaned as html; what is deeper is shown as its words.
pub const NESTING_MAX: usize = 1000;
/// Most elements and comments that html may become; what becomes more is shown as its words.
pub const NODES_MAX: usize = 100_000;
/// Most attributes of one tag: a parser compares each with all before it.
pub const ATTRIBUTES_MAX: usize = 500;
/// So much is parsed before it is looked at how much that made.
const PIECE_BYTES: usize = 4 * 1024;
/// Tags are looked for in any text, whatever it stands in: how often, on average, a byte may be looked at for that.
const LOOKS_MAX: usize = 8;

/// Whether it can be parsed in little time and memory.
pub(crate) fn is_small(html: &str) -> bool {
    has_few_attributes(html.as_bytes()) && has_few_nodes(html)
}

/// A node: all that is known of it is what a parser asks for, and how deep it stands.
#[derive(Debug)]
struct Node {
    name: QualName,
    is_integration_point: bool,
    depth: Cell<usize>,
}

struct Count {
    document: Rc<Node>,
    nodes: Cell<usize>,
    deepest: Cell<usize>,
}

impl Count {
    fn node(&self, name: QualName, is_integration_point: bool, depth: usize) -> Rc<Node> {
        self.nodes.set(self.nodes.get() + 1);
        Rc::new(Node { name, is_integration_point, depth: Cell::new(depth) })
    }

    fn put(&self, child: &NodeOrText<Rc<Node>>, depth: usize) {
        if let NodeOrText::AppendNode(node) = child {
            node.depth.set(depth);
            self.deepest.set(self.deepest.get().max(depth));
        }
    }

    fn is_past(&self) -> bool {
        self.nodes.get() > NODES_MAX || self.deepest.get() > NESTING_MAX
    }
}

fn nameless() -> QualName {
    QualName::new(None, ns!(html), local_name!(""))
}

impl TreeSink for Count {
    type Handle = Rc<Node>;
    type Output = ();
    type ElemName<'a> = &'a QualName;

    fn finish(self) {}

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Rc<Node> {
        Rc::clone(&self.document)
    }

    fn elem_name<'a>(&'a self, target: &'a Rc<Node>) -> &'a QualName {
        &target.name
    }

    fn create_element(&self, name: QualName, _: Vec<Attribute>, flags: ElementFlags) -> Rc<Node> {
        self.node(name, flags.mathml_annotation_xml_integration_point, 0)
    }

    fn create_comment(&self, _: StrTendril) -> Rc<Node> {
        self.node(nameless(), false, 0)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Rc<Node> {
        self.node(nameless(), false, 0)
    }

    fn append(&self, parent: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.put(&child, parent.depth.get() + 1);
    }

    fn append_based_on_parent_node(
        &self,
        element: &Rc<Node>,
        previous: &Rc<Node>,
        child: NodeOrText<Rc<Node>>,
    ) {
        self.put(&child, element.depth.get().max(previous.depth.get() + 1));
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Rc<Node>) -> Rc<Node> {
        self.node(nameless(), false, target.depth.get() + 1)
    }

    fn same_node(&self, one: &Rc<Node>, other: &Rc<Node>) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.put(&child, sibling.depth.get());
    }

    fn add_attrs_if_missing(&self, _: &Rc<Node>, _: Vec<Attribute>) {}

    fn remove_from_parent(&self, _: &Rc<Node>) {}

    fn reparent_children(&self, _: &Rc<Node>, _: &Rc<Node>) {}

    fn is_mathml_annotation_xml_integration_point(&self, node: &Rc<Node>) -> bool {
        node.is_integration_point
    }
}

fn has_few_nodes(html: &str) -> bool {
    let document = Rc::new(Node { name: nameless(), is_integration_point: false, depth: Cell::new(0) });
    let count = Count { document, nodes: Cell::new(0), deepest: Cell::new(0) };
    // As the cleaner begins it.
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let mut parser = parse_fragment(count, ParseOpts::default(), context, Vec::new(), false);
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        parser.process(piece.into());
        if parser.tokenizer.sink.sink.is_past() {
            return false;
        }
        rest = more;
    }
    true
}

/// Every place where a tag might begin is looked at, also in comments and values, where none does: which of them are tags depends on what
/// comes before, and who writes html for a parser's harm knows that.
fn has_few_attributes(html: &[u8]) -> bool {
    let mut looks = html.len().saturating_mul(LOOKS_MAX);
    let mut rest = html;
    while let Some(at) = rest.iter().position(|byte| *byte == b'<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if !is_few_in_tag(rest, &mut looks) {
            return false;
        }
    }
    true
}

#[derive(Clone, Copy)]
enum At {
    Name,
    Between,
    Attribute,
    BehindAttribute,
    BeforeValue,
    Value,
    Quoted(u8),
}

/// Reads a tag as the standard does, from behind its `<`; false when it has too many attributes, or took too long to read.
fn is_few_in_tag(tag: &[u8], looks: &mut usize) -> bool {
    let tag = tag.strip_prefix(b"/").unwrap_or(tag);
    if !tag.first().is_some_and(u8::is_ascii_alphabetic) {
        return true;
    }
    let (mut at, mut attributes) = (At::Name, 0_usize);
    for byte in tag {
        let Some(left) = looks.checked_sub(1) else { return false };
        *looks = left;
        let is_blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c');
        at = match (at, byte) {
            (At::Quoted(quote), byte) if *byte == quote => At::Between,
            (At::Quoted(_), _) => at,
            (_, b'>') => return true,
            (At::Name | At::Value, _) if is_blank => At::Between,
            (At::Name | At::Attribute | At::Between | At::BehindAttribute, b'/') => At::Between,
            (At::Between | At::BehindAttribute | At::BeforeValue, _) if is_blank => at,
            (At::Attribute, _) if is_blank => At::BehindAttribute,
            (At::Attribute | At::BehindAttribute, b'=') => At::BeforeValue,
            (At::BeforeValue, b'"' | b'\'') => At::Quoted(*byte),
            (At::BeforeValue, _) => At::Value,
            (At::Between | At::BehindAttribute, _) => {
                attributes += 1;
                At::Attribute
            }
            (At::Name | At::Attribute | At::Value, _) => at,
        };
        if attributes > ATTRIBUTES_MAX {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many kinds of formatting, none of which is closed where it stands.
    fn unclosed(kinds: usize) -> String {
        let fonts: String = (0..kinds).map(|n| format!("<font color=#{n}>")).collect();
        format!("<div>{fonts}</div>")
    }

    #[test]
    fn formatting_that_is_begun_anew_everywhere_is_not_parsed() {
        let paragraphs = |count: usize| "<p>x</p>".repeat(count);
        assert!(is_small(&format!("{}{}", unclosed(20), paragraphs(1000))), "as bad programs write it");
        assert!(!is_small(&format!("{}{}", unclosed(900), paragraphs(1000))));
        // What looks closed is not, if it is closed where it cannot be.
        let hidden = format!("{}<table><tr><td>{}</table>", unclosed(900), "</font>".repeat(900));
        assert!(!is_small(&format!("{hidden}{}", paragraphs(1000))));
    }

    #[test]
    fn the_limits_themselves_pass_and_one_more_does_not() {
        // Each has the root above it, and is one node; the root and what it is parsed in are two more.
        assert!(is_small(&"<div>".repeat(NESTING_MAX - 1)) && !is_small(&"<div>".repeat(NESTING_MAX)));
        assert!(is_small(&"<br>".repeat(NODES_MAX - 2)) && !is_small(&"<br>".repeat(NODES_MAX - 1)));
        let tag = |attributes: usize| {
            let all: String = (0..attributes).map(|n| format!(" a{n}=\"1\"")).collect();
            format!("<p{all}>x</p>")
        };
        assert!(is_small(&tag(ATTRIBUTES_MAX)) && !is_small(&tag(ATTRIBUTES_MAX + 1)));
    }

    #[test]
    fn attributes_are_counted_however_they_are_written() {
        let many =
            |one: &str| (0..=ATTRIBUTES_MAX).map(|n| one.replace('N', &n.to_string())).collect::<String>();
        for one in [" aN", "/aN", " aN=1", " aN = '1'", "\taN=\"1\"", "/=N"] {
            assert!(!is_small(&format!("<p{}>", many(one))), "{one}");
        }
        for tag in [format!("</p{}>", many(" aN")), format!("<!-- <p{}", many(" aN"))] {
            assert!(!is_small(&tag), "{tag:.20}");
        }
        let values = many("N ");
        assert!(is_small(&format!("<p title=\"{values}\">{values} < 3</p>")), "these are words");
    }

    #[test]
    fn what_is_read_again_and_again_ends() {
        assert!(!is_small(&"<a".repeat(1 << 20)));
        assert!(is_small(&"<a>x</a> ".repeat(10_000)) && is_small(&"a < b ".repeat(10_000)));
    }
}
