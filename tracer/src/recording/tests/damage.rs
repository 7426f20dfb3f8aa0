//! However a file is damaged, its intact parts are read, and nothing else.

use std::fs::{self, File};

use proptest::{collection::vec, sample::Index, test_runner::Config};
use tracer_core::{Input, Note};

use super::*;
use crate::recording::{
    block::{self, BLOCK_MAX, Block, FILE_HEADER_BYTES, Found, Kind},
    head::Head,
    stream::{Packer, Unpacker},
    wire::Version,
};
use crate::{commands::replay::check_ending, output::fixture};

fn file_header() -> [u8; FILE_HEADER_BYTES] {
    block::file_header(Version::CURRENT.number())
}

/// A few reports, each in a block of its own.
fn reports() -> Vec<Step> {
    let report = |number: u64| {
        let note = Step::Input(Input::Note(Note::Recorded { text: format!("report {number}") }));
        let tick = Step::Input(Input::Tick(Timestamp::from_ms(number * 1_000)));
        [note, tick, Step::Reported]
    };
    (1..=4).flat_map(report).collect()
}

fn error_of(test: &TestFile) -> String {
    format!("{:#}", Recording::open(&test.path()).err().unwrap())
}

#[test]
fn a_file_cut_at_any_byte_is_read_up_to_its_last_whole_block() {
    let test = TestFile::new();
    let steps = reports();
    let mut ends = Vec::new();
    let mut recorder = Recorder::create(&test.path(), None, head()).unwrap();
    for step in &steps {
        write(&mut recorder, step);
        if *step == Step::Reported {
            ends.push(fs::metadata(test.path()).unwrap().len());
        }
    }
    recorder.finish().unwrap();
    let length = fs::metadata(test.path()).unwrap().len();
    assert_eq!(ends.last(), Some(&length));
    let file = File::options().write(true).open(test.path()).unwrap();
    for cut in (0..length).rev() {
        file.set_len(cut).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        if whole == 0 {
            let error = error_of(&test);
            assert!(error.contains("contains no snapshot"), "{cut}: {error}");
            continue;
        }
        let ending = if ends[whole - 1] == cut { Ending::Whole } else { Ending::Truncated };
        assert_eq!(test.read(), (steps[..whole * 3].to_vec(), ending), "cut at {cut}");
    }
}

#[test]
fn a_changed_byte_ends_the_recording_there() {
    let test = TestFile::new();
    test.record(&reports(), None);
    let whole = fs::read(test.path()).unwrap();
    for at in FILE_HEADER_BYTES..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(test.path(), damaged).unwrap();
        let Ok(recording) = Recording::open(&test.path()) else { continue };
        let (steps, ending) = read(recording);
        assert!(steps.len() < 12 && reports().starts_with(&steps), "byte {at}");
        // A changed length may point beyond the end.
        assert!(matches!(ending, Ending::Damaged(_) | Ending::Truncated), "byte {at}: {ending:?}");
    }
}

#[test]
fn another_file_or_another_format_is_an_error_with_a_remedy() {
    let test = TestFile::new();
    assert!(error_of(&test).contains("cannot read"), "{}", error_of(&test));
    fs::write(test.path(), "{\"schema\": 1}").unwrap();
    assert!(error_of(&test).contains("is not a recording; make one"), "{}", error_of(&test));
    let newest = Version::CURRENT.number();
    for (which, number) in [("newer", newest + 1), ("older", 2)] {
        fs::write(test.path(), block::file_header(number)).unwrap();
        assert_eq!(
            error_of(&test),
            format!(
                "{} has recording format {number}, and this version of tracer reads formats 3 to \
                 {newest}; replay it with the {which} version that recorded it",
                test.path().display()
            )
        );
    }
}

#[test]
fn few_bytes_that_decompress_to_very_many_are_refused() {
    let test = TestFile::new();
    let packed = Packer::new().pack(&vec![0; BLOCK_MAX + 1]).unwrap();
    let lying = Block { kind: Kind::First, unpacked: 1_000, payload: packed };
    let bytes = [&file_header()[..], &lying.to_bytes().unwrap()].concat();
    fs::write(test.path(), bytes).unwrap();
    assert!(error_of(&test).contains("is damaged from the beginning"), "{}", error_of(&test));
    let too_large = Block { unpacked: u32::MAX, ..lying };
    assert_eq!(too_large.to_bytes(), None);
}

#[test]
fn an_entry_of_no_known_kind_ends_the_recording_before_it() {
    let test = TestFile::new();
    test.record(&reports(), None);
    let bytes = rewritten(&fs::read(test.path()).unwrap(), |entries| {
        if let Some(last) = entries.last_mut() {
            *last = 99;
        }
    });
    fs::write(test.path(), bytes).unwrap();
    let (steps, ending) = test.read();
    assert_eq!(steps, reports()[..2], "the number of the third entry is another one");
    assert!(matches!(ending, Ending::Unknown(_)), "{ending:?}");
}

/// This version knows every entry that it writes, so an unknown one in its own recording is damage.
#[test]
fn only_another_version_can_know_an_unknown_entry() {
    let report = fixture::report(Vec::new());
    let error_with = |version: &str| {
        let head = Head { version: version.to_owned(), ..head() };
        check_ending(Ending::Unknown(77), "a.rec", &head, &report).unwrap_err().to_string()
    };
    let own = error_with(env!("CARGO_PKG_VERSION"));
    assert!(own.starts_with("a.rec is damaged from byte 77 on"), "{own}");
    let other = error_with("9.9.9");
    assert!(other.contains("replay it with tracer 9.9.9, which recorded it"), "{other}");
}

/// The file with each block's entries changed and a valid checksum, as a malicious program may
/// write it. The head of each segment is not changed; otherwise nothing would be read at all.
fn rewritten(mut file: &[u8], mut change: impl FnMut(&mut [u8])) -> Vec<u8> {
    let (header, blocks) = file.split_at(FILE_HEADER_BYTES);
    let version = Version::from_number(block::version(header).unwrap()).unwrap();
    let (mut unpacker, mut packer) = (Unpacker::new(), Packer::new());
    let mut forged = header.to_vec();
    file = blocks;
    while let Ok(Found::Block(block)) = Block::read(&mut file) {
        let mut entries = unpacker.unpack(&block.payload, block.unpacked as usize).unwrap();
        let start = match block.kind {
            Kind::First => version.take_entry(&entries).map_or(0, |(_, length)| length),
            Kind::Next => 0,
        };
        change(&mut entries[start..]);
        let payload = packer.pack(&entries).unwrap();
        forged.extend(Block { payload, ..block }.to_bytes().unwrap());
    }
    forged
}

fn read_forged(bytes: &[u8], changes: &[(Index, u8)]) {
    let forged = rewritten(bytes, |entries| {
        for (index, value) in changes {
            if !entries.is_empty() {
                entries[index.index(entries.len())] = *value;
            }
        }
    });
    let test = TestFile::new();
    fs::write(test.path(), forged).unwrap();
    if let Ok(recording) = Recording::open(&test.path()) {
        read(recording);
    }
}

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    #[test]
    fn forged_entries_are_read_or_refused(
        steps in arbitrary::steps(),
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let test = TestFile::new();
        test.record(&steps, None);
        read_forged(&fs::read(test.path()).unwrap(), &changes);
    }

    #[test]
    fn forged_entries_of_format_3_are_read_or_refused(
        changes in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        read_forged(include_bytes!("../../../tests/recordings/v3-every-input.rec"), &changes);
    }
}
