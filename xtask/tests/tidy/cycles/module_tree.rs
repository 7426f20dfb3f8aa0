//! The modules of a crate, and the module to which a path leads.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use proc_macro2::TokenStream;

use super::references::{self, Child, Named};

/// Maximum number of imports followed for one path; more would be a cycle of imports.
const MAXIMUM_IMPORTS: usize = 16;

/// The names from the root of the crate; the root itself has none.
pub(crate) type ModulePath = Vec<String>;

/// A module and what it names.
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) named: Named,
}

/// All modules of a crate.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) modules: BTreeMap<ModulePath, Module>,
}

/// Returns the text of a file, if it exists.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

impl Tree {
    /// Reads the crate that begins with the file `root`.
    pub(crate) fn read(root: &Path, read: Read<'_>) -> Self {
        let mut tree = Self::default();
        let directory = root.parent().unwrap();
        tree.add(Vec::new(), root, directory, tokens(root, read), read);
        tree
    }

    /// Adds a module and those below it, whose files are in `directory`.
    fn add(
        &mut self,
        path: ModulePath,
        file: &Path,
        directory: &Path,
        content: TokenStream,
        read: Read<'_>,
    ) {
        let mut named = references::read(content);
        for Child { name, content, file: named_file } in named.children.drain(..) {
            let mut child = path.clone();
            child.push(name.clone());
            if let Some(content) = content {
                self.add(child, file, &directory.join(&name), content, read);
            } else if let Some(named_file) = named_file {
                let child_file = without_detours(&file.parent().unwrap().join(named_file));
                let directory = child_file.parent().unwrap();
                self.add(child, &child_file, directory, tokens(&child_file, read), read);
            } else {
                let child_file = directory.join(format!("{name}.rs"));
                let tokens = tokens(&child_file, read);
                self.add(child, &child_file, &directory.join(&name), tokens, read);
            }
        }
        self.modules.insert(path, Module { file: file.to_owned(), named });
    }

    /// The module that contains what a path in `from` names; `None` if that is in another crate or
    /// a name of the language. If a path leads to a name that a module above `from` imports, that
    /// import is followed: otherwise two modules could import each other through their parent.
    pub(crate) fn target(&self, from: &ModulePath, segments: &[String]) -> Option<ModulePath> {
        self.follow(from, from, segments, MAXIMUM_IMPORTS)
    }

    /// `at` is the module in which the path is written.
    fn follow(
        &self,
        from: &ModulePath,
        at: &ModulePath,
        segments: &[String],
        imports: usize,
    ) -> Option<ModulePath> {
        let (first, mut rest) = segments.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Vec::new(),
            "self" => at.clone(),
            "super" => above(at)?,
            _ => {
                // The name of a child or of an import, if it is one of this crate.
                rest = segments;
                at.clone()
            }
        };
        while let Some((next, after)) = rest.split_first() {
            if next == "super" {
                target = above(&target)?;
            } else if let Some(child) = self.child(&target, next) {
                target = child;
            } else if let Some(import) = self.import(&target, next)
                && from.starts_with(&target)
                && imports > 0
            {
                let segments: Vec<_> = import.iter().chain(after).cloned().collect();
                return self.follow(from, &target, &segments, imports - 1);
            } else if first == next && rest.len() == segments.len() {
                return None;
            } else {
                break;
            }
            rest = after;
        }
        Some(target)
    }

    fn child(&self, module: &ModulePath, name: &str) -> Option<ModulePath> {
        let mut child = module.clone();
        child.push(name.to_owned());
        self.modules.contains_key(&child).then_some(child)
    }

    /// The path that a module imports under this name.
    fn import(&self, module: &ModulePath, name: &str) -> Option<&[String]> {
        let imports = &self.modules.get(module)?.named.imports;
        let import = imports.iter().find(|import| import.name == name)?;
        // `use x;` of another crate or of a child leads nowhere else.
        (import.segments.len() > 1 || import.segments.first()? != name)
            .then_some(&import.segments[..])
    }
}

fn above(module: &ModulePath) -> Option<ModulePath> {
    let (_, above) = module.split_last()?;
    Some(above.to_vec())
}

/// The same path without `x/..`.
fn without_detours(path: &Path) -> PathBuf {
    let mut direct = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            direct.pop();
        } else {
            direct.push(component);
        }
    }
    direct
}

fn tokens(file: &Path, read: Read<'_>) -> TokenStream {
    let text = read(file).unwrap_or_else(|| panic!("no file {}", file.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
