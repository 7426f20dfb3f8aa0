use super::*;

/// Writes BTF by hand.
pub(super) struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0] }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let offset = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        offset
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    pub(super) fn head(
        &mut self,
        name: &str,
        kind: u8,
        flag: bool,
        entries: usize,
        size_or_target: u32,
    ) {
        let name = self.name(name);
        let info = u32::from(flag) << 31 | u32::from(kind) << 24 | u32::try_from(entries).unwrap();
        self.words(&[name, info, size_or_target]);
    }

    fn members(&mut self, members: &[(&str, u32, u32)]) {
        for &(name, type_id, offset) in members {
            let name = self.name(name);
            self.words(&[name, type_id, offset]);
        }
    }

    pub(super) fn finish(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC.to_ne_bytes());
        bytes.extend_from_slice(&[1, 0]);
        let types = u32::try_from(self.types.len()).unwrap();
        let strings = u32::try_from(self.strings.len()).unwrap();
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }
}

/// One type of every kind.
fn sample() -> Vec<u8> {
    let mut writer = Writer::new();
    // 1: u32; 2: u16; 3: a three-bit integer, the older encoding of a bit field.
    writer.head("u32", kind::INT, false, 0, 4);
    writer.words(&[32]);
    writer.head("u16", kind::INT, false, 0, 2);
    writer.words(&[16]);
    writer.head("narrow", kind::INT, false, 0, 4);
    writer.words(&[3]);
    // 4: typedef const volatile u32 of 5 and 6.
    writer.head("word", kind::TYPEDEF, false, 0, 5);
    writer.head("", kind::CONST, false, 0, 6);
    writer.head("", kind::VOLATILE, false, 0, 1);
    // 7: union { struct { u16 first; u16 second; }; u32 both; } with 8 inside.
    writer.head("", kind::UNION, true, 2, 4);
    writer.members(&[("", 8, 0), ("both", 1, 0)]);
    writer.head("", kind::STRUCT, true, 2, 4);
    writer.members(&[("first", 2, 0), ("second", 2, 16)]);
    // 9: u16[4][3]; 10: u16[4]; 11: struct outer *.
    writer.head("", kind::ARRAY, false, 0, 0);
    writer.words(&[10, 1, 3]);
    writer.head("", kind::ARRAY, false, 0, 0);
    writer.words(&[2, 1, 4]);
    writer.head("", kind::POINTER, false, 0, 12);
    // 12: the structure that the questions are about.
    writer.head("outer", kind::STRUCT, true, 8, 80);
    writer.members(&[
        ("plain", 4, 0),
        ("", 7, 32),
        ("table", 9, 64),
        ("next", 11, 256),
        ("flag", 1, 1 << 24 | 0x140),
        ("flags", 1, 2 << 24 | 0x141),
        ("inner", 13, 352),
        ("links", 14, 448),
    ]);
    // 13: with bit fields in the older encoding; 14: pointer[2]; 15: type tag; 16: restrict.
    writer.head("inner", kind::STRUCT, false, 3, 12);
    writer.members(&[("bits", 3, 0), ("crooked", 1, 35), ("straight", 15, 64)]);
    writer.head("", kind::ARRAY, false, 0, 0);
    writer.words(&[11, 1, 2]);
    writer.head("tag", kind::TYPE_TAG, false, 0, 16);
    writer.head("", kind::RESTRICT, false, 0, 1);
    // 17 and 18: enumerations.
    writer.head("small", kind::ENUM, false, 2, 4);
    writer.members(&[]);
    for (name, value) in [("SMALL_ZERO", 0), ("SMALL_SEVEN", 7)] {
        let name = writer.name(name);
        writer.words(&[name, value]);
    }
    writer.head("wide", kind::ENUM64, false, 1, 8);
    let name = writer.name("WIDE");
    writer.words(&[name, 1, 2]);
    // 19 onwards: kinds that only have to be skipped.
    writer.head("forward", kind::FORWARD, false, 0, 0);
    writer.head("", kind::FUNCTION_PROTOTYPE, false, 1, 1);
    writer.words(&[0, 1]);
    writer.head("function", kind::FUNCTION, false, 0, 20);
    writer.head("variable", kind::VARIABLE, false, 0, 1);
    writer.words(&[1]);
    writer.head(".data", kind::DATA_SECTION, false, 1, 4);
    writer.words(&[22, 0, 4]);
    writer.head("double", kind::FLOAT, false, 0, 8);
    writer.head("note", kind::DECLARATION_TAG, false, 0, 12);
    writer.words(&[0]);
    // 26 and 27: a typedef of itself, and a structure that contains itself, twice.
    writer.head("loop", kind::TYPEDEF, false, 0, 26);
    writer.head("abyss", kind::STRUCT, true, 3, 4);
    writer.members(&[("", 27, 0), ("", 27, 0), ("looped", 26, 0)]);
    // 28: arrays whose size cannot be computed.
    writer.head("odd", kind::STRUCT, true, 3, 8);
    writer.members(&[("functions", 29, 0), ("nested", 30, 0), ("missing", 99, 0)]);
    writer.head("", kind::ARRAY, false, 0, 0);
    writer.words(&[21, 1, 2]);
    writer.head("", kind::ARRAY, false, 0, 0);
    writer.words(&[30, 1, 2]);
    writer.finish()
}

