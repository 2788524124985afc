//! Short phrases that several outputs share: how fast, how much, whose, how it ends.

use heaptide_analyze::compare::{ComparedFunction, Comparison};
use heaptide_analyze::finding::{Change, Finding, Gate, JudgedSite, LimitOf, Projection};
use heaptide_analyze::identity::SharedFrame;
use heaptide_analyze::verdict::{Channel, Class, Condition, Confidence, Evidence, Fit};
use heaptide_analyze::{Outcome, Report, RunReport};
use heaptide_format::Mode;

use crate::number::{
    about, bytes, count, duration, objects, plural, rate_bytes, significant, unit,
};
use crate::rate::kept;
pub(crate) use crate::rate::{bytes_per_hour, bytes_per_op, growth, growth_per_op};
pub(crate) use crate::sentence::gate;
use crate::view::View;
use crate::{process, sentence};

/// `counted per login, which fits better than requests or time`, if there was a choice of work.
pub(crate) fn counted_per(finding: &Finding) -> Option<String> {
    let (best, others) = finding.lead().verdict.fits.split_first()?;
    let only_time = others.iter().all(|fit| fit.work == "seconds");
    let name = |fit: &Fit| if fit.work == "seconds" { "time".to_owned() } else { fit.work.clone() };
    let names: Vec<_> = others.iter().map(name).collect();
    let per = one_of(&best.work);
    (!only_time)
        .then(|| format!("counted per {per}, which fits better than {}", names.join(" or ")))
}

/// `request`, `second`
fn one_of(work: &str) -> String {
    match work {
        "seconds" => "second".to_owned(),
        work => unit(work),
    }
}

/// A forecast further away than this is no news: the program will have been started anew.
const FAR_SECONDS: f64 = 365.0 * 86_400.0;

/// `memory runs out in about 9 h (limit 512.0 MiB, 12.0 MiB used)`; nothing of what is far away.
pub(crate) fn runs_out(projection: &Projection) -> Option<String> {
    if projection.seconds > FAR_SECONDS {
        return None;
    }
    let (limit, used) = (bytes(projection.limit_bytes), bytes(projection.used_bytes));
    let limit = match projection.limit_of {
        LimitOf::Policy | LimitOf::Cgroup => format!("limit {limit}"),
        LimitOf::Machine => format!("no limit, the machine has {limit}"),
    };
    let when = match projection.seconds {
        seconds if seconds < 1.0 => "memory has run out".to_owned(),
        seconds => format!("memory runs out in {}", about(seconds)),
    };
    Some(format!("{when} ({limit}, {used} used)"))
}

/// How fast all that leaks in a run grows: `3 call sites leak +67.6 MiB/h together`.
pub(crate) fn leaking_rate(run: &RunReport) -> Option<String> {
    let per_hour = bytes_per_hour(run.leaking.as_ref()?);
    Some(match run.leaking_sites {
        1 => format!("1 call site leaks {per_hour}"),
        n => format!("{n} call sites leak {per_hour} together"),
    })
}

/// The same, what grows beside them, and when it fills the memory.
pub(crate) fn leaking(run: &RunReport) -> Option<String> {
    let beside = Some(process::pace(run)).filter(|text| !text.is_empty());
    let runs_out = run.runs_out.as_ref().and_then(runs_out);
    let runs_out = runs_out.map(|runs_out| format!("at this pace {runs_out}"));
    let said: Vec<String> = [leaking_rate(run), beside, runs_out].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// `fails: over the budget of 0 objects/op`
pub(crate) fn ruling(finding: &Finding) -> String {
    sentence::ruling(&finding.ruling)
}

/// Whether a finding is let pass: it takes a line, for nobody has to act on it now.
pub(crate) fn is_let_pass(finding: &Finding) -> bool {
    matches!(finding.ruling.gate, Gate::Warn | Gate::Pass)
}

/// A finding that is let pass: what, how fast, and why it may.
pub(crate) fn let_pass(finding: &Finding) -> String {
    format!("{} {}, {}", name(finding), bytes_per_hour(&finding.rate), finding.ruling.because)
}

/// The function to blame, or the site if its stack is not known.
pub(crate) fn name(finding: &Finding) -> String {
    let blamed = &finding.blamed;
    match (blamed.plain(), nameless(blamed)) {
        ("", _) => format!("site {}, of which no stack is known", finding.id),
        (module, Some(kind)) => format!("{kind} in {module}"),
        (name, None) => name.to_owned(),
    }
}

/// What a function is of which only the module is known: debug information of line tables keeps
/// neither the name of an async function nor to what a closure belongs.
fn nameless(frame: &SharedFrame) -> Option<&'static str> {
    let (_, rest) = frame.function.split_once("::{").filter(|_| frame.is_of_unknown_function())?;
    match rest.split_once('#')?.0 {
        "async_fn" => Some("an async function"),
        "async_block" => Some("an async block"),
        "closure" => Some("a closure"),
        _ => None,
    }
}

