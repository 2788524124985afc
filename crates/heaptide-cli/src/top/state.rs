//! Where the reader is, and what every action changes.

use std::path::PathBuf;

use heaptide_analyze::Report;
use heaptide_analyze::finding::Finding;
use heaptide_analyze::view::{Live, RunView, SiteView};

/// What was read last.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) report: Report,
    pub(super) views: Vec<RunView>,
}

/// The pages there are, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Findings,
    Sites,
    Timeline,
    Account,
    Cohorts,
    Flame,
}

impl Tab {
    pub(super) const ALL: [Self; 6] =
        [Self::Findings, Self::Sites, Self::Timeline, Self::Account, Self::Cohorts, Self::Flame];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Findings => "Findings",
            Self::Sites => "Sites",
            Self::Timeline => "Timeline",
            Self::Account => "Account",
            Self::Cohorts => "Cohorts",
            Self::Flame => "Flame",
        }
    }

    fn place(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

/// By what sites are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Growth,
    Size,
    Name,
}

/// What the flame picture adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Live,
    Growth,
}

/// An end of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    A,
    B,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    Quit,
    Help,
    Search,
    Type(char),
    Erase,
    EndSearch,
    DropSearch,
    Pause,
    Sort,
    Measure,
    Snapshot,
    NextRun,
    NextTab,
    PreviousTab,
    Show(Tab),
    Scroll(i64),
    Move(Edge, i64),
}

/// What the program does about an action beyond its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    Quit,
    Snapshot,
}

/// All that is drawn.
#[derive(Debug)]
pub(super) struct State {
    reading: Option<Reading>,
    /// What was read while nothing is to change.
    waiting: Option<Reading>,
    pub(super) is_paused: bool,
    pub(super) has_colour: bool,
    /// Files below this are named relative to it.
    pub(super) root: PathBuf,
    pub(super) tab: Tab,
    pub(super) shows_help: bool,
    pub(super) search: String,
    typing: bool,
    pub(super) order: Order,
    pub(super) measure: Measure,
    /// The line that is chosen on each page.
    chosen: [usize; Tab::ALL.len()],
    run: usize,
    /// Where the window begins and ends, by column; the second follows the newest until it is moved.
    window: (Option<usize>, Option<usize>),
    pub(super) message: String,
}

impl State {
    pub(super) fn new(has_colour: bool, root: PathBuf) -> Self {
        Self {
            reading: None,
            waiting: None,
            is_paused: false,
            has_colour,
            root,
            tab: Tab::Findings,
            shows_help: false,
            search: String::new(),
            typing: false,
            order: Order::Growth,
            measure: Measure::Live,
            chosen: [0; Tab::ALL.len()],
            run: 0,
            window: (None, None),
            message: String::new(),
        }
    }

    /// Shows what was read, or keeps it for the end of a pause.
    pub(super) fn take(&mut self, reading: Reading) {
        match self.is_paused {
            true => self.waiting = Some(reading),
            false => self.reading = Some(reading),
        }
    }

    /// A line at the bottom, until the next action.
    pub(super) fn say(&mut self, message: String) {
        self.message = message;
    }

    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    pub(super) fn report(&self) -> Option<&Report> {
        self.reading.as_ref().map(|reading| &reading.report)
    }

    /// Which run is shown, of how many.
    pub(super) fn run_number(&self) -> (usize, usize) {
        let n_runs = self.report().map_or(0, |report| report.runs.len());
        (self.run.min(n_runs.saturating_sub(1)), n_runs)
    }

    pub(super) fn run(&self) -> Option<(&heaptide_analyze::RunReport, &RunView)> {
        let reading = self.reading.as_ref()?;
        let (at, _) = self.run_number();
        Some((reading.report.runs.get(at)?, reading.views.get(at)?))
    }

    /// The findings of the run that is shown, those that fit the search.
    pub(super) fn findings(&self) -> Vec<&Finding> {
        let findings = self.run().map_or(&[][..], |(run, _)| &run.findings);
        findings.iter().filter(|finding| self.fits(&finding.blamed.function)).collect()
    }

    /// The sites that fit the search, in the order that is asked for, each with its growth in the window.
    pub(super) fn sites(&self) -> Vec<(&SiteView, i128)> {
        let Some((_, view)) = self.run() else { return Vec::new() };
        let window = self.window();
        let grown = |site: &SiteView| bytes_at(site, window.1) - bytes_at(site, window.0);
        let fitting = view.sites.iter().filter(|site| self.fits(&site.subject.blamed.function));
        let mut sites: Vec<(&SiteView, i128)> = fitting.map(|site| (site, grown(site))).collect();
        match self.order {
            Order::Growth => sites.sort_by_key(|(_, grown)| std::cmp::Reverse(*grown)),
            Order::Size => {
                sites.sort_by_key(|(site, _)| std::cmp::Reverse(bytes_at(site, window.1)))
            }
            Order::Name => sites.sort_by(|(a, _), (b, _)| {
                a.subject.blamed.function.cmp(&b.subject.blamed.function)
            }),
        }
        sites
    }

