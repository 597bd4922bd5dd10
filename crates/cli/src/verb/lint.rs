//! `lint`: checks manifests without a cluster.

use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::failure::{BAD, Failure};
use crate::flags::LintArguments;
use crate::lint::{Finding, Severity, check, documents};
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
    for file in &arguments.files {
        reports.extend(of_file(file)?);
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

fn of_file(file: &Path) -> Result<Vec<Report>, Failure> {
    let name = file.display().to_string();
    let unreadable = |why: &dyn std::fmt::Display| Failure::new(format!("cannot read {name}: {why}"));
    let text = if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|why| unreadable(&why))?
    } else {
        std::fs::read_to_string(file).map_err(|why| unreadable(&why))?
    };
    let documents = match documents(&text) {
        Ok(documents) => documents,
        Err(why) => {
            let finding = Finding { severity: Severity::Problem, message: why };
            return Ok(vec![Report { file: name, object: "manifest".to_owned(), findings: vec![finding] }]);
        }
    };
    let report = |document: crate::lint::Document| {
        let findings = check(&document.object)?;
        Some(Report { file: name.clone(), object: document.title, findings })
    };
    Ok(documents.into_iter().filter_map(report).collect())
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
