//! What the page is made of: the style sheet and the scripts, joined once, and their hashes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// uPlot's style sheet first, so that ours may overrule it.
pub(super) const STYLE: &str =
    concat!(include_str!("assets/uplot.min.css"), "\n", include_str!("assets/style.css"));

/// Draws a report; each file uses only what stands before it.
pub(super) const SCRIPT: &str = concat!(
    include_str!("assets/uplot.min.js"),
    "\n\"use strict\";\n",
    include_str!("assets/format.js"),
    include_str!("assets/dom.js"),
    include_str!("assets/model.js"),
    include_str!("assets/timeline.js"),
    include_str!("assets/cohorts.js"),
    include_str!("assets/flame.js"),
    include_str!("assets/sites.js"),
    include_str!("assets/findings.js"),
    include_str!("assets/page.js"),
);

/// Shows the report that stands in the page.
pub(super) const START_REPORT: &str = include_str!("assets/start_report.js");

/// Shows whatever the server has.
pub(super) const START_LIVE: &str =
    concat!(include_str!("assets/live.js"), include_str!("assets/start_live.js"));

/// uPlot's licence asks to be with every copy.
pub(super) const UPLOT_LICENSE: &str = include_str!("assets/uplot.LICENSE");

/// How a policy names a script or a style sheet that it allows, given in parts.
pub(super) fn source_hash(parts: &[&str]) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(parts.concat())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What we embed of others is what `assets/README.md` says.
    #[test]
    fn the_files_of_others_are_unchanged() {
        let readme = include_str!("assets/README.md");
        for (file, text) in [
            ("uplot.min.js", include_str!("assets/uplot.min.js")),
            ("uplot.min.css", include_str!("assets/uplot.min.css")),
        ] {
            let hash: String =
                Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            let line = readme.lines().find(|line| line.contains(&format!("`{file}`")));
            assert!(line.is_some_and(|line| line.contains(&hash)), "{file} is {hash}");
        }
    }

    #[test]
    fn no_asset_ends_its_element() {
        for text in [SCRIPT, START_REPORT, START_LIVE] {
            assert!(!text.contains("</script"), "it would end the script");
            assert!(!text.contains("<!--"), "it would begin a comment");
        }
        assert!(!STYLE.contains("</style"), "it would end the style");
    }
}
