//! A fact as JSON: `{"code": ..., "text": ..., numbers}`.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use tracer_core::{CountOf, DurationRange};

use crate::output::quantity::{Thousandths, plain};

/// A fact with a code for programs, a sentence for people, and the numbers in the sentence.
pub(super) struct Coded {
    pub(super) code: &'static str,
    pub(super) text: String,
    /// By name, in the order of the sentence.
    pub(super) fields: Vec<(&'static str, Field)>,
}

/// The value of a field that accompanies a code.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Field {
    /// A number of something, or bytes.
    Integer(u64),
    /// A duration in seconds.
    Seconds(Thousandths),
    Flag(bool),
    Text(String),
    /// Text that can be `null`.
    Nullable(Option<String>),
    /// Values with their numbers of occurrences, the most frequent first.
    Counted(Vec<CountedValue>),
    Object(Coded),
}

/// A value and the number of its occurrences.
#[derive(Serialize)]
pub(super) struct CountedValue {
    pub(super) value: String,
    pub(super) count: u64,
}

impl Coded {
    /// `text` is one of the sentences of [`words`](crate::output::words).
    pub(super) fn new(code: &'static str, text: &str) -> Self {
        Self { code, text: plain(text), fields: Vec::new() }
    }

    pub(super) fn with(mut self, name: &'static str, field: Field) -> Self {
        self.fields.push((name, field));
        self
    }

    pub(super) fn integer(self, name: &'static str, number: impl TryInto<u64>) -> Self {
        // A usize is at most a u64 on every supported architecture.
        self.with(name, Field::Integer(number.try_into().unwrap_or(u64::MAX)))
    }

    pub(super) fn seconds(self, name: &'static str, milliseconds: u64) -> Self {
        self.with(name, Field::Seconds(Thousandths::from_ms(milliseconds)))
    }

    pub(super) fn text(self, name: &'static str, text: &str) -> Self {
        self.with(name, Field::Text(text.to_owned()))
    }

    pub(super) fn nullable(self, name: &'static str, text: Option<&str>) -> Self {
        self.with(name, Field::Nullable(text.map(str::to_owned)))
    }

    pub(super) fn count(self, count: usize) -> Self {
        self.integer("count", count)
    }

    pub(super) fn count_of(self, CountOf { count, total }: CountOf) -> Self {
        self.integer("count", count).integer("total", total)
    }

    /// The shortest and the longest of several durations.
    pub(super) fn range(self, [min, max]: [&'static str; 2], range: DurationRange) -> Self {
        self.seconds(min, range.min_ms).seconds(max, range.max_ms)
    }
}

impl Serialize for Coded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + self.fields.len()))?;
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("text", &self.text)?;
        for (name, field) in &self.fields {
            map.serialize_entry(name, field)?;
        }
        map.end()
    }
}
