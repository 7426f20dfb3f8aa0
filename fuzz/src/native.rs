//! Native code, and code that a runtime generates.

use std::{borrow::Cow, sync::LazyLock};

use tracer_inspect::{
    frames::{frame::Frame, rules::Rules},
    native::{modules::demangled, perf_map::PerfMap, unwind},
};

use super::{budget, file_of};

static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| Rules::load(None).ok());

/// A file offset of code in eight bytes, followed by the file.
pub fn unwind_tables(bytes: &[u8]) {
    let Some((offset, file)) = bytes.split_first_chunk() else { return };
    unwind::distance(file_of(file), u64::from_le_bytes(*offset), &budget());
}

/// A perf map.
pub fn perf_map(bytes: &[u8]) {
    let mut map = PerfMap::default();
    let addresses = [0, 0x1000, 0x1048, 0x7f1f_c210_0000, u64::MAX];
    let _ = map.look_up(bytes, &addresses, &budget());
    for address in addresses {
        map.frame(address);
    }
}

/// Mangled symbol names, one per line.
pub fn symbol_names(bytes: &[u8]) {
    let Some(rules) = &*RULES else { return };
    for name in String::from_utf8_lossy(bytes).lines() {
        for file in ["/src/main.rs", "main.cc", ""] {
            let (language, function) = demangled(name, file);
            let frame = Frame {
                language,
                function: Cow::Owned(function),
                file: Cow::Borrowed(file),
                line: Some(1),
                module: Cow::Borrowed(name),
            };
            frame.place();
            rules.classify(&frame);
        }
        rules.classify_module(name);
    }
}
