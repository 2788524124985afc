//! Made-up sites, judged by our rule and by the rules of others.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use fastrand::Rng;
use heaptide_analyze::Site;
use heaptide_analyze::Subject;
use heaptide_analyze::finding::{self, GrowingSites};
use heaptide_analyze::identity::NamedFrame;
use heaptide_analyze::verdict::{Class, Rule, classify_site, classify_sites, e_value};
use heaptide_synthetic::{Rhythm, Seen, SeenSite, Trace, record};

use super::peers::PEERS;
use super::score::{Ranks, Score};
use super::shapes::{self, Label, Shape};
use crate::curve::Curve;

/// Snapshots in a recording: a short run and one of twice its length.
pub(super) const LENGTHS: [usize; 2] = [40, 80];
/// Healthy sites beside the one in question: with three of them, a rank by chance is right one time
/// in four.
const COMPANY: usize = 3;
/// The share that is looked for is at most 1/100; of so many walks its standard error is 0.0007.
const NULL_WALKS: u64 = 20_000;

/// All rules on one set of shapes at one length.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) ours: Score,
    pub(super) peers: Vec<Score>,
    /// Shape and class: how often.
    pub(super) classes: BTreeMap<(usize, Class), u32>,
    /// Where the leaking site stands among our findings.
    pub(super) rank: Ranks,
    /// Where it stands among the sites of its process by growth in bytes.
    pub(super) rank_by_growth: Ranks,
}

impl Results {
    fn new() -> Self {
        Self { peers: vec![Score::default(); PEERS.len()], ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.ours.add(&other.ours);
        self.peers.iter_mut().zip(&other.peers).for_each(|(all, some)| all.add(some));
        for (key, count) in &other.classes {
            *self.classes.entry(*key).or_default() += count;
        }
        self.rank.add(&other.rank);
        self.rank_by_growth.add(&other.rank_by_growth);
    }
}

/// Everything that is measured on made-up sites.
pub(super) struct Figures {
    pub(super) tuning: [Results; 2],
    pub(super) untouched: [Results; 2],
    pub(super) sampled: Results,
    /// Snapshots until a clean leak is called one, the median.
    pub(super) decided_after: usize,
    /// The share of null walks whose e-value ever reaches 1/α.
    pub(super) excessive: f64,
}

/// Judges every shape so many times, in one rhythm after another.
pub(super) fn judge_all(shapes: &[Shape], n: usize, seeds: u64, rhythms: &[Rhythm]) -> Results {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let judge = |worker: usize| {
        let mut results = Results::new();
        for index in (worker..shapes.len()).step_by(workers) {
            for seed in 0..seeds {
                let rhythm = rhythms[seed as usize % rhythms.len()];
                let mut rng = Rng::with_seed(seed * 1000 + index as u64);
                results.judge(shapes, index, n, rhythm, &mut rng);
            }
        }
        results
    };
    let mut results = Results::new();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|k| scope.spawn(move || judge(k))).collect();
        for thread in threads {
            results.add(&thread.join().expect("a shape panicked"));
        }
    });
    results
}

impl Results {
    fn judge(&mut self, shapes: &[Shape], index: usize, n: usize, rhythm: Rhythm, rng: &mut Rng) {
        let mut chosen = vec![index];
        if rhythm == Rhythm::Company {
            let others = (0..shapes.len()).filter(|&other| other != index);
            let healthy = others.filter(|&other| shapes[other].label == Label::Healthy);
            chosen.extend(rng.choose_multiple(healthy, COMPANY));
        }
        let epochs = rhythm.epochs(n);
        let traces: Vec<Trace> =
            chosen.iter().map(|&shape| (shapes[shape].make)(epochs as f64, rng)).collect();
        let seen = record(&traces, epochs, rhythm, rng);
        let verdicts = classify_sites(
            &seen.axis,
            &Rule::default(),
            seen.sites.iter().map(|site| (&*seen.axis, &site.series)),
            |_| BTreeSet::new(),
        );
        let curves: Vec<Curve> = seen.sites.iter().map(Curve::of_site).collect();
        for ((&shape, verdict), curve) in chosen.iter().zip(&verdicts).zip(&curves) {
            let label = shapes[shape].label;
            self.ours.count(label, verdict.class == Class::Leak);
            *self.classes.entry((shape, verdict.class)).or_default() += 1;
            for (score, (_, flags)) in self.peers.iter_mut().zip(PEERS) {
                score.count(label, flags(curve));
            }
        }
        if rhythm == Rhythm::Company && shapes[index].label == Label::Leak {
            let grows = |&k: &usize| verdicts[k].class <= Class::Suspect;
            let grown: GrowingSites =
                (0..verdicts.len()).filter(grows).map(|k| (k, None)).collect();
            let findings = finding::group(&named(&seen), &verdicts, &grown);
            let is_first = findings.first().is_some_and(|it| it.lead().subject.id == "0");
            self.rank.count(is_first);
            let most = curves.iter().map(Curve::grown_bytes).fold(0.0, f64::max);
            self.rank_by_growth.count(curves[0].grown_bytes() == most);
        }
    }
}

/// Sites with functions of their own.
fn named(seen: &Seen) -> Vec<Site> {
    let name = |(index, site): (usize, &SeenSite)| {
        let blamed = NamedFrame { function: format!("site {index}"), ..NamedFrame::default() };
        let subject =
            Subject { id: index.to_string(), blamed: blamed.into(), ..Subject::default() };
        Site { subject, axis: Arc::clone(&seen.axis), series: site.series.clone() }
    };
    seen.sites.iter().enumerate().map(name).collect()
}

/// The shortest run in which a clean leak is called a leak, the median over some seeds.
pub(super) fn decided_after(seeds: u64) -> usize {
    let is_leak = |n: usize, seed: u64| {
        let mut rng = Rng::with_seed(seed);
        let trace = shapes::arrivals(n as f64, &mut rng, |_| 40.0, |_, _| shapes::FOREVER);
        let seen = record(&[trace], n, Rhythm::Even, &mut rng);
        classify_site(&seen.axis, &Rule::default(), &seen.sites[0].series).class == Class::Leak
    };
    let first = |seed| (4..=80).find(|&n| is_leak(n, seed)).unwrap_or(usize::MAX);
    let mut decided: Vec<usize> = (0..seeds).map(first).collect();
    decided.sort_unstable();
    decided[decided.len() / 2]
}

/// The share of populations, as likely to fall as to rise and looked at after every step, whose
/// e-value ever reaches 1/α.
pub(super) fn excessive_walks() -> f64 {
    let bound = 1.0 / Rule::default().alpha;
    let reaches = |seed: &u64| {
        let mut rng = Rng::with_seed(*seed);
        let toss = |_| if rng.bool() { Ordering::Greater } else { Ordering::Less };
        let steps: Vec<Ordering> = (0..40).map(toss).collect();
        (1..=steps.len()).any(|k| e_value(&steps[..k]) >= bound)
    };
    (0..NULL_WALKS).filter(reaches).count() as f64 / NULL_WALKS as f64
}
