//! The correspondence between types of the file and types of the core, and the macros that declare
//! both directions.

use std::net::SocketAddr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A type of the file that contains the same data as a type of `tracer-core`.
///
/// Both directions are total: every decoded value has a counterpart.
pub(in crate::recording) trait Wire: Sized {
    /// The type of `tracer-core`.
    type Core;

    /// What is written for a value.
    fn from_core(core: &Self::Core) -> Self;

    /// The value that was written.
    fn to_core(&self) -> Self::Core;
}

/// Types of the standard library, which are written as they are.
macro_rules! as_they_are {
    ($($type:ty),* $(,)?) => {$(
        impl Wire for $type {
            type Core = Self;

            fn from_core(core: &Self) -> Self {
                core.clone()
            }

            fn to_core(&self) -> Self {
                self.clone()
            }
        }
    )*};
}

as_they_are!(bool, u8, u16, u32, u64, String, CompactString, SocketAddr);

impl<T: Wire> Wire for Option<T> {
    type Core = Option<T::Core>;

    fn from_core(core: &Self::Core) -> Self {
        core.as_ref().map(T::from_core)
    }

    fn to_core(&self) -> Self::Core {
        self.as_ref().map(T::to_core)
    }
}

impl<T: Wire> Wire for Vec<T> {
    type Core = Vec<T::Core>;

    fn from_core(core: &Self::Core) -> Self {
        core.iter().map(T::from_core).collect()
    }

    fn to_core(&self) -> Self::Core {
        self.iter().map(T::to_core).collect()
    }
}

impl<T: Wire> Wire for Box<T> {
    type Core = Box<T::Core>;

    fn from_core(core: &Self::Core) -> Self {
        Self::new(T::from_core(core))
    }

    fn to_core(&self) -> Self::Core {
        Box::new(T::to_core(self))
    }
}

/// A `usize` of the core, which is written in the same form on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) struct Count(pub(in crate::recording) u64);

impl Wire for Count {
    type Core = usize;

    fn from_core(core: &usize) -> Self {
        Self(u64::try_from(*core).unwrap_or(u64::MAX))
    }

    fn to_core(&self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Declares a struct of the file, and the type of `tracer-core` that it mirrors, if any. The order
/// of the fields is the format. Fields of that type that are stored `elsewhere` in the file are
/// `None` here.
macro_rules! wire_struct {
    ($(#[$meta:meta])* $name:ident $(mirrors $core:ty)? {
        $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
    } $(elsewhere { $($elsewhere:ident,)* })?) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(in crate::recording) struct $name {
            $($(#[$field_meta])* pub(in crate::recording) $field: $type,)*
        }

        $crate::recording::wire::mirror::mirror_struct! {
            $name $(mirrors $core)? { $($field,)* } { $($($elsewhere,)*)? }
        }

        #[cfg(test)]
        impl $crate::recording::wire::tests::Sample for $name {
            fn samples(next: &mut $crate::recording::wire::tests::Counter) -> Vec<Self> {
                vec![Self { $($field: $crate::recording::wire::tests::Sample::sample(next)),* }]
            }
        }
    };
}

/// The part of [`wire_struct!`] that converts.
macro_rules! mirror_struct {
    ($name:ident { $($fields:tt)* } {}) => {};
    ($name:ident mirrors $core:ty { $($field:ident,)* } { $($elsewhere:ident,)* }) => {
        impl $crate::recording::wire::Wire for $name {
            type Core = $core;

            fn from_core(core: &$core) -> Self {
                type Core = $core;
                let Core { $($field,)* $($elsewhere: _,)* } = core;
                Self { $($field: $crate::recording::wire::Wire::from_core($field)),* }
            }

            fn to_core(&self) -> $core {
                type Core = $core;
                let Self { $($field),* } = self;
                Core {
                    $($field: $crate::recording::wire::Wire::to_core($field),)*
                    $($elsewhere: None,)*
                }
            }
        }
    };
}

/// Declares a struct of one unnamed field, which is written as that field, and its mirror.
macro_rules! wire_newtype {
    ($(#[$meta:meta])* $name:ident($type:ty) mirrors $core:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(in crate::recording) struct $name(pub(in crate::recording) $type);

        impl $crate::recording::wire::Wire for $name {
            type Core = $core;

            fn from_core(core: &$core) -> Self {
                Self($crate::recording::wire::Wire::from_core(&core.0))
            }

            fn to_core(&self) -> $core {
                // Otherwise, the name of a type alias could not construct a tuple struct.
                type Core = $core;
                Core { 0: $crate::recording::wire::Wire::to_core(&self.0) }
            }
        }

        #[cfg(test)]
        impl $crate::recording::wire::tests::Sample for $name {
            fn samples(next: &mut $crate::recording::wire::tests::Counter) -> Vec<Self> {
                vec![Self($crate::recording::wire::tests::Sample::sample(next))]
            }
        }
    };
}

/// Declares an enum of the file, and the type of `tracer-core` that it mirrors, if any. An item of
/// a tuple variant is written as `name: type`. The order of the variants, of their items and of
/// their fields is the format.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident $(mirrors $core:ty)? {
        $(
            $(#[$variant_meta:meta])*
            $variant:ident
            $(($($item:ident: $item_type:ty),*))?
            $({ $($field:ident: $type:ty),* $(,)? })?,
        )*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub(in crate::recording) enum $name {
            $($(#[$variant_meta])* $variant $(($($item_type),*))? $({ $($field: $type),* })?,)*
        }

        $crate::recording::wire::mirror::mirror_enum! {
            $name $(mirrors $core)? {
                $($variant $(($($item),*))? $({ $($field),* })?,)*
            }
        }

        #[cfg(test)]
        impl $crate::recording::wire::tests::Sample for $name {
            fn samples(next: &mut $crate::recording::wire::tests::Counter) -> Vec<Self> {
                // Variants without items use no number.
                let _ = &next;
                vec![$(
                    Self::$variant
                    $(($(<$item_type as $crate::recording::wire::tests::Sample>::sample(next)),*))?
                    $({ $($field: $crate::recording::wire::tests::Sample::sample(next)),* })?,
                )*]
            }
        }
    };
}

/// The part of [`wire_enum!`] that converts.
macro_rules! mirror_enum {
    ($name:ident { $($variants:tt)* }) => {};
    ($name:ident mirrors $core:ty {
        $($variant:ident $(($($item:ident),*))? $({ $($field:ident),* })?,)*
    }) => {
        impl $crate::recording::wire::Wire for $name {
            type Core = $core;

            fn from_core(core: &$core) -> Self {
                type Core = $core;
                match core {$(
                    Core::$variant $(($($item),*))? $({ $($field),* })? => Self::$variant
                        $(($($crate::recording::wire::Wire::from_core($item)),*))?
                        $({ $($field: $crate::recording::wire::Wire::from_core($field)),* })?,
                )*}
            }

            fn to_core(&self) -> $core {
                type Core = $core;
                match self {$(
                    Self::$variant $(($($item),*))? $({ $($field),* })? => Core::$variant
                        $(($($crate::recording::wire::Wire::to_core($item)),*))?
                        $({ $($field: $crate::recording::wire::Wire::to_core($field)),* })?,
                )*}
            }
        }
    };
}

pub(in crate::recording) use {mirror_enum, mirror_struct};
