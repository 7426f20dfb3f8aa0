//! From a recorded stack to the application's call site: `func file:line`.
//!
//! A wrong name is worse than none. Therefore a frame is named only if it is certainly on the stack
//! and no frame rule (`frames/frames.txt`) excludes it. A frame that cannot be identified ends the
//! search with a [`CallSiteReason`], because it may be the application's.
//!
//! A recorded stack is the thread's instruction pointer, followed by the return addresses that the
//! kernel found by frame pointers. Code without frame pointers loses frames: in a system call of
//! the C library, the caller of the library function is missing. The unwind tables locate it
//! (`native/unwind.rs`). Addresses that follow after the frame pointers were lost are not frames
//! (`native/return_address.rs`).

use std::fs;

use tracer_core::{AccessError, CallSite, CallSiteReason, Input, Limit, ProcessKey, StackId};

use crate::{
    budget::Budget,
    frames::{
        frame::{Frame, Language, base_name},
        rules::{Kind, Rules, Ruling},
    },
    go::{GoCode, GoFrame, GoPrograms},
    native::{modules::Modules, perf_map::PerfMaps, return_address, unwind},
    process::{
        access::attach_error,
        identity::is_running,
        maps::{Mapping, Mappings, Source},
        memory::ProcessMemory,
        user_stack::UserStack,
    },
};

/// Maximum number of frames that the kernel records per stack (`PERF_MAX_STACK_DEPTH` of
/// `include/uapi/linux/perf_event.h`).
const DEPTH_MAX: usize = 127;

/// Resolves stacks to call sites. Opens no files before the first question.
#[derive(Debug)]
pub(crate) struct CallSites {
    rules: Rules,
    modules: Modules,
    perf_maps: PerfMaps,
}

/// What a frame means for the search.
enum Meaning<'a> {
    /// The frame belongs to the application: its call site.
    Application(String),
    /// The application's frame may be further out. The explanation applies if none is found.
    Further(Option<&'a str>),
    /// The search ends: frames further out did not cause this call.
    Ended,
    /// The frame has no name, so it may be the application's.
    Nameless,
    /// The frame cannot be identified.
    Unknown(CallSiteReason),
}

