//! What a trend test sees of a site: a number for each snapshot.

use std::collections::BTreeMap;

use anyhow::Result;
use heaptide_analyze::load::Recording;
use heaptide_format::{Reason, SiteId, SiteRow};
use heaptide_synthetic::SeenSite;

/// The live curve of one site, without the exit snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    /// Live blocks at each snapshot.
    pub(crate) live: Vec<f64>,
    /// Live bytes at each snapshot.
    pub(crate) bytes: Vec<f64>,
    /// Work done until each snapshot.
    pub(crate) work: Vec<f64>,
    /// Birth epochs that have live blocks, at each snapshot.
    pub(crate) generations: Vec<f64>,
}

impl Curve {
    /// The curves of all sites of a recording. Work is the counter `requests`.
    pub(crate) fn of_run(run: &Recording) -> Result<BTreeMap<SiteId, Self>> {
        let judged: Vec<f64> = run
            .timeline
            .points
            .iter()
            .filter(|point| point.reason != Reason::Exit)
            .map(|point| point.work.get("requests").copied().unwrap_or(0) as f64)
            .collect();
        let mut curves: BTreeMap<SiteId, Self> = BTreeMap::new();
        run.rows(|k, row| {
            if k < judged.len() {
                let curve = curves.entry(row.site).or_default();
                curve.stand_until(k);
                curve.push(row);
            }
        })?;
        for curve in curves.values_mut() {
            curve.stand_until(judged.len());
            curve.work.clone_from(&judged);
        }
        Ok(curves)
    }

    /// The curve of a made-up site.
    pub(crate) fn of_site(site: &SeenSite) -> Self {
        let mut curve = Self { work: site.work.clone(), ..Self::default() };
        site.rows.iter().for_each(|row| curve.push(row));
        curve
    }

    fn push(&mut self, row: &SiteRow) {
        self.live.push(row.live_objects as f64);
        self.bytes.push(row.live_bytes as f64);
        self.generations.push(row.cohorts.len() as f64);
    }

    /// Last minus first.
    pub(crate) fn grown_bytes(&self) -> f64 {
        self.bytes.last().unwrap_or(&0.0) - self.bytes.first().unwrap_or(&0.0)
    }

    /// A site without a row is as it was; before its first, nothing.
    fn stand_until(&mut self, k: usize) {
        for values in [&mut self.live, &mut self.bytes, &mut self.generations] {
            let last = values.last().copied().unwrap_or(0.0);
            values.resize(k, last);
        }
    }
}
