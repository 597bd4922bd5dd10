//! `drill`: practises a rollback, and ends with a code that says whether traffic came back in time.

use std::time::{Duration, Instant};

use serde_json::json;
use serin_api::Rollout;
use serin_view::change::Change;

use crate::cluster::{Cluster, Rejected};
use crate::drill::{Progress, Report, begin, end, progress, refusal, text};
use crate::failure::{BAD, Failure};
use crate::flags::DrillArguments;
use crate::print;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// Performs the verb. However it ends, also by an interrupt, the template is put back and the update aborted.
///
/// # Errors
/// A refusal; traffic that did not come back in time, with exit code 1.
pub(crate) async fn run(cluster: &Cluster, arguments: &DrillArguments) -> Result<(), Failure> {
    let name = crate::flags::plain_name(&arguments.name).map_err(Failure::new)?;
    let before = cluster.rollout(name).await?;
    if let Some(why) = refusal(&before, arguments.max_weight) {
        return Err(Failure::new(format!("cannot drill {}: {why}", cluster.title(name))));
    }
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let drill = Drill { cluster, name, before: &before, at: &at, arguments };
    drill.send(&begin(&before, &at)).await?;
    if arguments.output.is_none() {
        eprintln!("a copy of the stable version begins; everything is put back at the end, also on Ctrl-C");
    }
    let practised = tokio::select! {
        practised = drill.practise() => practised,
        _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
    };
    let put_back = drill.put_back().await;
    let report = practised?;
    put_back?;
    match arguments.output {
        Some(_) => print::json(&report)?,
        None => print::text(&text(&report))?,
    }
    if report.passed { Ok(()) } else { Err(Failure::with_code(BAD, "")) }
}

struct Drill<'d> {
    cluster: &'d Cluster,
    name: &'d str,
    before: &'d Rollout,
    at: &'d str,
    arguments: &'d DrillArguments,
}

impl Drill<'_> {
    async fn practise(&self) -> Result<Report, Failure> {
        let begun = Instant::now();
        let share = loop {
            if let Progress::Shared(share) = self.look().await? {
                break share;
            }
            if begun.elapsed() > self.arguments.patience {
                return Err(Failure::new(format!(
                    "the copy had no traffic after {} s; `{}` says what it waits for; --patience gives more time",
                    self.arguments.patience.as_secs(),
                    self.cluster.invocation.command(&format!("explain {}", self.name))
                )));
            }
            tokio::time::sleep(LOOK).await;
        };
        let until_traffic = begun.elapsed();
        let aborted = Instant::now();
        self.send(&Change::status(json!({"abort": true}))).await?;
        let mut back = None;
        while back.is_none() && aborted.elapsed() <= self.arguments.within {
            tokio::time::sleep(LOOK).await;
            back = (self.look().await? == Progress::Back).then(|| aborted.elapsed());
        }
        Ok(Report {
            rollout: self.name.to_owned(),
            share,
            seconds_until_traffic: until_traffic.as_secs_f64(),
            seconds_until_back: back.map(|back| back.as_secs_f64()),
            within: self.arguments.within.as_secs_f64(),
            passed: back.is_some_and(|back| back <= self.arguments.within),
        })
    }

    async fn look(&self) -> Result<Progress, Failure> {
        let seen = self.cluster.observe(self.name).await?;
        let hash = self.before.status.as_ref().map(|status| status.current_pod_hash.as_str());
        match progress(&seen.rollout, &seen.replica_sets, self.at, hash.unwrap_or_default()) {
            Progress::Overtaken => Err(Failure::new(format!(
                "the pod template of {} was changed by somebody else meanwhile; the drill ends, and their change stays",
                self.cluster.title(self.name)
            ))),
            progress => Ok(progress),
        }
    }

    /// The template as it was; the update of the drill is given up by it.
    async fn put_back(&self) -> Result<(), Failure> {
        let rollout = self.cluster.rollout(self.name).await?;
        match end(&rollout, self.before, self.at) {
            Some(change) => self.send(&change).await,
            None => Ok(()),
        }
    }

    async fn send(&self, change: &Change) -> Result<(), Failure> {
        self.cluster.change(self.name, change).await.map_err(|rejected| match rejected {
            Rejected::Failed(failure) => failure,
            Rejected::Stale => Failure::new(format!(
                "{} was changed at the same moment; look again and repeat the command",
                self.cluster.title(self.name)
            )),
        })
    }
}
