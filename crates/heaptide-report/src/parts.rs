//! The parts of what a process holds, as they are drawn over time.

use heaptide_analyze::load::Point;
use heaptide_analyze::process::PartName;
use heaptide_format::Account;

/// From the ground up, as a picture stacks them.
pub(crate) const STACKED: [PartName; 8] = [
    PartName::Shim,
    PartName::Files,
    PartName::ThreadStacks,
    PartName::RustHeap,
    PartName::OtherMalloc,
    PartName::Anonymous,
    PartName::AllocatorFree,
    PartName::Swap,
];

/// The account of a snapshot that read the parts.
pub(crate) fn with_parts(point: &Point) -> Option<&Account> {
    point.account.as_ref().filter(|account| account.parts.is_some())
}
