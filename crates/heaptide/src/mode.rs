//! The mode of the process: off, exact or sampled; decided once, by its first allocation.
//!
//! The environment decides (`HEAPTIDE_MODE`, or `HEAPTIDE_OUT` alone); where it says nothing, the
//! program does. Whether blocks carry trailers depends on it, so it cannot change any more.

#![forbid(unsafe_code)]

use core::ffi::CStr;

use crate::globals::{ARENA, BUDGET, STATE};
use crate::shared::arena::RowLink;
use crate::shared::state::{Phase, StateCell};
use crate::sys;
use crate::thread::block::thread_ended;
use crate::thread::sampler::{self, DEFAULT_PERIOD_BYTES, MAX_PERIOD_BYTES};

/// What a process can be: decided at its first allocation, by the environment or, where that says
/// nothing, by the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessMode {
    Off,
    Exact,
    Sampled { period_bytes: u64 },
}

static INNER: RowLink<u8> = RowLink::nothing();

/// The type of the inner allocator, as the first allocation found it.
pub(crate) fn inner_allocator() -> &'static str {
    core::str::from_utf8(INNER.get().unwrap_or(&[])).unwrap_or_default()
}

/// Whether blocks carry trailers, so that every one of them is counted.
pub(crate) fn has_trailers() -> bool {
    matches!(STATE.load().phase(), Phase::Armed | Phase::Recording)
}

/// Settles, in the first allocation of the process and without allocating, whether blocks carry
/// trailers.
pub(crate) fn decide(state: &StateCell, default_mode: ProcessMode, inner: fn() -> &'static str) {
    let out = sys::environment(c"HEAPTIDE_OUT");
    let mode = match asked() {
        Ok(Some(mode)) => mode,
        // Somebody wants to record, but not in a way that there is.
        Err(_) => ProcessMode::Off,
        Ok(None) if out.is_some() => ProcessMode::Exact,
        Ok(None) => default_mode,
    };
    let phase = match mode {
        ProcessMode::Off => Phase::Off,
        ProcessMode::Exact => Phase::Armed,
        ProcessMode::Sampled { period_bytes } => {
            sampler::set_period(period_bytes, sys::start_up_entropy());
            Phase::SampledArmed
        }
    };
    if phase != Phase::Off {
        // Before the first thread takes anything of it.
        if let Ok(Some(bytes)) = asked_memory() {
            BUDGET.set_limit(bytes);
        }
        sys::watch_thread_exits(thread_ended);
        sys::prepare_for_signals();
        if let Some(name) = ARENA.copy(inner().as_bytes()) {
            INNER.set(name);
        }
    }
    state.decide(phase);
}

/// The phase, after making sure that something was allocated if we are the allocator.
pub(crate) fn phase_after_an_allocation() -> Phase {
    drop(std::hint::black_box(Box::new(0u8)));
    STATE.load().phase()
}

/// What `HEAPTIDE_MODE` asks for; its value, if that is nothing that there is.
pub(crate) fn asked() -> Result<Option<ProcessMode>, &'static CStr> {
    let Some(mode) = sys::environment(c"HEAPTIDE_MODE") else { return Ok(None) };
    parse_mode(mode.to_bytes()).map(Some).ok_or(mode)
}

/// How much detail `HEAPTIDE_MEMORY` allows, in bytes; its value, if that is no size.
pub(crate) fn asked_memory() -> Result<Option<u64>, &'static CStr> {
    let Some(memory) = sys::environment(c"HEAPTIDE_MEMORY") else { return Ok(None) };
    parse_bytes(memory.to_bytes()).map(Some).ok_or(memory)
}

/// Reads a mode, without allocating.
fn parse_mode(text: &[u8]) -> Option<ProcessMode> {
    match text {
        b"off" => Some(ProcessMode::Off),
        b"exact" => Some(ProcessMode::Exact),
        b"sampled" => Some(ProcessMode::Sampled { period_bytes: DEFAULT_PERIOD_BYTES }),
        _ => {
            let period_bytes = parse_bytes(text.strip_prefix(b"sampled:")?)?;
            let is_period = (1..=MAX_PERIOD_BYTES).contains(&period_bytes);
            is_period.then_some(ProcessMode::Sampled { period_bytes })
        }
    }
}

fn parse_bytes(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = core::str::from_utf8(number).ok()?.parse().ok()?;
    let unit = match unit {
        b"" | b"B" => 1,
        b"KB" | b"kB" => 1000,
        b"KiB" => 1 << 10,
        b"MB" => 1_000_000,
        b"MiB" => 1 << 20,
        b"GB" => 1_000_000_000,
        b"GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// What is wrong with `HEAPTIDE_MODE`, if anything is.
pub(crate) fn complaint_about_mode() -> Option<String> {
    let mode = asked().err()?.to_string_lossy();
    Some(format!(
        "HEAPTIDE_MODE={mode} is not `exact`, `off`, `sampled` or `sampled:` and 1 to 8388608 bytes, \
         such as `sampled:512KiB`"
    ))
}

/// What is wrong with `HEAPTIDE_MEMORY`, if anything is.
pub(crate) fn complaint_about_memory() -> Option<String> {
    let memory = asked_memory().err()?.to_string_lossy();
    Some(format!("HEAPTIDE_MEMORY={memory} is not a size such as 64MiB"))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let check = |text: &str, mode: Option<ProcessMode>| {
            assert_eq!(parse_mode(text.as_bytes()), mode, "{text}");
        };
        let sampled = |period_bytes| Some(ProcessMode::Sampled { period_bytes });
        check("off", Some(ProcessMode::Off));
        check("exact", Some(ProcessMode::Exact));
        check("sampled", sampled(512 << 10));
        check("sampled:512KiB", sampled(512 << 10));
        check("sampled:1", sampled(1));
        check("sampled:17B", sampled(17));
        check("sampled:3kB", sampled(3000));
        check("sampled:3KB", sampled(3000));
        check("sampled:2MB", sampled(2_000_000));
        check("sampled:8MiB", sampled(8 << 20));
        check("sampled:9MiB", None);
        check("sampled:0", None);
        check("sampled:0KiB", None);
        check("sampled:", None);
        check("sampled:KiB", None);
        check("sampled:-1", None);
        check("sampled:1.5MiB", None);
        check("sampled:99999999999999999999", None);
        check("sampled:18446744073709551615MiB", None);
        check("sampled:much", None);
        check("Sampled", None);
        check("", None);
    }

    #[test]
    fn sizes() {
        let check = |text: &str, bytes: Option<u64>| {
            assert_eq!(parse_bytes(text.as_bytes()), bytes, "{text}");
        };
        check("64MiB", Some(64 << 20));
        check("0", Some(0));
        check("1GiB", Some(1 << 30));
        check("2GB", Some(2_000_000_000));
        check("64 MiB", None);
        check("64M", None);
        check("lots", None);
        check("", None);
    }
}
