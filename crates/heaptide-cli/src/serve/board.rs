//! What the thread that judges and the server share: what is known of every recording, and what was
//! asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use heaptide_analyze::Report;
use heaptide_analyze::view::RunView;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use crate::watch::library::Id;

/// Changes of the outcome that are remembered of a recording.
const MOST_HISTORY: usize = 100;

/// A recording as it was judged last.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) report: Arc<Report>,
    pub(super) runs: Arc<Vec<RunView>>,
    /// The data of its page.
    pub(super) page: Arc<str>,
}

/// A line of the list, as the page shows it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) program: String,
    pub(super) pid: u32,
    pub(super) host: String,
    /// When its recording began, in milliseconds since 1970.
    pub(super) started_unix_ms: u64,
    /// Of all its files.
    pub(super) n_bytes: u64,
    /// Whether its process writes to it now.
    pub(super) is_live: bool,
    pub(super) outcome: Option<&'static str>,
    pub(super) tone: &'static str,
    pub(super) conclusion: String,
    pub(super) n_findings: usize,
    pub(super) n_snapshots: usize,
    pub(super) live_bytes: u64,
    pub(super) rss_bytes: u64,
    /// Grows by one with every judgement.
    pub(super) version: u64,
    /// Why it could not be judged last.
    pub(super) problem: Option<String>,
    pub(super) history: Vec<Change>,
}

/// From when on it was judged to be something else.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) unix_ms: u64,
    pub(super) outcome: &'static str,
    pub(super) n_findings: usize,
}

impl Entry {
    /// Remembers what it is judged to be, if that is news.
    pub(super) fn remember(&mut self, now_unix_ms: u64) {
        let Some(outcome) = self.outcome else { return };
        let change = Change { unix_ms: now_unix_ms, outcome, n_findings: self.n_findings };
        let is_news = self.history.last().is_none_or(|last| {
            (last.outcome, last.n_findings) != (change.outcome, change.n_findings)
        });
        if is_news {
            self.history.push(change);
            let n_old = self.history.len().saturating_sub(MOST_HISTORY);
            self.history.drain(..n_old);
        }
    }
}

/// A comparison that somebody asked for.
#[derive(Debug)]
pub(super) struct Compare {
    pub(super) before: Id,
    pub(super) after: Id,
    pub(super) reply: oneshot::Sender<anyhow::Result<String>>,
}

/// A recording and, once it was judged, what came of it.
type Post = (Entry, Option<Judged>);

/// Everything, and word of every change.
#[derive(Clone, Debug)]
pub(super) struct Board {
    recordings: Arc<RwLock<BTreeMap<Id, Post>>>,
    changes: watch::Sender<u64>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { recordings: Arc::default(), changes: watch::Sender::new(0) }
    }

    pub(super) fn put(&self, entry: Entry, judged: Option<Judged>) {
        self.write(|all| drop(all.insert(entry.id.clone(), (entry, judged))));
    }

    /// Forgets all but these; says whether there were others.
    pub(super) fn keep(&self, is_there: impl Fn(&Id) -> bool) {
        if self.entries().iter().any(|entry| !is_there(&entry.id)) {
            self.write(|all| all.retain(|id, _| is_there(id)));
        }
    }

    /// All entries, those that fail first.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            self.read(|all| all.values().map(|(it, _)| it.clone()).collect());
        let rank = |entry: &Entry| match entry.tone {
            "bad" => 0,
            "doubt" => 1,
            _ => 2,
        };
        entries.sort_by(|a, b| {
            (rank(a), !a.is_live, &a.program, a.pid).cmp(&(rank(b), !b.is_live, &b.program, b.pid))
        });
        entries
    }

    pub(super) fn entry(&self, id: &str) -> Option<Entry> {
        self.read(|all| all.get(id).map(|(entry, _)| entry.clone()))
    }

    pub(super) fn judged(&self, id: &str) -> Option<Judged> {
        self.read(|all| all.get(id).and_then(|(_, judged)| judged.clone()))
    }

    /// What was judged of all, by id.
    pub(super) fn all_judged(&self) -> Vec<(Id, Judged)> {
        let judged = |(id, (_, judged)): (&Id, &(Entry, Option<Judged>))| {
            Some((id.clone(), judged.clone()?))
        };
        self.read(|all| all.iter().filter_map(judged).collect())
    }

    /// A number that changes with every change.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<Id, (Entry, Option<Judged>)>) -> T) -> T {
        look(&self.recordings.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn write(&self, change: impl FnOnce(&mut BTreeMap<Id, (Entry, Option<Judged>)>)) {
        change(&mut self.recordings.write().unwrap_or_else(std::sync::PoisonError::into_inner));
        self.changes.send_modify(|version| *version += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_has_changes_only_and_an_end() {
        let mut entry = Entry { outcome: Some("inconclusive"), ..Entry::default() };
        for unix_ms in 0..5 {
            entry.remember(unix_ms);
        }
        assert_eq!(entry.history.len(), 1);
        for n_findings in 0..300 {
            (entry.outcome, entry.n_findings) = (Some("growth over budget"), n_findings);
            entry.remember(9);
        }
        assert_eq!(entry.history.len(), MOST_HISTORY);
        assert_eq!(entry.history.last().map(|last| last.n_findings), Some(299));
    }

    #[test]
    fn what_fails_comes_first_and_what_is_gone_goes() {
        let board = Board::new();
        let put =
            |id: &str, tone| board.put(Entry { id: id.into(), tone, ..Entry::default() }, None);
        put("a", "good");
        put("b", "bad");
        put("c", "doubt");
        let ids = || board.entries().into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(), ["b", "c", "a"]);
        let changes = board.subscribe();
        let before = *changes.borrow();
        board.keep(|_| true);
        assert_eq!(*changes.borrow(), before, "nothing has changed");
        board.keep(|id| id == "c");
        assert_eq!(ids(), ["c"]);
        assert!(*changes.borrow() > before);
    }
}
