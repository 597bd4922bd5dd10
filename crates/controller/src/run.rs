//! Performs the life of the process: connect, watch, lead, work, and stop without leaving work half done.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::announce::{self, Announcer, Told};
use crate::balancers::{Aws, Balancers};
use crate::caches::{Caches, Scope};
use crate::connect::{configuration, reachable};
use crate::exchange::Exchange;
use crate::experiments::Experiments;
use crate::extensions::Configured;
use crate::lease::{Election, End, Leadership, Terms};
use crate::measure::Prober;
use crate::notify::{self, Notifier, Place};
use crate::options::Options;
use crate::perform::Performer;
use crate::read::Reader;
use crate::reconcile::Rollouts;
use crate::runs::Runs;
use crate::serve::{self, Insight, NoPort};
use crate::talk::Talks;
use crate::tally::Tally;
use crate::versions::{self, Asked};
use crate::watch::chain;
use crate::watches;

/// Running work gets this long to end; the kubelet gives 30 s in all.
const GRACE: Duration = Duration::from_secs(20);

/// Why the process cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// Flags that do not fit together.
    #[error("{0}")]
    Options(String),
    /// No usable way to a cluster.
    #[error(
        "no way to a cluster: {0}; give --kubeconfig, set KUBECONFIG, or run in a pod with a service account"
    )]
    NoCluster(String),
    /// A port is taken.
    #[error(transparent)]
    NoPort(#[from] NoPort),
    /// No certificates to trust, or none of the kind that TLS needs.
    #[error("no TLS for metric providers")]
    NoTls(#[source] reqwest::Error),
    /// Signals cannot be received.
    #[error("signals cannot be received")]
    NoSignals(#[source] std::io::Error),
}

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// It lost the lease: another one may act, so this one must not.
    LostLease,
}

/// Runs the controller until it is asked to stop or loses its lease.
///
/// # Errors
/// [`CannotBegin`]; an API server that does not answer is none, it is waited for.
pub async fn run(options: Options) -> Result<Ended, CannotBegin> {
    options.check().map_err(CannotBegin::Options)?;
    options.foreign.said().iter().for_each(|sentence| tracing::warn!("{sentence}"));
    let signals = asked_to_stop()?;
    let (config, origin) = configuration(&options).await.map_err(CannotBegin::NoCluster)?;
    let home = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let server = config.cluster_url.to_string();
    let client = Client::try_from(config).map_err(|error| CannotBegin::NoCluster(chain(&error)))?;
    let exchange = Arc::new(Exchange::new().map_err(CannotBegin::NoTls)?);
    let prober = Prober::new(exchange.clone());
    let namespace = options.namespaced.then(|| home.clone());
    let scope = Scope { namespace, instance: options.instance_id.clone() };
    let (caches, tally) = (Caches::new(&scope), Arc::new(Tally::default()));
    let (election, leadership) = candidate(&options, &home);
    let insight = Insight { caches: caches.clone(), tally: tally.clone(), leadership: leadership.clone() };
    let stop_serving = CancellationToken::new();
    serve::begin(insight, options.metrics_port, options.healthz_port, stop_serving.clone()).await?;
    tokio::select! {
        () = signals.cancelled() => return Ok(Ended::Asked),
        () = reachable(&client, &server, &origin) => {}
    }
    // Set once; a second process-wide value does not exist.
    let _ = caches.versions.set(versions::served(&client, Asked::of(&options)).await);
    watches::start(&client, scope, &caches);
    let resources = caches.resources.clone();
    let performer = Performer::new(client.clone(), resources, leadership.clone(), tally.clone());
    let parts = Parts { options, client, home, exchange, caches, tally, performer, prober, leadership };
    let ended = parts.work(election, signals).await;
    stop_serving.cancel();
    Ok(ended)
}

fn candidate(options: &Options, home: &str) -> (Option<Election>, Leadership) {
    if !options.leader_elect {
        return (None, Leadership::always());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let identity = format!("{}_{:032x}", host.trim(), rand::random::<u128>());
    let terms = Terms {
        duration: options.leader_election_lease_duration,
        renew_deadline: options.leader_election_renew_deadline,
        retry: options.leader_election_retry_period,
    };
    let (election, leadership) = Election::new(home, &options.lease(), &identity, terms);
    (Some(election), leadership)
}

/// A token that SIGTERM or SIGINT cancels.
fn asked_to_stop() -> Result<CancellationToken, CannotBegin> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(CannotBegin::NoSignals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CannotBegin::NoSignals)?;
    let asked = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop (SIGTERM)"),
            _ = interrupt.recv() => tracing::info!("asked to stop (SIGINT)"),
        }
        asked.cancel();
    });
    Ok(token)
}

struct Parts {
    options: Options,
    client: Client,
    home: String,
    exchange: Arc<Exchange>,
    caches: Arc<Caches>,
    tally: Arc<Tally>,
    performer: Performer,
    prober: Prober,
    leadership: Leadership,
}

