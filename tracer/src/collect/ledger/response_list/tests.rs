use std::collections::HashMap;

use tracer_common::LedgerKind;
use tracer_core::HttpStream;

use super::*;

/// A process in which each object has a list of answers, the last of which is repeated.
#[derive(Default)]
struct FakeProcess {
    answers: HashMap<u64, Vec<Option<ResolvedConnection>>>,
    asked: usize,
    refusal: Option<Limit>,
}

impl FakeProcess {
    fn set(&mut self, address: u64, answers: &[Option<ResolvedConnection>]) {
        self.answers.insert(address, answers.to_vec());
    }

    fn update(
        &mut self,
        responses: &mut ResponseList,
        entries: &[Entry],
    ) -> (Vec<u32>, Option<Limit>) {
        self.try_update(responses, entries).unwrap()
    }

    fn try_update(
        &mut self,
        responses: &mut ResponseList,
        entries: &[Entry],
    ) -> Option<(Vec<u32>, Option<Limit>)> {
        let mut step = responses.begin(entries.to_vec());
        let (open, limits) = loop {
            step = match step {
                Step::Resolve(objects) => {
                    let answers = self.answers(&objects);
                    responses.resolved(self.refusal.clone().map_or(Ok(answers), Err))
                }
                Step::Listed(open, limits) => break (open, limits),
                Step::Unknown => return None,
            }
        };
        assert!(!responses.is_pending());
        Some((open.into_iter().map(|response| response.fd).collect(), limits))
    }
}

impl FakeProcess {
    fn answers(&mut self, objects: &[HttpObject]) -> Vec<Option<ResolvedConnection>> {
        self.asked += objects.len();
        let answer = |object: &HttpObject| {
            let answers = self.answers.get_mut(&object.address).unwrap();
            if answers.len() > 1 { answers.remove(0) } else { answers[0] }
        };
        objects.iter().map(answer).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the type of an answer")]
fn on(fd: u32) -> Option<ResolvedConnection> {
    Some(ResolvedConnection { fd, stream: None, is_awaited: false })
}

#[expect(clippy::unnecessary_wraps, reason = "the type of an answer")]
fn stream(fd: u32, id: u32, held_bytes: u64) -> Option<ResolvedConnection> {
    let stream = Some(HttpStream { id, held_bytes, read_mark: held_bytes });
    Some(ResolvedConnection { fd, stream, is_awaited: false })
}

fn entry(at_ns: u64, address: u64) -> Entry {
    let object = HttpObject { kind: LedgerKind::Connection, address };
    Entry { object, since: Timestamp::from_ns(at_ns), stack: None }
}

#[test]
fn connections_found_twice_are_reported_oldest_first() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[on(5)]);
    process.set(0x20, &[on(6)]);
    let entries = [entry(200, 0x10), entry(100, 0x20)];
    assert_eq!(process.update(&mut responses, &entries), (vec![6, 5], None));
    assert_eq!(process.asked, 4, "twice the first time");
    assert_eq!(process.update(&mut responses, &entries), (vec![6, 5], None));
    assert_eq!(process.asked, 6, "once each following time");
}

#[test]
fn connections_that_differ_are_not_reported() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[on(5), on(6), on(6)]);
    let entries = [entry(100, 0x10)];
    assert_eq!(process.update(&mut responses, &entries).0, [0; 0]);
    assert_eq!(process.update(&mut responses, &entries).0, [6]);
    // The same object later carries another response, on another fd.
    process.set(0x10, &[on(7), None]);
    assert_eq!(process.update(&mut responses, &[entry(300, 0x10)]).0, [0; 0]);
}

#[test]
fn a_connection_that_changes_must_be_found_twice_again() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[on(5), on(5), on(9), on(8), on(9)]);
    let entries = [entry(100, 0x10)];
    let mut fds = || process.update(&mut responses, &entries).0;
    assert_eq!([fds(), fds(), fds()], [vec![5], vec![], vec![9]]);
}

#[test]
fn a_stream_is_identified_by_its_id_and_has_its_current_byte_count() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[stream(5, 1, 10), stream(5, 1, 20), stream(5, 1, 30)]);
    process.set(0x20, &[stream(5, 3, 0), stream(5, 5, 0), stream(5, 3, 0)]);
    let entries = [entry(100, 0x10), entry(100, 0x20)];
    assert_eq!(process.update(&mut responses, &entries).0, [5]);
    assert_eq!(process.update(&mut responses, &entries).0, [5, 5]);
    let held = responses.confirmed[&entries[0].key()].stream.unwrap().held_bytes;
    assert_eq!(held, 30);
}

