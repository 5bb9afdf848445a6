//! A conversation as a page shows it, so that two pages can be held against each other.

use serde_json::Value;

/// An entry on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) kind: String,
    pub(crate) text: Option<String>,
}

/// Reads what a script found.
pub(crate) fn lines(found: &Value) -> Vec<Line> {
    let line = |value: &Value| Line {
        seq: value["seq"].as_u64().unwrap_or_default(),
        kind: value["kind"].as_str().unwrap_or_default().to_owned(),
        text: value["text"].as_str().map(str::to_owned),
    };
    found.as_array().map(|values| values.iter().map(line).collect()).unwrap_or_default()
}

/// What the customer sees of the desk's conversation: no notes, and the desk's kinds by the widget's names.
pub(crate) fn as_customer(desk: &[Line]) -> Vec<Line> {
    let kind = |kind: &str| {
        match kind {
            "from_customer" => "customer",
            "from_agent" => "agent",
            "transferred_to_agent" | "transferred_to_queue" => "transferred",
            "customer_left" => "left",
            same => same,
        }
        .to_owned()
    };
    let shown = desk.iter().filter(|line| line.kind != "note");
    shown.map(|line| Line { kind: kind(&line.kind), ..line.clone() }).collect()
}
