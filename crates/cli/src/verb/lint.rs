//! `lint`: checks manifests without a cluster, and asks Prometheus when its address is given.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serin_api::Metric;

use crate::failure::{BAD, Failure};
use crate::flags::LintArguments;
use crate::lint::{
    Compared, Document, Finding, Given, Severity, Templates, check, check_together, documents, latencies,
    of_given, of_stable,
};
use crate::paint::{Paint, Tone};
use crate::{print, survey};

/// The findings about one object.
#[derive(Serialize)]
struct Report {
    file: String,
    object: String,
    findings: Vec<Finding>,
}

/// Performs the verb.
///
/// # Errors
/// Problems, with exit code 1; files that cannot be read, with the usual one.
pub(crate) async fn run(arguments: &LintArguments, paint: Paint) -> Result<(), Failure> {
    let mut reports = Vec::new();
    let mut read = Vec::new();
    for file in manifests(&arguments.files)? {
        match of_file(&file)? {
            Ok(documents) => read.extend(documents),
            Err(report) => reports.push(report),
        }
    }
    let templates = Templates::of(read.iter().map(|(_, document)| &document.object));
    let layouts = layouts(&read, &templates, arguments).await?;
    for ((file, document), layout) in read.into_iter().zip(layouts) {
        let Some(mut report) = of_document(file, document, &templates) else { continue };
        report.findings.extend(layout);
        reports.push(report);
    }
    let problems = count(&reports, Severity::Problem);
    if arguments.output.is_some() {
        print::json(&reports)?;
    } else {
        reports.iter().try_for_each(|report| print::text(&lines(report, paint)))?;
        let warnings = count(&reports, Severity::Warning);
        print::line(&format!(
            "{}, {} in {}",
            counted(problems, "problem"),
            counted(warnings, "warning"),
            counted(reports.len(), "object")
        ))?;
    }
    if problems > 0 { Err(Failure::with_code(BAD, "")) } else { Ok(()) }
}

/// What the buckets of latencies cannot tell, for each document.
async fn layouts(
    documents: &[(String, Document)],
    templates: &Templates,
    arguments: &LintArguments,
) -> Result<Vec<Vec<Finding>>, Failure> {
    let all: Vec<_> = documents.iter().map(|(_, document)| latencies(&document.object, templates)).collect();
    let quantiles = [(0.95, arguments.p95), (0.99, arguments.p99)];
    let quantiles = quantiles.into_iter().filter_map(|(quantile, value)| Some((quantile, value?))).collect();
    let given = Given { bounds: arguments.buckets.clone(), quantiles };
    let known: Vec<Metric> =
        all.iter().flatten().filter(|one| one.open.is_none()).map(|one| one.metric.clone()).collect();
    let (mut found, mut told) = (Vec::new(), Vec::new());
    for compared in all {
        let mut findings = Vec::new();
        for one in compared {
            // The same comparison may stand in a template and, with its arguments, in a Rollout.
            let again = told.contains(&one.metric);
            match &arguments.prometheus {
                _ if again => {}
                Some(_) if one.open.is_some() && known.iter().any(|known| known.name == one.metric.name) => {}
                Some(prometheus) => findings.extend(asked(&one, prometheus).await?),
                None if !given.bounds.is_empty() => findings.extend(of_given(&given, &one)),
                None => {}
            }
            told.push(one.metric);
        }
        found.push(findings);
    }
    Ok(found)
}

/// Windows of the last hour at most.
const WINDOWS: u32 = 60;

