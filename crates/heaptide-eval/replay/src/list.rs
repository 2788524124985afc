//! The list of all programs, each with the answer that a verdict is held to.

use std::any::type_name;

use fastrand::Rng;

use crate::program::{Program, Run};
use crate::{caches, containers, leaks, passing};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Healthy,
    Leak,
}

impl Label {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Leak => "leak",
        }
    }
}

/// A program that can be played.
pub(crate) struct Played {
    pub(crate) name: &'static str,
    pub(crate) label: Label,
    /// The type whose methods allocate what leaks.
    pub(crate) blamed: fn() -> &'static str,
    pub(crate) start: fn(&Run, &mut Rng) -> Box<dyn Program>,
}

macro_rules! played {
    ($label:ident $name:literal $program:ty) => {
        Played {
            name: $name,
            label: Label::$label,
            blamed: type_name::<$program>,
            start: |run, rng| Box::new(<$program>::new(run, rng)),
        }
    };
}

pub(crate) const PROGRAMS: &[Played] = &[
    played!(Healthy "scratch" passing::Scratch),
    played!(Healthy "in-flight" passing::InFlight),
    played!(Healthy "backlog" passing::Backlog),
    played!(Healthy "batches" passing::Batches),
    played!(Healthy "deferred-frees" passing::DeferredFrees),
    played!(Healthy "expiring-sessions" passing::ExpiringSessions),
    played!(Healthy "start-up" passing::StartUp),
    played!(Healthy "reload" passing::Reload),
    played!(Healthy "fifo-cache" caches::Fifo),
    played!(Healthy "lru-cache" caches::Lru),
    played!(Healthy "random-cache" caches::RandomEvict),
    played!(Healthy "interner" caches::Interner),
    played!(Healthy "pool" caches::Pool),
    played!(Healthy "segments" caches::Segments),
    played!(Healthy "ring" containers::Ring),
    played!(Healthy "reused-buffer" containers::ReusedBuffer),
    played!(Healthy "filled-map" containers::FilledMap),
    played!(Healthy "filled-shards" containers::FilledShards),
    played!(Healthy "reused-pages" containers::ReusedPages),
    played!(Leak "sessions" leaks::Sessions),
    played!(Leak "error-path" leaks::ErrorPath),
    played!(Leak "slow" leaks::Slow),
    played!(Leak "late" leaks::Late),
    played!(Leak "bursts" leaks::Bursts),
    played!(Leak "missed-expiry" leaks::MissedExpiry),
    played!(Leak "cache-loses-track" leaks::LosingCache),
    played!(Leak "beside-random-evict" leaks::BesideRandomEvict),
    played!(Leak "labels" leaks::Labels),
    played!(Leak "growing-queue" leaks::GrowingQueue),
    played!(Leak "pool-never-reuses" leaks::WastefulPool),
    played!(Leak "segments-never-merged" leaks::Journal),
    played!(Leak "after-large-start" leaks::AfterLargeStart),
    played!(Leak "vector-for-ever" containers::EventLog),
    played!(Leak "map-for-ever" containers::SeenIds),
    played!(Leak "shards-for-ever" containers::SessionShards),
    played!(Leak "pages-for-ever" containers::TaskPages),
];
