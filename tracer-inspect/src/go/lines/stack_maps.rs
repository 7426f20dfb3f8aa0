//! Which words of a stack are in use, as the compiler tells Go's garbage collector.
//!
//! For each call a function makes there is a map of the variables that will still be used when it
//! returns (`runtime.stackmap`), and for each function a list of those that something may point to.
//! What else is in a frame is left of other uses of its memory. `getStackMap` in
//! `runtime/stkframe.go` reads the same.

use super::Lines;
use crate::process::{
    memory::{half_at, word_at},
    pages::Pages,
};

/// `abi.PCDATA_StackMapIndex`.
const MAP_INDEX: u32 = 1;
/// `abi.FUNCDATA_ArgsPointerMaps`, `abi.FUNCDATA_LocalsPointerMaps`, `abi.FUNCDATA_StackObjects`.
const PARAMETERS: u8 = 0;
const VARIABLES: u8 = 1;
const OBJECTS: u8 = 2;
/// `abi.FuncFlagSPWrite` and `abi.FuncFlagAsm`: the compiler says nothing of such functions.
const FLAGS_UNKNOWN: u8 = 2 | 4;
/// While these are among the calls, those that called them do not go on after them but elsewhere,
/// where other variables are in use.
const DIVERTED: [&str; 3] = ["runtime.gopanic", "runtime.sigpanic", "runtime.asyncPreempt"];

/// From the frame pointer to the parameters: the former, and where the call returns to.
const PARAMETERS_START: i64 = 16;
/// Bytes of `runtime.stackObjectRecord`.
const OBJECT: u64 = 16;
/// Most words and objects of a frame that make sense.
const WORDS_MAX: u32 = 1 << 16;
/// Most words of all objects of a frame: 1 MiB, as much of a stack as is copied.
const OBJECT_WORDS_MAX: usize = 1 << 17;

/// What is in use of one call while it waits for what it called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameMap {
    /// Bytes from the beginning of its variables to its frame pointer.
    pub(in crate::go) size: u64,
    /// Where from the frame pointer are words that may be addresses, in bytes. Parameters are above
    /// it.
    pub(in crate::go) words: Vec<i64>,
}

/// `runtime._func` and where its tables are.
struct Description {
    bytes: Vec<u8>,
    /// Where in the process are the numbers that follow it.
    numbers: u64,
}

impl Description {
    fn value_table(&self, pages: &mut Pages, index: u32) -> Option<u32> {
        let is_there = index < half_at(&self.bytes, 28)?;
        if is_there { pages.half(self.numbers.checked_add(4 * u64::from(index))?) } else { Some(0) }
    }

    /// Where from `go:func.*` its data of this kind are; the outer `None`: what is there is no
    /// table.
    #[expect(clippy::option_option, reason = "that there is none differs from what is damaged")]
    fn data(&self, pages: &mut Pages, index: u8) -> Option<Option<u32>> {
        if index >= *self.bytes.last()? {
            return Some(None);
        }
        let number = u64::from(half_at(&self.bytes, 28)?) + u64::from(index);
        let offset = pages.half(self.numbers.checked_add(4 * number)?)?;
        Some((offset != u32::MAX).then_some(offset))
    }
}

