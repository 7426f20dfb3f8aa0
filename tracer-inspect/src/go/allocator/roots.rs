//! Where a program has its heap, found without symbols.

use super::metadata::Heap;
use crate::{
    go::{
        all_goroutines, executable::Executable, function_table::FunctionTable, layout::Layout,
        target::Target,
    },
    process::memory::u64_at,
};

/// Number of goroutines that must be in the heap, by which it is recognized.
const KNOWN: u64 = 16;

/// Functions of the runtime that use `mheap_.arenas`.
const USERS: [&str; 4] =
    ["runtime.findObject", "runtime.spanOfHeap", "runtime.inHeapOrStack", "runtime.wbBufFlush1"];

/// Where a program has its heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) struct HeapRoots {
    /// The address of `mheap_.arenas`, as in the file.
    pub(in crate::go) arenas: u64,
    /// The address of `moduledata`, as in the file.
    pub(in crate::go) module: u64,
    /// Whether the program was built with the address sanitizer, which makes objects larger.
    pub(in crate::go) has_sanitizer: bool,
}

/// The address of `mheap_.arenas` as in the file, from the code of the runtime.
pub(in crate::go) fn find_arenas(
    executable: &Executable,
    functions: &FunctionTable,
    layout: &Layout,
    target: Target<'_>,
    all_goroutines: u64,
) -> Option<u64> {
    let known = known(target, all_goroutines)?;
    let Target { memory, bias, .. } = target;
    let operands = all_goroutines::data_operands(executable, functions, memory, bias, &USERS);
    operands.into_iter().find(|address| {
        let address = address.wrapping_add(target.bias);
        Heap::at(target.memory, &layout.heap, address, &known).is_some()
    })
}

/// The addresses of some goroutines, which are objects of the heap.
pub(in crate::go) fn known(target: Target<'_>, all_goroutines: u64) -> Option<Vec<u64>> {
    let list = all_goroutines.wrapping_add(target.bias);
    let (start, length) = all_goroutines::list(target.memory, target.mappings, list)?;
    let length = usize::try_from(8 * length.min(KNOWN)).ok()?;
    let bytes = target.memory.read_one(start, length)?;
    Some(bytes.chunks_exact(8).filter_map(|it| u64_at(it, 0)).collect())
}
