//! The encoding of BTF: constants, the header of a type, and bounded reads.

use super::error::BtfError;

/// First two bytes of the header, in the byte order of the machine.
pub(super) const MAGIC: u16 = 0xeb9f;
/// Size of the header in its first version; later ones may be longer.
pub(super) const HEADER_BYTES: usize = 24;
/// Size of `struct btf_type`, with which every type begins.
pub(super) const TYPE_BYTES: usize = 12;
/// Size of `struct btf_member`, `struct btf_enum64` and `struct btf_var_secinfo`.
pub(super) const WIDE_ENTRY_BYTES: usize = 12;
/// Size of `struct btf_enum` and `struct btf_param`.
pub(super) const ENTRY_BYTES: usize = 8;
/// `enum { BTF_KIND_... }`.
pub(super) mod kind {
    pub(in crate::collect::kernel::btf) const INT: u8 = 1;
    pub(in crate::collect::kernel::btf) const POINTER: u8 = 2;
    pub(in crate::collect::kernel::btf) const ARRAY: u8 = 3;
    pub(in crate::collect::kernel::btf) const STRUCT: u8 = 4;
    pub(in crate::collect::kernel::btf) const UNION: u8 = 5;
    pub(in crate::collect::kernel::btf) const ENUM: u8 = 6;
    pub(in crate::collect::kernel::btf) const FORWARD: u8 = 7;
    pub(in crate::collect::kernel::btf) const TYPEDEF: u8 = 8;
    pub(in crate::collect::kernel::btf) const VOLATILE: u8 = 9;
    pub(in crate::collect::kernel::btf) const CONST: u8 = 10;
    pub(in crate::collect::kernel::btf) const RESTRICT: u8 = 11;
    pub(in crate::collect::kernel::btf) const FUNCTION: u8 = 12;
    pub(in crate::collect::kernel::btf) const FUNCTION_PROTOTYPE: u8 = 13;
    pub(in crate::collect::kernel::btf) const VARIABLE: u8 = 14;
    pub(in crate::collect::kernel::btf) const DATA_SECTION: u8 = 15;
    pub(in crate::collect::kernel::btf) const FLOAT: u8 = 16;
    pub(in crate::collect::kernel::btf) const DECLARATION_TAG: u8 = 17;
    pub(in crate::collect::kernel::btf) const TYPE_TAG: u8 = 18;
    pub(in crate::collect::kernel::btf) const ENUM64: u8 = 19;
}

/// A type's `struct btf_type`, and where the data after it begins.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) name: u32,
    pub(super) kind: u8,
    /// `kind_flag`: for a structure, whether the offsets of members also contain the size of bit
    /// fields.
    pub(super) flag: bool,
    /// `vlen`: the number of entries that follow.
    pub(super) entries: usize,
    /// Size in bytes, or the id of the type that this one refers to.
    pub(super) size_or_target: u32,
    pub(super) body: usize,
}

/// The number of bytes after the `struct btf_type`.
pub(super) fn body_bytes(head: Type) -> Result<usize, BtfError> {
    Ok(match head.kind {
        kind::POINTER
        | kind::FORWARD
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNCTION
        | kind::FLOAT
        | kind::TYPE_TAG => 0,
        kind::INT | kind::VARIABLE | kind::DECLARATION_TAG => 4,
        kind::ARRAY => 12,
        kind::ENUM | kind::FUNCTION_PROTOTYPE => head.entries * ENTRY_BYTES,
        kind::STRUCT | kind::UNION | kind::DATA_SECTION | kind::ENUM64 => {
            head.entries * WIDE_ENTRY_BYTES
        }
        _ => return Err(BtfError::Malformed("type of a kind that is not known")),
    })
}

pub(super) fn section(
    bytes: &[u8],
    header_bytes: usize,
    offset: usize,
    length: usize,
) -> Result<&[u8], BtfError> {
    let start = header_bytes.checked_add(offset);
    let range = start.and_then(|start| Some(start..start.checked_add(length)?));
    let section = range.and_then(|range| bytes.get(range));
    section.ok_or(BtfError::Malformed("section outside the file"))
}

pub(super) fn read_u16(bytes: &[u8], position: usize) -> Result<u16, BtfError> {
    Ok(u16::from_ne_bytes(read_bytes(bytes, position)?))
}

pub(super) fn read_u32(bytes: &[u8], position: usize) -> Result<u32, BtfError> {
    Ok(u32::from_ne_bytes(read_bytes(bytes, position)?))
}

pub(super) fn read_size(bytes: &[u8], position: usize) -> Result<usize, BtfError> {
    Ok(read_u32(bytes, position)? as usize)
}

pub(super) fn read_bytes<const N: usize>(
    bytes: &[u8],
    position: usize,
) -> Result<[u8; N], BtfError> {
    let field = bytes.get(position..).and_then(|rest| rest.first_chunk());
    field.copied().ok_or(BtfError::Malformed("truncated"))
}