/// For a suspect: what it takes to decide.
pub(crate) fn needs(finding: &Finding) -> Option<String> {
    let needs = finding.lead().verdict.evidence.would_change.iter();
    let mut needs = needs.filter_map(|condition| match *condition {
        Condition::Snapshots { more, about_ns } => Some((more, about_ns)),
        Condition::Flush { .. }
        | Condition::FromStart { .. }
        | Condition::MaxLifetime { .. }
        | Condition::Bound { .. } => None,
    });
    let (more, about_ns) = needs.next()?;
    let snapshots = plural(more.into(), "more snapshot", "more snapshots");
    let how_long = about(about_ns as f64 / 1e9);
    Some(format!("needs {snapshots} to decide: {how_long} at this pace"))
}

/// What it may be instead of a leak as far as this run can tell, and how to tell: where nothing was
/// freed so far, and where blocks from before the recording were. What is certain because of another
/// site of the finding is no buffer that nothing was freed of so far.
pub(crate) fn may_be_harmless(finding: &Finding) -> Option<String> {
    let evidence = &evidence_site(finding).verdict.evidence;
    evidence.would_change.iter().find_map(|condition| match *condition {
        Condition::Flush { within_ns } if finding.confidence != Confidence::Certain => {
            let (within, held) = (duration(within_ns), bytes(evidence.live_bytes));
            Some(format!(
                "nothing was ever freed here: a buffer that is flushed later looks the same. Run for \
                 {within} to see, or give it a limit well below {held}"
            ))
        }
        Condition::FromStart { freed_from_before } => {
            let were_freed = plural(freed_from_before, "block", "blocks");
            Some(format!(
                "{were_freed} from before the recording ended meanwhile, and these may only replace \
                 them, as in a cache that was full already. Record from the start of the program"
            ))
        }
        _ => None,
    })
}

/// The site whose evidence speaks for a finding: its fastest growing one that counts objects, for
/// births and deaths convince more than sizes; the lead if there is none.
pub(crate) fn evidence_site(finding: &Finding) -> &JudgedSite {
    let counts = |site: &&JudgedSite| {
        site.verdict.channel == Channel::Objects && site.verdict.class == finding.class
    };
    finding.sites.iter().find(counts).unwrap_or_else(|| finding.lead())
}

/// What is excluded: by the site whose evidence is shown, and by the container that holds the rest.
pub(crate) fn excluded(finding: &Finding) -> Vec<String> {
    let shown = evidence_site(finding);
    let container = finding.container.and_then(|index| finding.sites.get(index));
    let container = container.filter(|site| site.subject.id != shown.subject.id);
    let sites = [Some(shown), container].into_iter().flatten();
    sites.flat_map(|site| &site.verdict.evidence.excluded).map(sentence::excluded).collect()
}

/// How many callers of the blamed frame are named: enough to tell two uses of one function apart.
/// The whole stack is in the JSON report.
const CALLERS: usize = 3;

/// Who called the function to blame: the user's own frames. Where none is the user's, the first
/// frame of each dependency further out says which part of it was at work.
pub(crate) fn callers(finding: &Finding) -> Vec<&SharedFrame> {
    let stack = &finding.lead().subject.stack;
    let blamed = stack.iter().position(|frame| *frame == finding.blamed);
    let above = stack.iter().skip(blamed.map_or(stack.len(), |at| at + 1));
    if stack.iter().any(SharedFrame::is_own) {
        return above.filter(|frame| frame.is_own()).take(CALLERS).collect();
    }
    let mut callers: Vec<&SharedFrame> = Vec::new();
    for frame in above.filter(|frame| frame.is_theirs() && frame.origin != finding.blamed.origin) {
        if callers.len() < CALLERS && callers.iter().all(|known| known.origin != frame.origin) {
            callers.push(frame);
        }
    }
    callers
}

/// Whether nobody's code but a dependency's is named, because it ran on its own. Where no frame has a file,
/// it is not known whose code is whose.
pub(crate) fn is_without_caller(finding: &Finding) -> bool {
    let stack = &finding.lead().subject.stack;
    let is_known = stack.iter().any(|frame| frame.file.is_some());
    finding.blamed.is_theirs() && is_known && !stack.iter().any(SharedFrame::is_own)
}