impl CallSites {
    /// `rules` decide which frames belong to the application.
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, modules: Modules::default(), perf_maps: PerfMaps::default() }
    }

    /// Answers [`Question::CallSite`](tracer_core::Question::CallSite); `None` if the process has
    /// exited or its pid was reused. `recorded` is the stack, if the kernel still has it.
    pub(crate) fn answer(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        stack: StackId,
        recorded: Option<&UserStack>,
        budget: &Budget,
    ) -> Option<Input> {
        if !is_running(process) {
            return None;
        }
        let found = match recorded {
            Some(recorded) => self.call_site(programs, process, recorded, budget),
            None => Err(CallSiteReason::StackNotKept),
        };
        // What was not read may have been the application's frame.
        let found = budget.limit().map_or(found, |limit| Err(CallSiteReason::Process(limit)));
        // Without these files, the frames that follow mean nothing.
        let found = match (found, budget.not_local()) {
            (Ok(None) | Err(_), Some(limit)) => Err(CallSiteReason::Process(limit)),
            (found, _) => found,
        };
        let (location, reason) = match found {
            Ok(location) => (location, None),
            Err(reason) => (None, Some(reason)),
        };
        let answer = CallSite { process, stack, location, reason };
        is_running(process).then_some(Input::CallSite(answer))
    }

    /// The innermost frame of the application; `None` if no frame is the application's.
    ///
    /// # Errors
    /// It is unknown which frame, if any, is the application's.
    fn call_site(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        recorded: &UserStack,
        budget: &Budget,
    ) -> Result<Option<String>, CallSiteReason> {
        let pid = process.pid;
        let innermost = *recorded.addresses.first().ok_or(CallSiteReason::StackEmpty)?;
        let mappings = Mappings::of(pid, budget).map_err(CallSiteReason::Process)?;
        let (addresses, is_unwound) = with_caller(pid, &mappings, recorded, budget);
        let go = programs.calls(pid, &addresses, budget).transpose();
        let go = go.map_err(CallSiteReason::Process)?.unwrap_or_default();
        let memory = ProcessMemory::open(pid, innermost, budget);
        let memory = memory.map_err(|error| unreadable(attach_error(&error)))?;

        let Self { rules, modules, perf_maps } = self;
        let mut perf_map = None;
        let mut walk = Walk { rules, pid, previous: None, explanation: None, has_names: false };
        for (number, &address) in addresses.iter().enumerate() {
            let mapping = mappings.code_at(address).ok_or_else(|| walk.lost())?;
            let ruling = mapping.path().and_then(|path| rules.classify_module(path));
            // A return address is the instruction after the call.
            let call = if number == 0 { address } else { address.wrapping_sub(1) };
            let (meaning, is_native) = match (go.get(number), &mapping.source, ruling) {
                (Some(GoCode::Frames(frames)), ..) => {
                    (classify(rules, frames.iter().map(of_go).collect()), false)
                }
                (Some(GoCode::Inconsistent), ..) => {
                    (Meaning::Unknown(CallSiteReason::GoLinesInconsistent), false)
                }
                (_, Source::Kernel, _) => (Meaning::Further(None), true),
                (_, Source::Generated, _) => {
                    if perf_map.is_none() {
                        // Return addresses, and the calls before them.
                        let calls = addresses.iter().map(|address| address.wrapping_sub(1));
                        let wanted: Vec<u64> = addresses.iter().copied().chain(calls).collect();
                        perf_map = Some(perf_maps.of(process, &wanted, budget)?);
                    }
                    let frame = perf_map.flatten().and_then(|map| map.frame(call));
                    walk.has_names |= frame.is_some();
                    (classify(rules, frame.into_iter().collect()), false)
                }
                (_, _, Some(ruling)) if ruling.kind != Kind::Application => {
                    (meaning_of(ruling), ruling.kind != Kind::Engine)
                }
                (_, Source::File { .. }, _) => {
                    let frames = modules.frames(pid, mapping, call, budget);
                    (classify(rules, frames.map_err(CallSiteReason::Process)?), true)
                }
            };
            let is_ended = matches!(meaning, Meaning::Ended);
            // The caller that the unwind tables located need not keep a frame pointer.
            let is_native = is_native && !(is_unwound && number == 1);
            if number > 0 && !is_ended && !return_address::is_plausible(&memory, address, is_native)
            {
                return Err(walk.lost());
            }
            match meaning {
                Meaning::Application(call_site) => return Ok(Some(call_site)),
                Meaning::Further(explanation) => {
                    walk.explanation = walk.explanation.or(explanation);
                }
                Meaning::Ended => return walk.ended(),
                Meaning::Nameless => return Err(walk.nameless(mapping)),
                Meaning::Unknown(reason) => return Err(reason),
            }
            walk.previous = Some(mapping);
        }
        match addresses.len() {
            1 => Err(walk.lost()),
            DEPTH_MAX.. => Err(CallSiteReason::StackTooDeep { frames_max: DEPTH_MAX }),
            _ => walk.ended(),
        }
    }
}

/// The addresses, with the caller of the innermost function inserted if frame pointers missed it and
/// the unwind tables find it; and whether one was inserted.
fn with_caller(
    pid: u32,
    mappings: &Mappings,
    recorded: &UserStack,
    budget: &Budget,
) -> (Vec<u64>, bool) {
    let mut addresses = recorded.addresses.clone();
    let caller = || {
        let top = recorded.top.filter(|top| Some(&top.instruction) == addresses.first())?;
        let mapping = mappings.code_at(top.instruction)?;
        let caller = unwind::return_address(pid, mapping, &top, budget)?;
        mappings.code_at(caller).is_some().then_some(caller)
    };
    match caller() {
        Some(caller) if addresses.get(1) != Some(&caller) => {
            addresses.insert(1, caller);
            (addresses, true)
        }
        _ => (addresses, false),
    }
}

