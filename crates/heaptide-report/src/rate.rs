//! How fast something grows, in words.

use heaptide_analyze::process::CPU_SECONDS;
use heaptide_analyze::verdict::Rate;

use crate::number::{rate_bytes, significant, unit};

/// `+1 object/request`
fn objects_per_op(rate: &Rate) -> String {
    format!("+{}/{}", kept(rate), unit(&rate.work))
}

/// `1 object`, `0.25 objects`
pub(crate) fn kept(rate: &Rate) -> String {
    let n = significant(rate.objects_per_op);
    let noun = if n == "1" { "object" } else { "objects" };
    format!("{n} {noun}")
}

/// `+184 B/request`
pub(crate) fn bytes_per_op(rate: &Rate) -> String {
    format!("+{}/{}", rate_bytes(rate.bytes_per_op), unit(&rate.work))
}

/// `+63.2 MiB/h`
pub(crate) fn bytes_per_hour(rate: &Rate) -> String {
    format!("+{}/h", rate_bytes(rate.bytes_per_hour()))
}

/// `+1 object/request  +184 B/request`
pub(crate) fn growth_per_op(rate: &Rate) -> String {
    let objects = (rate.objects_per_op > 0.0).then(|| objects_per_op(rate));
    Vec::from_iter(objects.into_iter().chain([bytes_per_op(rate)])).join("  ")
}

/// `+1 object/request  +184 B/request  (+63.2 MiB/h at 96 requests/s)`
pub(crate) fn growth(rate: &Rate) -> String {
    let pace = match rate.work.as_str() {
        "seconds" => String::new(),
        CPU_SECONDS => {
            format!(" at {} CPU seconds/s", significant(rate.ops_per_hour / 3600.0))
        }
        work => format!(" at {} {work}/s", significant(rate.ops_per_hour / 3600.0)),
    };
    format!("{}  ({}{pace})", growth_per_op(rate), bytes_per_hour(rate))
}
