//! What holds a response, in words of the program.

use super::{
    super::{goroutine::Stack, program::Functions},
    metadata::{Heap, Span},
};
use crate::{
    frames::{
        frame::{Frame, Language},
        rules::{Kind, Rules},
    },
    process::pages::Pages,
};

/// Who can reach a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::go) enum Reachability {
    #[default]
    Unknown,
    Dropped,
    Held(Option<Box<Holder>>),
}

/// What holds a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::go) struct Holder {
    pub(in crate::go) kind: HolderKind,
    pub(in crate::go) name: Option<String>,
}

/// The kind of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) enum HolderKind {
    Goroutine,
    Closure,
    Channel,
    Map,
    Slice,
    Timer,
    Global,
    Object,
}

/// Names holders.
pub(super) struct Names<'a, 'memory> {
    pub(super) functions: &'a mut Functions,
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) bias: u64,
}

impl Names<'_, '_> {
    /// A goroutine, by the innermost frame of the application on its stack.
    pub(super) fn goroutine(&mut self, stack: &Stack, rules: &Rules) -> Holder {
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
                if rules.judge(&frame).kind == Kind::Application {
                    name = Some(frame.place());
                    break 'frames;
                }
            }
        }
        Holder { kind: HolderKind::Goroutine, name }
    }

    /// An object of the heap.
    pub(super) fn object(&mut self, heap: &Heap, span: &Span, object: u64) -> Holder {
        let mut pages = Pages::new(heap.memory);
        let first = pages.word(object);
        let closure = first.and_then(|code| self.functions.entry_name(&mut pages, self.bias, code));
        if let Some(name) = closure {
            return Holder { kind: HolderKind::Closure, name: Some(name) };
        }
        let _ = span;
        Holder { kind: HolderKind::Object, name: None }
    }
}
