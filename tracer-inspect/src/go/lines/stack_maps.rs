//! Go's stack maps, by which the garbage collector finds the words of a frame that are in use.
//!
//! For each call site of a function there is a bitmap of the variables that are live after the call
//! (`runtime.stackmap`), and for each function a list of the variables whose address is taken
//! (`runtime.stackObjectRecord`). Other words of a frame are stale. `getStackMap` in
//! `runtime/stkframe.go` reads the same tables.

use super::Lines;
use crate::process::{
    memory::{u32_at, u64_at},
    pages::Pages,
};

/// `abi.PCDATA_StackMapIndex`.
const MAP_INDEX: u32 = 1;
/// `abi.FUNCDATA_ArgsPointerMaps`, `abi.FUNCDATA_LocalsPointerMaps`, `abi.FUNCDATA_StackObjects`.
const PARAMETERS: u8 = 0;
const VARIABLES: u8 = 1;
const OBJECTS: u8 = 2;
/// `abi.FuncFlagSPWrite` and `abi.FuncFlagAsm`: functions without stack maps.
const FLAGS_UNKNOWN: u8 = 2 | 4;
/// Functions whose callers do not continue at the return address but elsewhere, where other
/// variables are live.
const DIVERTED: [&str; 3] = ["runtime.gopanic", "runtime.sigpanic", "runtime.asyncPreempt"];

/// Bytes from the saved frame pointer to the parameters: the saved frame pointer and the return
/// address.
const PARAMETERS_START: i64 = 16;
/// Size of `runtime.stackObjectRecord` in bytes.
const OBJECT: u64 = 16;
/// Maximum plausible number of words and of objects of a frame.
const WORDS_MAX: u32 = 1 << 16;
/// Maximum number of words of a frame with its parameters: 1 MiB, as much as is copied of a stack.
const FRAME_WORDS_MAX: usize = 1 << 17;

/// The words of a frame that are in use during a call that it makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameMap {
    /// Bytes from its first variable to the saved frame pointer.
    pub(in crate::go) size: u64,
    /// Offsets in bytes from the saved frame pointer of the variables that are live and may be
    /// pointers. Parameters have positive offsets.
    pub(in crate::go) words: Vec<i64>,
    /// The variables whose address is taken: such an offset, and the length in bytes. Each is in use
    /// if something in use points to it.
    pub(in crate::go) objects: Vec<(i64, i64)>,
}

/// `runtime._func` with its pcdata and funcdata.
struct Description {
    bytes: Vec<u8>,
    /// The address in the process of the pcdata offsets, which the funcdata offsets follow.
    offsets: u64,
}

impl Description {
    /// The offset in `pctab` of a pcdata table; 0 if there is none.
    fn value_table(&self, pages: &mut Pages, index: u32) -> Option<u32> {
        let exists = index < u32_at(&self.bytes, 28)?;
        if exists { pages.half(self.offsets.checked_add(4 * u64::from(index))?) } else { Some(0) }
    }

    /// The offset of funcdata from `go:func.*`. The outer `None`: the table is corrupt; the inner
    /// one: there is none.
    #[expect(clippy::option_option, reason = "no data and a corrupt table differ")]
    fn data(&self, pages: &mut Pages, index: u8) -> Option<Option<u32>> {
        if index >= *self.bytes.last()? {
            return Some(None);
        }
        let number = u64::from(u32_at(&self.bytes, 28)?) + u64::from(index);
        let offset = pages.half(self.offsets.checked_add(4 * number)?)?;
        Some((offset != u32::MAX).then_some(offset))
    }
}

impl Lines<'_> {
    /// The stack map of the frame whose call returns to an address of the process; `None` if it is
    /// unknown.
    pub fn frame_map(&self, pages: &mut Pages, bias: u64, return_address: u64) -> Option<FrameMap> {
        let address = return_address.wrapping_sub(bias).wrapping_sub(1);
        let number = self.functions.function_at(address)?;
        let (start_offset, description) = self.functions.entry(number)?;
        let offset = u32::try_from(address - self.functions.code(number)?.0).ok()?;
        let length = self.tables.format.description;
        let start = self.tables.descriptions.at(description.into(), bias)?;
        let bytes = pages.bytes(start, length)?;
        let flags = *bytes.get(length.checked_sub(3)?)?;
        let is_diverted = self.functions.name(pages, bias, number, &DIVERTED).is_some();
        if u32_at(&bytes, 0)? != start_offset || flags & FLAGS_UNKNOWN != 0 || is_diverted {
            return None;
        }
        let function =
            Description { offsets: start.checked_add(u64::try_from(length).ok()?)?, bytes };

        // The size of the frame (`_func.pcsp`) includes the saved frame pointer of the caller.
        let whole = self.value(pages, bias, u32_at(&function.bytes, 16)?, offset)?;
        let size = u64::try_from(whole).ok()?.checked_sub(8)?;
        let table = function.value_table(pages, MAP_INDEX)?;
        // Without a value (-1), the map of the function entry applies.
        let index = u32::try_from(self.value(pages, bias, table, offset)?).unwrap_or(0);
        let mut words = Vec::new();
        let variables = self.live_words(pages, bias, (&function, VARIABLES, index))?;
        if variables.is_none() && size > 0 {
            return None;
        }
        let (count, used) = variables.unwrap_or_default();
        if 8 * u64::from(count) > size {
            return None;
        }
        let start = -8 * i64::from(count);
        words.extend(used.into_iter().map(|word| start + 8 * i64::from(word)));
        let parameters = self.live_words(pages, bias, (&function, PARAMETERS, index))?;
        if parameters.is_none() && u32_at(&function.bytes, 8)? != 0 {
            return None;
        }
        let (_, used) = parameters.unwrap_or_default();
        words.extend(used.into_iter().map(|word| PARAMETERS_START + 8 * i64::from(word)));
        let objects = self.objects(pages, bias, &function)?;
        words.sort_unstable();
        words.dedup();
        words.shrink_to_fit();
        Some(FrameMap { size, words, objects })
    }

    /// The number of words in a `stackmap`, and the indexes of the live ones. The outer `None`: the
    /// map is corrupt; the inner one: there is none.
    #[expect(clippy::option_option, reason = "no data and a corrupt table differ")]
    fn live_words(
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

    /// The variables whose address is taken, live or not.
    fn objects(
        &self,
        pages: &mut Pages,
        bias: u64,
        function: &Description,
    ) -> Option<Vec<(i64, i64)>> {
        let Some(offset) = function.data(pages, OBJECTS)? else { return Some(Vec::new()) };
        let start = self.tables.function_data.wrapping_add(bias).checked_add(offset.into())?;
        let count = u64_at(&pages.bytes(start, 8)?, 0)?;
        if count > WORDS_MAX.into() {
            return None;
        }
        let (mut objects, mut words) = (Vec::new(), 0_usize);
        for number in 0..count {
            let object = pages.bytes(start.checked_add(8)?.checked_add(OBJECT * number)?, 8)?;
            let offset = i64::from(u32_at(&object, 0)?.cast_signed());
            let length = i64::from(u32_at(&object, 4)?);
            let word_count = usize::try_from(length.div_euclid(8) + 1).ok()?;
            words = words.checked_add(word_count).filter(|it| *it <= FRAME_WORDS_MAX)?;
            pages.budget().step(u64::try_from(word_count).ok()?)?;
            let first = if offset < 0 { offset } else { PARAMETERS_START + offset };
            objects.push((first, length));
        }
        objects.sort_unstable();
        objects.dedup();
        objects.shrink_to_fit();
        Some(objects)
    }
}
