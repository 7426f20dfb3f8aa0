//! The names in one module: its child modules, its imports, and the paths in its code.
//!
//! The tokens are read without expansion, so that paths in the arguments of macros also count.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

use super::cfg;

/// What a module names.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) children: Vec<Child>,
    pub(crate) imports: Vec<Import>,
    /// The paths in code and imports.
    pub(crate) paths: Vec<Path>,
}

/// A declaration of a module.
pub(crate) struct Child {
    pub(crate) name: String,
    /// Its content, if that is in the same file.
    pub(crate) content: Option<TokenStream>,
    /// The value of `#[path = "…"]`.
    pub(crate) file: Option<String>,
}

/// A name that a `use` declaration makes known.
pub(crate) struct Import {
    pub(crate) name: String,
    pub(crate) segments: Vec<String>,
}

/// A path with two segments or more, as it is written.
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Words that begin an item or statement, which ends with a semicolon or a block.
const ITEMS: [&str; 16] = [
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "pub",
    "static",
    "struct",
    "trait",
    "type",
    "unsafe",
    "use",
];

/// Reads the tokens of a module.
pub(crate) fn read(content: TokenStream) -> Named {
    let mut named = Named::default();
    let tokens: Vec<_> = content.into_iter().collect();
    if !is_left_out(&tokens) {
        named.scan(&tokens);
    }
    named
}

/// Whether an attribute `#![cfg(…)]` leaves out the whole module.
fn is_left_out(tokens: &[TokenTree]) -> bool {
    tokens.windows(3).any(|window| {
        matches!(window, [hash, not, TokenTree::Group(attribute)]
            if is_punct(hash, '#') && is_punct(not, '!') && cfg::leaves_out(&attribute.stream()))
    })
}

impl Named {
    fn scan(&mut self, mut tokens: &[TokenTree]) {
        let mut file = None;
        while let Some((first, rest)) = tokens.split_first() {
            if let Some((attribute, after)) = attribute(tokens) {
                file = path_attribute(attribute).or(file);
                let left_out = cfg::leaves_out(&attribute.stream());
                tokens = if left_out { after_item(after) } else { after };
                continue;
            }
            tokens = match first {
                TokenTree::Ident(word) if word == "mod" => self.child(rest, file.take()),
                TokenTree::Ident(word) if word == "use" => self.import(rest),
                TokenTree::Ident(_) => self.path(tokens),
                TokenTree::Group(group) => {
                    self.scan(&group.stream().into_iter().collect::<Vec<_>>());
                    rest
                }
                // A path from the list of crates, or the rest of one after `>`.
                TokenTree::Punct(_) if is_separator(tokens) => {
                    let name = tokens.get(2).is_some_and(|it| matches!(it, TokenTree::Ident(_)));
                    if name { after_path(&tokens[2..]) } else { &tokens[2..] }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => rest,
            };
        }
    }

    /// Reads a declaration of a module from the token after `mod`.
    fn child<'a>(&mut self, tokens: &'a [TokenTree], file: Option<String>) -> &'a [TokenTree] {
        match tokens {
            [TokenTree::Ident(name), TokenTree::Group(content), rest @ ..]
                if content.delimiter() == Delimiter::Brace =>
            {
                let content = Some(content.stream());
                self.children.push(Child { name: name.to_string(), content, file });
                rest
            }
            [TokenTree::Ident(name), end, rest @ ..] if is_punct(end, ';') => {
                self.children.push(Child { name: name.to_string(), content: None, file });
                rest
            }
            _ => tokens,
        }
    }

    /// Reads an import from the token after `use` up to its semicolon.
    fn import<'a>(&mut self, tokens: &'a [TokenTree]) -> &'a [TokenTree] {
        let Some(end) = tokens.iter().position(|token| is_punct(token, ';')) else {
            return tokens;
        };
        self.import_tree(&[], &tokens[..end]);
        &tokens[end + 1..]
    }

    fn import_tree(&mut self, prefix: &[String], tokens: &[TokenTree]) {
        let mut segments = prefix.to_vec();
        let mut line = 0;
        let mut tokens = tokens.iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    let name = tokens.next().map(ToString::to_string).unwrap_or_default();
                    return self.imported(name, segments, line);
                }
                TokenTree::Ident(word) => {
                    line = word.span().start().line;
                    // `use a::{self}` is `use a`.
                    if word != "self" || segments.is_empty() {
                        segments.push(word.to_string());
                    }
                }
                TokenTree::Group(group) => {
                    let trees: Vec<_> = group.stream().into_iter().collect();
                    for tree in trees.split(|token| is_punct(token, ',')) {
                        self.import_tree(&segments, tree);
                    }
                    return;
                }
                TokenTree::Punct(star) if star.as_char() == '*' => {
                    line = star.span().start().line;
                    return self.paths.push(Path { segments, line });
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if let Some(name) = segments.last().cloned().filter(|_| line > 0) {
            self.imported(name, segments, line);
        }
    }

    fn imported(&mut self, name: String, segments: Vec<String>, line: usize) {
        self.imports.push(Import { name, segments: segments.clone() });
        self.paths.push(Path { segments, line });
    }

    /// Reads a path in code, whose first segment is the first token.
    fn path<'a>(&mut self, tokens: &'a [TokenTree]) -> &'a [TokenTree] {
        let after = after_path(tokens);
        let path = &tokens[..tokens.len() - after.len()];
        let mut segments = Vec::new();
        for token in path {
            if let TokenTree::Ident(segment) = token {
                segments.push(segment.to_string());
            }
        }
        if segments.len() > 1 {
            self.paths.push(Path { segments, line: path[0].span().start().line });
        }
        after
    }
}

/// What follows the segments of a path, the first of which is the first token.
fn after_path(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut after = &tokens[1..];
    while is_separator(after) && matches!(after.get(2), Some(TokenTree::Ident(_))) {
        after = &after[3..];
    }
    after
}

/// Whether the first two tokens are `::`.
fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(first), second, ..]
        if first.as_char() == ':' && first.spacing() == Spacing::Joint && is_punct(second, ':'))
}

/// The attribute with which the tokens begin, and what follows it.
fn attribute(tokens: &[TokenTree]) -> Option<(&Group, &[TokenTree])> {
    match tokens {
        [hash, TokenTree::Group(attribute), rest @ ..] if is_punct(hash, '#') => {
            Some((attribute, rest))
        }
        [hash, not, TokenTree::Group(attribute), rest @ ..]
            if is_punct(hash, '#') && is_punct(not, '!') =>
        {
            Some((attribute, rest))
        }
        _ => None,
    }
}

/// The value of `path = "…"`.
fn path_attribute(attribute: &Group) -> Option<String> {
    let tokens: Vec<_> = attribute.stream().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(name), _, TokenTree::Literal(value)] if name == "path" => {
            Some(value.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

/// What follows the item, field, variant or match arm with which the tokens begin.
fn after_item(mut tokens: &[TokenTree]) -> &[TokenTree] {
    while let Some((_, after)) = attribute(tokens) {
        tokens = after;
    }
    let is_item = matches!(tokens.first(), Some(TokenTree::Ident(word))
        if ITEMS.iter().any(|item| word == item));
    let end = tokens.iter().position(|token| match token {
        TokenTree::Group(group) => is_item && group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';' || (!is_item && punct.as_char() == ','),
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    });
    end.map_or(&[], |end| &tokens[end + 1..])
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}
