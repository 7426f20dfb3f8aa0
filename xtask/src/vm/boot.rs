//! What is run in a machine, and what is expected of it.

use super::programs::Programs;
use super::protocol::Ended;
use crate::tally::Tally;

/// What one boot of a kernel is for.
pub(super) struct Boot {
    /// Distinguishes it from others of the same kernel.
    pub(super) name: &'static str,
    /// Options for the kernel.
    pub(super) append: &'static str,
    /// Shell commands before the jobs.
    pub(super) preparation: &'static str,
    pub(super) jobs: Vec<Job>,
}

/// One thing that is run, and a row of the table.
pub(super) struct Job {
    /// By which rungs the kernel programs hang on the kernel.
    pub(super) rung: &'static str,
    /// What it is about.
    pub(super) subject: &'static str,
    /// Shell commands.
    pub(super) script: String,
    judge: Judge,
}

enum Judge {
    /// They are tests, and what was left out of them counts as skipped.
    Tests,
    /// They are some tests of a program with many others, which run elsewhere.
    SomeTests,
    /// It is a check, and its exit code says whether it is passed.
    Success,
    /// It is the tracer, which works with less here and says why: in a line with all these words.
    Degraded(&'static [&'static str]),
}

/// The ways to hang on the kernel, as the tracer's hidden `--rung` names them.
const RUNGS: [&str; 3] = ["tracepoint", "fentry", "kprobe"];

/// Tests that compile a program first, which takes more than a kernel.
const NEED_COMPILERS: [&str; 4] = ["attachment::", "call_sites::", "healthy_clients::", "ledger::"];

/// Tests that make tens of thousands of connections, which takes a real processor.
const LARGE: [&str; 1] = ["churn::"];

/// The tests that every change is run with: leaks of every kind, whose they are, and the exit code.
const CORE: [&str; 4] = ["attribution::", "doctor::", "exit_codes::", "leaks::"];

/// Most of a test is waiting.
const FOR_ALL_TESTS: &str = "--include-ignored --test-threads=6";

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What takes a few minutes for four kernels.
    Reduced,
    /// All that a machine can run.
    Full,
}

/// Why tests are left out, for those who read the table.
pub(super) const LEFT_OUT: &str = "left out in the machines: tests that compile a program \
     (attachment, call_sites, healthy_clients, ledger) or make tens of thousands of connections (churn)";

impl Boot {
    /// The tests: of the programs in the kernel with each way to hang on it, and of the whole.
    pub(super) fn of_tests(programs: &Programs, extent: Extent) -> Self {
        let mut jobs = vec![kernel_side(programs)];
        if extent == Extent::Full {
            jobs.extend(RUNGS.iter().flat_map(|rung| of_rung(programs, rung)));
        }
        jobs.push(end_to_end(programs, extent));
        // Also of what was done before, so it is the last.
        jobs.push(Job {
            rung: "all",
            subject: "the kernel does not complain",
            script: "! dmesg | grep -A 20 -E 'WARNING|BUG|Oops'".to_owned(),
            judge: Judge::Success,
        });
        Self { name: "tests", append: "", preparation: "", jobs }
    }

    /// A kernel that lets nobody read its memory.
    pub(super) fn locked_down(programs: &Programs) -> Self {
        Self::degraded(
            programs,
            ("lockdown", "lockdown=confidentiality", ""),
            &["confidentiality", "boot with lockdown=integrity"],
        )
    }

    /// A kernel as one without type information looks. Debian builds none; what makes the
    /// difference to the tracer is the file, so that is hidden.
    pub(super) fn without_types(programs: &Programs) -> Self {
        Self::degraded(
            programs,
            ("no BTF", "", "mount -t tmpfs none /sys/kernel/btf\n"),
            &["no type information", "CONFIG_DEBUG_INFO_BTF"],
        )
    }

    fn degraded(
        programs: &Programs,
        (name, append, preparation): (&'static str, &'static str, &'static str),
        words: &'static [&'static str],
    ) -> Self {
        let job = |arguments: &str, subject| Job {
            rung: "none",
            subject,
            script: format!("{} {arguments}", programs.tracer.display()),
            judge: Judge::Degraded(words),
        };
        let jobs = vec![job("audit", "audit says why not"), job("--for 5s", "live says why not")];
        Self { name, append, preparation, jobs }
    }
}

/// The programs in the kernel, one by one; one of the tests compares all ways to hang on it.
fn kernel_side(programs: &Programs) -> Job {
    let tests = programs.unit_tests.display();
    Job {
        rung: "chosen",
        subject: "kernel side",
        script: format!("TRACER_TEST_ALL_RUNGS=1 {tests} --include-ignored source::"),
        judge: Judge::SomeTests,
    }
}

