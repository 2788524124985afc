//! Rows as our writer writes them: members in their order, without spaces.
//!
//! Knowing what comes next, a reader need not look for it, and that is three times as fast as
//! parsing any JSON. This one gives up at whatever it does not expect, without saying why: the JSON
//! parser then reads the line again.

use heaptide_format::{Cohort, Epoch, Growth, SiteId, SiteRow};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What stands between a snapshot's other members and its rows. No string can hold this, because
/// its quotes would be escaped.
pub(super) const ROWS: &[u8] = b",\"sites\":[";
/// How a row begins.
pub(super) const ROW: &[u8] = b"{\"site\":";

/// A place in a snapshot line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the first row of a line, which begins at this byte.
    pub(super) fn at(line: &'a [u8], rows: usize) -> Option<Self> {
        line.get(rows..).map(|rest| Self { rest })
    }

    /// Nothing but the end of the line is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.trim_ascii_end() == b"]}"
    }

    /// Reads the next row into `row`; without cohorts and growth if `skims` its site. If there is
    /// none, or it is not as our writer writes it, the cursor stays, and `row` is of no use.
    pub(super) fn read(
        &mut self,
        row: &mut SiteRow,
        skims: impl FnOnce(SiteId) -> bool,
    ) -> Option<()> {
        let mut ahead = *self;
        ahead.read_row(row, skims)?;
        *self = ahead;
        Some(())
    }

    fn read_row(&mut self, row: &mut SiteRow, skims: impl FnOnce(SiteId) -> bool) -> Option<()> {
        row.site = SiteId(self.needed(ROW)?.try_into().ok()?);
        let skim = skims(row.site);
        row.allocs = self.needed(b",\"allocs\":")?;
        row.frees = self.needed(b",\"frees\":")?;
        row.alloc_bytes = self.needed(b",\"alloc_bytes\":")?;
        row.freed_bytes = self.needed(b",\"freed_bytes\":")?;
        row.reallocs = self.number(b",\"reallocs\":")?.unwrap_or(0);
        row.live_objects = self.needed(b",\"live_objects\":")?;
        row.live_bytes = self.needed(b",\"live_bytes\":")?;
        row.objects_range = self.range(b",\"objects_range\":[")?;
        row.bytes_range = self.range(b",\"bytes_range\":[")?;
        row.cohorts.clear();
        if skim {
            self.skip_cohorts()?
        } else {
            self.cohorts(&mut row.cohorts)?
        }
        row.largest_bytes = self.number(b",\"largest_bytes\":")?.unwrap_or(0);
        row.growth = if skim { self.skip_growth()? } else { self.growth()? };
        row.last_free_ns = self.number(b",\"last_free_ns\":")?;
        row.objects_error = self.json(b",\"objects_error\":")?;
        row.bytes_error = self.json(b",\"bytes_error\":")?;
        self.eat(b"}").then_some(())?;
        // Between two rows stands a comma, and no comma stands before the end.
        match self.rest.strip_prefix(b",") {
            Some(next) if next.starts_with(ROW) => self.rest = next,
            Some(_) => return None,
            None => self.rest.starts_with(b"]").then_some(())?,
        }
        Some(())
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    /// A member that is always there.
    fn needed(&mut self, name: &[u8]) -> Option<u64> {
        self.number(name)?
    }

    /// A member that may be left out; the outer `None` is for what is not a number.
    fn number(&mut self, name: &[u8]) -> Option<Option<u64>> {
        if !self.eat(name) {
            return Some(None);
        }
        self.digits().map(Some)
    }

    fn digits(&mut self) -> Option<u64> {
        let mut number = 0u64;
        let mut n_digits = 0;
        while let Some(digit) = self.rest.get(n_digits).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
            n_digits += 1;
        }
        let zero_leads = n_digits > 1 && self.rest[0] == b'0';
        self.rest = &self.rest[n_digits..];
        (n_digits > 0 && !zero_leads).then_some(number)
    }

    fn range(&mut self, name: &[u8]) -> Option<Option<(u64, u64)>> {
        if !self.eat(name) {
            return Some(None);
        }
        let least = self.digits()?;
        let most = self.needed(b",")?;
        self.eat(b"]").then_some(Some((least, most)))
    }

    fn cohorts(&mut self, cohorts: &mut Vec<Cohort>) -> Option<()> {
        if !self.eat(COHORTS) {
            return Some(());
        }
        loop {
            let epoch = Epoch(self.needed(b"[")?.try_into().ok()?);
            cohorts.push(Cohort(epoch, self.needed(b",")?, self.needed(b",")?));
            if self.eat(b"]]") {
                return Some(());
            }
            self.eat(b"],").then_some(())?;
        }
    }

    fn skip_cohorts(&mut self) -> Option<()> {
        if self.eat(COHORTS) {
            let end = self.rest.windows(2).position(|here| here == b"]]")?;
            self.rest = &self.rest[end + 2..];
        }
        Some(())
    }

    fn growth(&mut self) -> Option<Vec<Growth>> {
        self.json(GROWTH).map(Option::unwrap_or_default)
    }

    fn skip_growth(&mut self) -> Option<Vec<Growth>> {
        self.json::<IgnoredAny>(GROWTH).map(|_| Vec::new())
    }

    /// A member that the JSON parser reads.
    fn json<T: Deserialize<'a>>(&mut self, name: &[u8]) -> Option<Option<T>> {
        if !self.eat(name) {
            return Some(None);
        }
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter();
        let value = values.next()?.ok()?;
        self.rest = &self.rest[values.byte_offset()..];
        Some(Some(value))
    }
}

/// How a row's cohorts begin.
const COHORTS: &[u8] = b",\"cohorts\":[";
/// What stands before a row's growth.
const GROWTH: &[u8] = b",\"growth\":";
