//! A form of words that Meta approved, which goes at any time
//! (https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview).

use std::collections::BTreeMap;

use channel::Unsendable;
use serde_json::{Value, json};

use super::outbound::Says;

/// What is told of a form that cannot be right; Meta's own refusals of one say the same.
const REFUSED: Unsendable = Unsendable { reason: "template_refused" };

/// The message of a form with what stands in its places.
///
/// # Errors
/// `template_refused` where it has no name or language, or its numbers leave one out: Meta counts the places alone, and what
/// belongs to the second would stand in the first.
pub(super) fn says(
    name: &str,
    language: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Says, Unsendable> {
    if name.is_empty() || language.is_empty() {
        return Err(REFUSED);
    }
    let mut says = json!({"name": name, "language": {"code": language}});
    let parameters = parameters(variables)?;
    if !parameters.is_empty()
        && let Some(fields) = says.as_object_mut()
    {
        fields.insert("components".to_owned(), json!([{"type": "body", "parameters": parameters}]));
    }
    Ok(("template", says))
}

/// By their numbers in that order (`POSITIONAL`), otherwise by their names (`NAMED`).
fn parameters(variables: &BTreeMap<String, String>) -> Result<Vec<Value>, Unsendable> {
    let numbered: Option<Vec<(usize, &String)>> =
        variables.iter().map(|(name, text)| Some((name.parse::<usize>().ok()?, text))).collect();
    let Some(mut numbered) = numbered else {
        let named = variables.iter();
        return Ok(named
            .map(|(name, text)| json!({"type": "text", "parameter_name": name, "text": text}))
            .collect());
    };
    numbered.sort_unstable();
    if numbered.iter().map(|(number, _)| *number).ne(1..=numbered.len()) {
        return Err(REFUSED);
    }
    Ok(numbered.into_iter().map(|(_, text)| json!({"type": "text", "text": text})).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Value, &'static str> {
        let variables =
            variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        parameters(&variables).map(Value::from).map_err(|unsendable| unsendable.reason)
    }

    #[test]
    fn numbers_go_in_their_order_and_not_in_that_of_their_digits() {
        let all: Vec<(String, String)> = (1..=11).map(|n| (n.to_string(), format!("text {n}"))).collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let expected: Vec<Value> =
            (1..=11).map(|n| json!({"type": "text", "text": format!("text {n}")})).collect();
        assert_eq!(of(&all), Ok(Value::from(expected)));
        assert_eq!(of(&[]), Ok(json!([])));
    }

    #[test]
    fn names_go_with_their_words() {
        let expected = json!([
            {"type": "text", "parameter_name": "1st", "text": "a"},
            {"type": "text", "parameter_name": "order", "text": "b"},
        ]);
        assert_eq!(of(&[("order", "b"), ("1st", "a")]), Ok(expected));
    }

    #[test]
    fn numbers_with_a_gap_would_stand_in_the_wrong_place() {
        for variables in
            [&[("2", "a")][..], &[("1", "a"), ("3", "b")], &[("0", "a")], &[("1", "a"), ("01", "b")]]
        {
            assert_eq!(of(variables), Err("template_refused"), "{variables:?}");
        }
    }
}
