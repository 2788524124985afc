//! Memory of our own: never from the allocator under watch, zeroed, and never given back.
//!
//! Everything handed out lives as long as the process and is shared by reference, so the tables
//! built on it are safe Rust over atomics. What no longer serves is reused by its table.

#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "turns mapped memory into references")]
mod mapped;

#[cfg(loom)]
pub(crate) use loom::{Arena, Link, RowLink, Zeroed};
#[cfg(not(loom))]
pub(crate) use mapped::{Arena, Fields, Link, RowLink, Zeroed};

/// Defines a struct that an arena can hand out, and makes sure that each of its fields is valid when
/// it is zero: one that is not, or not known to be, does not compile.
///
/// This is what allows the tables to forbid unsafe code.
#[cfg(not(loom))]
macro_rules! zeroed {
    (
        $(#[$about:meta])*
        $visibility:vis struct $name:ident $(<$parameter:ident>)? {
            $($(#[$about_field:meta])* $of_field:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        $(#[$about])*
        $visibility struct $name $(<$parameter: 'static>)? {
            $($(#[$about_field])* $of_field $field: $type),*
        }

        impl $(<$parameter: 'static>)? $crate::shared::arena::Fields for $name $(<$parameter>)? {
            type Types = $crate::shared::arena::zeroed!(@types $($type),*);
        }
    };
    (@types) => { () };
    (@types $first:ty $(, $rest:ty)*) => {
        ($first, $crate::shared::arena::zeroed!(@types $($rest),*))
    };
}

/// The same under loom, whose atomics must be made: empty is the default value.
#[cfg(loom)]
macro_rules! zeroed {
    (
        $(#[$about:meta])*
        $visibility:vis struct $name:ident $(<$parameter:ident>)? { $($fields:tt)* }
    ) => {
        $(#[$about])*
        #[derive(Default)]
        $visibility struct $name $(<$parameter: 'static>)? { $($fields)* }
    };
}

pub(crate) use zeroed;
