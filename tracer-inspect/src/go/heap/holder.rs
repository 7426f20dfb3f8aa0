//! What holds a response, in words of the program.

use tracer_core::{HolderKind, ResponseHolder};

use super::{
    super::allocator::metadata::{Heap, Span},
    super::{functions::Functions, stack::Stack},
};
use crate::{
    frames::{
        frame::{Frame, Language},
        rules::{Kind, Rules},
    },
    process::pages::Pages,
};

/// Names holders.
pub(super) struct Names<'a, 'memory> {
    pub(super) functions: &'a mut Functions,
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) bias: u64,
}

impl Names<'_, '_> {
    /// A goroutine, by the innermost frame of the application on its stack.
    pub(super) fn goroutine(&mut self, stack: &Stack, rules: &Rules) -> ResponseHolder {
        let mut name = None;
        'frames: for (number, frame) in stack.frames().iter().enumerate() {
            let calls = self.functions.calls(self.pages, self.bias, frame.pc, number == 0);
            for call in calls.unwrap_or_default() {
                let (file, line) =
                    call.place.as_ref().map_or(("", None), |(file, line)| (&**file, Some(*line)));
                let frame = Frame {
                    language: Language::Go,
                    function: (&*call.function).into(),
                    file: file.into(),
                    line,
                    module: "".into(),
                };
                if rules.classify(&frame).kind == Kind::Application {
                    name = Some(frame.place());
                    break 'frames;
                }
            }
        }
        // The frames of a goroutine that is running are not known.
        let start = stack.goroutine.function;
        let name = name.or_else(|| self.functions.entry_name(self.pages, self.bias, start));
        ResponseHolder { kind: HolderKind::Goroutine, name: name.and_then(shortened) }
    }

    /// An object of the heap.
    pub(super) fn object(&mut self, heap: &Heap, span: &Span, object: u64) -> ResponseHolder {
        let mut pages = Pages::new(heap.memory);
        let first = pages.word(object);
        let closure = first.and_then(|code| self.functions.entry_name(&mut pages, self.bias, code));
        if let Some(name) = closure {
            return ResponseHolder { kind: HolderKind::Closure, name: shortened(name) };
        }
        let _ = span;
        ResponseHolder { kind: HolderKind::Object, name: None }
    }
}

/// A name that is not too long to be shown, and not empty.
pub(super) fn shortened(mut name: String) -> Option<String> {
    if let Some((end, _)) = name.char_indices().find(|(at, it)| at + it.len_utf8() > NAME_MAX) {
        name.truncate(end);
    }
    (!name.is_empty()).then_some(name)
}

const NAME_MAX: usize = ResponseHolder::NAME_MAX;
