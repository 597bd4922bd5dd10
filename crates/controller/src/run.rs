//! Performs the life of the process: connect, watch, lead, work, and stop without leaving work half done.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::USER_AGENT;
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serin_traffic::ApiVersions;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::announce::{self, Announcer};
use crate::caches::{self, Caches, Scope};
use crate::lease::{Election, End, Leadership, Terms};
use crate::options::Options;
use crate::perform::Performer;
use crate::measure::Prober;
use crate::reconcile::Rollouts;
use crate::runs::{Reader, Runs};
use crate::serve::{self, Insight, NoPort};
use crate::tally::Tally;
use crate::watch::chain;

/// Running work gets this long to end; the kubelet gives 30 s in all.
const GRACE: Duration = Duration::from_secs(20);

/// Why the process cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// Flags that do not fit together.
    #[error("{0}")]
    Options(String),
    /// No usable way to a cluster.
    #[error("no way to a cluster: {0}; give --kubeconfig, set KUBECONFIG, or run in a pod with a service account")]
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
    let signals = asked_to_stop()?;
    let (config, origin) = configuration(&options).await?;
    let home = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let server = config.cluster_url.to_string();
    let client = Client::try_from(config).map_err(|error| CannotBegin::NoCluster(chain(&error)))?;
    let prober = Prober::new().map_err(CannotBegin::NoTls)?;
    let scope = scope(&options, &home);
    let caches = Caches::new(&scope);
    let tally = Arc::new(Tally::default());
    let (election, leadership) = candidate(&options, &home);
    let insight =
        Insight { caches: caches.clone(), tally: tally.clone(), leadership: leadership.clone() };
    let stop_serving = CancellationToken::new();
    serve::begin(insight, options.metrics_port, options.healthz_port, stop_serving.clone()).await?;
    tokio::select! {
        () = signals.cancelled() => return Ok(Ended::Asked),
        () = reachable(&client, &server, &origin) => {}
    }
    caches::start(&client, scope, &caches);
    let performer = Performer::new(client.clone(), leadership.clone(), tally.clone());
    let parts = Parts { options, client, caches, tally, performer, prober, leadership };
    let ended = parts.work(election, signals).await;
    stop_serving.cancel();
    Ok(ended)
}

fn scope(options: &Options, home: &str) -> Scope {
    Scope {
        namespace: options.namespaced.then(|| home.to_owned()),
        instance: options.instance_id.clone(),
        versions: ApiVersions { istio: options.istio_api_version.clone(), ..ApiVersions::default() },
    }
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

/// The way to the cluster, and where it was found, for people.
async fn configuration(options: &Options) -> Result<(Config, String), CannotBegin> {
    let no_cluster = |error: &dyn std::error::Error| CannotBegin::NoCluster(chain(error));
    let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
    let (mut config, origin) = match &options.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| no_cluster(&error))?;
            let config = Config::from_custom_kubeconfig(file, &chosen).await;
            (config.map_err(|error| no_cluster(&error))?, format!("kubeconfig {}", path.display()))
        }
        None => match Config::from_kubeconfig(&chosen).await {
            Ok(config) => (config, kubeconfig_origin()),
            Err(error) => match Config::incluster() {
                Ok(config) => (config, "service account of the pod".to_owned()),
                Err(_) => return Err(no_cluster(&error)),
            },
        },
    };
    // Refusals and overload are sorted and waited out by class here; two layers of retries would multiply.
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.headers.push((USER_AGENT, HeaderValue::from_static(crate::AGENT)));
    Ok((config, origin))
}

fn kubeconfig_origin() -> String {
    let path = std::env::var("KUBECONFIG").unwrap_or_else(|_| "~/.kube/config".to_owned());
    format!("kubeconfig {path}")
}

/// Waits until the API server answers anything at all.
async fn reachable(client: &Client, server: &str, origin: &str) {
    let mut pause = Duration::from_secs(1);
    loop {
        let answer = tokio::time::timeout(Duration::from_secs(15), client.apiserver_version()).await;
        let why = match answer {
            Ok(Ok(version)) => {
                tracing::info!(server, origin, version = version.git_version, "connected");
                return;
            }
            Ok(Err(kube::Error::Api(status))) => {
                tracing::warn!(server, origin, "the API server answers, but not with its version: {}", status.message);
                return;
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer within 15 s".to_owned(),
        };
        tracing::warn!(
            server,
            origin,
            "the API server cannot be reached, trying again in {} s: {why}",
            pause.as_secs()
        );
        tokio::time::sleep(pause.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
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
        let work = self.begin_work(announcer, halt.clone());
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

    /// Works as soon as everything has been listed and the lease is ours.
    fn begin_work(self, announcer: Announcer, halt: CancellationToken) -> JoinHandle<()> {
        let Self { options, client, caches, tally, performer, prober, mut leadership } = self;
        let resync = Duration::from_secs(options.rollout_resync.max(1));
        let common = (performer, announcer, tally);
        let rollouts = Arc::new(Rollouts::new(caches.clone(), common.clone(), resync));
        let prometheus = options.prometheus_address.clone();
        let runs = Arc::new(Runs::new(caches.clone(), common, (prober, Reader(client)), prometheus));
        tokio::spawn(async move {
            tokio::select! {
                () = halt.cancelled() => return,
                () = ready(&caches, &mut leadership) => {}
            }
            let looking = caches.rollout_queue.clone().run(
                usize::from(options.rollout_threads),
                halt.clone(),
                move |name| {
                    let (rollouts, span) = (rollouts.clone(), tracing::info_span!("rollout", %name));
                    async move { rollouts.reconcile(&name).await }.instrument(span)
                },
            );
            let measuring =
                caches.run_queue.clone().run(usize::from(options.analysis_threads), halt, move |name| {
                    let (runs, span) = (runs.clone(), tracing::info_span!("analysisrun", %name));
                    async move { runs.reconcile(&name).await }.instrument(span)
                });
            tokio::join!(looking, measuring);
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
