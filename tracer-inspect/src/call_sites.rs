//! From the stack of a process to the application's call site: `func file:line`.
//!
//! A wrong name is worse than none. So a name is said only of a frame that certainly is on the
//! stack and that no rule (`frames/frames.txt`) says is not the application's; whatever cannot be
//! told where the application's frame may be ends the search, with words.
//!
//! What the kernel keeps of a stack are the instruction that the thread is at, and behind it the
//! return addresses that it found by frame pointers. Code without them loses frames: at a system
//! call of the C library the function that called that library is not there; unwind tables lead to
//! it (`native/unwind.rs`). What is found after the frame pointers were lost is no frame
//! (`native/return_address.rs`).

use std::{
    fs,
    io::{self, ErrorKind},
};

use tracer_core::{CallSite, Input, ProcessKey, StackId};

use crate::{
    frames::{
        frame::{Frame, Language, base_name},
        rules::{Kind, Rules, Ruling},
    },
    go::{GoCode, GoFrame, GoPrograms},
    native::{modules::Modules, perf_map::PerfMaps, return_address, unwind},
    process::{
        identity::is_running,
        maps::{Mapping, Mappings, Source},
        memory::ProcessMemory,
        user_stack::UserStack,
    },
};

/// Frames that the kernel keeps of a stack (`PERF_MAX_STACK_DEPTH`).
const DEPTH_MAX: usize = 127;

/// Names the application's lines. Opens nothing before it is asked.
#[derive(Debug)]
pub struct CallSites {
    rules: Rules,
    modules: Modules,
    perf_maps: PerfMaps,
}

/// What a frame means for the search.
enum Verdict<'a> {
    Application(String),
    /// The application's frame may be further out. If there is none, this may say why.
    Further(Option<&'a str>),
    /// There is none.
    Ended,
    /// It has no name, and may be the application's.
    Nameless,
    /// It cannot be told: why.
    Unknown(String),
}

impl CallSites {
    /// Names lines by these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules, modules: Modules::default(), perf_maps: PerfMaps::default() }
    }

    /// The answer to a question about a call site; `None` if the process is gone, or has become
    /// another one meanwhile. `kept` is what was kept of the stack.
    pub fn answer(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        stack: StackId,
        kept: Option<&UserStack>,
    ) -> Option<Input> {
        if !is_running(process) {
            return None;
        }
        let found = match kept {
            Some(kept) => self.call_site(programs, process, kept),
            None => Err("its stack was not kept".to_owned()),
        };
        let (place, limits) = match found {
            Ok(place) => (place, None),
            Err(limits) => (None, Some(limits)),
        };
        let answer = CallSite { process, stack, place, limits };
        is_running(process).then_some(Input::CallSite(answer))
    }

    /// The innermost frame of the application. The stack begins with where the thread is; the
    /// other addresses are where calls return to. `None`: it has no frame of the application.
    ///
    /// # Errors
    /// Why it is not known, as a sentence.
    fn call_site(
        &mut self,
        programs: &mut GoPrograms,
        process: ProcessKey,
        kept: &UserStack,
    ) -> Result<Option<String>, String> {
        let pid = process.pid;
        let innermost = *kept.addresses.first().ok_or("its stack is empty")?;
        let mappings = Mappings::of(pid).map_err(|error| unreadable(&error))?;
        let (addresses, is_unwound) = with_caller(pid, &mappings, kept);
        let go = programs.calls(pid, &addresses).transpose()?.unwrap_or_default();
        let memory = ProcessMemory::open(pid, innermost).map_err(|error| unreadable(&error))?;

        let Self { rules, modules, perf_maps } = self;
        let mut perf_map = None;
        let mut way = Way { rules, pid, before: None, words: None, is_named: false };
        for (number, &address) in addresses.iter().enumerate() {
            let mapping = mappings.holding(address).ok_or_else(|| way.lost())?;
            let ruling = mapping.path().and_then(|path| rules.judge_module(path));
            // A call is where it is made, not where it returns to.
            let call = if number == 0 { address } else { address.wrapping_sub(1) };
            let (verdict, is_native) = match (go.get(number), &mapping.source, ruling) {
                (Some(GoCode::Frames(frames)), ..) => {
                    (judge(rules, frames.iter().map(of_go).collect()), false)
                }
                (Some(GoCode::Unknown(reason)), ..) => {
                    (Verdict::Unknown((*reason).to_owned()), false)
                }
                (_, Source::Kernel, _) => (Verdict::Further(None), true),
                (_, Source::Generated, _) => {
                    if perf_map.is_none() {
                        perf_map = Some(perf_maps.of(process)?);
                    }
                    let frame = perf_map.flatten().and_then(|map| map.frame(call));
                    way.is_named |= frame.is_some();
                    (judge(rules, frame.into_iter().collect()), false)
                }
                (_, _, Some(ruling)) if ruling.kind != Kind::Application => {
                    (meaning(ruling), ruling.kind != Kind::Engine)
                }
                (_, Source::File { .. }, _) => {
                    (judge(rules, modules.frames(pid, mapping, call)), true)
                }
            };
            let is_ended = matches!(verdict, Verdict::Ended);
            // Who is called by what the tables lead to need not keep a frame pointer.
            let is_native = is_native && !(is_unwound && number == 1);
            if number > 0 && !is_ended && !return_address::is_plausible(&memory, address, is_native)
            {
                return Err(way.lost());
            }
            match verdict {
                Verdict::Application(place) => return Ok(Some(place)),
                Verdict::Further(words) => way.words = way.words.or(words),
                Verdict::Ended => return way.ended(),
                Verdict::Nameless => return Err(way.nameless(mapping)),
                Verdict::Unknown(reason) => return Err(reason),
            }
            way.before = Some(mapping);
        }
        match addresses.len() {
            1 => Err(way.lost()),
            DEPTH_MAX.. => {
                Err(format!("its stack is deeper than the {DEPTH_MAX} frames that are kept"))
            }
            _ => way.ended(),
        }
    }
}

