//! What was given, promised and thanked for, as far as it is about a customer.

use std::collections::BTreeSet;

use protocol::IdentityId;
use protocol::content::Sealed;
use protocol::rights::Holding;
use protocol::streams::REMEDIES;
use serde_json::Value;

use crate::Role;
use crate::export::Archive;

/// Records looked through at once.
const PAGE: usize = 500;
/// By which an event says of which earlier one it goes on: what is the customer's in one is theirs in the other.
const THREADS: [&str; 5] = ["remedy", "ask", "promise", "tell", "story"];

impl Role {
    /// What was given, promised and thanked for: the records that name the customer or a contact of theirs.
    pub(crate) async fn export_given(
        &self,
        archive: &mut Archive<'_>,
        identities: &[IdentityId],
        holdings: &[Holding],
    ) -> anyhow::Result<()> {
        let mut names: BTreeSet<String> = identities.iter().map(ToString::to_string).collect();
        names.extend(holdings.iter().flat_map(|one| one.contacts.iter().map(ToString::to_string)));
        let (mut from, mut n) = (1, 0);
        loop {
            let items = self.bus.read_range(REMEDIES, from, u64::MAX, PAGE).await?;
            let Some(last) = items.last() else { return Ok(()) };
            from = last.seq + 1;
            let mut theirs = Vec::new();
            for item in &items {
                let Ok(record) = serde_json::from_slice::<Value>(&item.payload) else { continue };
                if let Some(mut record) = theirs_of(record, &mut names) {
                    Box::pin(self.open_within(&mut record, identities)).await?;
                    theirs.push(record);
                }
            }
            if !theirs.is_empty() {
                n += 1;
                archive.json(format!("given/{n:05}.json"), &theirs).await?;
            }
        }
    }

    /// Puts the customer's words where they stand sealed; nothing where they can no longer be read, and where they are somebody
    /// else's: a record of the timer can be about many.
    async fn open_within(&self, value: &mut Value, of: &[IdentityId]) -> anyhow::Result<()> {
        match value {
            Value::String(text) => {
                if let Ok(sealed) = text.parse::<Sealed>() {
                    let is_theirs = sealed.parts().is_some_and(|(owner, ..)| of.contains(&owner));
                    *value = if is_theirs {
                        serde_json::to_value(self.opened(&sealed).await?)?
                    } else {
                        Value::Null
                    };
                }
            }
            Value::Array(values) => {
                for value in values {
                    Box::pin(self.open_within(value, of)).await?;
                }
            }
            Value::Object(fields) => {
                for value in fields.values_mut() {
                    Box::pin(self.open_within(value, of)).await?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }
}

/// What of a record is about the customer: a record of the timer can be about many. What it names becomes a name of theirs.
fn theirs_of(mut record: Value, names: &mut BTreeSet<String>) -> Option<Value> {
    let is_theirs = record.get("cause").is_some_and(|cause| is_named(cause, names));
    let events =
        record.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let mut kept = Vec::new();
    for event in events {
        // What a command of theirs was answered.
        let is_answer = is_theirs && event.get("outcome").is_some();
        if is_answer || is_named(&event, names) {
            learn(&event, names);
            kept.push(event);
        }
    }
    if !is_theirs && kept.is_empty() {
        return None;
    }
    let fields = record.as_object_mut()?;
    if !is_theirs && let Some(from) = fields.get("cause").and_then(|cause| cause.get("from")).cloned() {
        fields.insert("cause".to_owned(), serde_json::json!({ "from": from }));
    }
    fields.insert("events".to_owned(), Value::Array(kept));
    Some(record)
}

/// Remembers by what later events go on with this one.
fn learn(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| learn(value, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(id) if THREADS.contains(&name.as_str()) => drop(names.insert(id.clone())),
                    Value::Array(_) | Value::Object(_) => learn(value, names),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_named(value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.contains(text),
        Value::Array(values) => values.iter().any(|value| is_named(value, names)),
        Value::Object(fields) => fields.values().any(|value| is_named(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_names_somebody_anywhere_in_it() {
        let names: BTreeSet<String> = ["con_1_1".to_owned()].into();
        assert!(is_named(&json!({"a": [{"b": "con_1_1"}]}), &names));
        assert!(!is_named(&json!({"con_1_1": "con_1_11"}), &names));
    }

    #[test]
    fn of_a_record_about_many_only_what_is_theirs_is_given() {
        let mut names: BTreeSet<String> = ["con_1".to_owned()].into();
        let granted = json!({
            "cause": {"from": "contacts", "input": {"context": {"contact": "con_2"}}},
            "events": [
                {"granted": {"remedy": "rem_2", "contact": "con_2"}},
                {"granted": {"grant": {"remedy": "rem_1", "contact": "con_1"}}},
                {"outcome": {"remedy": "rem_2"}}
            ]
        });
        assert_eq!(
            theirs_of(granted, &mut names),
            Some(json!({
                "cause": {"from": "contacts"},
                "events": [{"granted": {"grant": {"remedy": "rem_1", "contact": "con_1"}}}]
            }))
        );
        // The timer orders what can no longer be taken back, of whomever it is.
        let ordered = |remedies: &[&str]| {
            let events: Vec<_> =
                remedies.iter().map(|remedy| json!({"ordered": {"remedy": remedy}})).collect();
            json!({"cause": {"from": "timer"}, "events": events})
        };
        assert_eq!(theirs_of(ordered(&["rem_2", "rem_1", "rem_3"]), &mut names), Some(ordered(&["rem_1"])));
        assert_eq!(theirs_of(ordered(&["rem_2", "rem_3"]), &mut names), None);
        let asked =
            json!({"cause": {"from": "contacts", "contact": "con_1"}, "events": [{"outcome": "refused"}]});
        assert_eq!(
            theirs_of(asked.clone(), &mut names),
            Some(asked),
            "what a command of theirs was answered"
        );
    }
}