/// A walk from the innermost frame outwards that has not met a frame of the application.
struct Walk<'a> {
    rules: &'a Rules,
    pid: u32,
    /// Where the code of the previous frame is.
    previous: Option<&'a Mapping>,
    /// The explanation of a frame rule, for the case that no frame of the application is found.
    explanation: Option<&'a str>,
    /// Whether a frame of JIT-compiled code had a name, so that the runtime does write a perf map.
    has_names: bool,
}

impl Walk<'_> {
    /// Why no frame of the application is visible, if the program is a runtime that hides them.
    fn explanation(&self) -> Option<&str> {
        let of_program = || {
            let program = fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
            self.rules.classify_module(&program.to_string_lossy())?.explanation
        };
        if self.has_names { None } else { self.explanation.or_else(of_program) }
    }

    /// The result for a stack that was walked to its end.
    fn ended(&self) -> Result<Option<String>, CallSiteReason> {
        match self.explanation.filter(|_| !self.has_names) {
            Some(text) => Err(CallSiteReason::HiddenByRuntime { explanation: text.to_owned() }),
            None => Ok(None),
        }
    }

    /// The reason if the next address is not a return address.
    fn lost(&self) -> CallSiteReason {
        let module = self.previous.and_then(Mapping::path).map(base_name);
        CallSiteReason::FramePointersMissing {
            module: module.map(str::to_owned),
            explanation: self.explanation().map(str::to_owned),
        }
    }

    /// The reason if code without names may be the application's.
    fn nameless(&self, mapping: &Mapping) -> CallSiteReason {
        match self.explanation() {
            Some(text) => CallSiteReason::HiddenByRuntime { explanation: text.to_owned() },
            None => CallSiteReason::SymbolsMissing {
                module: mapping.path().map(|path| base_name(path).to_owned()),
            },
        }
    }
}

/// What the calls at one address mean, innermost first: a function and the functions that it is
/// inlined into.
fn classify<'a>(rules: &'a Rules, frames: Vec<Frame>) -> Meaning<'a> {
    let mut explanation = None;
    if frames.is_empty() {
        return Meaning::Nameless;
    }
    for frame in frames {
        if frame.function.is_empty() {
            return Meaning::Nameless;
        }
        let ruling = rules.classify(&frame);
        if ruling.kind == Kind::Application {
            return Meaning::Application(frame.place());
        }
        match meaning_of(ruling) {
            Meaning::Further(text) => explanation = explanation.or(text),
            meaning => return meaning,
        }
    }
    Meaning::Further(explanation)
}

/// The meaning for a frame that a rule assigns to a library or a runtime.
fn meaning_of(ruling: Ruling) -> Meaning {
    match ruling.kind {
        Kind::Library | Kind::Engine | Kind::Application => Meaning::Further(ruling.explanation),
        Kind::Loop => Meaning::Ended,
        Kind::Hidden => Meaning::Unknown(match ruling.explanation {
            Some(text) => CallSiteReason::HiddenByRuntime { explanation: text.to_owned() },
            None => CallSiteReason::HiddenFrame,
        }),
    }
}

fn of_go(frame: &GoFrame) -> Frame<'_> {
    let (file, line) =
        frame.place.as_ref().map_or(("", None), |(file, line)| (&**file, Some(*line)));
    Frame {
        language: Language::Go,
        function: (&*frame.function).into(),
        file: file.into(),
        line,
        module: "".into(),
    }
}

const fn unreadable(error: AccessError) -> CallSiteReason {
    CallSiteReason::Process(Limit::MemoryUnreadable { error })
}

#[cfg(test)]
mod tests;
