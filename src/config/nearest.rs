//! "Did you mean …?": the known word nearest to one that nobody knows.
//!
//! Used for configuration keys, tables, choices, subcommands and flags, so that every typing error
//! is answered in the same way. Distance is counted in insertions, deletions, replacements and
//! swaps of neighbours, letter case ignored. Two more things count as near, because people do
//! them and plain distance calls them far: leaving the unit off (`hold` for `hold_ms`) and the
//! right key under the wrong table (`drive.fps` for `camera.fps`).
//!
//! Promises: a suggestion is always one of the candidates; nothing is suggested for a word that
//! resembles none.
//! Knows nothing of: what the words mean.

/// The candidate nearest to `word`, if one is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter_map(|candidate| Some((nearness(word, candidate)?, candidate)))
        .min_by_key(|&(cost, _)| cost)
        .map(|(_, candidate)| candidate)
}

/// The dotted key nearest to `path`, its table and its last part judged apart.
#[must_use]
pub fn nearest_path<'a>(
    path: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // choice: what a key is called is remembered better than where it stands.
    const WRONG_NAME: usize = 2;
    let (table, leaf) = split_leaf(path);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let (their_table, their_leaf) = split_leaf(candidate);
            let at_table = nearness(table, their_table);
            let at_leaf = nearness(leaf, their_leaf)?;
            let cost = match (at_table, at_leaf) {
                // The right name counts wherever it stands.
                (None, 0) => distance(table, their_table),
                // A wrong name is only a slip if the table is (nearly) right.
                (None, _) => return None,
                (Some(at_table), at_leaf) => at_table + at_leaf * WRONG_NAME,
            };
            Some((cost, candidate))
        })
        .min_by_key(|&(cost, _)| cost)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean X?`, or nothing where nothing is near.
#[must_use]
pub fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!("; did you mean {word}?"))
}

fn split_leaf(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The cost of taking `word` for `candidate`, or `None` where they are too far apart.
fn nearness(word: &str, candidate: &str) -> Option<usize> {
    // choice: a third of the letters may be wrong; more, and suggestions become guesses.
    const LETTERS_PER_SLIP: usize = 3;
    // choice: one or two letters begin too many words to say anything.
    const SHORTEST_PREFIX: usize = 3;
    let cost = distance(word, candidate);
    let allowed = (word.len().max(candidate.len()) / LETTERS_PER_SLIP).max(1);
    let is_beginning = word.len() >= SHORTEST_PREFIX && candidate.starts_with(word);
    if cost <= allowed {
        Some(cost)
    } else if is_beginning {
        Some(1)
    } else {
        None
    }
}

/// Optimal string alignment distance, letter case ignored.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (i, &in_a) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut previous_b = None;
        for (j, &in_b) in b.iter().enumerate() {
            // Every row has b.len() + 1 places, so these are always found.
            let at =
                |cells: &[usize], place: usize| cells.get(place).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, j) + usize::from(in_a != in_b);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            if previous_a == Some(in_b) && previous_b == Some(in_a) && j > 0 {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
            previous_b = Some(in_b);
        }
        before_last = core::mem::replace(&mut last, row);
        previous_a = Some(in_a);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_each_kind_of_slip_once() {
        let cases = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("fps", "fps", 0),
            ("FPS", "fps", 0),
            ("fp", "fps", 1),
            ("fpss", "fps", 1),
            ("fpz", "fps", 1),
            ("fsp", "fps", 1),
            ("widht", "width", 1),
            ("kitten", "sitting", 3),
        ];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a:?} to {b:?}");
            assert_eq!(distance(b, a), expected, "{b:?} to {a:?}");
        }
    }

    #[test]
    fn a_slip_finds_the_word() {
        let words = ["run", "spider", "watch", "check", "doctor", "neutral"];
        for (typed, meant) in [
            ("rnu", "run"),
            ("chekc", "check"),
            ("docter", "doctor"),
            ("neut", "neutral"),
        ] {
            assert_eq!(nearest(typed, words), Some(meant), "{typed}");
        }
    }

    #[test]
    fn a_word_that_resembles_none_gets_no_suggestion() {
        assert_eq!(nearest("helicopter", ["run", "watch"]), None);
        assert_eq!(nearest("", ["run", "watch"]), None);
    }

    #[test]
    fn a_forgotten_unit_finds_the_key() {
        let keys = [
            "failsafe.hold_ms",
            "failsafe.neutral_ms",
            "spider.bitrate_kbps",
        ];
        assert_eq!(
            nearest_path("failsafe.hold", keys),
            Some("failsafe.hold_ms")
        );
        assert_eq!(
            nearest_path("spider.bitrate", keys),
            Some("spider.bitrate_kbps")
        );
    }

    #[test]
    fn the_right_key_in_the_wrong_table_is_found() {
        let keys = [
            "camera.fps",
            "drive.brake_ms",
            "drive.calibration.brake_us",
            "drive.output",
        ];
        assert_eq!(nearest_path("drive.fps", keys), Some("camera.fps"));
        assert_eq!(nearest_path("fps", keys), Some("camera.fps"));
        assert_eq!(
            nearest_path("drive.brake_us", keys),
            Some("drive.calibration.brake_us")
        );
    }

    #[test]
    fn slips_in_table_and_key_are_both_forgiven() {
        let keys = ["drive.calibration.brake_us", "drive.brake_ms"];
        assert_eq!(
            nearest_path("drive.calibraton.brake", keys),
            Some("drive.calibration.brake_us")
        );
        assert_eq!(nearest_path("network.speed", keys), None);
    }
}
