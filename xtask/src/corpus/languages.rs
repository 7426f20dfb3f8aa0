//! The confidence of findings about leaks, by the language of the leaking program.

use comfy_table::{Table, presets};

use super::confidence::Confidence;
use super::label::{Label, Mode};
use super::outcome::{JudgedCase, Outcome};

/// The languages, with the first words of the names of their cases. The programs of the cases
/// `sockets` and `tls` are written in Python.
const LANGUAGES: [(&str, &[&str]); 5] = [
    ("Go", &["go"]),
    ("Python", &["python", "sockets", "tls"]),
    ("Java", &["java"]),
    ("Node", &["node"]),
    ("Rust", &["rust"]),
];

/// The number of leaks in one language that a live run reported, by confidence.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaks {
    certain: u64,
    likely: u64,
    possible: u64,
    missed: u64,
}

/// A row for each language, in Markdown.
pub(crate) fn markdown(outcomes: &[(String, Outcome)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["leaks in", "certain", "likely", "only possible", "missed"]);
    for (language, first_words) in LANGUAGES {
        let Leaks { certain, likely, possible, missed } = leaks(outcomes, first_words);
        let numbers = [certain, likely, possible, missed].map(|number| number.to_string());
        table.add_row([language.to_owned()].into_iter().chain(numbers));
    }
    table
}

fn leaks(outcomes: &[(String, Outcome)], first_words: &[&str]) -> Leaks {
    let mut leaks = Leaks::default();
    for (name, outcome) in outcomes {
        let first_word = name.split('-').next().unwrap_or_default();
        let Outcome::JudgedCase(judged @ JudgedCase { label: Label::Leak { .. }, .. }) = outcome
        else {
            continue;
        };
        if !first_words.contains(&first_word) {
            continue;
        }
        let number = match judged.observed(Mode::Live).highest_active_confidence() {
            Some(Confidence::Certain) => &mut leaks.certain,
            Some(Confidence::Likely) => &mut leaks.likely,
            Some(Confidence::Possible) => &mut leaks.possible,
            Some(Confidence::Info) | None => &mut leaks.missed,
        };
        *number += 1;
    }
    leaks
}

#[cfg(test)]
mod tests {
    use super::{Leaks, leaks};
    use crate::corpus::baseline::Counts;
    use crate::corpus::confidence::Confidence;
    use crate::corpus::label::{Count, Label};
    use crate::corpus::observed::Observed;
    use crate::corpus::outcome::{JudgedCase, Outcome};

    fn case(name: &str, label: Label, confidence: Confidence) -> (String, Outcome) {
        let judged = JudgedCase {
            label,
            live: Observed::active(&[("ghost", confidence, 6)]),
            audit: Observed::default(),
            counts: Counts { close_wait: 0, idle: 0 },
            variants: Vec::new(),
        };
        (name.to_owned(), Outcome::JudgedCase(judged))
    }

    #[test]
    fn leaks_are_counted_by_the_first_word_of_the_case() {
        let leak = || Label::Leak {
            verdicts: vec!["ghost".to_owned()],
            count: Count::Exactly(6),
            live: Confidence::Likely,
            audit: Confidence::Likely,
            at_most: Confidence::Certain,
        };
        let outcomes = [
            case("go-unread", leak(), Confidence::Certain),
            case("go-unread keep", leak(), Confidence::Info),
            case("tls-unread", leak(), Confidence::Likely),
            case("python-pool", Label::Healthy { info: Vec::new() }, Confidence::Possible),
        ];
        let go = Leaks { certain: 1, missed: 1, ..Leaks::default() };
        assert_eq!(leaks(&outcomes, &["go"]), go);
        let python = Leaks { likely: 1, ..Leaks::default() };
        assert_eq!(leaks(&outcomes, &["python", "tls"]), python);
    }
}
