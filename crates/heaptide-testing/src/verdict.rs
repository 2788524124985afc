//! What grows, by name, with the evidence: the recording of a test, judged as the tools judge.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use heaptide_analyze::axis::WarmUp;
use heaptide_analyze::finding::{Finding, Gate};
use heaptide_analyze::policy::{Allow, Budget, Date, Limit, Policy};
use heaptide_analyze::symbols::ElfResolver;
use heaptide_analyze::verdict::{
    Channel, Class, CohortBar, Condition, Confidence, Excluded, Rate, Rule, Stage, Verdict,
    classify_site,
};
use heaptide_analyze::{Report, Run, Site, Terms, judge_by};
use heaptide_report::{View, human};

use crate::error::{Error, Growth};
use crate::rule::{ObjectGrowth, grows_on_schedule};
use crate::saved::{Saved, WORK};

/// Reading a program's debug information takes much memory: one test reads at a time.
static READING: Mutex<()> = Mutex::new(());

/// What a test lets pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Permitted {
    pub(crate) budget: Limit,
    pub(crate) allow: Vec<(String, Limit)>,
}

/// How the test stands when something is known to grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing<'a> {
    pub(crate) test: &'a str,
    pub(crate) calls: usize,
    pub(crate) warm_up: usize,
    /// Containers are known by now to grow or not to.
    pub(crate) is_last: bool,
}

/// Names what grows; `None` if all of that may.
///
/// # Errors
/// [`Error::Recording`] if the recording cannot be read, [`Error::Config`] for a bad `heaptide.toml`.
pub(crate) fn judge(
    saved: &Saved,
    permitted: &Permitted,
    standing: Standing<'_>,
) -> Result<Option<Growth>, Error> {
    let package = package_folder();
    let mut terms =
        Terms { policy: policy(permitted, &package)?, today: today(), ..Terms::default() };
    terms.policy.warm_up = WarmUp::Snapshots(saved.n_warm_up as u32);
    terms.workspace = own_crates();
    let classify = |run: &Run<'_>| classify(run, saved.n_warm_up, standing);
    let paths = [saved.path.clone()];
    let report = {
        let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
        judge_by(&paths, &mut ElfResolver::new(Vec::new()), &terms, &classify)
    };
    let report = report.map_err(|err| Error::Recording {
        path: saved.path.clone(),
        source: std::io::Error::other(err.to_string()),
    })?;
    Ok(growth(&report, saved, standing, &package))
}

fn growth(
    report: &Report,
    saved: &Saved,
    standing: Standing<'_>,
    package: &Path,
) -> Option<Growth> {
    let failing: Vec<&Finding> =
        report.findings().filter(|finding| finding.ruling.gate == Gate::Fail).collect();
    if failing.is_empty() {
        return None;
    }
    let view = View { root: package.to_owned(), ..View::default() };
    let evidence = failing.iter().map(|finding| human::finding_of_test(finding, &view));
    let entries: Vec<String> = failing.iter().map(|finding| allow_entry(finding)).collect();
    Some(Growth {
        test: standing.test.to_owned(),
        calls: standing.calls,
        warm_up: standing.warm_up,
        blamed: failing.iter().map(|finding| finding.blamed.plain().to_owned()).collect(),
        evidence: evidence.collect::<Vec<_>>().join("\n"),
        recording: saved.path.clone(),
        allow: entries.join("\n"),
    })
}

/// What would let a finding pass, with room for as much again.
fn allow_entry(finding: &Finding) -> String {
    let held = finding.sites.iter().map(|site| &site.verdict.evidence);
    let (objects, bytes) = held.fold((0u64, 0u64), |sum, evidence| {
        (sum.0.saturating_add(evidence.live_objects), sum.1.saturating_add(evidence.live_bytes))
    });
    let limit = match finding.lead().verdict.channel {
        Channel::Objects => format!("{} objects", objects.next_power_of_two()),
        Channel::Container => format!("{} B", bytes.next_power_of_two()),
    };
    let site = match finding.blamed.plain() {
        "" => finding.id.as_str(),
        path => path,
    };
    format!("[[allow]]\nsite = {site:?}\nlimit = {limit:?}\nreason = \"\"\n")
}

/// What the test says, and the exceptions of the workspace's `heaptide.toml`.
fn policy(permitted: &Permitted, package: &Path) -> Result<Policy, Error> {
    let file = package.ancestors().map(|dir| dir.join("heaptide.toml")).find(|file| file.is_file());
    let mut policy = match file {
        None => Policy::default(),
        Some(file) => {
            let name = file.display().to_string();
            let wrong = |why: String| Error::Config(format!("{name}: {why}"));
            let text = std::fs::read_to_string(&file).map_err(|err| wrong(err.to_string()))?;
            Policy::parse(&text).map_err(|err| wrong(err.to_string()))?.from_file(&name)
        }
    };
    // What else it says is of runs that last, under a load.
    let of_test = permitted.allow.iter().map(|(site, limit)| Allow::up_to(site, limit.clone()));
    policy.allow.splice(0..0, of_test);
    let dependencies = policy.budget.dependencies;
    policy.budget = Budget { finding: permitted.budget.clone(), dependencies, ..Budget::default() };
    policy.work = Some(WORK.to_owned());
    (policy.least_snapshots, policy.max_lifetime_ns) = (None, None);
    policy.lifetime.clear();
    Ok(policy)
}

/// The folder of the package that is tested, as Cargo says; else the current one.
fn package_folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package.or_else(|| std::env::current_dir().ok()).unwrap_or_default()
}

