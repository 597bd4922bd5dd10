//! Decides which object is looked at next: each at most once in the queue, and never twice at the same time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::exposition::Histogram;

/// Buckets of the seconds that keys wait and are worked on: those of Kubernetes' work queues, which alerts are written for.
const PACE: &[f64] = &[1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 1.0, 10.0];

/// How a queue keeps up.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How many keys wait now.
    pub depth: usize,
    /// How often a key became ready.
    pub added: u64,
    /// Seconds that keys waited until they were handed out.
    pub waited: Histogram,
    /// Seconds that keys were worked on.
    pub worked: Histogram,
    /// Seconds since each of the running keys was handed out.
    pub running: Vec<f64>,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    waiting: HashMap<K, Instant>,
    running: HashMap<K, Instant>,
    added: u64,
    waited: Histogram,
    worked: Histogram,
    timers: BTreeSet<(Instant, K)>,
    timer_of: HashMap<K, Instant>,
}

/// A queue of keys with timers.
///
/// # Guarantees
/// - A key that is added while it waits is handed out once.
/// - A key that is added while it runs is handed out again when it is done, not before.
/// - Keys are handed out in the order in which they became ready.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

impl<K: Clone + Eq + Hash + Ord> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: HashMap::new(),
            running: HashMap::new(),
            added: 0,
            waited: Histogram::new(PACE),
            worked: Histogram::new(PACE),
            timers: BTreeSet::new(),
            timer_of: HashMap::new(),
        };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }
}

impl<K: Clone + Debug + Eq + Hash + Ord + Send + 'static> Queue<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key is to be looked at now.
    pub fn add(&self, key: K) {
        self.state().make_ready(key);
        self.changed.notify_one();
    }

    /// How it keeps up.
    pub fn pace(&self) -> Pace {
        let (state, now) = (self.state(), Instant::now());
        Pace {
            depth: state.ready.len(),
            added: state.added,
            waited: state.waited.clone(),
            worked: state.worked.clone(),
            running: state.running.values().map(|since| (now - *since).as_secs_f64()).collect(),
        }
    }

    /// The keys that wait, taken out.
    #[cfg(test)]
    pub(crate) fn take_all(&self) -> Vec<K> {
        let mut state = self.state();
        state.waiting.clear();
        state.ready.drain(..).collect()
    }

    /// The next key, as soon as there is one. It counts as running until [`Self::done`].
    async fn next(&self) -> K {
        loop {
            let changed = self.changed.notified();
            let due = {
                let mut state = self.state();
                state.ring(Instant::now());
                if let Some(key) = state.take() {
                    return key;
                }
                state.timers.first().map(|(due, _)| *due)
            };
            match due {
                Some(due) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => changed.await,
            }
        }
    }

    /// The key has been looked at, and is to be looked at again at `wake`. An earlier wake of the same key is
    /// forgotten: the newest plan knows best.
    fn done(&self, key: K, wake: Option<Instant>) {
        let mut state = self.state();
        if let Some(since) = state.running.remove(&key) {
            state.worked.observe(since.elapsed().as_secs_f64());
        }
        state.set_timer(key, wake);
        drop(state);
        self.changed.notify_one();
    }

    /// Hands out keys to `work`, at most `workers` at a time, until `stop`; then waits for those that run.
    pub async fn run<F>(self: Arc<Self>, workers: usize, stop: CancellationToken, work: impl Fn(K) -> F)
    where
        F: Future<Output = Option<Instant>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        loop {
            while running.len() >= workers {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            let key = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                key = self.next() => key,
            };
            let (queue, look) = (self.clone(), work(key.clone()));
            running.spawn(async move {
                let running = Running { queue, key: Some(key) };
                let wake = look.await;
                running.done(wake);
            });
        }
        while running.join_next().await.is_some() {}
    }
}

/// A key in the hands of a worker. Dropped without [`Running::done`], as by a panic, it is looked at again.
struct Running<K: Clone + Debug + Eq + Hash + Ord + Send + 'static> {
    queue: Arc<Queue<K>>,
    key: Option<K>,
}

impl<K: Clone + Debug + Eq + Hash + Ord + Send + 'static> Running<K> {
    fn done(mut self, wake: Option<Instant>) {
        if let Some(key) = self.key.take() {
            self.queue.done(key, wake);
        }
    }
}

