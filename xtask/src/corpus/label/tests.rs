use super::{Confidence, Count, Label, Mistake, Mode};
use crate::corpus::observed::Observed;
use crate::corpus::server::ServerName;

fn label(expect: &str, server: ServerName) -> Label {
    Label::resolve(&expect.parse().unwrap(), Some(server)).unwrap()
}

fn is_rejected(expect: &str) -> bool {
    Label::resolve(&expect.parse().unwrap(), None).is_err()
}

fn abandoned(count: u64) -> Label {
    let text = format!("verdicts = ['abandoned']\ncount = {count}\nlive = 'certain'");
    label(&text, ServerName::Keep)
}

fn compare(label: &Label, findings: &[(&str, Confidence, u64)]) -> Result<(), Mistake> {
    label.compare(Mode::Live, &Observed::active(findings))
}

#[test]
fn a_server_may_have_its_own_keys() {
    let text = "verdicts = ['abandoned']\nverdicts_close5 = ['ghost']\ncount = 3\naudit_close5 = 'certain'";
    let Label::Leak { verdicts, audit, .. } = label(text, ServerName::Keep) else { panic!() };
    assert_eq!((verdicts, audit), (vec!["abandoned".to_owned()], Confidence::Likely));
    let Label::Leak { verdicts, count, audit, .. } = label(text, ServerName::Close5) else {
        panic!()
    };
    assert_eq!((verdicts, audit), (vec!["ghost".to_owned()], Confidence::Certain));
    assert_eq!(count, Count::Exactly(3));
}

#[test]
fn a_case_can_be_healthy_with_one_server_only() {
    let text = "verdicts = ['unshared-pool']\nverdicts_close5 = []";
    assert_eq!(label(text, ServerName::Close5), Label::Healthy { info: vec![] });
}

#[test]
fn contradictions_are_rejected() {
    assert!(is_rejected("verdicts = ['ghost']\ncount = 1\ncount_at_least = 1"));
    assert!(is_rejected("verdicts = ['ghost']\nhealthy_info = ['stale-pool']"));
    assert!(is_rejected("verdicts = ['ghost']\nat_most = 'possible'\nlive = 'likely'"));
    assert!(is_rejected("verdict = ['ghost']"));
}

#[test]
fn a_leak_needs_the_verdict_the_confidence_and_the_count() {
    use Confidence::{Certain, Info, Likely, Possible};
    let label = abandoned(25);
    assert_eq!(compare(&label, &[("abandoned", Certain, 25)]), Ok(()));
    assert_eq!(compare(&label, &[("abandoned", Certain, 20), ("abandoned", Certain, 5)]), Ok(()));
    assert_eq!(compare(&label, &[("abandoned", Certain, 25), ("growing", Possible, 9)]), Ok(()));
    assert_eq!(compare(&label, &[]), Err(Mistake::Missed));
    assert_eq!(compare(&label, &[("stale-pool", Info, 25)]), Err(Mistake::Missed));
    assert_eq!(compare(&label, &[("abandoned", Likely, 25)]), Err(Mistake::TooWeak(Likely)));
    let wrong = Err(Mistake::WrongVerdict("ghost".to_owned()));
    assert_eq!(compare(&label, &[("ghost", Possible, 25)]), wrong);
    assert_eq!(compare(&label, &[("abandoned", Certain, 25), ("ghost", Likely, 1)]), wrong);
    let count = Err(Mistake::WrongCount { found: 24, expected: Count::Exactly(25) });
    assert_eq!(compare(&label, &[("abandoned", Certain, 24), ("abandoned", Likely, 1)]), count);
}

#[test]
fn the_program_may_report_the_count() {
    let label = abandoned(25).with_number(Some(7));
    assert_eq!(compare(&label, &[("abandoned", Confidence::Certain, 7)]), Ok(()));
    assert_eq!(Count::AtLeast(1).with_number(3), Count::AtLeast(3));
}

#[test]
fn an_upper_bound_holds() {
    let label = label("verdicts = ['ghost']\nat_most = 'possible'", ServerName::Keep);
    assert_eq!(compare(&label, &[("ghost", Confidence::Possible, 2)]), Ok(()));
    let sure = Err(Mistake::TooSure(Confidence::Likely));
    assert_eq!(compare(&label, &[("ghost", Confidence::Likely, 2)]), sure);
}

#[test]
fn a_healthy_case_may_be_possible_at_most() {
    use Confidence::{Info, Likely, Possible};
    for expect in ["", "ambiguous = 'the kernel shows the same'"] {
        let label = label(expect, ServerName::Keep);
        assert_eq!(compare(&label, &[]), Ok(()));
        assert_eq!(compare(&label, &[("ghost", Possible, 9), ("stale-pool", Info, 1)]), Ok(()));
        let flagged = Err(Mistake::Flagged("ghost".to_owned(), Likely));
        assert_eq!(compare(&label, &[("ghost", Likely, 1)]), flagged);
    }
}

#[test]
fn information_can_be_required() {
    let label = label("healthy_info = ['stale-pool']", ServerName::Keep);
    assert_eq!(compare(&label, &[("stale-pool", Confidence::Info, 1)]), Ok(()));
    assert_eq!(compare(&label, &[]), Err(Mistake::NotReported("stale-pool".to_owned())));
}