/// How a finding compares with the build before: a line, if there is one.
pub(crate) fn change(finding: &Finding) -> Option<String> {
    Some(match finding.change.as_ref()? {
        Change::New { was: None } => "new: the build before has no such call site".into(),
        Change::New { was: Some(class) } => {
            format!("new: in the build before this was {}", class.word())
        }
        Change::Worse { was } => {
            let factor = significant(finding.rate.bytes_per_op / was.bytes_per_op);
            let (now, was) = (bytes_per_op(&finding.rate), bytes_per_op(was));
            format!("worse: {now}, was {was} ({factor}x)")
        }
    })
}

/// `214 call sites in common; growing sites: 1 new, 0 worse`
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let Comparison { common_sites, new, worse, .. } = comparison;
    let common = plural(*common_sites as u64, "call site", "call sites");
    format!("{common} in common; growing sites: {new} new, {worse} worse")
}

/// What has become of growth that the build before had: a word, the function, and how fast.
pub(crate) fn known(comparison: &Comparison) -> Vec<(&'static str, &str, String)> {
    let was = |known: &ComparedFunction| bytes_per_op(&known.before);
    let now = |known: &ComparedFunction| known.after.as_ref().map(bytes_per_op).unwrap_or_default();
    let gone = comparison.gone.iter().map(|known| {
        let idle = if known.called { "" } else { "; not called in this run" };
        ("gone", known.path.as_str(), format!("was {}{idle}", was(known)))
    });
    let improved = comparison.improved.iter().map(|known| {
        ("improved", known.path.as_str(), format!("{}, was {}", now(known), was(known)))
    });
    let as_before = comparison.as_before.iter();
    let as_before = as_before.map(|known| ("as before", known.path.as_str(), now(known)));
    gone.chain(improved).chain(as_before).collect()
}

pub(crate) fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Suspect => "undecided",
    }
}

/// The rule of a code review service for what grows outside the recorded heap.
pub(crate) const OUTSIDE: &str = "heaptide/outside";

/// What a class is called as a rule of a code review service: `heaptide/leak`.
pub(crate) fn rule(class: Class) -> String {
    format!("heaptide/{}", class.word())
}

/// A finding in one line: who, and how fast.
pub(crate) fn message(finding: &Finding) -> String {
    format!("{} leaves memory behind: {}.", name(finding), growth(&finding.rate))
}

/// The word of the result, the same in every output.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Clean => "clean",
        Outcome::Passes => "passes",
        Outcome::Growth => "growth over budget",
        Outcome::Error => "cannot be judged as asked",
        Outcome::Inconclusive => "inconclusive",
    }
}

/// `shop (pid 4711): 41 snapshots in 16 s, 9,812 requests, 3.1 MiB live at 214 sites`
pub(crate) fn run(run: &RunReport) -> String {
    let mut parts = vec![format!(
        "{} in {}",
        plural(run.snapshots as u64, "snapshot", "snapshots"),
        duration(run.elapsed_ns)
    )];
    parts.extend(run.work.iter().map(|(name, n)| format!("{} {name}", count(*n))));
    let sites = plural(run.sites as u64, "site", "sites");
    parts.push(format!("{} live at {sites}", bytes(run.heap.live_bytes)));
    if let Mode::Sampled { period_bytes } = run.mode {
        parts.push(sampled(period_bytes));
    }
    format!("{} (pid {}): {}", program(run), run.pid, parts.join(", "))
}

/// `estimates from a sample each 512.0 KiB`
pub(crate) fn sampled(period_bytes: u64) -> String {
    format!("estimates from a sample each {}", bytes(period_bytes))
}

/// `1,560 alive (280.3 KiB)`; of a sample `1,560 ± 210 alive (280.3 KiB ± 37 KiB)`.
pub(crate) fn alive(evidence: &Evidence) -> String {
    let (objects, size) = (count(evidence.live_objects), bytes(evidence.live_bytes));
    if evidence.objects_error == 0.0 && evidence.bytes_error == 0.0 {
        return format!("{objects} alive ({size})");
    }
    let objects_error = count(evidence.objects_error.round() as u64);
    let bytes_error = bytes(evidence.bytes_error.round() as u64);
    format!("{objects} ± {objects_error} alive ({size} ± {bytes_error})")
}

/// `5,000 allocated, 3,440 freed, 1,560 alive (280.3 KiB); last free 0.4 s ago`.
pub(crate) fn counts(finding: &Finding) -> String {
    let evidence = &evidence_site(finding).verdict.evidence;
    let (allocated, freed) = (count(evidence.allocs), count(evidence.frees));
    let mut counts = format!("{allocated} allocated, {freed} freed, {}", alive(evidence));
    match evidence.last_free_ago_ns {
        Some(ns) => counts += &format!("; last free {} ago", duration(ns)),
        None => counts += "; never a free",
    }
    if let Some(left) = evidence.objects_at_exit {
        counts += &match left {
            0 => "; none left at exit".to_owned(),
            left => format!("; {} left at exit", objects(left)),
        };
    }
    counts
}

