//! The jobs of a machine, and their expected results.

use super::protocol::Ended;
use crate::build::SystemTests;
use crate::extent::Extent;
use crate::tally::Tally;

/// One boot of a kernel.
pub(super) struct Boot {
    /// Unique among the boots of a kernel.
    pub(super) name: &'static str,
    /// Further options for the kernel.
    pub(super) append: &'static str,
    /// Shell commands before the jobs.
    pub(super) preparation: &'static str,
    pub(super) jobs: Vec<Job>,
}

/// One command of a boot, and a row of the table.
pub(super) struct Job {
    /// How the BPF programs are attached.
    pub(super) attach_method: &'static str,
    /// What is tested.
    pub(super) subject: &'static str,
    /// Shell commands.
    pub(super) script: String,
    expectation: Expectation,
}

enum Expectation {
    /// All tests of a program pass; excluded ones count as skipped.
    Tests,
    /// The selected tests of a program pass; the others run elsewhere.
    SomeTests,
    /// The exit code is 0.
    Success,
    /// The tracer runs without BPF programs and explains why in a line with all these words.
    Degraded(&'static [&'static str]),
}

/// The attach methods, by their names in the tracer's hidden flag.
const ATTACH_METHODS: [&str; 3] = ["tracepoint", "fentry", "kprobe"];

/// Tests that compile a program first; the machines have no compiler.
const NEED_COMPILERS: [&str; 5] =
    ["attachment::", "call_sites::", "healthy_clients::", "hostile::", "ledger::"];

/// Tests that open tens of thousands of connections, which is too slow under emulation.
const LARGE: [&str; 1] = ["churn::"];

/// Tests that start the tracer in namespaces with util-linux, which the machines do not have.
const NEED_NAMESPACES: [&str; 1] = ["leaks::live_finds_ghosts_by_sock_diag"];

/// Tests for which emulation is too slow: leaks that must be *likely*, events that must be read
/// while more of them arrive.
const NEED_SPEED: [&str; 2] = ["exit_codes::fail_on_sets", "stacks::more_stacks_than"];

/// Leaks may be only *possible*, because they are too old by the time the tracer has started.
const SLOW_HOST: &str = "TRACER_TEST_SLOW_HOST=1";

/// End-to-end tests of the reduced set: leaks of every kind, their owners, and exit codes.
const CORE: [&str; 4] = ["attribution::", "doctor::", "exit_codes::", "leaks::"];

/// More tests at a time than there are CPUs, because a test mostly waits.
const FOR_ALL_TESTS: &str = "--test-threads=6";

/// Shown below the table: which tests are excluded and why.
pub(super) const LEFT_OUT: &str = "left out in virtual machines: tests that compile a program \
     (attachment, call_sites, healthy_clients, hostile, ledger), open tens of thousands of connections \
     (churn) or need a fast host; leaks may be only possible there";

impl Boot {
    /// The tests of the BPF programs, with each attach method in the whole set, and the end-to-end
    /// tests.
    pub(super) fn of_tests(tests: &SystemTests, extent: Extent) -> Self {
        let mut jobs = vec![kernel_programs(tests)];
        if extent == Extent::Whole {
            jobs.extend(ATTACH_METHODS.iter().flat_map(|method| with_method(tests, method)));
        }
        jobs.push(end_to_end(tests, extent));
        // This job comes last, because it checks all of the others.
        jobs.push(Job {
            attach_method: "all",
            subject: "no warning from the kernel",
            script: "! dmesg | grep -A 20 -E 'WARNING|BUG|Oops'".to_owned(),
            expectation: Expectation::Success,
        });
        Self { name: "tests", append: "", preparation: "", jobs }
    }

    /// A kernel in lockdown mode `confidentiality`, in which BPF programs cannot read memory.
    pub(super) fn locked_down(tests: &SystemTests) -> Self {
        Self::degraded(
            tests,
            ("lockdown", "lockdown=confidentiality", ""),
            &["confidentiality", "boot with lockdown=integrity"],
        )
    }

    /// A kernel without BTF. Debian has no such kernel, so the BTF file is hidden, which is the
    /// same for the tracer.
    pub(super) fn without_btf(tests: &SystemTests) -> Self {
        Self::degraded(
            tests,
            ("no BTF", "", "mount -t tmpfs none /sys/kernel/btf\n"),
            &["does not exist", "CONFIG_DEBUG_INFO_BTF"],
        )
    }

    fn degraded(
        tests: &SystemTests,
        (name, append, preparation): (&'static str, &'static str, &'static str),
        words: &'static [&'static str],
    ) -> Self {
        let job = |arguments: &str, subject| Job {
            attach_method: "none",
            subject,
            script: format!("{} {arguments}", tests.programs.tracer.display()),
            expectation: Expectation::Degraded(words),
        };
        let jobs = vec![job("audit", "audit explains"), job("--for 5s", "live explains")];
        Self { name, append, preparation, jobs }
    }
}

/// The tests of BPF programs; one of them compares all attach methods.
fn kernel_programs(tests: &SystemTests) -> Job {
    let tests = tests.unit_tests.display();
    Job {
        attach_method: "chosen",
        subject: "BPF programs",
        script: format!(
            "TRACER_TEST_ALL_ATTACH_METHODS=1 {tests} collect::kernel::load::as_root:: --skip {}",
            NEED_SPEED[1]
        ),
        expectation: Expectation::SomeTests,
    }
}

