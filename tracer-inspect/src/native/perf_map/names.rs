//! Parses the names in a perf map, whose format depends on the runtime.

use crate::frames::frame::{Frame, Language};

/// The frame that a name describes.
pub(super) fn frame(name: &str) -> Frame<'_> {
    python(name).or_else(|| node(name)).unwrap_or_else(|| java(name))
}

fn new<'a>(language: Language, function: &'a str, file: &'a str, line: Option<u32>) -> Frame<'a> {
    let (function, file) = (function.into(), file.into());
    Frame { language, function, file, line, module: "".into() }
}

/// `py::API.fetch:/app/billing.py` (`perf_trampoline.c` of CPython), without a line.
fn python(name: &str) -> Option<Frame<'_>> {
    let (function, file) = name.strip_prefix("py::")?.split_once(':')?;
    Some(new(Language::Python, function, file, None))
}

/// `JS:*fetch file:///app/billing.js:10:5` (`src/logging/log.cc` of V8): a marker of the
/// optimization level, the function, and the position of the function, not of the call. V8's own
/// code has names such as `Builtin:CallFunction`.
fn node(name: &str) -> Option<Frame<'_>> {
    const OF_V8: [&str; 12] = [
        "Builtin:",
        "BytecodeHandler:",
        "Bytecode:",
        "Handler:",
        "Stub:",
        "RegExp:",
        "LoadIC:",
        "StoreIC:",
        "KeyedLoadIC:",
        "KeyedStoreIC:",
        "CallIC:",
        "ICStub:",
    ];
    const OF_SCRIPTS: [&str; 6] =
        ["JS:", "LazyCompile:", "Function:", "Script:", "Eval:", "Callback:"];
    if OF_V8.iter().any(|tag| name.starts_with(tag)) {
        return Some(new(Language::Node, name, "", None));
    }
    let code = OF_SCRIPTS.iter().find_map(|tag| name.strip_prefix(tag))?;
    let code = code.trim_start_matches(['*', '~', '^', '+', '\'', '?']);
    let (function, place) = code.split_once(' ').unwrap_or((code, ""));
    let function = if function.is_empty() { "(anonymous)" } else { function };
    let mut parts = place.rsplitn(3, ':');
    let numbers = (parts.next().and_then(number), parts.next().and_then(number), parts.next());
    match numbers {
        (Some(_column), Some(line), Some(file)) => {
            Some(new(Language::Node, function, file, Some(line)))
        }
        _ => Some(new(Language::Node, function, place, None)),
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// `void com.acme.Billing.charge(java.lang.String)`, as the JVM writes it, or
/// `Lcom/acme/Billing;::charge`, as agents write it. Other code of the JVM has plain names such as
/// `Interpreter`.
fn java(name: &str) -> Frame<'_> {
    let mut frame = new(Language::Java, name, "", None);
    if let Some((class, method)) = name.strip_prefix('L').and_then(|name| name.split_once(";::")) {
        frame.function = format!("{}.{method}", class.replace('/', ".")).into();
    } else if let Some((signature, _)) = name.split_once('(') {
        frame.function = signature.rsplit(' ').next().unwrap_or_default().into();
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_by_the_format_of_the_runtime() {
        for (name, language, place) in [
            ("py::fetch:/app/billing.py", Language::Python, "fetch billing.py"),
            ("py::<module>:/app/a:b.py", Language::Python, "<module> a:b.py"),
            ("py::run:<frozen runpy>", Language::Python, "run <frozen runpy>"),
            ("JS:*fetch /app/billing.js:10:5", Language::Node, "fetch billing.js:10"),
            ("JS:~ file:///app/a b.mjs:3:1", Language::Node, "(anonymous) a b.mjs:3"),
            ("LazyCompile:~get node:http:99:4", Language::Node, "get node:http:99"),
            ("Script:~ /app/main.js:1:1", Language::Node, "(anonymous) main.js:1"),
            ("JS:^odd", Language::Node, "odd"),
            ("Builtin:CallFunction", Language::Node, "Builtin:CallFunction"),
            ("void com.acme.Billing.charge(int)", Language::Java, "com.acme.Billing.charge"),
            ("Lcom/acme/Billing;::charge", Language::Java, "com.acme.Billing.charge"),
            ("Interpreter", Language::Java, "Interpreter"),
        ] {
            let frame = frame(name);
            assert_eq!((frame.language, frame.place().as_str()), (language, place), "{name}");
        }
    }
}
