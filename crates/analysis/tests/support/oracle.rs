//! Runs the vector files of a folder through the judge and counts what agrees.
//!
//! A file `{about, source, tolerance, cases: [{name, .., expect}]}` is recognised by its name. Numbers may be strings
//! (`"NaN"`, `"+Inf"`, `"-Inf"`), null means that the reference refuses. A key of `expect` that nothing here computes
//! fails its case: nothing is skipped in silence.

use super::vectors;
use serde_json::Value;
use std::path::Path;

/// Cases that agreed and disagreed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Score {
    /// Agreed in every expected value.
    pub(crate) passed: usize,
    /// Disagreed, or could not be read.
    pub(crate) failed: usize,
}

/// Runs every `.json` file of `folder` in order of name and prints one line per file and per failed case.
///
/// # Errors
/// When the folder cannot be read or holds no vector file.
pub(crate) fn run_folder(folder: &Path) -> Result<Score, String> {
    let unreadable = |error| format!("cannot read the vectors in {}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    if files.is_empty() {
        return Err(format!("no vector file (*.json) in {}", folder.display()));
    }
    let mut all = Score::default();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (score, complaints) =
            run_file(&name, std::fs::read_to_string(&path).map_err(|error| error.to_string()));
        println!("{name:26} {} passed, {} failed", score.passed, score.failed);
        complaints.iter().for_each(|complaint| println!("  {complaint}"));
        all.passed += score.passed;
        all.failed += score.failed;
    }
    Ok(all)
}

/// Runs one file: its counts, and what disagrees.
pub(crate) fn run_file(name: &str, text: Result<String, String>) -> (Score, Vec<String>) {
    let one_failure = |complaint: String| (Score { passed: 0, failed: 1 }, vec![complaint]);
    let Some(judge) = vectors::judge_of(name) else {
        return one_failure(format!(
            "{name}.json: no judge for this file; known are {}",
            vectors::KNOWN.join(", ")
        ));
    };
    let parsed =
        text.and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let file = match parsed {
        Ok(file) => file,
        Err(error) => return one_failure(format!("{name}.json cannot be read: {error}")),
    };
    let Some(cases) = file["cases"].as_array().filter(|cases| !cases.is_empty()) else {
        return one_failure(format!("{name}.json has no list of cases, or an empty one"));
    };
    let tolerance = Tolerance::default().and(&file["tolerance"]);
    let mut score = Score::default();
    let mut complaints = Vec::new();
    for case in cases {
        let mut check =
            Check { tolerance: tolerance.clone().and(&case["tolerance"]), complaints: Vec::new() };
        judge(case, &mut check);
        if check.complaints.is_empty() {
            score.passed += 1;
        } else {
            score.failed += 1;
            let label = case["name"].as_str().unwrap_or("unnamed");
            complaints.extend(check.complaints.iter().map(|complaint| format!("{label}: {complaint}")));
        }
    }
    (score, complaints)
}

/// How far a value may be off: `relative R`, plus `absolute A`, with other limits for some keys.
#[derive(Debug, Clone)]
struct Tolerance {
    relative: f64,
    absolute: f64,
    by_key: Vec<(String, f64, f64)>,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: 1e-9, absolute: NOTHING, by_key: Vec::new() }
    }
}

/// Below this a value is the zero that a 40-digit reference could not quite reach.
const NOTHING: f64 = 1e-30;

impl Tolerance {
    /// Reads notes such as `relative 1e-9; miettinen_nurminen absolute 1e-7`, or a plain relative number.
    fn and(mut self, note: &Value) -> Self {
        if let Some(relative) = note.as_f64() {
            self.relative = relative;
        }
        for clause in note.as_str().unwrap_or_default().split(';') {
            let mut words = clause.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
            let key = words.next_if(|word| !["relative", "absolute"].contains(word)).map(str::to_owned);
            let (mut relative, mut absolute) = (None, None);
            while let (Some(kind), Some(amount)) = (words.next(), words.next()) {
                let Ok(amount) = amount.parse::<f64>() else { break };
                match kind {
                    "relative" => relative = Some(amount),
                    "absolute" => absolute = Some(amount),
                    _ => break,
                }
            }
            match key {
                Some(key) if relative.or(absolute).is_some() => {
                    self.by_key.push((key, relative.unwrap_or(self.relative), absolute.unwrap_or(NOTHING)));
                }
                Some(_) => {}
                None => {
                    self.relative = relative.unwrap_or(self.relative);
                    self.absolute = absolute.unwrap_or(self.absolute);
                }
            }
        }
        self
    }

    fn of(&self, key: &str) -> (f64, f64) {
        let own = self.by_key.iter().find(|(name, _, _)| key.starts_with(name.as_str()));
        own.map_or((self.relative, self.absolute), |(_, relative, absolute)| (*relative, *absolute))
    }
}

/// Collects the disagreements of one case.
pub(crate) struct Check {
    tolerance: Tolerance,
    complaints: Vec<String>,
}

impl Check {
    /// Compares one number; null or `"NaN"` expects `None`, "the crate has no answer".
    pub(crate) fn number(&mut self, key: &str, expected: &Value, found: Option<f64>) {
        let agrees = match (number(expected), found) {
            (None, None) => expected.is_null(),
            (None, Some(_)) => false,
            (Some(wanted), None) => wanted.is_nan(),
            (Some(wanted), Some(found)) => {
                let (relative, absolute) = self.tolerance.of(key);
                wanted == found
                    || (wanted.is_nan() && found.is_nan())
                    || (wanted - found).abs() <= absolute + relative * wanted.abs()
            }
        };
        if !agrees {
            self.complain(format!("{key}: expected {expected}, found {found:?}"));
        }
    }

    /// Compares a pair of numbers.
    pub(crate) fn pair(&mut self, key: &str, expected: &Value, found: Option<(f64, f64)>) {
        if expected.as_array().map(Vec::len) != Some(2) {
            return self.complain(format!("{key}: expected {expected}, which is not a pair"));
        }
        self.number(&format!("{key}, first"), &expected[0], found.map(|pair| pair.0));
        self.number(&format!("{key}, second"), &expected[1], found.map(|pair| pair.1));
    }

    /// Expects something that is not a number.
    pub(crate) fn that(&mut self, key: &str, agrees: bool) {
        if !agrees {
            self.complain(format!("{key} disagrees"));
        }
    }

    /// Calls `compare` for every key of an object of expectations.
    pub(crate) fn each(&mut self, expected: &Value, mut compare: impl FnMut(&mut Self, &str, &Value)) {
        match expected.as_object() {
            Some(keys) if !keys.is_empty() => keys.iter().for_each(|(key, value)| compare(self, key, value)),
            _ => self.complain(format!("expected values are {expected}")),
        }
    }

    /// Compares an object of numbers such as `{"statistic": .., "p": ..}`; null expects that the crate has none of them.
    pub(crate) fn group(&mut self, key: &str, expected: &Value, found: &[(&str, Option<f64>)]) {
        if expected.is_null() {
            return found.iter().for_each(|(name, found)| {
                self.number(&format!("{key} {name}"), expected, *found);
            });
        }
        self.each(expected, |check, name, expected| match found.iter().find(|(known, _)| *known == name) {
            Some((_, found)) => check.number(&format!("{key} {name}"), expected, *found),
            None => check.complain(format!("nothing computes {key} {name}")),
        });
    }

    /// Notes a disagreement.
    pub(crate) fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }
}

/// A JSON number, or one of the texts that stand for what JSON cannot write.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("+Inf" | "Inf") => Some(f64::INFINITY),
        Some("-Inf") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64(),
    }
}
