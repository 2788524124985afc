//! Small recordings written by hand, and a directory to put them in.

use std::path::{Path, PathBuf};

/// A directory of its own for each test, removed at the end.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    pub(crate) fn new(test: &str) -> Self {
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory for the test");
        Self(dir)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, bytes).expect("a file for the test");
        file
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn header(recording: &str, segment: u32, build_id: &str) -> String {
    format!(
        r#"{{"kind":"header","format":1,"writer":"test","recording":"{recording}","segment":{segment},"pid":7,"exe":"/opt/shop","build_id":"{build_id}","start_mono_ns":1000}}"#
    ) + "\n"
}

pub(crate) const MODULE: &str = "{\"kind\":\"module\",\"id\":0,\"path\":\"/opt/shop\",\"build_id\":\"00ff\",\"bias\":\"0x5000\"}\n";

pub(crate) fn site(id: u32) -> String {
    format!("{{\"kind\":\"site\",\"id\":{id},\"frames\":[\"0+0x1{id:02x}\",\"0+0x900\"]}}\n")
}

/// Rows are `(site, live objects)`; a block has 10 bytes.
pub(crate) fn snapshot(seq: u64, rows: &[(u32, u64)]) -> String {
    let row = |(site, live): &(u32, u64)| {
        format!(
            r#"{{"site":{site},"allocs":{live},"frees":0,"alloc_bytes":{bytes},"freed_bytes":0,"live_objects":{live},"live_bytes":{bytes},"objects_range":[0,{live}],"cohorts":[[0,{live},{bytes}]]}}"#,
            bytes = live * 10
        )
    };
    let rows = rows.iter().map(row).collect::<Vec<_>>().join(",");
    let (mono_ns, live) = (1000 + (seq + 1) * 100, seq * 10);
    format!(
        r#"{{"kind":"snapshot","seq":{seq},"mono_ns":{mono_ns},"epoch":{seq},"reason":"interval","heap":{{"alloc_bytes":{live},"live_bytes":{live}}},"rss_bytes":4096,"sites":[{rows}]}}"#
    ) + "\n"
}

/// Three snapshots of two sites; the second site changes in the first and last only.
pub(crate) fn whole() -> String {
    [
        header("r", 0, "00ff"),
        MODULE.to_owned(),
        site(1),
        site(2),
        snapshot(0, &[(1, 1), (2, 5)]),
        snapshot(1, &[(1, 2)]),
        snapshot(2, &[(1, 3), (2, 6)]),
    ]
    .concat()
}