/// The addresses with the caller of the innermost function, if frame pointers have passed it over
/// and the unwind tables lead to it; and whether they did.
fn with_caller(pid: u32, mappings: &Mappings, kept: &UserStack) -> (Vec<u64>, bool) {
    let mut addresses = kept.addresses.clone();
    let caller = || {
        let top = kept.top.filter(|top| Some(&top.instruction) == addresses.first())?;
        let caller = unwind::return_address(pid, mappings.holding(top.instruction)?, &top)?;
        mappings.holding(caller).is_some().then_some(caller)
    };
    match caller() {
        Some(caller) if addresses.get(1) != Some(&caller) => {
            addresses.insert(1, caller);
            (addresses, true)
        }
        _ => (addresses, false),
    }
}

/// What was met on the way from the innermost frame, none of it the application's.
struct Way<'a> {
    rules: &'a Rules,
    pid: u32,
    /// Where the code of the frame before is.
    before: Option<&'a Mapping>,
    /// What may explain that no frame of the application is seen.
    words: Option<&'a str>,
    /// A frame of code made at run time had a name: so that the runtime does say them.
    is_named: bool,
}

impl Way<'_> {
    /// Why no frame of the application is seen, if the program is a runtime that hides them.
    fn words(&self) -> Option<&str> {
        let of_program = || {
            let program = fs::read_link(format!("/proc/{}/exe", self.pid)).ok()?;
            self.rules.judge_module(&program.to_string_lossy())?.words
        };
        if self.is_named { None } else { self.words.or_else(of_program) }
    }

    /// What is said of a stack that was followed to its end.
    fn ended(&self) -> Result<Option<String>, String> {
        self.words.filter(|_| !self.is_named).map_or(Ok(None), |words| Err(words.to_owned()))
    }

    /// What is said where the next address is none.
    fn lost(&self) -> String {
        let before = self.before.and_then(Mapping::path);
        let module = before.map_or("code made at run time", base_name);
        let sentence = format!(
            "its stack cannot be followed beyond {module}, which is built without frame pointers \
             (-fno-omit-frame-pointer)"
        );
        match self.words() {
            Some(words) => format!("{sentence}; {words}"),
            None => sentence,
        }
    }

    /// What is said of code without names where the application's may be.
    fn nameless(&self, mapping: &Mapping) -> String {
        match (self.words(), mapping.path()) {
            (Some(words), _) => words.to_owned(),
            (None, Some(path)) => format!(
                "{} has no names for its functions: build it with them, or put its debug file \
                 into /usr/lib/debug/.build-id",
                base_name(path)
            ),
            (None, None) => "code made at run time has no names: have the runtime write a perf \
                             map (/tmp/perf-PID.map)"
                .to_owned(),
        }
    }
}

/// What the calls at one address mean, of which the innermost comes first.
fn judge<'a>(rules: &'a Rules, frames: Vec<Frame>) -> Verdict<'a> {
    let mut words = None;
    if frames.is_empty() {
        return Verdict::Nameless;
    }
    for frame in frames {
        if frame.function.is_empty() {
            return Verdict::Nameless;
        }
        let ruling = rules.judge(&frame);
        if ruling.kind == Kind::Application {
            return Verdict::Application(frame.place());
        }
        match meaning(ruling) {
            Verdict::Further(more) => words = words.or(more),
            verdict => return verdict,
        }
    }
    Verdict::Further(words)
}

/// What a rule means that says that something is not the application's.
fn meaning(ruling: Ruling) -> Verdict {
    match ruling.kind {
        Kind::Library | Kind::Engine | Kind::Application => Verdict::Further(ruling.words),
        Kind::Loop => Verdict::Ended,
        Kind::Hidden => {
            let words = ruling.words.unwrap_or("it is in a function that hides the application's");
            Verdict::Unknown(words.to_owned())
        }
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

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "its memory may not be read: run as root, with CAP_SYS_PTRACE".to_owned()
        }
        _ => format!("its memory cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests;