impl<K: Clone + Debug + Eq + Hash + Ord + Send + 'static> Drop for Running<K> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let again = Instant::now() + std::time::Duration::from_secs(30);
            self.queue.done(key, Some(again));
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    fn make_ready(&mut self, key: K) {
        self.set_timer(key.clone(), None);
        if !self.waiting.contains_key(&key) {
            self.added += 1;
            self.waiting.insert(key.clone(), Instant::now());
            self.ready.push_back(key);
        }
    }

    fn set_timer(&mut self, key: K, due: Option<Instant>) {
        if let Some(old) = self.timer_of.remove(&key) {
            self.timers.remove(&(old, key.clone()));
        }
        // A key that waits is looked at before any timer, and sets a new one then.
        if let Some(due) = due.filter(|_| !self.waiting.contains_key(&key)) {
            self.timer_of.insert(key.clone(), due);
            self.timers.insert((due, key));
        }
    }

    /// Makes those ready whose time has come.
    fn ring(&mut self, now: Instant) {
        while let Some((due, key)) = self.timers.first().cloned() {
            if due > now {
                break;
            }
            self.make_ready(key);
        }
    }

    /// The first ready key that does not run.
    fn take(&mut self) -> Option<K> {
        let position = self.ready.iter().position(|key| !self.running.contains_key(key))?;
        let (key, now) = (self.ready.remove(position)?, Instant::now());
        if let Some(since) = self.waiting.remove(&key) {
            self.waited.observe((now - since).as_secs_f64());
        }
        self.running.insert(key.clone(), now);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_never_runs_twice_at_a_time() {
        let queue = Queue::default();
        for key in ["a", "b", "a"] {
            queue.add(key);
        }
        assert_eq!(queue.pace().depth, 2);
        assert_eq!(queue.next().await, "a");
        queue.add("a");
        assert_eq!(queue.next().await, "b");
        assert!(tokio::time::timeout(seconds(60), queue.next()).await.is_err(), "a still runs");
        queue.done("a", None);
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_tells_how_long_keys_wait_and_are_worked_on() {
        let queue = Queue::default();
        queue.add("a");
        queue.add("a");
        tokio::time::advance(seconds(3)).await;
        queue.next().await;
        tokio::time::advance(seconds(5)).await;
        let pace = queue.pace();
        assert_eq!(
            (pace.depth, pace.added, pace.running),
            (0, 1, vec![5.0]),
            "added once, and still worked on"
        );
        assert_eq!((pace.waited.sum(), pace.worked.sum()), (3.0, 0.0));
        queue.done("a", Some(Instant::now() + seconds(1)));
        queue.next().await;
        let pace = queue.pace();
        assert_eq!((pace.added, pace.worked.sum()), (2, 5.0), "a timer makes it ready again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_wake_replaces_the_one_before() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add("a");
        queue.next().await;
        queue.done("a", Some(start + seconds(10)));
        assert_eq!(queue.next().await, "a");
        assert_eq!(start.elapsed(), seconds(10));
        queue.done("a", Some(start + seconds(20)));
        queue.add("a");
        queue.next().await;
        queue.done("a", Some(start + seconds(90)));
        queue.next().await;
        assert_eq!(start.elapsed(), seconds(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_does_not_delay_a_key_that_was_added_while_it_ran() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.add("a");
        queue.next().await;
        queue.add("a");
        queue.done("a", Some(start + seconds(10)));
        queue.next().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_running_keys_and_starts_no_more() {
        let queue = Arc::new(Queue::default());
        let stop = CancellationToken::new();
        let finished = Arc::new(Mutex::new(Vec::new()));
        for key in 1..=5 {
            queue.add(key);
        }
        let done = finished.clone();
        let token = stop.clone();
        let run = tokio::spawn(queue.clone().run(2, stop.clone(), move |key: i32| {
            let (done, token) = (done.clone(), token.clone());
            async move {
                tokio::time::sleep(seconds(5)).await;
                token.cancel();
                done.lock().unwrap().push(key);
                None
            }
        }));
        run.await.unwrap();
        assert_eq!(finished.lock().unwrap().len(), 2);
        assert_eq!(queue.pace().depth, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_panics_frees_its_key() {
        let queue = Arc::new(Queue::default());
        let stop = CancellationToken::new();
        queue.add(1);
        let tries = Arc::new(Mutex::new(0));
        let (count, token) = (tries.clone(), stop.clone());
        let run = queue.clone().run(1, stop, move |_: i32| {
            let (count, token) = (count.clone(), token.clone());
            async move {
                let try_number = {
                    let mut count = count.lock().unwrap();
                    *count += 1;
                    *count
                };
                assert!(try_number > 1, "the first try fails");
                token.cancel();
                None
            }
        });
        run.await;
        assert_eq!(*tries.lock().unwrap(), 2);
    }
}
