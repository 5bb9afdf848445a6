//! Which known name was probably meant.

/// The known name that is nearest to a wrong one, if one is near: at most a third of its letters differ.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|name| (distance(wrong, name), name)).min()?;
    (near.0 <= (wrong.chars().count() / 3).max(2)).then_some(near.1)
}

/// `; did you mean "x"?`, or what there is to choose from if nothing is near.
#[must_use]
pub fn hint<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(wrong, known.clone()) {
        return format!("; did you mean {near}?");
    }
    let some: Vec<&str> = known.take(CHOICES_SHOWN).collect();
    if some.is_empty() { String::new() } else { format!("; use one of {}", some.join(", ")) }
}

/// Most names listed in a message.
const CHOICES_SHOWN: usize = 20;
/// Longest piece of somebody's text repeated in a message, characters.
const QUOTED_MAX: usize = 80;

/// A piece of somebody's text, short enough for a message and on one line.
#[must_use]
pub fn short(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= QUOTED_MAX {
        return text.chars().map(line).collect();
    }
    text.chars().take(QUOTED_MAX).map(line).chain("...".chars()).collect()
}

/// Levenshtein's distance over characters; texts beyond the longest name count as far.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > QUOTED_MAX {
        return usize::MAX;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.chars().enumerate() {
        let mut diagonal = at;
        let mut before = at + 1;
        let mut next = vec![before];
        for (b, above) in right.iter().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(a != *b);
            before = changed.min(before + 1).min(above + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let known = ["order.days_late", "order.status", "claim.reason"];
        assert_eq!(nearest("order.day_late", known.into_iter()), Some("order.days_late"));
        assert_eq!(nearest("order.stauts", known.into_iter()), Some("order.status"));
        assert_eq!(nearest("weather", known.into_iter()), None);
    }

    #[test]
    fn the_distance_is_the_number_of_changes() {
        for (left, right, apart) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(left, right), apart, "{left} {right}");
        }
    }
}
