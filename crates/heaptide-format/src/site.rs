//! Call sites: interned stacks of return addresses.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::{ModuleId, ModuleOffset, SiteId};

/// A call site, written once per segment, when it is first seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Referred to by snapshots.
    pub id: SiteId,
    /// The tag in force when it allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Return addresses, innermost first.
    pub frames: Vec<Frame>,
    /// The stack went on past the last frame, but could not or would not be followed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// One return address; written as `"MODULE+0xOFFSET"`, or `"?+0xADDRESS"` outside any module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frame {
    /// The module it lies in; `None` if in none that was known.
    pub module: Option<ModuleId>,
    /// Offset in the module, or the bare address without one.
    pub offset: ModuleOffset,
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.module {
            Some(ModuleId(id)) => serializer.collect_str(&format_args!("{id}+{}", self.offset)),
            None => serializer.collect_str(&format_args!("?+{}", self.offset)),
        }
    }
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        parse_frame(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&text), &"a frame such as 0+0x1a2b")
        })
    }
}

fn parse_frame(text: &str) -> Option<Frame> {
    let (module, offset) = text.split_once('+')?;
    let module = match module {
        "?" => None,
        id => Some(ModuleId(id.parse().ok()?)),
    };
    Some(Frame { module, offset: ModuleOffset::from_hex(offset)? })
}
