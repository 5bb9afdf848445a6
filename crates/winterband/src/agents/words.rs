//! What simulated agents say: plausible, and about nobody.

use super::dice::Dice;

const OPENINGS: [&str; 8] = [
    "Thank you for writing to us.",
    "Good that you ask.",
    "Thanks for your message.",
    "I am sorry for the trouble.",
    "I have read what you wrote.",
    "Thank you for waiting.",
    "I understand, let us sort this out.",
    "Happy to look into this for you.",
];

const MIDDLES: [&str; 8] = [
    "I looked it up and everything is in order on our side.",
    "This can take up to two working days; after that you will see it yourself.",
    "I have passed it on to the team that handles this, with all the details.",
    "You can change this at any time under your settings.",
    "I have corrected it just now.",
    "We checked it again and it is on its way.",
    "The step that usually helps is to sign out and in again.",
    "I have made a note of it, so that you need not explain it twice.",
];

const CLOSINGS: [&str; 6] = [
    "Is there anything else I can do?",
    "Write again whenever you need us.",
    "I hope this helps.",
    "We are here until the evening.",
    "Have a good day.",
    "Just answer here if it is not solved.",
];

const DECLINES: [&str; 4] = [
    "I am in the middle of another case",
    "not my field",
    "about to take a break",
    "a colleague knows this better",
];

/// Words for a customer.
pub(super) fn reply(dice: &mut Dice) -> String {
    let parts = [dice.pick(&OPENINGS), dice.pick(&MIDDLES), dice.pick(&CLOSINGS)];
    let parts: Vec<&str> = parts.into_iter().flatten().copied().collect();
    parts.join(" ")
}

/// A reason to leave an offer to others.
pub(super) fn decline(dice: &mut Dice) -> String {
    dice.pick(&DECLINES).copied().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_always_words() {
        let mut dice = Dice::new(1);
        let said: std::collections::BTreeSet<String> = (0..100).map(|_| reply(&mut dice)).collect();
        assert!(said.len() > 50);
        assert!(said.iter().all(|words| words.len() > 20));
        assert!(!decline(&mut dice).is_empty());
    }
}
