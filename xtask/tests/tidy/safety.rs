//! Each `unsafe` block has a comment that says why it is sound.

use crate::source_file::SourceFile;

pub(crate) fn unsafe_is_justified(file: &SourceFile, offences: &mut Vec<String>) {
    // Each is split in two because this file is also checked.
    let openings = [concat!("unsafe", " {"), concat!("unsafe", " impl ")];
    let lines: Vec<_> = file.lines().map(|(_, line)| line.trim()).collect();
    for (index, line) in lines.iter().enumerate() {
        let opens = openings.iter().any(|opening| line.contains(opening));
        if opens && !line.starts_with("//") && !justified(&lines[..index]) {
            offences.push(file.at(index + 1, "no `// SAFETY:` comment above says why this holds"));
        }
    }
}

/// Whether the comment above a statement justifies it. `before` is everything above the line; its
/// last lines may belong to the same statement.
fn justified(before: &[&str]) -> bool {
    let mut above = before.iter().rev();
    let mut comment = above.find(|line| {
        line.is_empty() || line.starts_with("//") || line.ends_with(';') || line.ends_with('}')
    });
    while let Some(line) = comment.filter(|line| line.starts_with("//")) {
        if line.starts_with("// SAFETY:") {
            return true;
        }
        comment = above.next();
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::check;

    #[test]
    fn each_block_needs_its_own_reason() {
        let opening = concat!("unsafe", " { f() };\n");
        let offence =
            |line| format!("a.rs:{line}: no `// SAFETY:` comment above says why this holds");

        check("a.rs", opening, &[&offence(1)]);
        check("a.rs", &format!("// SAFETY: f may be called\n// at any time.\n{opening}"), &[]);
        check("a.rs", &format!("// SAFETY: f may be called.\nlet x =\n    {opening}"), &[]);
        check("a.rs", &format!("// SAFETY: f may be called.\n{opening}{opening}"), &[&offence(3)]);
        check("a.rs", &format!("// SAFETY: f may be called.\n\n{opening}"), &[&offence(3)]);
    }
}
