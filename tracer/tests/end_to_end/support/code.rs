use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

/// The file offsets at which the code of a process differs from its executable.
///
/// A uprobe is a changed byte, so a process without differences has no uprobes.
pub(crate) fn altered_code(pid: u32) -> BTreeSet<u64> {
    let executable = fs::read_link(format!("/proc/{pid}/exe")).expect("the process lives");
    let file = File::open(&executable).expect("it has not been replaced");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("root may");
    let mut altered = BTreeSet::new();
    let mut length = 0;
    for mapping in code_of(pid, &executable) {
        let (mut there, mut here) = (vec![0; mapping.length], vec![0; mapping.length]);
        memory.read_exact_at(&mut there, mapping.address).expect("code can be read");
        // The last page may extend beyond the end of the file.
        let mut filled = 0;
        while filled < here.len() {
            match file.read_at(&mut here[filled..], mapping.offset + filled as u64).unwrap() {
                0 => break,
                more => filled += more,
            }
        }
        let differing =
            (mapping.offset..).zip(there.into_iter().zip(here)).filter(|(_, (a, b))| a != b);
        altered.extend(differing.map(|(offset, _)| offset));
        length += mapping.length;
    }
    assert_ne!(length, 0, "{} has code", executable.display());
    altered
}

/// A part of a file in memory.
struct Mapping {
    address: u64,
    length: usize,
    offset: u64,
}

/// The executable mappings of a file in a process.
fn code_of(pid: u32, executable: &PathBuf) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process lives");
    let mapping = |line: &str| {
        let mut words = line.split_whitespace();
        let (range, permissions, offset) = (words.next()?, words.next()?, words.next()?);
        let path = PathBuf::from(words.nth(2)?);
        let (start, end) = range.split_once('-')?;
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        let length = usize::try_from(number(end)? - number(start)?).ok()?;
        let mapping = Mapping { address: number(start)?, length, offset: number(offset)? };
        (permissions.contains('x') && path == *executable).then_some(mapping)
    };
    maps.lines().filter_map(mapping).collect()
}