impl Lines<'_> {
    /// What is in use of the call that goes on at an address of the process. `None`: it is not
    /// known.
    pub fn frame_map(&self, pages: &mut Pages, bias: u64, return_address: u64) -> Option<FrameMap> {
        let address = return_address.wrapping_sub(bias).wrapping_sub(1);
        let number = self.functions.holding(address)?;
        let (begin, place) = self.functions.entry(number)?;
        let offset = u32::try_from(address - self.functions.code(number)?.0).ok()?;
        let length = self.tables.format.description;
        let start = self.tables.descriptions.at(place.into(), bias)?;
        let bytes = pages.bytes(start, length)?;
        let flags = *bytes.get(length.checked_sub(3)?)?;
        let is_diverted = self.functions.name(pages, bias, number, &DIVERTED).is_some();
        if half_at(&bytes, 0)? != begin || flags & FLAGS_UNKNOWN != 0 || is_diverted {
            return None;
        }
        let function =
            Description { numbers: start.checked_add(u64::try_from(length).ok()?)?, bytes };

        // All of the frame, with the frame pointer of the caller at its end.
        let whole = self.value(pages, bias, half_at(&function.bytes, 16)?, offset)?;
        let size = u64::try_from(whole).ok()?.checked_sub(8)?;
        let table = function.value_table(pages, MAP_INDEX)?;
        // Where nothing is said, it is as at the beginning.
        let index = u32::try_from(self.value(pages, bias, table, offset)?).unwrap_or(0);
        let mut words = Vec::new();
        let variables = self.in_use(pages, bias, (&function, VARIABLES, index))?;
        if variables.is_none() && size > 0 {
            return None;
        }
        let (count, used) = variables.unwrap_or_default();
        if 8 * u64::from(count) > size {
            return None;
        }
        let start = -8 * i64::from(count);
        words.extend(used.into_iter().map(|word| start + 8 * i64::from(word)));
        let parameters = self.in_use(pages, bias, (&function, PARAMETERS, index))?;
        if parameters.is_none() && half_at(&function.bytes, 8)? != 0 {
            return None;
        }
        let (_, used) = parameters.unwrap_or_default();
        words.extend(used.into_iter().map(|word| PARAMETERS_START + 8 * i64::from(word)));
        words.extend(self.objects(pages, bias, &function)?);
        Some(FrameMap { size, words })
    }

    /// Of how many words there is a map, and the numbers of those that are in use. The outer
    /// `None`: what is there is no map; the inner one: there is none.
    #[expect(clippy::option_option, reason = "that there is none differs from what is damaged")]
    fn in_use(
        &self,
        pages: &mut Pages,
        bias: u64,
        (function, kind, index): (&Description, u8, u32),
    ) -> Option<Option<(u32, Vec<u32>)>> {
        let Some(offset) = function.data(pages, kind)? else { return Some(None) };
        let map = self.tables.function_data.wrapping_add(bias).checked_add(offset.into())?;
        let (maps, words) = (pages.half(map)?, pages.half(map.checked_add(4)?)?);
        if words == 0 && maps > 0 {
            return Some(Some((0, Vec::new())));
        }
        if index >= maps || words > WORDS_MAX {
            return None;
        }
        let length = words.div_ceil(8);
        let start = map.checked_add(8)?.checked_add(u64::from(index) * u64::from(length))?;
        let used = pages.bytes(start, usize::try_from(length).ok()?)?;
        let is_used = |word: &u32| {
            let byte = usize::try_from(word / 8).ok().and_then(|byte| used.get(byte));
            byte.is_some_and(|byte| byte & 1 << (word % 8) != 0)
        };
        Some(Some((words, (0..words).filter(is_used).collect())))
    }

    /// All words of the variables that something may point to, in use or not.
    fn objects(&self, pages: &mut Pages, bias: u64, function: &Description) -> Option<Vec<i64>> {
        let Some(offset) = function.data(pages, OBJECTS)? else { return Some(Vec::new()) };
        let start = self.tables.function_data.wrapping_add(bias).checked_add(offset.into())?;
        let count = word_at(&pages.bytes(start, 8)?, 0)?;
        if count > WORDS_MAX.into() {
            return None;
        }
        let mut words = Vec::new();
        for number in 0..count {
            let object = pages.bytes(start.checked_add(8)?.checked_add(OBJECT * number)?, 8)?;
            let place = i64::from(half_at(&object, 0)?.cast_signed());
            let length = i64::from(half_at(&object, 4)?);
            if length > 8 * i64::from(WORDS_MAX) {
                return None;
            }
            let first = if place < 0 { place } else { PARAMETERS_START + place };
            words.extend((first..first + length).step_by(8));
            if words.len() > OBJECT_WORDS_MAX {
                return None;
            }
        }
        Some(words)
    }
}
