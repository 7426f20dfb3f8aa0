//! A parser of the kernel's BTF, `/sys/kernel/btf/vmlinux` (`Documentation/bpf/btf.rst` of the
//! kernel's sources).
//!
//! It answers three questions: the offset of a field, the size of a structure, and the value of an
//! enumerator. Any input gives an answer or an error; nothing panics.

mod encoding;
mod error;
mod excerpt;

use std::mem::size_of;

use foldhash::{HashMap, HashMapExt as _};

use encoding::{
    ENTRY_BYTES, HEADER_BYTES, MAGIC, TYPE_BYTES, Type, WIDE_ENTRY_BYTES, body_bytes, kind,
    read_size, read_u16, read_u32, section,
};
pub use error::BtfError;

/// Maximum length of a chain of `typedef`, `const` and the like. Real chains have a few links.
const CHAIN_MAX: usize = 64;
/// Maximum number of members compared for one field. Real fields require a few hundred.
const MEMBERS_MAX: usize = 1 << 12;

/// Indexed BTF.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// The offset in `types` at which each type begins; type ids count from 1.
    starts: Vec<usize>,
    /// The structures, unions and enumerations that are defined, by name. If several have the same
    /// name, the first counts.
    named: HashMap<&'a [u8], u32>,
}

/// A field that was found: its offset and its type.
#[derive(Clone, Copy)]
struct Found {
    offset_bits: u64,
    is_bitfield: bool,
    type_id: u32,
}

