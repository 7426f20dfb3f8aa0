//! A small BTF for aya, with only the types whose ids aya looks up. aya parses every type of the
//! BTF that it is given, and the kernel's has about 100,000.

use super::{Btf, BtfError, HEADER_BYTES, MAGIC, TYPE_BYTES, kind};

/// The placeholder for an omitted type: a forward declaration, the shortest type.
const LEFT_OUT: [u32; 3] = [0, (kind::FORWARD as u32) << 24, 0];

impl Btf<'_> {
    /// BTF in which the functions and `typedef`s of these names have the same ids as here. It has
    /// no other names.
    ///
    /// # Errors
    /// [`BtfError::Malformed`].
    pub(crate) fn excerpt(&self, names: &[String]) -> Result<Vec<u8>, BtfError> {
        let mut types: Vec<[u32; 3]> = Vec::new();
        let mut strings = vec![0_u8];
        for (index, &start) in self.starts.iter().enumerate() {
            let head = self.type_at(start)?;
            if !matches!(head.kind, kind::FUNCTION | kind::TYPEDEF) {
                continue;
            }
            let text = self.strings.get(head.name as usize..).unwrap_or_default();
            let is_this = |name: &&String| {
                // Comparing the first byte rules out most names without a call.
                text.first() == name.as_bytes().first()
                    && text.starts_with(name.as_bytes())
                    && text.get(name.len()) == Some(&0)
            };
            let Some(name) = names.iter().find(is_this) else { continue };
            types.resize(index, LEFT_OUT);
            types.push([size(strings.len())?, u32::from(head.kind) << 24, head.size_or_target]);
            strings.extend_from_slice(name.as_bytes());
            strings.push(0);
        }
        let type_bytes = size(types.len() * TYPE_BYTES)?;
        let header = [size(HEADER_BYTES)?, 0, type_bytes, type_bytes, size(strings.len())?];
        let words = header.iter().chain(types.as_flattened()).flat_map(|word| word.to_ne_bytes());
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        // Version 1, no flags.
        bytes.extend([1, 0]);
        bytes.extend(words);
        bytes.extend(strings);
        Ok(bytes)
    }
}

fn size(bytes: usize) -> Result<u32, BtfError> {
    u32::try_from(bytes).map_err(|_| BtfError::Malformed("too many types"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kernel::btf::tests::Writer;

    #[test]
    fn types_that_are_kept_keep_their_ids() {
        let mut writer = Writer::new();
        for (name, kind) in [
            ("structure", kind::STRUCT),
            ("wanted", kind::STRUCT),
            ("wanted", kind::FUNCTION),
            ("wanted_not", kind::FUNCTION),
            ("too", kind::TYPEDEF),
            ("after", kind::TYPEDEF),
        ] {
            writer.head(name, kind, false, 0, 0);
        }
        let bytes = writer.finish();
        let names = ["wanted", "too", "absent"].map(str::to_owned);
        let excerpt = Btf::parse(&bytes).unwrap().excerpt(&names).unwrap();
        let excerpt = Btf::parse(&excerpt).unwrap();
        let kept: Vec<(usize, u8, &[u8])> = (1..)
            .zip(&excerpt.starts)
            .map(|(number, start)| (number, excerpt.type_at(*start).unwrap()))
            .filter(|(_, head)| head.kind != kind::FORWARD)
            .map(|(number, head)| (number, head.kind, excerpt.string(head.name).unwrap()))
            .collect();
        assert_eq!(kept, [(3, kind::FUNCTION, &b"wanted"[..]), (5, kind::TYPEDEF, b"too")]);
        assert_eq!(excerpt.starts.len(), 5);
    }
}
