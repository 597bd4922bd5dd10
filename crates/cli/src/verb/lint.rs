//! `lint`: checks manifests without a cluster.

use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::failure::{BAD, Failure};
use crate::flags::LintArguments;
use crate::lint::{Document, Finding, Severity, Templates, check, check_together, documents};
use crate::paint::{Paint, Tone};
use crate::print;

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
pub(crate) fn run(arguments: &LintArguments, paint: Paint) -> Result<(), Failure> {
    let mut reports = Vec::new();
    let mut read = Vec::new();
    for file in &arguments.files {
        match of_file(file)? {
            Ok(documents) => read.extend(documents),
            Err(report) => reports.push(report),
        }
    }
    let templates = Templates::of(read.iter().map(|(_, document)| &document.object));
    reports.extend(read.into_iter().filter_map(|(file, document)| of_document(file, document, &templates)));
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
