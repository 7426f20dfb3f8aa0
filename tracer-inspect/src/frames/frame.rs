//! A frame of a stack, and its text form.

use std::borrow::Cow;

/// Maximum number of characters shown of a function name: template names can be very long.
const NAME_MAX: usize = 160;

/// The language of a function: the distinctions that affect names and packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// C, C++ and other compiled languages.
    Native,
    /// Python.
    Python,
    /// JavaScript in V8.
    Node,
    /// Java.
    Java,
}

impl Language {
    /// The language with this name in the frame rules; `None` if there is none.
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

/// A frame. Empty fields are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The language of the function.
    pub language: Language,
    /// The demangled name of the function.
    pub function: Cow<'a, str>,
    /// The path of the source file, or what the runtime reports in its place (`node:net`).
    pub file: Cow<'a, str>,
    /// The line in the file, counted from 1.
    pub line: Option<u32>,
    /// The path of the module with the code.
    pub module: Cow<'a, str>,
}

impl Frame<'_> {
    /// `func file:line`, without the parts that are unknown; without a file, the module:
    /// `func (program)`.
    pub fn place(&self) -> String {
        let function = shortened(&self.function);
        match (base_name(&self.file), self.line) {
            ("", _) if self.module.is_empty() => function,
            ("", _) => format!("{function} ({})", base_name(&self.module)),
            (file, None) => format!("{function} {file}"),
            (file, Some(line)) => format!("{function} {file}:{line}"),
        }
    }

    /// Whether the function belongs to a package or to one below it, in the sense of its language.
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

/// The last component of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn is_below(path: &str, package: &str, separator: &str) -> bool {
    let rest = path.strip_prefix(package);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// The import path of a function's package: the text before the first dot after the last slash. The
/// compiler writes a dot in the last element of the path as `%2e` (`objabi.PathToPrefix`).
fn go_package(function: &str) -> Cow<'_, str> {
    let generic = function.find('[').unwrap_or(function.len());
    let slash = function[..generic].rfind('/').map_or(0, |slash| slash + 1);
    let dot = function[slash..].find('.').map_or(function.len(), |dot| slash + dot);
    match &function[..dot] {
        path if path.contains("%2e") => Cow::Owned(path.replace("%2e", ".")),
        path => Cow::Borrowed(path),
    }
}

/// A method of `<A as B>` belongs to the crate of A, or to that of B if A is a type parameter.
fn is_of_crate(function: &str, package: &str) -> bool {
    let mut parts = function.trim_start_matches('<').splitn(2, " as ");
    let own = path_of_type(parts.next().unwrap_or_default());
    let of_trait = parts.next().map(path_of_type);
    if own.contains("::") || of_trait.is_none() {
        return is_below(own, package, "::");
    }
    of_trait.is_some_and(|path| is_below(path, package, "::"))
}

/// Strips references, pointers and the like: `a::B` for `&mut dyn a::B`.
fn path_of_type(text: &str) -> &str {
    let mut text = text;
    for prefix in ["<", "[", "(", "&", "*const ", "*mut ", "'_ ", "mut ", "dyn "] {
        text = text.trim_start_matches(prefix);
    }
    text
}

/// The path of a Python module relative to `site-packages`, `dist-packages` or the standard library.
fn python_module(file: &str) -> Option<&str> {
    let installed = ["/site-packages/", "/dist-packages/"];
    if let Some((_, path)) = installed.iter().find_map(|folder| file.rsplit_once(folder)) {
        return Some(path);
    }
    let (_, rest) = file.rsplit_once("/lib/python3")?;
    rest.split_once('/').map(|(_, path)| path)
}

/// The name without the parameter list of C++, truncated to [`NAME_MAX`].
fn shortened(function: &str) -> String {
    let function = without_parameters(function);
    match function.char_indices().nth(NAME_MAX) {
        Some((end, _)) => format!("{}...", &function[..end]),
        None => function.to_owned(),
    }
}

/// `acme::fetch` for `acme::fetch(int, char const*) const`. Parentheses that belong to the name
/// remain: `(anonymous namespace)::fetch`, `operator()`, Go's `main.(*API).fetch`.
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
    fn a_place_contains_what_is_known() {
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
    fn names_are_shortened() {
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
        assert!(!is("network/http.Get", "net"), "only a prefix of the first path element");
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
    fn packages_of_node_and_python_are_directories() {
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