/// Lookups of every kind, in arbitrary bytes.
fn ask_everything(bytes: &[u8]) {
    const QUESTIONS: [(&str, &str); 14] = [
        ("outer", ""),
        ("outer", "second"),
        ("outer", "table[2][3]"),
        ("outer", "flag"),
        ("outer", "inner.bits"),
        ("outer", "inner.straight"),
        ("outer", "links[1]"),
        ("outer", "none"),
        ("abyss", "none"),
        ("abyss", "looped.further"),
        ("odd", "functions[1]"),
        ("odd", "nested[1]"),
        ("odd", "missing[0]"),
        ("forward", ""),
    ];
    let Ok(btf) = Btf::parse(bytes) else { return };
    for (structure, field) in QUESTIONS {
        let _ = btf.offset(structure, field);
    }
    for (enumeration, name) in [("small", "SMALL_SEVEN"), ("wide", "NARROW"), ("outer", "plain")] {
        let _ = btf.enumerator(enumeration, name);
    }
}

#[test]
fn finds_fields_through_everything_that_may_wrap_them() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    let offset = |field| btf.offset("outer", field);
    assert_eq!(offset(""), Ok(80));
    assert_eq!(offset("plain"), Ok(0));
    assert_eq!(offset("first"), Ok(4));
    assert_eq!(offset("second"), Ok(6));
    assert_eq!(offset("both"), Ok(4));
    assert_eq!(offset("table"), Ok(8));
    assert_eq!(offset("table[1]"), Ok(16));
    assert_eq!(offset("table[2][3]"), Ok(8 + 2 * 8 + 3 * 2));
    assert_eq!(offset("next"), Ok(32));
    assert_eq!(offset("inner.straight"), Ok(44 + 8));
    assert_eq!(offset("links[1]"), Ok(56 + 8));
    assert_eq!(btf.offset("inner", "straight"), Ok(8));
}

#[test]
fn finds_enumerators() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    assert_eq!(btf.enumerator("small", "SMALL_SEVEN"), Ok(7));
    assert_eq!(btf.enumerator("wide", "WIDE"), Ok(2 << 32 | 1));
    let missing = btf.enumerator("small", "SMALL_NINE").unwrap_err();
    assert_eq!(missing.to_string(), "no field `small.SMALL_NINE`");
    assert!(btf.enumerator("outer", "plain").is_err());
}

#[test]
fn names_what_is_absent() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    let error = |structure, field| btf.offset(structure, field).unwrap_err().to_string();
    assert_eq!(error("outer", "none"), "no field `outer.none`");
    assert_eq!(error("outer", "inner.none"), "no field `outer.inner.none`");
    assert_eq!(error("outer", "plain.none"), "no field `outer.plain.none`");
    assert_eq!(error("outer", "table[3]"), "no field `outer.table[3]`");
    assert_eq!(error("outer", "table[x]"), "no field `outer.table[x]`");
    assert_eq!(error("outer", "plain[0]"), "no field `outer.plain[0]`");
    assert_eq!(error("nothing", "plain"), "no type `nothing`");
    // A declaration is not a definition.
    assert_eq!(error("forward", ""), "no type `forward`");
}

#[test]
fn refuses_bit_fields_of_both_encodings() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    for field in ["flag", "flags", "inner.bits", "inner.crooked"] {
        let error = btf.offset("outer", field).unwrap_err();
        assert!(matches!(error, BtfError::Bitfield { .. }), "{field}: {error}");
    }
}

#[test]
fn endless_types_are_errors() {
    let bytes = sample();
    let btf = Btf::parse(&bytes).unwrap();
    for (structure, field) in
        [("abyss", "none"), ("odd", "functions[1]"), ("odd", "nested[1]"), ("odd", "missing[0]")]
    {
        let error = btf.offset(structure, field).unwrap_err();
        assert!(matches!(error, BtfError::Malformed(_)), "{structure}.{field}: {error}");
    }
}

#[test]
fn truncation_at_any_length_is_an_error() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(Btf::parse(&bytes[..length]).is_err(), "parsed {length} of {}", bytes.len());
    }
}

#[test]
fn no_changed_byte_makes_it_panic() {
    let bytes = sample();
    for position in 0..bytes.len() {
        for value in [0, 4, 27, 0xff, bytes[position] ^ 1] {
            let mut changed = bytes.clone();
            changed[position] = value;
            ask_everything(&changed);
        }
    }
}

#[test]
fn no_garbage_makes_it_panic() {
    // A linear congruential generator (Knuth's MMIX) gives garbage that is the same every time.
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 56) as u8
    };
    for _ in 0..500 {
        let mut bytes = sample();
        let start = usize::from(next()).min(bytes.len());
        for byte in &mut bytes[start..] {
            if next() < 40 {
                *byte = next();
            }
        }
        ask_everything(&bytes);
        let noise: Vec<u8> = (0..next()).map(|_| next()).collect();
        ask_everything(&noise);
    }
}
