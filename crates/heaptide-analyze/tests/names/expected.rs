//! What each place of the family must be called, as far as a build's information goes.

use super::build::{Build, Code, Debug};

/// A place in the sources that leaks.
pub(crate) struct Place {
    /// What its lines are marked with.
    pub(crate) label: &'static str,
    /// The file, and its text.
    pub(crate) file: (&'static str, &'static str),
    /// The plain name of its function.
    pub(crate) name: &'static str,
    /// The same as far as it can be told when only files and lines of inlined functions are known:
    /// a method's type, and what an async function awaits, are lost; a crate that has no whole name
    /// in any stack is called after its directory.
    pub(crate) by_lines: &'static str,
    /// When only functions that were not inlined have a name, and these are not inlined.
    pub(crate) by_symbols: &'static [&'static str],
    /// The function of a crate that it calls, by its last name; empty: it allocates itself.
    pub(crate) via: &'static str,
    /// Objects per request.
    pub(crate) objects: f64,
}

const OWN: Place = Place {
    label: "",
    file: ("", ""),
    name: "",
    by_lines: "",
    by_symbols: &[],
    via: "",
    objects: 1.0,
};

pub(crate) const PLACES: &[Place] = &[
    Place {
        label: "note",
        file: ("service/src/visitors.rs", include_str!("family/visitors.rs")),
        name: "shop::visitors::note",
        by_lines: "shop::visitors::note",
        objects: 3.0,
        ..OWN
    },
    Place {
        label: "shelves put",
        file: ("service/src/shelves.rs", include_str!("family/shelves.rs")),
        name: "shop::shelves::Shelves::put",
        by_lines: "shop::shelves::put",
        ..OWN
    },
    Place {
        label: "keep",
        file: ("service/src/shelves.rs", include_str!("family/shelves.rs")),
        name: "<shop::shelves::Shelves as shop::shelves::Keep>::keep",
        by_lines: "shop::shelves::keep",
        ..OWN
    },
    Place {
        label: "notes put",
        file: ("service/src/shelves.rs", include_str!("family/shelves.rs")),
        name: "shop::shelves::Notes::put",
        by_lines: "shop::shelves::put",
        ..OWN
    },
    Place {
        label: "register",
        file: ("service/src/hooks.rs", include_str!("family/hooks.rs")),
        name: "shop::hooks::register",
        by_lines: "shop::hooks::register",
        ..OWN
    },
    Place {
        label: "write",
        file: ("service/src/jobs.rs", include_str!("family/jobs.rs")),
        name: "shop::jobs::write",
        by_lines: "shop::jobs",
        by_symbols: &["shop::jobs::write", "shop::jobs::save", "shop::desk::block_on"],
        ..OWN
    },
    Place {
        label: "ship",
        file: ("service/src/routes.rs", include_str!("family/routes.rs")),
        name: "shop::routes::ship",
        by_lines: "shop::routes::ship",
        via: "parcels::depot",
        ..OWN
    },
    Place {
        label: "login",
        file: ("service/src/routes.rs", include_str!("family/routes.rs")),
        name: "shop::routes::login",
        by_lines: "shop::routes::login",
        via: "session_store",
        ..OWN
    },
    Place {
        label: "record",
        file: ("parts/ledger/src/lib.rs", include_str!("family/shop_ledger.rs")),
        name: "shop_ledger::Ledger::record",
        by_lines: "ledger::record",
        ..OWN
    },
    Place {
        label: "bury",
        file: ("session-store-1.2.0-rc.1/src/reaper.rs", include_str!("family/reaper.rs")),
        name: "session_store::reaper::bury",
        by_lines: "session_store::reaper::bury",
        ..OWN
    },
];

/// All that one request leaves behind.
pub(crate) const OBJECTS: f64 = 12.0;

impl Place {
    /// The names that will do: the full one, and what is left of it in this build.
    pub(crate) fn names(&self, build: &Build) -> Vec<&'static str> {
        let mut names = vec![self.name];
        match (build.debug, build.code) {
            (Debug::Limited | Debug::Full, _) | (_, Code::Plain) => {}
            (Debug::Lines, Code::Inlined) => names.push(self.by_lines),
            // What an async function awaits is inlined into its poll.
            (Debug::Lines, Code::Apart) if self.label == "write" => names.push(self.by_lines),
            (Debug::Lines, Code::Apart) => {}
            (Debug::None, Code::Apart) => names.extend(self.by_symbols),
            (Debug::None, Code::Inlined) => names.extend([
                "shop::Shop::serve",
                "shop::desk::block_on",
                "<session_store::reaper::Reaper as core::default::Default>::default",
            ]),
        }
        names
    }

    /// The lines that its marks stand on.
    pub(crate) fn lines(&self) -> Vec<u32> {
        let mark = format!("// leaks: {}", self.label);
        let lines = (1..).zip(self.file.1.lines());
        lines.filter(|(_, text)| text.ends_with(&mark)).map(|(line, _)| line).collect()
    }
}