    /// The first and the last column of the window.
    pub(super) fn window(&self) -> (usize, usize) {
        let Some((_, view)) = self.run() else { return (0, 0) };
        let judged = view.columns.iter().rposition(|column| column.is_judged).unwrap_or(0);
        let last = self.window.1.unwrap_or(judged).min(view.columns.len().saturating_sub(1));
        (self.window.0.unwrap_or(view.warm_up_columns).min(last), last)
    }

    /// The line that is chosen on this page, of so many.
    pub(super) fn chosen(&self, n_lines: usize) -> usize {
        self.chosen[self.tab.place()].min(n_lines.saturating_sub(1))
    }

    /// The site whose cohorts are shown: that of the line chosen among the sites that have a map.
    pub(super) fn mapped_sites(&self) -> Vec<&SiteView> {
        self.sites()
            .into_iter()
            .map(|(site, _)| site)
            .filter(|it| it.cohort_map.is_some())
            .collect()
    }

    fn fits(&self, function: &str) -> bool {
        self.search.is_empty() || function.to_lowercase().contains(&self.search.to_lowercase())
    }

    pub(super) fn apply(&mut self, action: Action) -> Effect {
        if action != Action::Nothing {
            self.message.clear();
        }
        match action {
            Action::Nothing => {}
            Action::Quit => return Effect::Quit,
            Action::Snapshot => return Effect::Snapshot,
            Action::Help => self.shows_help = !self.shows_help,
            Action::Search => self.typing = true,
            Action::Type(letter) => self.search.push(letter),
            Action::Erase => drop(self.search.pop()),
            Action::EndSearch => self.typing = false,
            Action::DropSearch => {
                (self.typing, self.shows_help) = (false, false);
                self.search.clear();
            }
            Action::Pause => self.pause(),
            Action::Sort => self.order = next_order(self.order),
            Action::Measure => {
                self.measure = match self.measure {
                    Measure::Live => Measure::Growth,
                    Measure::Growth => Measure::Live,
                };
            }
            Action::NextRun => {
                let (at, n_runs) = self.run_number();
                self.run = (at + 1) % n_runs.max(1);
                self.window = (None, None);
            }
            Action::NextTab => self.tab = beside(self.tab, 1),
            Action::PreviousTab => self.tab = beside(self.tab, Tab::ALL.len() - 1),
            Action::Show(tab) => self.tab = tab,
            Action::Scroll(by) => self.scroll(by),
            Action::Move(edge, by) => self.move_edge(edge, by),
        }
        Effect::Nothing
    }

    fn pause(&mut self) {
        self.is_paused = !self.is_paused;
        if let Some(waiting) = self.waiting.take().filter(|_| !self.is_paused) {
            self.reading = Some(waiting);
        }
    }

    fn scroll(&mut self, by: i64) {
        let n_lines = match self.tab {
            Tab::Findings => self.findings().len(),
            Tab::Sites => self.sites().len(),
            Tab::Cohorts => self.mapped_sites().len(),
            // However long it is: what is drawn ends where it ends.
            Tab::Flame => 10_000,
            Tab::Timeline | Tab::Account => 1,
        };
        let most = n_lines.saturating_sub(1) as i64;
        let to = (self.chosen(n_lines) as i64).saturating_add(by).clamp(0, most);
        self.chosen[self.tab.place()] = to as usize;
    }

    fn move_edge(&mut self, edge: Edge, by: i64) {
        let n_columns = self.run().map_or(0, |(_, view)| view.columns.len());
        let (first, last) = self.window();
        let moved = |at: usize, least: usize, most: usize| {
            (at as i64).saturating_add(by).clamp(least as i64, most as i64) as usize
        };
        match edge {
            Edge::A => self.window.0 = Some(moved(first, 0, last)),
            Edge::B => self.window.1 = Some(moved(last, first, n_columns.saturating_sub(1))),
        }
    }
}

fn next_order(order: Order) -> Order {
    match order {
        Order::Growth => Order::Size,
        Order::Size => Order::Name,
        Order::Name => Order::Growth,
    }
}

fn beside(tab: Tab, by: usize) -> Tab {
    Tab::ALL[(tab.place() + by) % Tab::ALL.len()]
}

/// What a site held at a column.
pub(super) fn bytes_at(site: &SiteView, column: usize) -> i128 {
    site.live.get(column).map_or(0, |Live { bytes, .. }| i128::from(*bytes))
}
