//! Finds the word that was probably meant.

/// The one of `known` that is nearest to `word`, when it is near enough to be worth saying.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    const WORD_CHARS_MAX: usize = 64;
    let word = folded(word);
    if word.len() > WORD_CHARS_MAX {
        return None;
    }
    known
        .map(|candidate| (distance(&word, &folded(candidate)), candidate))
        .filter(|(distance, candidate)| {
            // A third of the letters may differ: more is another word.
            *distance <= (candidate.chars().count().max(word.len()) / 3).max(1)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Without case and without what separates words: `minStdDeviation` and `min-std-deviation` are the
/// same.
fn folded(word: &str) -> Vec<char> {
    let letters = word.chars().filter(|c| !"-_ ".contains(*c));
    letters.flat_map(char::to_lowercase).collect()
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to turn
/// `from` into `to` (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let replaced = last[j] + usize::from(a != b);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && from[i - 1] == b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters_that_differ() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("urll", "url", 1),
            ("htpp", "http", 1),
            ("abc", "abc", 0),
        ] {
            assert_eq!(distance(&chars(from), &chars(to)), expected);
            assert_eq!(distance(&chars(to), &chars(from)), expected);
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["interval", "timeout", "url", "expect_status"];
        let nearest = |word| nearest(word, known.into_iter());
        assert_eq!(nearest("intervall"), Some("interval"));
        assert_eq!(nearest("time-out"), Some("timeout"));
        assert_eq!(nearest("expectStatus"), Some("expect_status"));
        assert_eq!(nearest("ulr"), Some("url"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(&"x".repeat(10_000)), None);
    }
}