#[test]
fn responses_without_a_connection_are_counted_the_second_time() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[None]);
    process.set(0x20, &[on(5)]);
    let entries = [entry(100, 0x10), entry(100, 0x20)];
    assert_eq!(
        process.update(&mut responses, &entries),
        (vec![5], None),
        "it may have been closed meanwhile"
    );
    let limit = Limit::ConnectionsNotFound { missing: 1, total: 2 };
    assert_eq!(process.update(&mut responses, &entries), (vec![5], Some(limit)));
    assert_eq!(process.update(&mut responses, &entries[1..]), (vec![5], None));
}

#[test]
fn only_the_oldest_responses_are_resolved() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    let count = RESOLVED_MAX as u64 + 10;
    let entries: Vec<Entry> = (1..=count).rev().map(|at| entry(at, at)).collect();
    for entry in &entries {
        process.set(entry.object.address, &[on(u32::try_from(entry.object.address).unwrap())]);
    }
    let (open, limits) = process.update(&mut responses, &entries);
    assert_eq!((open.len(), open[0]), (RESOLVED_MAX, 1));
    let expected = Limit::ResponsesTruncated { resolved: RESOLVED_MAX, total: RESOLVED_MAX + 10 };
    assert_eq!(limits, Some(expected));
}

#[test]
fn a_process_that_cannot_be_inspected_twice_has_a_limit() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[on(5)]);
    let entries = [entry(100, 0x10)];
    process.update(&mut responses, &entries);
    process.refusal = Some(Limit::ProcessEnded);
    assert_eq!(process.try_update(&mut responses, &entries), None);
    let refused = process.update(&mut responses, &entries);
    assert_eq!(refused, (vec![], Some(Limit::ProcessEnded)));
    process.refusal = None;
    assert_eq!(process.update(&mut responses, &entries), (vec![5], None));
    process.refusal = Some(Limit::NotGo);
    assert_eq!(process.try_update(&mut responses, &entries), None);
    assert_eq!(
        process.update(&mut responses, &[]),
        (vec![], None),
        "nothing is resolved for no responses"
    );
}

#[test]
fn a_list_that_is_abandoned_changes_nothing() {
    let (mut responses, mut process) = (ResponseList::default(), FakeProcess::default());
    process.set(0x10, &[on(5)]);
    let entries = [entry(100, 0x10)];
    assert_eq!(process.update(&mut responses, &entries), (vec![5], None));
    assert!(matches!(responses.begin(entries.to_vec()), Step::Resolve(_)));
    assert!(responses.is_pending());
    responses.abandon();
    assert_eq!(responses.resolved(Ok(vec![on(6)])), Step::Unknown);
    assert_eq!(process.update(&mut responses, &entries), (vec![5], None));
    assert_eq!(process.asked, 3, "it is still confirmed");
}

/// A process that executes another program may begin another list before the outcome of a request
/// for its earlier one arrives.
#[test]
fn only_the_outcome_for_its_own_objects_continues_a_list() {
    let entry = |address| Entry {
        object: HttpObject { kind: LedgerKind::Connection, address },
        since: Timestamp::from_ms(address),
        stack: None,
    };
    let mut responses = ResponseList::default();
    let Step::Resolve(earlier) = responses.begin(vec![entry(1), entry(2)]) else { unreachable!() };
    assert!(responses.is_asked(&earlier));
    let mut responses = ResponseList::default();
    assert!(!responses.is_asked(&earlier));
    let Step::Resolve(objects) = responses.begin(vec![entry(3), entry(4)]) else { unreachable!() };
    assert!(!responses.is_asked(&earlier));
    assert!(responses.is_asked(&objects));
    let connection = |fd| Some(ResolvedConnection { fd, stream: None, is_awaited: false });
    // One of the two is searched again.
    let step = responses.resolved(Ok(vec![connection(5), None]));
    assert_eq!(step, Step::Resolve(vec![entry(3).object]));
    assert!(!responses.is_asked(&objects));
    assert!(responses.is_asked(&[entry(3).object]));
}
