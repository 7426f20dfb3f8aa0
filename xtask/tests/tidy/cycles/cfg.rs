//! Detects code that is compiled only for tests or fuzzing.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Options that are off in the program.
const OFF: [&str; 2] = ["fuzzing", "test"];

/// Whether an attribute excludes its item. `attribute` is the text between the brackets.
pub(crate) fn leaves_out(attribute: &TokenStream) -> bool {
    let mut tokens = attribute.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(name)), Some(TokenTree::Group(predicate))) if name == "cfg" => {
            value(&predicate.stream().into_iter().collect::<Vec<_>>()) == Some(false)
        }
        _ => false,
    }
}

/// The value of a predicate; `None` if it depends on more than [`OFF`].
fn value(predicate: &[TokenTree]) -> Option<bool> {
    match predicate {
        [TokenTree::Ident(option)] => OFF.iter().any(|off| option == off).then_some(false),
        [TokenTree::Ident(operator), TokenTree::Group(operands)]
            if operands.delimiter() == Delimiter::Parenthesis =>
        {
            let tokens: Vec<_> = operands.stream().into_iter().collect();
            let is_comma =
                |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == ',');
            let operands = tokens.split(is_comma).filter(|operand| !operand.is_empty());
            let mut values = operands.map(value);
            match operator.to_string().as_str() {
                "not" => values.next().flatten().map(|value| !value),
                "all" => values.any(|value| value == Some(false)).then_some(false),
                "any" => values.all(|value| value == Some(false)).then_some(false),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::leaves_out;

    #[track_caller]
    fn check(attribute: &str, expected: bool) {
        assert_eq!(leaves_out(&attribute.parse().unwrap()), expected, "{attribute}");
    }

    #[test]
    fn only_what_the_program_never_has() {
        check("cfg(test)", true);
        check("cfg(any(fuzzing, test))", true);
        check("cfg(all(test, target_arch = \"x86_64\"))", true);
        check("cfg(all(test, feature = \"root-tests\"))", true);
        check("cfg(not(test))", false);
        check("cfg(any(test, feature = \"user\"))", false);
        check("cfg(target_os = \"linux\")", false);
        check("cfg_attr(test, allow(dead_code))", false);
        check("derive(Debug)", false);
    }
}