/// The container that holds the rest, or that the finding is of: where it was made, how large it is,
/// and where it grew.
pub(crate) fn container(finding: &Finding, view: &View) -> Option<String> {
    let (held, what) = match finding.container.and_then(|index| finding.sites.get(index)) {
        Some(held) => {
            let place = view.place(&held.subject.blamed);
            let made = place.map(|place| format!(" made at {place}")).unwrap_or_default();
            (held, format!("held by a container{made}"))
        }
        None if finding.lead().verdict.channel == Channel::Container => {
            (finding.lead(), "a container".to_owned())
        }
        None => return None,
    };
    let container = &held.verdict.evidence.container;
    let size = bytes(container.bytes);
    let steps = plural(container.steps.len() as u64, "step", "steps");
    let grew_at = held.subject.grew_at.as_ref().and_then(|frame| view.place(frame));
    let grew = grew_at.map(|place| format!(", last at {place}")).unwrap_or_default();
    Some(format!("{what}, grown to {size} in {steps}{grew}"))
}

/// The file name of the executable.
pub(crate) fn program(run: &RunReport) -> &str {
    run.exe.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("program")
}

/// `1 leak, 2 turnover, 211 stable`: how many call sites are of which class.
pub(crate) fn classes(run: &RunReport) -> String {
    let found = run.classes.iter().filter(|(_, n)| **n > 0);
    let parts: Vec<_> =
        found.map(|(class, n)| format!("{} {}", count(*n as u64), class.word())).collect();
    parts.join(", ")
}

/// One sentence for a tired person.
pub(crate) fn conclusion(report: &Report) -> String {
    let worst = |gate| report.findings().find(|finding: &&Finding| finding.ruling.gate == gate);
    match report.outcome {
        Outcome::Growth => match worst(Gate::Fail) {
            Some(finding) => {
                let also = outside(report, Gate::Fail);
                let also = also.map(|text| format!(" Outside the heap, {text}"));
                format!("{}{}{}", leaks(finding), others(report), also.unwrap_or_default())
            }
            None => match outside(report, Gate::Fail) {
                Some(outside) => format!("{} {outside}", no_site_leaks(report)),
                None => "Memory grows over budget.".into(),
            },
        },
        Outcome::Error => {
            report.errors.first().map_or_else(String::new, |first| format!("{first}."))
        }
        Outcome::Inconclusive => match report.undecided.first() {
            Some(first) => format!("It is not known whether anything leaks: {first}."),
            None => "It is not known whether anything leaks.".into(),
        },
        Outcome::Clean => "Nothing was found that grows without end.".into(),
        Outcome::Passes if !report.undecided.is_empty() => {
            "It is not known whether anything leaks, and the policy lets that pass.".into()
        }
        Outcome::Passes
            if report.findings().next().is_none()
                && !report.runs.iter().any(|run| run.process.may_grow()) =>
        {
            "Nothing grows that did not grow as much before.".into()
        }
        Outcome::Passes => "What grows is within what the policy accepts.".into(),
    }
}

/// What grows outside the recorded heap, of the first run in which something was ruled so.
fn outside(report: &Report, gate: Gate) -> Option<String> {
    report.runs.iter().find_map(|run| process::conclusion(run, gate))
}

/// The beginning of a sentence on what grows outside the recorded heap.
fn no_site_leaks(report: &Report) -> &'static str {
    match report.findings().next() {
        None => "No Rust call site leaks. Outside it,",
        Some(_) => "Outside the recorded heap,",
    }
}

/// How many findings fail besides the one that is named.
fn others(report: &Report) -> String {
    let failing = report.findings().filter(|finding| finding.ruling.gate == Gate::Fail);
    match (failing.count() as u64).saturating_sub(1) {
        0 => String::new(),
        n => format!(" {}.", plural(n, "more finding fails", "more findings fail")),
    }
}

fn leaks(finding: &Finding) -> String {
    let rate = &finding.rate;
    let function = name(finding);
    let each = one_of(&rate.work);
    let size = rate_bytes(rate.bytes_per_op);
    let what = match rate.objects_per_op > 0.0 {
        true => {
            let kept = kept(rate);
            format!("Each {each} leaves {kept} ({size}) behind that nobody frees: {function}.")
        }
        false => format!("Each {each} makes a container {size} larger for good: {function}."),
    };
    match &finding.change {
        None => what,
        Some(Change::New { .. }) => format!("{what} The build before did not."),
        Some(Change::Worse { was }) => {
            format!("{what} In the build before it was {}.", rate_bytes(was.bytes_per_op))
        }
    }
}
