//! One call of a stack, and how it is written.

use std::borrow::Cow;

/// Longest name of a function that is shown: templates write novels.
const NAME_MAX: usize = 160;

/// What a function was written in, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// C, C++ and whatever else is compiled to functions of a module.
    Native,
    /// Python.
    Python,
    /// JavaScript in V8.
    Node,
    /// Java.
    Java,
}

impl Language {
    /// As the rules have it.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "go" => Self::Go,
            "rust" => Self::Rust,
            "native" => Self::Native,
            "python" => Self::Python,
            "node" => Self::Node,
            "java" => Self::Java,
            _ => return None,
        })
    }
}

/// A call. What is empty is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it was written in.
    pub language: Language,
    /// The name of the function, as its language writes it.
    pub function: Cow<'a, str>,
    /// The whole path of the file with its source, or what the runtime has for one.
    pub file: Cow<'a, str>,
    /// The line in the file, from 1 on.
    pub line: Option<u32>,
    /// The path of the module that has the code.
    pub module: Cow<'a, str>,
}

impl Frame<'_> {
    /// `func file:line`, as far as it is known. Of a function of which no file is known the module
    /// is said: `func (program)`.
    pub fn place(&self) -> String {
        let function = shortened(&self.function);
        match (base_name(&self.file), self.line) {
            ("", _) if self.module.is_empty() => function,
            ("", _) => format!("{function} ({})", base_name(&self.module)),
            (file, None) => format!("{function} {file}"),
            (file, Some(line)) => format!("{function} {file}:{line}"),
        }
    }

    /// Whether the function belongs to a package or one below it: what that is depends on the
    /// language.
    pub fn is_of_package(&self, package: &str) -> bool {
        match self.language {
            Language::Go => is_below(&go_package(&self.function), package, "/"),
            Language::Rust => is_of_crate(&self.function, package),
            Language::Native => is_below(&self.function, package, "::"),
            Language::Java => is_below(&self.function, package, "."),
            Language::Node => {
                let modules = self.file.rsplit_once("/node_modules/");
                modules.is_some_and(|(_, path)| is_below(path, package, "/"))
            }
            Language::Python => {
                let file = self.file.strip_suffix(".py").unwrap_or(&self.file);
                python_module(file).is_some_and(|path| is_below(path, package, "/"))
            }
        }
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn is_below(path: &str, package: &str, separator: &str) -> bool {
    let rest = path.strip_prefix(package);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// The import path of a function's package: what is before the first dot after the last slash. A
/// dot of the path itself is written as `%2e` there.
fn go_package(function: &str) -> Cow<'_, str> {
    let generic = function.find('[').unwrap_or(function.len());
    let slash = function[..generic].rfind('/').map_or(0, |slash| slash + 1);
    let dot = function[slash..].find('.').map_or(function.len(), |dot| slash + dot);
    match &function[..dot] {
        path if path.contains("%2e") => Cow::Owned(path.replace("%2e", ".")),
        path => Cow::Borrowed(path),
    }
}

/// A method of `<A as B>` belongs to the crate of A, or if that is only a parameter to that of B.
fn is_of_crate(function: &str, package: &str) -> bool {
    let mut parts = function.trim_start_matches('<').splitn(2, " as ");
    let own = path_of_type(parts.next().unwrap_or_default());
    let of_trait = parts.next().map(path_of_type);
    if own.contains("::") || of_trait.is_none() {
        return is_below(own, package, "::");
    }
    of_trait.is_some_and(|path| is_below(path, package, "::"))
}

/// `&mut dyn a::B` is about `a::B`.
fn path_of_type(text: &str) -> &str {
    let mut text = text;
    for prefix in ["<", "[", "(", "&", "*const ", "*mut ", "'_ ", "mut ", "dyn "] {
        text = text.trim_start_matches(prefix);
    }
    text
}

/// What a Python module is called in the folder that it was installed to: of a package, or of the
/// standard library.
fn python_module(file: &str) -> Option<&str> {
    let installed = ["/site-packages/", "/dist-packages/"];
    if let Some((_, path)) = installed.iter().find_map(|folder| file.rsplit_once(folder)) {
        return Some(path);
    }
    let (_, rest) = file.rsplit_once("/lib/python3")?;
    rest.split_once('/').map(|(_, path)| path)
}

/// Without the parameters that C++ has in its names, and not longer than can be read.
fn shortened(function: &str) -> String {
    let function = without_parameters(function);
    match function.char_indices().nth(NAME_MAX) {
        Some((end, _)) => format!("{}...", &function[..end]),
        None => function.to_owned(),
    }
}

/// `acme::fetch(int, char const*) const` is `acme::fetch`. Parentheses that belong to the name
/// stay: `(anonymous namespace)::fetch`, `operator()`, Go's `main.(*API).fetch`.
fn without_parameters(function: &str) -> &str {
    let end = function.strip_suffix(" const").unwrap_or(function);
    if !end.ends_with(')') {
        return function;
    }
    let mut depth = 0;
    for (place, character) in end.char_indices().rev() {
        match character {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let name = &end[..place];
            return if name.is_empty() || name.ends_with("operator") { end } else { name };
        }
    }
    function
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(language: Language, function: &'static str, file: &'static str) -> Frame<'static> {
        Frame {
            language,
            function: function.into(),
            file: file.into(),
            line: None,
            module: "".into(),
        }
    }

    #[test]
    fn a_place_says_what_is_known() {
        let mut frame = frame(Language::Go, "main.(*API).fetch", "/go/src/billing.go");
        frame.line = Some(23);
        assert_eq!(frame.place(), "main.(*API).fetch billing.go:23");
        frame.line = None;
        assert_eq!(frame.place(), "main.(*API).fetch billing.go");
        frame.file = "".into();
        assert_eq!(frame.place(), "main.(*API).fetch");
        frame.module = "/opt/billing".into();
        assert_eq!(frame.place(), "main.(*API).fetch (billing)");
    }

    #[test]
    fn names_are_short() {
        for (name, short) in [
            ("acme::fetch(std::string const&) const", "acme::fetch"),
            ("(anonymous namespace)::fetch(int (*)(int))", "(anonymous namespace)::fetch"),
            ("acme::Task::operator()(int)", "acme::Task::operator()"),
            ("acme::Task::operator()", "acme::Task::operator()"),
            ("acme::{lambda(int)#1}::operator()(int) const", "acme::{lambda(int)#1}::operator()"),
            ("main.(*API).fetch", "main.(*API).fetch"),
            ("fetch", "fetch"),
            ("odd)", "odd)"),
            ("()", "()"),
        ] {
            assert_eq!(shortened(name), short);
        }
        assert_eq!(shortened(&"ä".repeat(500)).chars().count(), NAME_MAX + 3);
    }

    #[test]
    fn packages_of_go_are_import_paths() {
        let is = |function, package| frame(Language::Go, function, "").is_of_package(package);
        assert!(is("net/http.(*Client).do", "net"));
        assert!(is("net.(*Dialer).DialContext.func1", "net"));
        assert!(!is("network/http.Get", "net"), "a name that begins with it is another name");
        assert!(!is("net/http.Get", "net/httptest"));
        assert!(is("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3"));
        assert!(is("slices.SortFunc[...]", "slices"));
        assert!(is("main.get[go.shape.github.com/acme/x.T]", "main"));
        assert!(is("main", "main"));
    }

    #[test]
    fn packages_of_rust_are_crates() {
        let is = |function, package| frame(Language::Rust, function, "").is_of_package(package);
        assert!(is("tokio::net::tcp::stream::TcpStream::connect", "tokio"));
        assert!(is(
            "<hyper::client::conn::Connection<T,B> as core::future::Future>::poll",
            "hyper"
        ));
        assert!(is("<F as tower::util::ServiceFn<T>>::call", "tower"), "A is only a parameter");
        assert!(is("<&mut dyn std::io::Read as std::io::Read>::read", "std"));
        assert!(!is("<crawler::Fetch as tower_service::Service<R>>::call", "tower_service"));
        assert!(!is("crawler::tokio::connect", "tokio"));
        assert!(!is("tokio_postgres::connect", "tokio"));
    }

    #[test]
    fn packages_of_scripts_are_folders() {
        let node = |file, package| frame(Language::Node, "get", file).is_of_package(package);
        assert!(node("/app/node_modules/axios/lib/axios.js", "axios"));
        assert!(node("/app/node_modules/axios/node_modules/ws/index.js", "ws"));
        assert!(node("file:///app/node_modules/@grpc/grpc-js/src/a.js", "@grpc/grpc-js"));
        assert!(!node("/app/axios/index.js", "axios"));
        let python = |file, package| frame(Language::Python, "get", file).is_of_package(package);
        assert!(python("/usr/lib/python3.12/http/client.py", "http"));
        assert!(python("/usr/lib/python3.12/socket.py", "socket"));
        assert!(python("/venv/lib/python3.12/site-packages/requests/api.py", "requests"));
        assert!(python("/usr/lib/python3/dist-packages/urllib3/util/ssl_.py", "urllib3"));
        assert!(!python("/venv/lib/python3.12/site-packages/http/api.py", "site-packages"));
        assert!(!python("/app/requests/api.py", "requests"));
    }
}
