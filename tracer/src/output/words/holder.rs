//! What references a response, in words.

use tracer_core::{HolderKind, ResponseHolder};

use crate::output::escape;

/// `goroutine main.poll poll.go:33`, `a map`.
pub(crate) fn holder(holder: &ResponseHolder) -> String {
    let kind = match holder.kind {
        HolderKind::Goroutine => "goroutine",
        HolderKind::Closure => "closure",
        HolderKind::Channel => "channel",
        HolderKind::Map => "map",
        HolderKind::Slice => "slice",
        HolderKind::Timer => "timer",
        HolderKind::Global => "variable",
        HolderKind::Object => "object",
    };
    match &holder.name {
        Some(name) => format!("{kind} {}", escape::visible(name)),
        None if holder.kind == HolderKind::Object => format!("an {kind}"),
        None => format!("a {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_may_be_unknown() {
        let text = |kind, name: Option<&str>| {
            holder(&ResponseHolder { kind, name: name.map(str::to_owned) })
        };
        assert_eq!(text(HolderKind::Closure, Some("main.keep\u{1b}")), "closure main.keep\\x1b");
        assert_eq!(text(HolderKind::Map, None), "a map");
        assert_eq!(text(HolderKind::Object, None), "an object");
    }
}
