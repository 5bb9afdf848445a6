//! Codes that people read aloud and type: drawn at random, without letters or digits that look or sound alike.

/// No vowels (no words come out), and none of 0 O, 1 I L, 5 S, 2 Z, U V, N M.
const LETTERS: &[u8; 20] = b"346789BCDFGHJKPQRTXY";
const GROUP: usize = 4;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("draw a code: no random bytes")]
pub(crate) struct NoDice;

/// A voucher's code, as in `WT-7K3Q-X4RT-9CDB`: 20^12, far more than anybody can try.
pub(crate) fn voucher() -> Result<String, NoDice> {
    code(3)
}

/// The shop's own number of a refund or a job, as in `WT-7K3Q-X4RT`.
pub(crate) fn reference() -> Result<String, NoDice> {
    code(2)
}

fn code(groups: usize) -> Result<String, NoDice> {
    let mut code = String::from("WT");
    for _ in 0..groups {
        code.push('-');
        for _ in 0..GROUP {
            code.push(letter()?);
        }
    }
    Ok(code)
}

/// Each letter equally often: what does not divide evenly is drawn again.
fn letter() -> Result<char, NoDice> {
    let count = LETTERS.len();
    let even = u8::MAX as usize / count * count;
    loop {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|_| NoDice)?;
        let drawn = usize::from(byte[0]);
        if drawn < even
            && let Some(letter) = LETTERS.get(drawn % count)
        {
            return Ok(char::from(*letter));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_differ_and_hold_nothing_that_looks_alike() {
        let codes: BTreeSet<String> = (0..2_000).map(|_| voucher().unwrap()).collect();
        assert_eq!(codes.len(), 2_000);
        for code in &codes {
            let groups: Vec<&str> = code.split('-').collect();
            assert_eq!((groups.len(), groups[0]), (4, "WT"), "{code}");
            for group in &groups[1..] {
                assert_eq!(group.len(), 4, "{code}");
                assert!(!group.contains(|letter: char| "0O1IL5S2ZUVNMAE".contains(letter)), "{code}");
            }
        }
        let used: BTreeSet<char> = codes.iter().flat_map(|code| code.get(3..).unwrap().chars()).collect();
        assert_eq!(used.len(), LETTERS.len() + 1, "every letter is drawn, and the dash");
    }
}
