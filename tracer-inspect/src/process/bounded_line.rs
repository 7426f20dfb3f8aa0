//! Reads lines of text whose length a watched process decides.

use std::io::{self, BufRead, Read as _};

use crate::budget::Budget;

/// Reads the next line, with its end, into `line`; `false` at the end of the text, or if the budget
/// is exceeded. A line of more than `length_max` bytes is skipped as a whole, and `line` is empty:
/// its rest is no line, even if it looks like one. A process chooses it with the path of a file.
///
/// # Errors
/// The text cannot be read.
pub(super) fn read_line(
    mut text: impl BufRead,
    line: &mut Vec<u8>,
    length_max: u64,
    budget: &Budget,
) -> io::Result<bool> {
    let mut is_first = true;
    loop {
        line.clear();
        let length = text.by_ref().take(length_max).read_until(b'\n', line)?;
        if length == 0 || budget.step_bytes(length).is_none() {
            return Ok(false);
        }
        let is_complete = line.ends_with(b"\n") || line.len() as u64 != length_max;
        if is_complete {
            if !is_first {
                line.clear();
            }
            return Ok(true);
        }
        is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Allowance;

    fn lines(mut text: &[u8], budget: &Budget) -> Vec<String> {
        let (mut all, mut line) = (Vec::new(), Vec::new());
        while read_line(&mut text, &mut line, 8, budget).unwrap() {
            all.push(String::from_utf8_lossy(&line).into_owned());
        }
        all
    }

    #[test]
    fn the_rest_of_a_long_line_is_no_line() {
        let budget = Budget::default();
        assert_eq!(lines(b"one\n1234567\nlast", &budget), ["one\n", "1234567\n", "last"]);
        assert_eq!(lines(b"12345678\none\n", &budget), ["", "one\n"]);
        assert_eq!(lines(b"a\n12345678two\nthree\n", &budget), ["a\n", "", "three\n"]);
        assert_eq!(lines(&[b'x'; 1_000], &budget).len(), 0);
    }

    #[test]
    fn an_endless_line_exceeds_the_budget() {
        let budget = Budget::new(Allowance { steps_max: 100, ..Allowance::default() });
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(!read_line(&mut endless, &mut Vec::new(), 64, &budget).unwrap());
        assert!(budget.is_exceeded());
    }
}
