//! The stock plugin as a test runs it, and what it printed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serin_e2e::Scene;
use tokio::process::Command;

/// A stock program of Argo Rollouts, which testbed/argo/build has built.
pub(crate) fn stock(program: &str) -> Result<PathBuf> {
    let folder = std::env::var("SERIN_ARGO")
        .context("SERIN_ARGO is not set: run the tests with `./dev e2e clients takeover`")?;
    Ok(PathBuf::from(folder).join(program))
}

/// What the plugin answered.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn everything(&self) -> String {
        format!("exit code {:?}\n{}{}", self.code, self.out, self.err)
    }
}

/// The stock plugin in the namespace of a test.
pub(crate) struct Plugin {
    namespace: String,
}

impl Plugin {
    pub(crate) fn of(scene: &Scene) -> Self {
        Self { namespace: scene.namespace().to_owned() }
    }

    /// Runs it, whatever becomes of it.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<Answer> {
        let mut command = Command::new(stock("kubectl-argo-rollouts")?);
        command.args(arguments).args(["--namespace", &self.namespace]).kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) })
    }

    /// Runs it, and it must do what it was told and say so.
    pub(crate) async fn does(&self, arguments: &[&str], says: &str) -> Result<String> {
        let answer = self.run(arguments).await?;
        ensure!(
            answer.code == Some(0) && answer.out.contains(says),
            "`{}` did not say '{says}': {}",
            arguments.join(" "),
            answer.everything()
        );
        Ok(answer.out)
    }

    /// `get rollout NAME`.
    pub(crate) async fn shows(&self, rollout: &str) -> Result<Shown> {
        let text = self.does(&["get", "rollout", rollout, "--no-color"], "Name:").await?;
        Ok(Shown { text })
    }
}

/// The page of `get rollout`.
pub(crate) struct Shown {
    pub(crate) text: String,
}

impl Shown {
    /// The value behind `KEY:`.
    fn value(&self, key: &str) -> &str {
        let line = self.text.lines().find_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    }

    /// Every value is as given.
    pub(crate) fn has(&self, values: &[(&str, &str)]) -> Result<()> {
        for (key, value) in values {
            ensure!(
                self.value(key) == *value,
                "{key} is '{}', not '{value}':\n{}",
                self.value(key),
                self.text
            );
        }
        Ok(())
    }

    /// The counts of pods are as given.
    pub(crate) fn counts(&self, [desired, current, updated, ready, available]: [i32; 5]) -> Result<()> {
        let values = [
            ("Desired", desired.to_string()),
            ("Current", current.to_string()),
            ("Updated", updated.to_string()),
            ("Ready", ready.to_string()),
            ("Available", available.to_string()),
        ];
        let values: Vec<_> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.has(&values)
    }

    /// The tree has lines with these words, in this order.
    pub(crate) fn tree(&self, wanted: &[&[&str]]) -> Result<()> {
        let mut lines = self.text.lines().skip_while(|line| !line.starts_with("NAME "));
        for words in wanted {
            let found = lines.any(|line| words.iter().all(|word| line.contains(word)));
            ensure!(found, "no line {words:?} in this place of the tree:\n{}", self.text);
        }
        Ok(())
    }
}
