//! Durations, sizes and the length of a warm-up, as people write them.

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

use crate::axis::WarmUp;

pub(super) fn nanoseconds<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration_ns(&text).map(Some).map_err(de::Error::custom)
}

pub(super) fn duration_ns(text: &str) -> Result<u64, String> {
    let parsed = text.parse::<SignedDuration>().ok();
    let ns = parsed.and_then(|duration| u64::try_from(duration.as_nanos()).ok());
    ns.ok_or_else(|| format!("`{text}` is not a duration such as `30s`, `15m` or `1h 30m`"))
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = text.parse::<ByteSize>().map(|size| Some(size.0));
    parsed.map_err(|_| de::Error::custom(format!("`{text}` is not a size such as `512 MiB`")))
}

pub(super) fn warm_up<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WarmUp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a duration such as `30s` or a number of snapshots")]
    enum Written {
        Snapshots(u32),
        Duration(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Snapshots(snapshots) => Ok(WarmUp::Snapshots(snapshots)),
        Written::Duration(text) => {
            let or = ", nor a number of snapshots, which takes no quotes";
            let wrong = |cause| de::Error::custom(format!("{cause}{or}"));
            duration_ns(&text).map(WarmUp::Nanoseconds).map_err(wrong)
        }
    }
}