impl Parts {
    /// Leads and works until `stop`, then lets running work end and gives the lease back.
    async fn work(self, election: Option<Election>, stop: CancellationToken) -> Ended {
        let release = CancellationToken::new();
        let held = self.hold(election, release.clone());
        let (announcer, crier) = announce::channel(self.tally.clone());
        let crier = tokio::spawn(crier.run(self.performer.clone()));
        let halt = CancellationToken::new();
        let (notified, events) = notify::channel();
        let notifier = self.notify(events);
        let work = self.begin_work(announcer.notifying(notified), halt.clone());
        let mut held = held;
        let lost = tokio::select! {
            () = stop.cancelled() => false,
            end = &mut held => end.is_ok_and(|end| end == End::Lost),
        };
        halt.cancel();
        if tokio::time::timeout(GRACE, work).await.is_err() {
            tracing::warn!("some work did not end within {} s and is left", GRACE.as_secs());
        }
        // Ends by itself once every announcer is gone with the work.
        let _ = tokio::time::timeout(Duration::from_secs(5), crier).await;
        let _ = tokio::time::timeout(Duration::from_secs(5), notifier).await;
        if lost {
            return Ended::LostLease;
        }
        release.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(5), held).await;
        Ended::Asked
    }

    fn hold(&self, election: Option<Election>, release: CancellationToken) -> JoinHandle<End> {
        let performer = self.performer.clone();
        tokio::spawn(async move {
            match election {
                Some(election) => election.run(&performer, release).await,
                None => {
                    release.cancelled().await;
                    End::Released
                }
            }
        })
    }

    /// Notifies people of `events` until nobody tells any more.
    fn notify(&self, events: mpsc::Receiver<Told>) -> JoinHandle<()> {
        let (caches, exchange) = (self.caches.clone(), self.exchange.clone());
        let (client, tally) = (self.client.clone(), self.tally.clone());
        let place = Place { home: self.home.clone(), self_service: self.options.self_service() };
        tokio::spawn(async move {
            let notifier = Notifier::new(caches, exchange, tally);
            notifier.follow(client, place).await;
            notifier.run(events).await;
        })
    }

    /// Works as soon as everything has been listed and the lease is ours.
    fn begin_work(self, announcer: Announcer, halt: CancellationToken) -> JoinHandle<()> {
        let Self { options, client, home, caches, tally, performer, prober, mut leadership, exchange } = self;
        let resync = Duration::from_secs(options.rollout_resync.max(1));
        let (extensions, followed) = (Configured::default(), (client.clone(), home.clone()));
        let (common, reader) = ((performer, announcer, tally), Reader::new(client, home));
        let queue = caches.rollout_queue.clone();
        let balancers = options.aws_verify_target_group.then(|| {
            let aws = Box::new(Aws::new(exchange.clone()));
            Balancers::new(aws, &options.alb_tag_key_resource_id, queue.clone())
        });
        let talks = Talks::new(exchange, extensions.clone(), leadership.clone(), queue);
        let known = (reader.clone(), talks, balancers);
        let rollouts = Arc::new(Rollouts::new(caches.clone(), common.clone(), known, resync));
        let experiments = Arc::new(Experiments::new(caches.clone(), common.clone(), reader.clone()));
        let prometheus = options.prometheus_address.clone();
        let runs =
            Arc::new(Runs::new(caches.clone(), common, (prober, reader, extensions.clone()), prometheus));
        tokio::spawn(async move {
            tokio::select! {
                () = halt.cancelled() => return,
                () = ready(&caches, &mut leadership) => {}
            }
            let (client, home) = followed;
            extensions.follow(client, home).await;
            let looking = caches.rollout_queue.clone().run(
                usize::from(options.rollout_threads),
                halt.clone(),
                move |name| {
                    let (rollouts, span) =
                        (rollouts.clone(), tracing::info_span!("reconcile", rollout = %name));
                    async move { rollouts.reconcile(&name).await }.instrument(span)
                },
            );
            let trying = caches.experiment_queue.clone().run(
                usize::from(options.experiment_threads),
                halt.clone(),
                move |name| {
                    let (experiments, span) =
                        (experiments.clone(), tracing::info_span!("reconcile", experiment = %name));
                    async move { experiments.reconcile(&name).await }.instrument(span)
                },
            );
            let measuring =
                caches.run_queue.clone().run(usize::from(options.analysis_threads), halt, move |name| {
                    let (runs, span) = (runs.clone(), tracing::info_span!("reconcile", run = %name));
                    async move { runs.reconcile(&name).await }.instrument(span)
                });
            tokio::join!(looking, trying, measuring);
        })
    }
}

async fn ready(caches: &Caches, leadership: &mut Leadership) {
    while !caches.synced() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    leadership.begins().await;
    tracing::info!(rollouts = caches.rollouts.all().len(), "working");
}
