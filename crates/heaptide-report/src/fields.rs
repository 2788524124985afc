//! What a finding says, one field each, for outputs that programs read.

use heaptide_analyze::finding::Finding;
use serde_json::{Value, json};

use crate::phrase;
use crate::view::View;

/// Name and value, in the order of reading. Sizes are in bytes, rates per unit of `work` and per hour;
/// what is not known is left out.
pub(crate) fn of(finding: &Finding, view: &View) -> Vec<(&'static str, Value)> {
    let (blamed, rate) = (&finding.blamed, &finding.rate);
    let evidence = &phrase::evidence_site(finding).verdict.evidence;
    let via = finding.via();
    let fields = [
        ("class", json!(finding.class.word())),
        ("confidence", json!(finding.confidence)),
        ("result", json!(phrase::gate(finding.ruling.gate))),
        ("because", json!(finding.ruling.because)),
        ("function", json!(blamed.function)),
        ("file", json!(view.file(blamed))),
        ("line", json!(blamed.line)),
        ("via", json!(via.map(|frame| frame.plain()))),
        ("via_at", json!(via.and_then(|frame| view.place(frame)))),
        ("tag", json!(finding.lead().subject.tag)),
        ("site", json!(finding.id)),
        ("call_sites", json!(finding.sites.len())),
        ("work", json!(rate.work)),
        ("objects_per_op", json!(rate.objects_per_op)),
        ("bytes_per_op", json!(rate.bytes_per_op)),
        ("bytes_per_hour", json!(rate.bytes_per_hour())),
        ("allocated", json!(evidence.allocs)),
        ("freed", json!(evidence.frees)),
        ("alive_objects", json!(evidence.live_objects)),
        ("alive_bytes", json!(evidence.live_bytes)),
        ("seconds_to_limit", json!(finding.runs_out.as_ref().map(|it| it.seconds.round()))),
        ("change", json!(phrase::change(finding))),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}
