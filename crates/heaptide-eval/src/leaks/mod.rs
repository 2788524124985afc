//! `cargo ci leaks`: the leak corpus. Every leaky program is found where it leaks, and no healthy
//! twin is accused.
//!
//! `LEAKS=lru-key,log-buffer` runs only those.

mod corpus;
mod judgement;
mod variant;

use anyhow::{Result, ensure};

use corpus::Case;
use heaptide_analyze::verdict::Class;
use judgement::{Growth, Judgement, Place};
use variant::{Kind, Variant};

/// Builds, runs and judges every program of the corpus.
///
/// # Errors
///
/// If one is judged wrong, or cannot be built, run or read.
pub fn run() -> Result<()> {
    let chosen = std::env::var("LEAKS").ok();
    let cases = corpus::cases(chosen.as_deref())?;
    println!("{}", row("case", "variant", "verdict", "objects/op", "bytes/op", "where", ""));
    let mut wrong = 0;
    for case in &cases {
        for kind in [Kind::Leaky, Kind::Fixed] {
            let variant = Variant { case, kind };
            let judged = judgement::of(&variant.record()?)?;
            let complaint = complaint(&variant, &judged);
            wrong += usize::from(complaint.is_some());
            println!("{}", judged_row(&variant, &judged, complaint.as_deref()));
        }
    }
    ensure!(wrong == 0, "{wrong} of {} programs were judged wrong", 2 * cases.len());
    println!("all {} programs were judged right", 2 * cases.len());
    Ok(())
}

/// What is wrong with a judgement, if anything.
fn complaint(variant: &Variant<'_>, judged: &Judgement) -> Option<String> {
    let case = variant.case;
    match (variant.kind, judged.class, &judged.place) {
        (Kind::Fixed, Class::Leak, _) => Some("a healthy twin is accused".into()),
        (Kind::Fixed, ..) => None,
        _ if !grows_as_told(case, &judged.growth) => {
            Some("the driver does not leak what the manifest says".into())
        }
        (Kind::Leaky, Class::Leak, Some(place)) => misplaced(variant, place),
        (Kind::Leaky, Class::Suspect, Some(place)) if case.suspect.is_some() => {
            misplaced(variant, place)
        }
        (Kind::Leaky, ..) => Some("the leak is missed".into()),
    }
}

fn misplaced(variant: &Variant<'_>, place: &Place) -> Option<String> {
    let (driver, site) = (variant.crate_name(), &variant.case.site);
    let expected = place.in_crate == driver || site.contains(&place.in_crate);
    let is_pace = place.function == format!("{driver}::rounds::drive");
    (!expected || is_pace).then(|| format!("found outside of the driver and {site:?}"))
}

/// Growth may be half or twice the manifest's: where a container stands between two doublings when
/// the run ends is an accident.
fn grows_as_told(case: &Case, growth: &Growth) -> bool {
    let near = |told: f64, seen: f64| told / 2.0 <= seen && seen <= told * 2.0;
    let objects = case.objects_per_op < 0.001 || near(case.objects_per_op, growth.objects_per_op);
    objects && near(case.bytes_per_op, growth.bytes_per_op)
}

fn judged_row(variant: &Variant<'_>, judged: &Judgement, complaint: Option<&str>) -> String {
    row(
        &variant.case.name,
        variant.kind.name(),
        judged.class.word(),
        &format!("{:.3}", judged.growth.objects_per_op),
        &format!("{:.1}", judged.growth.bytes_per_op),
        judged.place.as_ref().map_or("", |place| &place.shown),
        &complaint.map(|text| format!("  <- WRONG: {text}")).unwrap_or_default(),
    )
}

fn row(
    case: &str,
    variant: &str,
    verdict: &str,
    objects: &str,
    bytes: &str,
    place: &str,
    complaint: &str,
) -> String {
    format!("{case:<18} {variant:<7} {verdict:<10} {objects:>10} {bytes:>10}  {place}{complaint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All drivers are in the manifest and all cases have a driver.
    #[test]
    fn the_manifest_and_the_drivers_are_the_same_set() -> Result<()> {
        let mut told: Vec<_> =
            corpus::cases(None)?.iter().map(|case| case.name.replace('-', "_")).collect();
        let mut there = Vec::new();
        for entry in std::fs::read_dir(ci::program::root().join("crates/heaptide-eval/leaks"))? {
            let path = entry?.path();
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("rounds.rs") {
                there.extend(name);
            }
        }
        told.sort();
        there.sort();
        assert_eq!(told, there);
        Ok(())
    }
}
