//! The rules in use elsewhere, run on the same data.

use crate::curve::Curve;

/// A rule and what it is called in the table.
pub(super) type Peer = (&'static str, fn(&Curve) -> bool);

pub(super) const PEERS: &[Peer] = &[
    ("last minus first ≥ 50 (UMDH, pprof -diff_base)", last_minus_first),
    ("up on every snapshot (memlab, BLeak)", |curve| up_on_last(&curve.live, usize::MAX)),
    ("up on the last five (LeakCanary)", |curve| up_on_last(&curve.live, 5)),
    ("least squares, p < .01 and R² > .7", least_squares),
    ("Mann–Kendall on live blocks, p < .01", |curve| mann_kendall(&curve.live)),
    ("Mann–Kendall on live blocks per work", |curve| {
        let per_work = |(live, work): (&f64, &f64)| live / work.max(1.0);
        let series: Vec<f64> = curve.live.iter().zip(&steps(&curve.work)).map(per_work).collect();
        mann_kendall(&series)
    }),
    ("surviving generations, slope", surviving_generations),
];

fn after_warm_up(series: &[f64]) -> &[f64] {
    &series[series.len().div_ceil(4)..]
}

fn steps(series: &[f64]) -> Vec<f64> {
    let before = std::iter::once(0.0).chain(series.iter().copied());
    series.iter().zip(before).map(|(now, before)| now - before).collect()
}

fn last_minus_first(curve: &Curve) -> bool {
    match after_warm_up(&curve.live) {
        [first, .., last] => last - first >= 50.0,
        _ => false,
    }
}

fn up_on_last(live: &[f64], count: usize) -> bool {
    let live = after_warm_up(live);
    let tail = &live[live.len().saturating_sub(count.saturating_add(1))..];
    tail.len() > 1 && tail.windows(2).all(|pair| pair[1] > pair[0])
}

/// Slope, its t-value, and R².
fn regression(series: &[f64]) -> (f64, f64, f64) {
    let n = series.len() as f64;
    let (mx, my) = ((n - 1.0) / 2.0, series.iter().sum::<f64>() / n);
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (x, y) in series.iter().enumerate().map(|(x, y)| (x as f64 - mx, y - my)) {
        (sxx, sxy, syy) = (sxx + x * x, sxy + x * y, syy + y * y);
    }
    if syy == 0.0 {
        return (0.0, 0.0, 0.0);
    }
    let (slope, r2) = (sxy / sxx, sxy * sxy / (sxx * syy));
    let t = slope / ((1.0 - r2).max(1e-12) * syy / (n - 2.0) / sxx).sqrt();
    (slope, t, r2)
}

fn least_squares(curve: &Curve) -> bool {
    let (_, t, r2) = regression(after_warm_up(&curve.live));
    t > 2.45 && r2 > 0.7
}

fn mann_kendall(series: &[f64]) -> bool {
    let series = after_warm_up(series);
    let n = series.len() as f64;
    let mut score = 0.0;
    for (k, now) in series.iter().enumerate() {
        for before in &series[..k] {
            score += now.total_cmp(before) as i32 as f64;
        }
    }
    let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    (score - 1.0) / variance.sqrt() > 2.326
}

fn surviving_generations(curve: &Curve) -> bool {
    let series = after_warm_up(&curve.generations);
    let (slope, t, _) = regression(series);
    slope >= 0.25 && t > 2.45
}
