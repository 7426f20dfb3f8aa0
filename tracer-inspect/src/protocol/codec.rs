//! The encoding of values: integers little-endian, enums as the number of the variant in one byte,
//! lists and strings preceded by their length.

/// The bytes are not a value of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A type that crosses the boundary.
pub(super) trait Wire: Sized {
    /// Appends the value to `out`.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads a value, which takes at least one byte.
    ///
    /// # Errors
    /// The bytes are not a value of this type.
    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed>;
}

/// The bytes that have not been read yet.
#[derive(Debug)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
    /// How many bytes of memory lists and strings may still take. An element of a list may take one
    /// byte here and many in memory.
    memory: usize,
}

impl<'a> Bytes<'a> {
    /// The next `length` bytes.
    ///
    /// # Errors
    /// There are fewer.
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The length of a list or a string, whose elements take at least one byte here and `size` bytes
    /// in memory.
    fn length(&mut self, size: usize) -> Result<usize, Malformed> {
        let length = usize::try_from(u32::read(self)?).map_err(|_| Malformed)?;
        let memory = length.checked_mul(size).and_then(|bytes| self.memory.checked_sub(bytes));
        self.memory = memory.ok_or(Malformed)?;
        if length > self.rest.len() { Err(Malformed) } else { Ok(length) }
    }
}

/// The value of exactly these bytes, whose lists and strings take at most `memory_max` bytes.
///
/// # Errors
/// The bytes are not a value of this type, or are more than one, or the value would take more memory.
pub(super) fn from_bytes<T: Wire>(bytes: &[u8], memory_max: usize) -> Result<T, Malformed> {
    let mut input = Bytes { rest: bytes, memory: memory_max };
    let value = T::read(&mut input)?;
    if input.rest.is_empty() { Ok(value) } else { Err(Malformed) }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
                Ok(Self::from_le_bytes(input.array()?))
            }
        }
    )*};
}

integers!(u8, u32, u64);

impl Wire for usize {
    fn write(&self, out: &mut Vec<u8>) {
        u64::try_from(*self).unwrap_or(u64::MAX).write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Self::try_from(u64::read(input)?).map_err(|_| Malformed)
    }
}

impl Wire for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        match u8::read(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl Wire for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let length = input.length(1)?;
        let text = str::from_utf8(input.take(length)?).map_err(|_| Malformed)?;
        Ok(text.to_owned())
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        write_length(self.len(), out);
        for element in self {
            element.write(out);
        }
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let length = input.length(size_of::<T>())?;
        let mut list = Self::with_capacity(length);
        for _ in 0..length {
            list.push(T::read(input)?);
        }
        Ok(list)
    }
}

impl<T: Wire, const N: usize> Wire for [T; N] {
    fn write(&self, out: &mut Vec<u8>) {
        for element in self {
            element.write(out);
        }
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let mut list = Vec::with_capacity(N);
        for _ in 0..N {
            list.push(T::read(input)?);
        }
        list.try_into().map_err(|_| Malformed)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        bool::read(input)?.then(|| T::read(input)).transpose()
    }
}

impl<T: Wire> Wire for Box<T> {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        input.memory = input.memory.checked_sub(size_of::<T>()).ok_or(Malformed)?;
        T::read(input).map(Self::new)
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_ok().write(out);
        match self {
            Ok(value) => value.write(out),
            Err(error) => error.write(out),
        }
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok(if bool::read(input)? { Ok(T::read(input)?) } else { Err(E::read(input)?) })
    }
}

impl<T: Wire, U: Wire> Wire for (T, U) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut Bytes<'_>) -> Result<Self, Malformed> {
        Ok((T::read(input)?, U::read(input)?))
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    // No frame is that long, so a length that does not fit is never sent.
    u32::try_from(length).unwrap_or(u32::MAX).write(out);
}

/// Encodes and decodes a struct, by its fields in the order in which they are written.
macro_rules! wire_struct {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::protocol::codec::Wire for $type {
            fn write(&self, out: &mut Vec<u8>) {
                let Self { $($field),* } = self;
                $($crate::protocol::codec::Wire::write($field, out);)*
            }

            fn read(
                input: &mut $crate::protocol::codec::Bytes<'_>,
            ) -> Result<Self, $crate::protocol::codec::Malformed> {
                Ok(Self { $($field: $crate::protocol::codec::Wire::read(input)?),* })
            }
        }
    };
}

/// Encodes and decodes an enum, by its variants and their numbers.
macro_rules! wire_enum {
    ($type:ty {
        $($number:literal = $variant:ident $(($($item:ident),*))? $({ $($field:ident),* })?,)*
    }) => {
        impl $crate::protocol::codec::Wire for $type {
            fn write(&self, out: &mut Vec<u8>) {
                match self {$(
                    Self::$variant $(($($item),*))? $({ $($field),* })? => {
                        out.push($number);
                        $($($crate::protocol::codec::Wire::write($item, out);)*)?
                        $($($crate::protocol::codec::Wire::write($field, out);)*)?
                    }
                )*}
            }

            fn read(
                input: &mut $crate::protocol::codec::Bytes<'_>,
            ) -> Result<Self, $crate::protocol::codec::Malformed> {
                Ok(match <u8 as $crate::protocol::codec::Wire>::read(input)? {
                    $($number => Self::$variant
                        $(($({ let $item = $crate::protocol::codec::Wire::read(input)?; $item }),*))?
                        $({ $($field: $crate::protocol::codec::Wire::read(input)?),* })?,)*
                    _ => return Err($crate::protocol::codec::Malformed),
                })
            }
        }
    };
}
