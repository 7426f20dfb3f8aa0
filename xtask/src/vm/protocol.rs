//! The protocol of a machine's second serial port, whose output is a file on this host.

/// A job begins; its number follows.
pub(super) const BEGIN: &str = "== begin ";
/// The job has ended; its exit code follows.
pub(super) const END: &str = "== end ";
/// All jobs have ended.
pub(super) const COMPLETE: &str = "== complete";

/// The result of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit code; `None` if the machine ended before it did.
    pub(super) code: Option<i32>,
    /// Its output.
    pub(super) output: String,
}

/// Splits the output of a machine into one entry for each of `jobs` jobs.
pub(super) fn parse(text: &str, jobs: usize) -> Vec<Ended> {
    let mut ended = vec![Ended::default(); jobs];
    let mut current = None;
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        if let Some(number) = line.strip_prefix(BEGIN) {
            current = number.parse::<usize>().ok().filter(|&number| number < jobs);
        } else if let Some(number) = current {
            let job = &mut ended[number];
            if let Some(code) = line.strip_prefix(END) {
                job.code = code.parse().ok();
                current = None;
            } else {
                job.output.push_str(line);
                job.output.push('\n');
            }
        }
    }
    ended
}

/// Whether the machine has run all of its jobs.
pub(super) fn is_complete(text: &str) -> bool {
    text.lines().any(|line| line.trim_end() == COMPLETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_has_its_own_output_and_code() {
        let text = "noise\n== begin 0\r\none\r\n== end 0\n== begin 1\ntwo\nthree\n== end 101\n";
        let ended = |code, output: &str| Ended { code, output: output.to_owned() };
        assert_eq!(parse(text, 2), [ended(Some(0), "one\n"), ended(Some(101), "two\nthree\n")]);
        assert!(!is_complete(text));
        assert!(is_complete("== begin 0\n== end 0\n== complete\r\n"));
    }

    #[test]
    fn a_job_that_did_not_end_has_no_code() {
        let ended = parse("== begin 0\none\n", 2);
        assert_eq!(ended[0], Ended { code: None, output: "one\n".to_owned() });
        assert_eq!(ended[1], Ended::default());
        assert_eq!(parse("== begin 7\nx\n== end 0\n", 1), [Ended::default()]);
    }
}