/// What the buckets that stable has in Prometheus cannot tell. A Prometheus that cannot be asked is no problem of a manifest.
async fn asked(compared: &Compared, prometheus: &str) -> Result<Vec<Finding>, Failure> {
    let Compared { path, metric, open } = compared;
    let unseen = |why: String| {
        let message = format!("{path}: its buckets were not looked at: {why}");
        Ok(vec![Finding { severity: Severity::Warning, message }])
    };
    if let Some(name) = open {
        return unseen(format!("argument \"{name}\" has no value; give the Rollout that has it, too"));
    }
    match survey::ask(metric, None, WINDOWS, Some(prometheus)).await? {
        Ok(Some(found)) => {
            let (limit, unit) = (found.settings.limit, found.unit);
            let latency = found.stable.latency.as_ref();
            Ok(latency
                .map_or_else(Vec::new, |(seen, quantiles)| of_stable(path, seen, quantiles, (limit, unit))))
        }
        Ok(None) => unseen("Prometheus has less than 100 requests in the last hour".to_owned()),
        Err(why) => unseen(why),
    }
}

/// The files that are meant: of a folder those in it that are called as manifests are, and of the folders below it.
fn manifests(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        in_folder(path, &mut files)?;
        if files.len() == before {
            let folder = path.display();
            return Err(Failure::new(format!("no file in {folder} ends with .yaml, .yml or .json")));
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |why| Failure::new(format!("cannot read the folder {}: {why}", folder.display()));
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<_> = entries.map_err(unreadable)?.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            in_folder(&path, files)?;
        } else if ["yaml", "yml", "json"].contains(&ending) {
            files.push(path);
        }
    }
    Ok(())
}

/// The text of a file; `-` is the standard input.
///
/// # Errors
/// A file that cannot be read, by its name.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    let name = file.display().to_string();
    let unreadable = |why: std::io::Error| Failure::new(format!("cannot read {name}: {why}"));
    if name == "-" {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(unreadable);
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// The objects of a file; a report when it is no manifest.
fn of_file(file: &Path) -> Result<Result<Vec<(String, Document)>, Report>, Failure> {
    let name = file.display().to_string();
    Ok(match documents(&read(file)?) {
        Ok(documents) => Ok(documents.into_iter().map(|document| (name.clone(), document)).collect()),
        Err(why) => {
            let finding = Finding { severity: Severity::Problem, message: why };
            Err(Report { file: name, object: "manifest".to_owned(), findings: vec![finding] })
        }
    })
}

fn of_document(file: String, document: Document, templates: &Templates) -> Option<Report> {
    let mut findings = check(&document.object)?;
    if findings.iter().all(|finding| finding.severity == Severity::Warning) {
        findings.extend(check_together(&document.object, templates));
    }
    Some(Report { file, object: document.title, findings })
}

fn count(reports: &[Report], severity: Severity) -> usize {
    reports.iter().flat_map(|report| &report.findings).filter(|finding| finding.severity == severity).count()
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn lines(report: &Report, paint: Paint) -> String {
    let Report { file, object, findings } = report;
    if findings.is_empty() {
        return format!("{file}: {object}: {}\n", paint.tone(Tone::Good, "ok"));
    }
    let line = |finding: &Finding| {
        let word = match finding.severity {
            Severity::Problem => paint.tone(Tone::Bad, "problem"),
            Severity::Warning => paint.tone(Tone::Waiting, "warning"),
        };
        format!("{file}: {object}: {word}: {}\n", finding.message)
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_folder_every_manifest_is_read() {
        let folder = own_folder();
        std::fs::create_dir_all(folder.join("below")).unwrap();
        for name in ["b.yml", "a.yaml", "notes.md", "below/c.json"] {
            std::fs::write(folder.join(name), "{}").unwrap();
        }
        let found = manifests(std::slice::from_ref(&folder)).unwrap();
        let names: Vec<_> =
            found.iter().map(|path| path.strip_prefix(&folder).unwrap().display().to_string()).collect();
        assert_eq!(names, ["a.yaml", "b.yml", "below/c.json"]);
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let said = manifests(std::slice::from_ref(&folder)).unwrap_err().message;
        assert!(said.ends_with("ends with .yaml, .yml or .json"), "{said}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn own_folder() -> PathBuf {
        std::env::temp_dir().join(format!("serin-lint-{}", std::process::id()))
    }
}
