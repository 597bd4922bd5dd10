//! Says how the queues of objects keep up, under the names that Kubernetes' own controllers have for it.

use crate::exposition::{Page, Shape, count_value};
use crate::queue::Pace;
use crate::serve::Insight;
use crate::tally::Subject;

/// The families of the queues; their names are those of Argo's queues.
pub(super) fn expose(page: &mut Page, insight: &Insight) {
    let caches = &insight.caches;
    let queues = [
        (Subject::Rollout, caches.rollout_queue.pace()),
        (Subject::Experiment, caches.experiment_queue.pace()),
        (Subject::AnalysisRun, caches.run_queue.pace()),
    ];
    let queues = queues.map(|(subject, pace)| (word(subject), insight.tally.retries(subject), pace));
    let mut expose = |name, shape, help, value: fn(&Pace, u64) -> f64| {
        let mut family = page.family(name, shape, help);
        for (queue, retries, pace) in &queues {
            family.sample(&[("name", queue)], value(pace, *retries));
        }
    };
    let depth = |pace: &Pace, _| count_value(u64::try_from(pace.depth).unwrap_or(u64::MAX));
    expose("workqueue_depth", Shape::Gauge, "Objects that wait to be looked at.", depth);
    let adds = |pace: &Pace, _| count_value(pace.added);
    expose("workqueue_adds_total", Shape::Counter, "How often an object was to be looked at.", adds);
    let retries = |_: &Pace, retries| count_value(retries);
    expose("workqueue_retries_total", Shape::Counter, "How often again, after an error.", retries);
    let unfinished = |pace: &Pace, _| pace.running.iter().sum();
    let help = "Seconds that objects have been looked at so far, together.";
    expose("workqueue_unfinished_work_seconds", Shape::Gauge, help, unfinished);
    let longest = |pace: &Pace, _| pace.running.iter().copied().fold(0.0, f64::max);
    let help = "Seconds that one object has been looked at so far, at most.";
    expose("workqueue_longest_running_processor_seconds", Shape::Gauge, help, longest);
    let help = "Seconds that objects waited to be looked at.";
    let mut family = page.family("workqueue_queue_duration_seconds", Shape::Histogram, help);
    queues.iter().for_each(|(queue, _, pace)| family.histogram(&[("name", queue)], &pace.waited));
    let help = "Seconds that looking at an object took.";
    let mut family = page.family("workqueue_work_duration_seconds", Shape::Histogram, help);
    queues.iter().for_each(|(queue, _, pace)| family.histogram(&[("name", queue)], &pace.worked));
}

fn word(subject: Subject) -> &'static str {
    match subject {
        Subject::Rollout => "Rollouts",
        Subject::AnalysisRun => "AnalysisRuns",
        Subject::Experiment => "Experiments",
    }
}