impl<'a> Btf<'a> {
    /// Indexes the type information in one pass.
    ///
    /// # Errors
    /// [`BtfError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        if read_u16(bytes, 0)? != MAGIC {
            return Err(BtfError::Malformed("wrong magic number"));
        }
        let header_bytes = read_size(bytes, 4)?;
        if header_bytes < HEADER_BYTES {
            return Err(BtfError::Malformed("header too short"));
        }
        let types = section(bytes, header_bytes, read_size(bytes, 8)?, read_size(bytes, 12)?)?;
        let strings = section(bytes, header_bytes, read_size(bytes, 16)?, read_size(bytes, 20)?)?;

        let mut btf = Self { types, strings, starts: Vec::new(), named: HashMap::new() };
        let mut position = 0;
        while position < types.len() {
            let head = btf.type_at(position)?;
            btf.starts.push(position);
            let defines =
                matches!(head.kind, kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64);
            if defines && head.name != 0 {
                let id = u32::try_from(btf.starts.len())
                    .map_err(|_| BtfError::Malformed("too many types"))?;
                let name = btf.string(head.name)?;
                btf.named.entry(name).or_insert(id);
            }
            position = head.body + body_bytes(head)?;
        }
        if position != types.len() {
            return Err(BtfError::Malformed("last type truncated"));
        }
        Ok(btf)
    }

    /// Byte offset of a field. In the path, a dot descends into a nested structure or union,
    /// anonymous ones are not named, and `[N]` selects an element of an array: `icsk_ack.lrcvtime`,
    /// `pids[1]`. An empty path asks for the size of the structure.
    ///
    /// # Errors
    /// The type or the field is absent, the field is a bit field, or the bytes are malformed.
    pub fn offset(&self, structure: &str, field: &str) -> Result<u32, BtfError> {
        let mut type_id = self.id(structure)?;
        if field.is_empty() {
            return Ok(self.get(type_id)?.size_or_target);
        }
        let missing =
            || BtfError::NoField { structure: structure.to_owned(), field: field.to_owned() };
        let mut budget = MEMBERS_MAX;
        let mut offset_bits = 0_u64;
        for step in field.split('.') {
            let (name, elements) = split_index(step).ok_or_else(missing)?;
            let found = self.member(type_id, name.as_bytes(), &mut budget)?.ok_or_else(missing)?;
            if found.is_bitfield {
                return Err(BtfError::Bitfield {
                    structure: structure.to_owned(),
                    field: field.to_owned(),
                });
            }
            offset_bits = offset_bits.saturating_add(found.offset_bits);
            type_id = found.type_id;
            for index in elements {
                let (element, count) = self.array(type_id)?.ok_or_else(missing)?;
                // An array without a length is a flexible array member at the end of a structure.
                if count != 0 && index >= count {
                    return Err(missing());
                }
                let stride_bits = self.size(element)?.saturating_mul(8);
                offset_bits =
                    offset_bits.saturating_add(stride_bits.saturating_mul(u64::from(index)));
                type_id = element;
            }
        }
        u32::try_from(offset_bits / 8).map_err(|_| BtfError::Malformed("offset too large"))
    }

    /// The number of an enumerator.
    ///
    /// # Errors
    /// The enumeration or the enumerator is absent, or the bytes are malformed.
    pub fn enumerator(&self, enumeration: &str, name: &str) -> Result<u64, BtfError> {
        let head = self.get(self.id(enumeration)?)?;
        for entry in 0..head.entries {
            let (position, value) = match head.kind {
                kind::ENUM => {
                    let position = head.body + entry * ENTRY_BYTES;
                    (position, u64::from(read_u32(self.types, position + 4)?))
                }
                kind::ENUM64 => {
                    let position = head.body + entry * WIDE_ENTRY_BYTES;
                    let low = u64::from(read_u32(self.types, position + 4)?);
                    (position, low | u64::from(read_u32(self.types, position + 8)?) << 32)
                }
                _ => break,
            };
            if self.string(read_u32(self.types, position)?)? == name.as_bytes() {
                return Ok(value);
            }
        }
        Err(BtfError::NoField { structure: enumeration.to_owned(), field: name.to_owned() })
    }

    fn id(&self, name: &str) -> Result<u32, BtfError> {
        let id = self.named.get(name.as_bytes()).copied();
        id.ok_or_else(|| BtfError::NoType(name.to_owned()))
    }

    fn get(&self, id: u32) -> Result<Type, BtfError> {
        let index = (id as usize).checked_sub(1);
        let start = index.and_then(|index| self.starts.get(index));
        self.type_at(*start.ok_or(BtfError::Malformed("reference to a type that is not there"))?)
    }

    fn type_at(&self, position: usize) -> Result<Type, BtfError> {
        let info = read_u32(self.types, position + 4)?;
        Ok(Type {
            name: read_u32(self.types, position)?,
            kind: (info >> 24 & 0x1f) as u8,
            flag: info >> 31 == 1,
            entries: (info & 0xffff) as usize,
            size_or_target: read_u32(self.types, position + 8)?,
            body: position + TYPE_BYTES,
        })
    }

    fn string(&self, offset: u32) -> Result<&'a [u8], BtfError> {
        let text = self.strings.get(offset as usize..);
        let text = text.ok_or(BtfError::Malformed("name outside the strings"))?;
        let end = text.iter().position(|&byte| byte == 0);
        Ok(&text[..end.ok_or(BtfError::Malformed("name without an end"))?])
    }

    /// The type behind `typedef`, `const` and the like, and its id.
    fn resolve(&self, mut id: u32) -> Result<(u32, Type), BtfError> {
        for _ in 0..CHAIN_MAX {
            let head = self.get(id)?;
            match head.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = head.size_or_target;
                }
                _ => return Ok((id, head)),
            }
        }
        Err(BtfError::Malformed("type refers to itself"))
    }

    /// A member of a structure or union, or of the anonymous ones inside it; `None` if there is
    /// none of that name.
    fn member(
        &self,
        type_id: u32,
        name: &[u8],
        budget: &mut usize,
    ) -> Result<Option<Found>, BtfError> {
        let mut pending = vec![(type_id, 0_u64)];
        while let Some((type_id, base_bits)) = pending.pop() {
            let (_, head) = self.resolve(type_id)?;
            if !matches!(head.kind, kind::STRUCT | kind::UNION) {
                continue;
            }
            *budget = budget
                .checked_sub(head.entries)
                .ok_or(BtfError::Malformed("structures nested without end"))?;
            for entry in 0..head.entries {
                let position = head.body + entry * WIDE_ENTRY_BYTES;
                let member_name = read_u32(self.types, position)?;
                let member_type = read_u32(self.types, position + 4)?;
                let offset = read_u32(self.types, position + 8)?;
                let (bits, bitfield_bits) =
                    if head.flag { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
                let offset_bits = base_bits.saturating_add(u64::from(bits));
                if member_name == 0 {
                    pending.push((member_type, offset_bits));
                } else if self.string(member_name)? == name {
                    let is_bitfield = bitfield_bits != 0
                        || !bits.is_multiple_of(8)
                        || (!head.flag && self.is_narrow(member_type)?);
                    return Ok(Some(Found { offset_bits, is_bitfield, type_id: member_type }));
                }
            }
        }
        Ok(None)
    }

    /// Whether the type is an integer that does not use all bits of its bytes: the older encoding
    /// of a bit field.
    fn is_narrow(&self, type_id: u32) -> Result<bool, BtfError> {
        let (_, head) = self.resolve(type_id)?;
        if head.kind != kind::INT {
            return Ok(false);
        }
        let encoding = read_u32(self.types, head.body)?;
        let (bits, offset_bits) = (encoding & 0xff, encoding >> 16 & 0xff);
        Ok(offset_bits != 0 || u64::from(bits) != u64::from(head.size_or_target) * 8)
    }

    /// Element type and length of an array; `None` if the type is not one.
    fn array(&self, type_id: u32) -> Result<Option<(u32, u32)>, BtfError> {
        let (_, head) = self.resolve(type_id)?;
        if head.kind != kind::ARRAY {
            return Ok(None);
        }
        Ok(Some((read_u32(self.types, head.body)?, read_u32(self.types, head.body + 8)?)))
    }

    /// Size of a type in bytes.
    fn size(&self, mut type_id: u32) -> Result<u64, BtfError> {
        let mut count = 1_u64;
        for _ in 0..CHAIN_MAX {
            let (id, head) = self.resolve(type_id)?;
            let bytes = match head.kind {
                kind::INT
                | kind::STRUCT
                | kind::UNION
                | kind::ENUM
                | kind::ENUM64
                | kind::FLOAT => u64::from(head.size_or_target),
                // The programs run on the machine that the information describes.
                kind::POINTER => size_of::<usize>() as u64,
                kind::ARRAY => {
                    let (element, length) =
                        self.array(id)?.ok_or(BtfError::Malformed("array without a body"))?;
                    count = count.saturating_mul(u64::from(length));
                    type_id = element;
                    continue;
                }
                _ => return Err(BtfError::Malformed("array of something without a size")),
            };
            return Ok(count.saturating_mul(bytes));
        }
        Err(BtfError::Malformed("type refers to itself"))
    }
}

/// `pids[1]` is `pids` and 1; `None` if the brackets are malformed.
fn split_index(step: &str) -> Option<(&str, Vec<u32>)> {
    let Some((name, rest)) = step.split_once('[') else {
        return Some((step, Vec::new()));
    };
    let elements = rest.strip_suffix(']')?.split("][").map(|index| index.parse().ok());
    Some((name, elements.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests;
