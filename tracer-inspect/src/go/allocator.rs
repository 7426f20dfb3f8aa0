//! Go's memory allocator, as far as the heap is searched: arenas, spans, the state of objects, and which
//! of their words are pointers.

pub(super) mod metadata;
mod pointer_map;
pub(super) mod roots;

#[cfg(test)]
pub(super) mod example;
#[cfg(test)]
mod tests;