/// The tests of BPF programs and of live leaks with one attach method.
fn with_method(tests: &SystemTests, attach_method: &'static str) -> [Job; 2] {
    let (unit_tests, end_to_end) = (tests.unit_tests.display(), tests.end_to_end.display());
    let variable = format!("TRACER_TEST_ATTACH_METHOD={attach_method}");
    [
        Job {
            attach_method,
            subject: "BPF programs",
            script: format!(
                "{variable} {unit_tests} collect::kernel::load::as_root:: --skip {}",
                NEED_SPEED[1]
            ),
            expectation: Expectation::SomeTests,
        },
        Job {
            attach_method,
            subject: "live leaks",
            script: format!("{SLOW_HOST} {variable} {end_to_end} {FOR_ALL_TESTS} leaks::live"),
            expectation: Expectation::SomeTests,
        },
    ]
}

fn end_to_end(tests: &SystemTests, extent: Extent) -> Job {
    let tests = tests.end_to_end.display();
    let wanted = match extent {
        Extent::Reduced => CORE.join(" "),
        Extent::Whole => String::new(),
    };
    let left_out = NEED_COMPILERS.into_iter().chain(LARGE).chain(NEED_NAMESPACES).chain(NEED_SPEED);
    let which = left_out.fold(wanted, |which, name| which + " --skip " + name);
    Job {
        attach_method: "chosen",
        subject: "end to end",
        script: format!("{SLOW_HOST} {tests} {FOR_ALL_TESTS} {which}"),
        expectation: Expectation::Tests,
    }
}

/// The result of a job.
pub(super) struct JobResult {
    pub(super) tally: Tally,
    /// Why it failed.
    pub(super) complaint: Option<String>,
}

impl Job {
    /// Compares its result with the expectation.
    pub(super) fn judge(&self, ended: &Ended) -> JobResult {
        match &self.expectation {
            Expectation::Tests => judge_tests(ended, true),
            Expectation::SomeTests => judge_tests(ended, false),
            Expectation::Success if ended.code == Some(0) => {
                JobResult { tally: Tally::PASSED, complaint: None }
            }
            Expectation::Success => {
                JobResult { tally: Tally::FAILED, complaint: Some(ended.output.clone()) }
            }
            Expectation::Degraded(words) => judge_degraded(ended, words),
        }
    }
}

fn judge_tests(ended: &Ended, counts_left_out: bool) -> JobResult {
    let mut tally = Tally::default();
    for line in ended.output.lines() {
        if let Some(result) = Tally::parse(line) {
            tally += result;
            tally.skipped += if counts_left_out { filtered_out(line) } else { 0 };
        }
    }
    if ended.code == Some(0) && tally.passed > 0 && tally.failed == 0 {
        return JobResult { tally, complaint: None };
    }
    tally.failed = tally.failed.max(1);
    JobResult { tally, complaint: Some(ended.output.clone()) }
}

/// The number of excluded tests, from the last line of a test program.
fn filtered_out(line: &str) -> u64 {
    let count = line.split("; ").find_map(|part| part.strip_suffix(" filtered out"));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The tracer must have succeeded without BPF programs, with a line that explains why.
fn judge_degraded(ended: &Ended, words: &[&str]) -> JobResult {
    let explains = |line: &str| {
        line.contains("without BPF programs: ") && words.iter().all(|word| line.contains(word))
    };
    if ended.code == Some(0) && ended.output.lines().any(explains) {
        return JobResult { tally: Tally::PASSED, complaint: None };
    }
    let (code, output) = (ended.code, &ended.output);
    let complaint = format!("exit code {code:?}, and no line with {words:?}: {output}");
    JobResult { tally: Tally::FAILED, complaint: Some(complaint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(expectation: Expectation, code: i32, output: &str) -> Tally {
        let job = Job { attach_method: "", subject: "", script: String::new(), expectation };
        let ended = Ended { code: Some(code), output: output.to_owned() };
        let result = job.judge(&ended);
        assert_eq!(result.complaint.is_some(), result.tally.failed > 0);
        result.tally
    }

    const RESULT: &str = "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; \
                          7 filtered out; finished in 1.00s\n";

    #[test]
    fn tests_are_counted_and_so_are_those_left_out() {
        let tally = |passed, failed, skipped| Tally { passed, failed, skipped };
        assert_eq!(judge(Expectation::Tests, 0, RESULT), tally(12, 0, 7));
        assert_eq!(judge(Expectation::SomeTests, 0, RESULT), tally(12, 0, 0));
    }

    #[test]
    fn tests_that_did_not_run_have_failed() {
        for (code, output) in [(101, RESULT), (0, ""), (134, "running 3 tests\n")] {
            assert_eq!(judge(Expectation::Tests, code, output).failed, 1, "{code} {output}");
        }
        let expectation = Expectation::Tests;
        let job = Job { attach_method: "", subject: "", script: String::new(), expectation };
        assert_eq!(job.judge(&Ended::default()).tally, Tally::FAILED);
    }

    #[test]
    fn a_degraded_run_must_explain_why() {
        let expected = || Expectation::Degraded(&["reason"]);
        let note = "No leaks.\nNote: without BPF programs: the reason\n";
        assert_eq!(judge(expected(), 0, note), Tally::PASSED);
        assert_eq!(judge(expected(), 2, note), Tally::FAILED);
        assert_eq!(judge(expected(), 0, "without BPF programs: no\nreason\n"), Tally::FAILED);
        assert_eq!(judge(expected(), 2, "tracer: the reason\n"), Tally::FAILED);
    }
}
