//! Looks at the stacks of real programs, `tests/symbols`, as the kernel finds them.

#![cfg(target_arch = "x86_64")]

mod native;
mod runtimes;
mod waiting;

use std::path::{Path, PathBuf};

use super::*;
use crate::process::identity::{TICK_NS, started};
use waiting::Waiting;

/// A stack of which the kernel kept these addresses only.
fn kept(addresses: &[u64]) -> UserStack {
    UserStack { addresses: addresses.to_vec(), top: None }
}

fn call_sites() -> CallSites {
    CallSites::new(Rules::load(None).unwrap())
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tracer/tests/symbols").join(name)
}

/// The number of the only line of a source with this text.
fn line(name: &str, text: &str) -> usize {
    let source = fs::read_to_string(source(name)).unwrap();
    let mut lines = (1..).zip(source.lines()).filter(|(_, line)| line.contains(text));
    let line = lines.next().unwrap().0;
    assert_eq!(lines.next(), None, "{text} is in {name} twice");
    line
}

/// The call site of where a process waits.
fn call_site(waiting: &Waiting) -> Result<Option<String>, String> {
    let stack = waiting.stack();
    call_sites().call_site(&mut GoPrograms::default(), waiting.key(), &kept(&stack))
}

#[test]
fn a_process_that_is_gone_or_another_one_gets_no_answer() {
    let mut programs = GoPrograms::default();
    let pid = std::process::id();
    let here = (libc::getpid as unsafe extern "C" fn() -> _ as *const ()).addr() as u64;
    let mut answer = |start_time_ns, addresses: Option<&[u64]>| {
        let process = ProcessKey { start_time_ns, pid };
        call_sites().answer(&mut programs, process, StackId(7), addresses.map(kept).as_ref())
    };
    assert_eq!(answer(1, Some(&[here])), None);
    let started = started(pid).unwrap() * TICK_NS;
    let limits = |answer: Option<Input>| match answer {
        Some(Input::CallSite(CallSite { stack: StackId(7), place: None, limits, .. })) => limits,
        other => panic!("{other:?}"),
    };
    assert_eq!(limits(answer(started, None)), Some("its stack was not kept".to_owned()));
    assert_eq!(limits(answer(started, Some(&[]))), Some("its stack is empty".to_owned()));
    let nonsense = limits(answer(started, Some(&[8, 16])));
    assert!(nonsense.unwrap().starts_with("its memory cannot be read"));
    let words = limits(answer(started, Some(&[here, here, here])));
    assert!(words.unwrap().starts_with("its stack cannot be followed beyond libc"));
}

#[test]
fn a_runtime_that_says_its_functions_hides_none() {
    let rules = Rules::load(None).unwrap();
    let words = "start it so that they have names";
    let mut way = Way { rules: &rules, pid: 0, before: None, words: Some(words), is_named: false };
    assert_eq!(way.ended(), Err(words.to_owned()));
    assert!(way.lost().ends_with(words));
    way.is_named = true;
    assert_eq!(way.ended(), Ok(None));
    assert!(!way.lost().contains(words));
}
