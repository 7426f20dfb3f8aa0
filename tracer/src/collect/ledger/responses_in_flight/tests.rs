use std::collections::HashMap;

use tracer_common::LedgerKind;
use tracer_core::HttpStream;

use super::*;

/// A process in which each object has a line of answers, the last of which it keeps giving.
#[derive(Default)]
struct FakeProcess {
    answers: HashMap<u64, Vec<Option<ResolvedConnection>>>,
    asked: usize,
    refusal: Option<Limit>,
}

impl FakeProcess {
    fn put(&mut self, address: u64, answers: &[Option<ResolvedConnection>]) {
        self.answers.insert(address, answers.to_vec());
    }

    fn write(
        &mut self,
        page: &mut ResponsesInFlight,
        entries: &[Entry],
    ) -> (Vec<u32>, Option<Limit>) {
        self.try_write(page, entries).unwrap()
    }

    fn try_write(
        &mut self,
        page: &mut ResponsesInFlight,
        entries: &[Entry],
    ) -> Option<(Vec<u32>, Option<Limit>)> {
        let mut resolve = |objects: &[HttpObject]| {
            self.asked += objects.len();
            let answer = |object: &HttpObject| {
                let answers = self.answers.get_mut(&object.address).unwrap();
                if answers.len() > 1 { answers.remove(0) } else { answers[0] }
            };
            let answers = objects.iter().map(answer).collect();
            self.refusal.clone().map_or(Ok(answers), Err)
        };
        let (open, limits) = page.write(entries.to_vec(), &mut resolve)?;
        Some((open.into_iter().map(|response| response.fd).collect(), limits))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as it is answered")]
fn on(fd: u32) -> Option<ResolvedConnection> {
    Some(ResolvedConnection { fd, stream: None, is_awaited: false })
}

#[expect(clippy::unnecessary_wraps, reason = "as it is answered")]
fn stream(fd: u32, id: u32, held_bytes: u64) -> Option<ResolvedConnection> {
    let stream = Some(HttpStream { id, held_bytes, read_mark: held_bytes });
    Some(ResolvedConnection { fd, stream, is_awaited: false })
}

fn entry(at_ns: u64, address: u64) -> Entry {
    let object = HttpObject { kind: LedgerKind::Connection, address };
    Entry { object, since: Timestamp::from_ns(at_ns), stack: None }
}

#[test]
fn what_is_found_twice_counts_and_the_oldest_comes_first() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[on(5)]);
    process.put(0x20, &[on(6)]);
    let entries = [entry(200, 0x10), entry(100, 0x20)];
    assert_eq!(process.write(&mut page, &entries), (vec![6, 5], None));
    assert_eq!(process.asked, 4, "twice at the first look");
    assert_eq!(process.write(&mut page, &entries), (vec![6, 5], None));
    assert_eq!(process.asked, 6, "once at those that follow");
}

#[test]
fn what_differs_is_not_said() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[on(5), on(6), on(6)]);
    let entries = [entry(100, 0x10)];
    assert_eq!(process.write(&mut page, &entries).0, [0; 0]);
    assert_eq!(process.write(&mut page, &entries).0, [6]);
    // The same connection later carries another response, elsewhere.
    process.put(0x10, &[on(7), None]);
    assert_eq!(process.write(&mut page, &[entry(300, 0x10)]).0, [0; 0]);
}

#[test]
fn what_was_known_and_is_elsewhere_has_to_be_found_twice_again() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[on(5), on(5), on(9), on(8), on(9)]);
    let entries = [entry(100, 0x10)];
    let mut fds = || process.write(&mut page, &entries).0;
    assert_eq!([fds(), fds(), fds()], [vec![5], vec![], vec![9]]);
}

#[test]
fn a_stream_is_known_by_its_number_and_tells_what_it_holds_now() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[stream(5, 1, 10), stream(5, 1, 20), stream(5, 1, 30)]);
    process.put(0x20, &[stream(5, 3, 0), stream(5, 5, 0), stream(5, 3, 0)]);
    let entries = [entry(100, 0x10), entry(100, 0x20)];
    assert_eq!(process.write(&mut page, &entries).0, [5]);
    assert_eq!(process.write(&mut page, &entries).0, [5, 5]);
    let held = page.confirmed[&entries[0].name()].stream.unwrap().held_bytes;
    assert_eq!(held, 30);
}

#[test]
fn what_is_not_found_for_long_is_counted() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[None]);
    process.put(0x20, &[on(5)]);
    let entries = [entry(100, 0x10), entry(100, 0x20)];
    assert_eq!(process.write(&mut page, &entries), (vec![5], None), "it may be given back by now");
    let limit = Limit::ConnectionsNotFound { missing: 1, total: 2 };
    assert_eq!(process.write(&mut page, &entries), (vec![5], Some(limit)));
    assert_eq!(process.write(&mut page, &entries[1..]), (vec![5], None));
}

#[test]
fn the_oldest_are_looked_at_and_the_rest_is_said() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    let count = JOINED_MAX as u64 + 10;
    let entries: Vec<Entry> = (1..=count).rev().map(|at| entry(at, at)).collect();
    for entry in &entries {
        process.put(entry.object.address, &[on(u32::try_from(entry.object.address).unwrap())]);
    }
    let (open, limits) = process.write(&mut page, &entries);
    assert_eq!((open.len(), open[0]), (JOINED_MAX, 1));
    let expected = Limit::ResponsesTruncated { resolved: JOINED_MAX, total: JOINED_MAX + 10 };
    assert_eq!(limits, Some(expected));
}

#[test]
fn a_process_that_cannot_be_looked_into_twice_has_an_empty_page_and_a_reason() {
    let (mut page, mut process) = (ResponsesInFlight::default(), FakeProcess::default());
    process.put(0x10, &[on(5)]);
    let entries = [entry(100, 0x10)];
    process.write(&mut page, &entries);
    process.refusal = Some(Limit::ProcessEnded);
    assert_eq!(process.try_write(&mut page, &entries), None);
    let refused = process.write(&mut page, &entries);
    assert_eq!(refused, (vec![], Some(Limit::ProcessEnded)));
    process.refusal = None;
    assert_eq!(process.write(&mut page, &entries), (vec![5], None));
    process.refusal = Some(Limit::NotGo);
    assert_eq!(process.try_write(&mut page, &entries), None);
    assert_eq!(process.write(&mut page, &[]), (vec![], None), "nothing is asked for nothing");
}