/// The package that is tested and its test program, where no files say whose code it is.
fn own_crates() -> std::collections::BTreeSet<String> {
    let package = std::env::var("CARGO_PKG_NAME").ok();
    let exe = std::env::current_exe().unwrap_or_default();
    let program = exe.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let program = program.and_then(|stem| Some(stem.rsplit_once('-')?.0.to_owned()));
    package.into_iter().chain(program).map(|name| name.replace('-', "_")).collect()
}

fn today() -> Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// The verdicts on the sites of a test that is known to keep memory.
fn classify(run: &Run<'_>, n_warm_up: usize, standing: Standing<'_>) -> Vec<Verdict> {
    let measured: Vec<SiteGrowth> =
        run.sites.iter().map(|site| SiteGrowth::of(run, site, n_warm_up, standing)).collect();
    let leaks: Vec<bool> = measured.iter().map(|site| site.channel.is_some()).collect();
    // What made the test fail was seen after each call. Where snapshots of every few calls do not show
    // it, it is where most is kept.
    let most = measured.iter().map(|site| site.objects.objects).max();
    let is_blamed = |site: &SiteGrowth| match leaks.contains(&true) {
        true => site.channel.is_some(),
        false => Some(site.objects.objects) == most,
    };
    let verdicts = run.sites.iter().zip(&measured);
    verdicts.map(|(site, measured)| measured.verdict(run, site, is_blamed(measured))).collect()
}

/// What a site did over the calls that count.
struct SiteGrowth {
    objects: ObjectGrowth,
    grown_bytes: i64,
    counted_calls: f64,
    /// `None` if it does not grow.
    channel: Option<Channel>,
}

impl SiteGrowth {
    fn of(run: &Run<'_>, site: &Site, n_warm_up: usize, standing: Standing<'_>) -> Self {
        let level = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let rows: Vec<_> = (0..run.axis.len()).map(|slot| site.series.row(slot)).collect();
        let before = n_warm_up.saturating_sub(1).min(rows.len().saturating_sub(1));
        let objects: Vec<i64> =
            rows[before..].iter().map(|row| level(row.trough_objects)).collect();
        let bytes: Vec<i64> =
            std::iter::once(0).chain(rows.iter().map(|row| level(row.trough_bytes))).collect();
        let growth = ObjectGrowth::of(&objects);
        let channel = match growth.is_steady() {
            true => Some(Channel::Objects),
            false => (standing.is_last && grows_on_schedule(&bytes)).then_some(Channel::Container),
        };
        let grown_bytes =
            bytes.last().zip(bytes.get(before + 1)).map_or(0, |(end, start)| end - start);
        let counted_calls = (standing.calls - standing.warm_up) as f64;
        Self { objects: growth, grown_bytes, counted_calls, channel }
    }

    fn verdict(&self, run: &Run<'_>, site: &Site, is_blamed: bool) -> Verdict {
        let rule = Rule { work: Some(WORK.to_owned()), ..Rule::default() };
        let verdict = classify_site(&site.axis, &rule, &site.series);
        let (fits, needs_snapshots) = (Vec::new(), None);
        if !is_blamed {
            let (class, confidence, rate) = (Class::Stable, None, Rate::default());
            return Verdict { class, confidence, rate, fits, needs_snapshots, ..verdict };
        }
        let channel = self.channel.unwrap_or(Channel::Objects);
        let mut evidence = verdict.evidence;
        evidence.cohorts = bars(run, site);
        evidence.would_change = vec![Condition::Bound { above_objects: evidence.live_objects }];
        evidence.excluded = match channel {
            Channel::Objects => self.excluded(),
            Channel::Container => Vec::new(),
        };
        let confidence = match channel {
            Channel::Objects => Confidence::Certain,
            Channel::Container => Confidence::Likely,
        };
        Verdict {
            class: Class::Leak,
            channel,
            confidence: Some(confidence),
            rate: self.rate(channel),
            fits,
            needs_snapshots,
            evidence,
        }
    }

    fn rate(&self, channel: Channel) -> Rate {
        let per_call = |grown: i64| grown.max(0) as f64 / self.counted_calls;
        let objects_per_op = match channel {
            Channel::Objects => per_call(self.objects.objects),
            Channel::Container => 0.0,
        };
        let bytes_per_op = per_call(self.grown_bytes);
        // In an hour as long as a call, so that growth is ranked by what each call adds.
        let ops_per_hour = 1.0;
        let work = WORK.to_owned();
        Rate { work, objects_per_op, bytes_per_op, bytes_per_op_upper: bytes_per_op, ops_per_hour }
    }

    fn excluded(&self) -> Vec<Excluded> {
        let ObjectGrowth { pace, ups, calls: of, e_value, .. } = self.objects;
        vec![Excluded::WarmUp { pace }, Excluded::Chance { ups, of, e_value }]
    }
}

/// What is alive at the end by birth.
fn bars(run: &Run<'_>, site: &Site) -> Vec<CohortBar> {
    let warm_up = run.axis.warm_up();
    let mut cohorts = site.series.cohorts().iter().peekable();
    let bar = |(index, slot): (usize, &heaptide_analyze::axis::Slot)| {
        let cohort = cohorts.next_if(|cohort| cohort.slot == index).copied().unwrap_or_default();
        CohortBar {
            first_epoch: slot.first_epoch,
            last_epoch: slot.last_epoch,
            objects: cohort.objects,
            bytes: cohort.bytes,
            // A call that is over has nothing that is young.
            stage: if index < warm_up { Stage::WarmUp } else { Stage::Mature },
        }
    };
    run.axis.slots().iter().enumerate().map(bar).collect()
}