/// The same and live leaks with one way to hang on the kernel.
fn of_rung(programs: &Programs, rung: &'static str) -> [Job; 2] {
    let (kernel_side, end_to_end) = (programs.unit_tests.display(), programs.end_to_end.display());
    let variable = format!("TRACER_TEST_RUNG={rung}");
    [
        Job {
            rung,
            subject: "kernel side",
            script: format!("{variable} {kernel_side} --include-ignored source::kernel::"),
            judge: Judge::SomeTests,
        },
        Job {
            rung,
            subject: "live leaks",
            script: format!("{variable} {end_to_end} {FOR_ALL_TESTS} leaks::live"),
            judge: Judge::SomeTests,
        },
    ]
}

fn end_to_end(programs: &Programs, extent: Extent) -> Job {
    let tests = programs.end_to_end.display();
    let which = match extent {
        Extent::Reduced => CORE.join(" "),
        Extent::Full => NEED_COMPILERS
            .into_iter()
            .chain(LARGE)
            .fold(String::new(), |all, name| all + "--skip " + name + " "),
    };
    Job {
        rung: "chosen",
        subject: "end to end",
        script: format!("{tests} {FOR_ALL_TESTS} {which}"),
        judge: Judge::Tests,
    }
}

/// What became of a job.
pub(super) struct Verdict {
    pub(super) tally: Tally,
    /// Why it failed; to be read under the table.
    pub(super) complaint: Option<String>,
}

impl Job {
    /// Judges what it left behind.
    pub(super) fn verdict(&self, ended: &Ended) -> Verdict {
        match &self.judge {
            Judge::Tests => of_tests(ended, true),
            Judge::SomeTests => of_tests(ended, false),
            Judge::Success if ended.code == Some(0) => {
                Verdict { tally: Tally::PASSED, complaint: None }
            }
            Judge::Success => {
                Verdict { tally: Tally::FAILED, complaint: Some(ended.output.clone()) }
            }
            Judge::Degraded(words) => of_degraded(ended, words),
        }
    }
}

fn of_tests(ended: &Ended, counts_left_out: bool) -> Verdict {
    let mut tally = Tally::default();
    for line in ended.output.lines() {
        if let Some(result) = Tally::parse(line) {
            tally += result;
            tally.skipped += if counts_left_out { left_out(line) } else { 0 };
        }
    }
    if ended.code == Some(0) && tally.passed > 0 && tally.failed == 0 {
        return Verdict { tally, complaint: None };
    }
    tally.failed = tally.failed.max(1);
    Verdict { tally, complaint: Some(ended.output.clone()) }
}

/// The tests that libtest was told to leave out, from its closing line.
fn left_out(line: &str) -> u64 {
    let count = line.split("; ").find_map(|part| part.strip_suffix(" filtered out"));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// It went on without kernel programs and said why.
fn of_degraded(ended: &Ended, words: &[&str]) -> Verdict {
    let says_why = |line: &str| {
        line.contains("without kernel programs: ") && words.iter().all(|word| line.contains(word))
    };
    if ended.code == Some(0) && ended.output.lines().any(says_why) {
        return Verdict { tally: Tally::PASSED, complaint: None };
    }
    let (code, output) = (ended.code, &ended.output);
    let complaint = format!("exit code {code:?}, and no line with {words:?}: {output}");
    Verdict { tally: Tally::FAILED, complaint: Some(complaint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(judge: Judge, code: i32, output: &str) -> Tally {
        let job = Job { rung: "", subject: "", script: String::new(), judge };
        let ended = Ended { code: Some(code), output: output.to_owned() };
        let verdict = job.verdict(&ended);
        assert_eq!(verdict.complaint.is_some(), verdict.tally.failed > 0);
        verdict.tally
    }

    const RESULT: &str = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; \
                          7 filtered out; finished in 1.00s\n";

    #[test]
    fn tests_are_counted_and_so_is_what_was_left_out() {
        let tally = |passed, failed, skipped| Tally { passed, failed, skipped };
        assert_eq!(judged(Judge::Tests, 0, RESULT), tally(12, 0, 7));
        assert_eq!(judged(Judge::SomeTests, 0, RESULT), tally(12, 0, 0));
    }

    #[test]
    fn tests_that_did_not_run_have_failed() {
        for (code, output) in [(101, RESULT), (0, ""), (134, "running 3 tests\n")] {
            assert_eq!(judged(Judge::Tests, code, output).failed, 1, "{code} {output}");
        }
        let job = Job { rung: "", subject: "", script: String::new(), judge: Judge::Tests };
        assert_eq!(job.verdict(&Ended::default()).tally, Tally::FAILED);
    }

    #[test]
    fn what_works_with_less_says_why() {
        let judge = || Judge::Degraded(&["reason"]);
        let note = "No leaks.\nNote: looked without kernel programs: the reason\n";
        assert_eq!(judged(judge(), 0, note), Tally::PASSED);
        assert_eq!(judged(judge(), 2, note), Tally::FAILED);
        assert_eq!(judged(judge(), 0, "without kernel programs: no\nreason\n"), Tally::FAILED);
        assert_eq!(judged(judge(), 2, "tracer: the reason\n"), Tally::FAILED);
    }
}
