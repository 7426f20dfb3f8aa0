//! Whatever becomes of a file, what is whole in it is read, and nothing else.

use std::fs::{self, File};

use proptest::{sample::Index, test_runner::Config};
use tracer_core::Input;

use super::*;
use crate::recording::{
    block::{BLOCK_MAX, Block, Found, Kind, PREAMBLE_BYTES, VERSION, preamble},
    entry::Entry,
    stream::{Packer, Unpacker},
};

/// A few looks, each of which is a block of its own.
fn looks() -> Vec<Step> {
    let look = |number: u64| {
        let note = Step::Input(Input::Note(format!("look {number}")));
        let tick = Step::Input(Input::Tick(Timestamp::from_ms(number * 1_000)));
        [note, tick, Step::Reported]
    };
    (1..=4).flat_map(look).collect()
}

#[test]
fn cut_at_any_byte_it_is_read_up_to_its_last_whole_block() {
    let place = Place::new();
    let steps = looks();
    let mut ends = Vec::new();
    let mut recorder = Recorder::create(&place.path(), None, head()).unwrap();
    for step in &steps {
        tell(&mut recorder, step);
        if *step == Step::Reported {
            ends.push(fs::metadata(place.path()).unwrap().len());
        }
    }
    recorder.finish().unwrap();
    let length = fs::metadata(place.path()).unwrap().len();
    assert_eq!(ends.last(), Some(&length));
    let file = File::options().write(true).open(place.path()).unwrap();
    for cut in (0..length).rev() {
        file.set_len(cut).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        if whole == 0 {
            let error = Recording::open(&place.path()).err().unwrap().to_string();
            assert!(error.contains("holds nothing yet"), "{cut}: {error}");
            continue;
        }
        let ending = if ends[whole - 1] == cut { Ending::Whole } else { Ending::Torn };
        assert_eq!(place.read(), (steps[..whole * 3].to_vec(), ending), "cut at {cut}");
    }
}

#[test]
fn a_byte_that_was_changed_ends_it_where_it_is() {
    let place = Place::new();
    place.record(&looks(), None);
    let whole = fs::read(place.path()).unwrap();
    for at in PREAMBLE_BYTES..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(place.path(), damaged).unwrap();
        let Ok(recording) = Recording::open(&place.path()) else { continue };
        let (steps, ending) = read(recording);
        assert!(steps.len() < 12 && looks().starts_with(&steps), "byte {at}");
        // A length that was changed may lead beyond the end.
        assert!(matches!(ending, Ending::Damaged(_) | Ending::Torn), "byte {at}: {ending:?}");
    }
}

#[test]
fn what_is_no_recording_or_one_of_another_format_is_said() {
    let place = Place::new();
    let error = || Recording::open(&place.path()).err().unwrap().to_string();
    assert!(error().contains("cannot read"));
    fs::write(place.path(), "{\"schema\": 1}").unwrap();
    assert!(error().contains("is no recording"));
    place.0.close().unwrap();
    let place = Place::new();
    for (whose, version) in [("a newer", VERSION + 1), ("an older", VERSION - 1)] {
        let mut other = preamble();
        other[8..10].copy_from_slice(&version.to_le_bytes());
        fs::write(place.path(), other).unwrap();
        let error = Recording::open(&place.path()).err().unwrap().to_string();
        let formats = format!("in format {version}; this one reads format {VERSION}");
        assert!(error.contains(&format!("by {whose} tracer")), "{error}");
        assert!(error.contains(&formats), "{error}");
    }
}

#[test]
fn few_bytes_that_unpack_to_very_many_are_refused() {
    let place = Place::new();
    let packed = Packer::new().pack(&vec![0; BLOCK_MAX + 1]).unwrap();
    let lying = Block { kind: Kind::First, unpacked: 1_000, payload: packed };
    let bytes = [&preamble()[..], &lying.to_bytes().unwrap()].concat();
    fs::write(place.path(), bytes).unwrap();
    let error = Recording::open(&place.path()).err().unwrap().to_string();
    assert!(error.contains("is damaged from its beginning on"), "{error}");
    let too_large = Block { unpacked: u32::MAX, ..lying };
    assert_eq!(too_large.to_bytes(), None);
}

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    /// With a checksum that fits, as somebody might make it who wants to do harm.
    #[test]
    fn entries_that_nobody_wrote_are_read_or_refused(
        steps in arbitrary::steps(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let place = Place::new();
        place.record(&steps, None);
        let bytes = fs::read(place.path()).unwrap();
        let mut rest = &bytes[PREAMBLE_BYTES..];
        let mut unpacker = Unpacker::new();
        let mut packer = Packer::new();
        let mut forged = preamble().to_vec();
        while let Ok(Found::Block(block)) = Block::read(&mut rest) {
            let mut entries = unpacker.unpack(&block.payload, block.unpacked as usize).unwrap();
            // The head is left alone, or nothing would be read at all.
            let start = postcard::take_from_bytes::<Entry<'_>>(&entries)
                .map_or(0, |(_, after)| entries.len() - after.len());
            let start = if block.kind == Kind::First { start } else { 0 };
            if start < entries.len() {
                for (place, value) in &changes {
                    let place = start + place.index(entries.len() - start);
                    entries[place] = *value;
                }
            }
            let payload = packer.pack(&entries).unwrap();
            forged.extend(Block { payload, ..block }.to_bytes().unwrap());
        }
        fs::write(place.path(), forged).unwrap();
        if let Ok(recording) = Recording::open(&place.path()) {
            read(recording);
        }
    }
}
