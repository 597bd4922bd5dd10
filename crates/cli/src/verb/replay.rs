//! `replay`: judges the windows in the status of an AnalysisRun once more, and says whether the verdict is the same.

use std::path::Path;

use serde::Serialize;
use serin_analysis::comparison::replay;
use serin_api::AnalysisRun;

use crate::cluster::Cluster;
use crate::failure::{BAD, Failure};
use crate::flags::{Connection, ReplayArguments};
use crate::paint::{Paint, Tone};
use crate::{lint, print};

/// One comparison, judged again.
#[derive(Debug, PartialEq, Serialize)]
struct Replayed {
    metric: String,
    /// The recomputed evidence has the same bits as the stored one.
    same: bool,
    /// The lines of reasons, window by window.
    reasons: Vec<String>,
}

/// Performs the verb.
///
/// # Errors
/// Another verdict than the stored one, with exit code 1; nothing to replay, with 2.
pub(crate) async fn run(
    connection: &Connection,
    arguments: &ReplayArguments,
    paint: Paint,
) -> Result<(), Failure> {
    let run = match (&arguments.file, &arguments.name) {
        (Some(file), _) => of_file(file)?,
        (None, Some(name)) => {
            let cluster = Cluster::connect(connection).await?;
            let title = format!("analysisrun \"{name}\" in namespace \"{}\"", cluster.namespace());
            let read = cluster.api::<AnalysisRun>().get(name).await;
            read.map_err(|error| cluster.failure("read", &title, &error))?
        }
        (None, None) => return Err(Failure::new("which AnalysisRun? Give its NAME, or -f FILE")),
    };
    let replayed = all(&run, arguments.metric.as_deref()).map_err(Failure::new)?;
    if arguments.output.is_some() {
        print::json(&replayed)?;
    } else {
        replayed.iter().try_for_each(|one| print::text(&text(one, paint)))?;
    }
    if replayed.iter().all(|one| one.same) { Ok(()) } else { Err(Failure::with_code(BAD, "")) }
}

/// The AnalysisRun in a file.
pub(super) fn of_file(file: &Path) -> Result<AnalysisRun, Failure> {
    let wrong =
        |why: String| Failure::new(format!("cannot read an AnalysisRun from {}: {why}", file.display()));
    let text = crate::verb::lint::read(file)?;
    let documents = lint::documents(&text).map_err(wrong)?;
    let run = documents.into_iter().find(|document| document.object["kind"] == "AnalysisRun");
    let run = run.ok_or_else(|| wrong("it has no object of kind AnalysisRun".to_owned()))?;
    serde_json::from_value(run.object).map_err(|why| wrong(why.to_string()))
}

fn all(run: &AnalysisRun, only: Option<&str>) -> Result<Vec<Replayed>, String> {
    let name = run.metadata.name.as_deref().unwrap_or_default();
    let compared = run.spec.metrics.iter().flatten().filter(|metric| metric.comparison.is_some());
    let wanted: Vec<String> = match only {
        Some(only) => vec![only.to_owned()],
        None => compared.map(|metric| metric.name.clone()).collect(),
    };
    if wanted.is_empty() {
        return Err(format!(
            "analysisrun \"{name}\" compares nothing: only metrics with `comparison` can be replayed"
        ));
    }
    let one = |metric: String| {
        let found =
            replay(run, &metric).map_err(|why| format!("cannot replay analysisrun \"{name}\": {why}"))?;
        let reasons = found.looks.into_iter().map(|look| look.reasons).collect();
        Ok(Replayed { metric, same: found.same, reasons })
    };
    wanted.into_iter().map(one).collect()
}

fn text(replayed: &Replayed, paint: Paint) -> String {
    let mut text: String = replayed.reasons.iter().map(|reason| format!("{reason}\n")).collect();
    let windows = replayed.reasons.len();
    let verdict = match replayed.same {
        true => paint.tone(Tone::Good, "the same evidence, bit for bit"),
        false => paint.tone(Tone::Bad, "other evidence than the stored one: the status was edited, or another version of Serin judged it"),
    };
    text.push_str(&format!("{}: {windows} windows judged again: {verdict}\n", replayed.metric));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use serin_view::sample;

    #[test]
    fn what_cannot_be_replayed_says_why() {
        let compared = json!({"spec": {
            "arms": {"canary": "bbb", "stable": "aaa"},
            "metrics": [{"name": "errors", "interval": "1m", "provider": {"prometheus": {}},
                "comparison": {"errorRate": {"requests": "http_requests_total"}}}],
        }, "status": null});
        for (run, only, expected) in [
            (
                sample::run(json!({})),
                None,
                "analysisrun \"shop-bbb-3-2\" compares nothing: only metrics with `comparison` can be replayed",
            ),
            (
                sample::run(json!({})),
                Some("errors"),
                "cannot replay analysisrun \"shop-bbb-3-2\": the run has no comparison called \"errors\"",
            ),
            (
                sample::run(compared),
                None,
                "cannot replay analysisrun \"shop-bbb-3-2\": the comparison \"errors\" has no evidence yet",
            ),
        ] {
            assert_eq!(all(&run, only).unwrap_err(), expected);
        }
    }
}
