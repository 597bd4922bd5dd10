//! Performs the dashboard: connects, watches, listens, and ends when it is told to.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::access::{Access, Reviewer};
use crate::api::router;
use crate::app::App;
use crate::cache::Cache;
use crate::cluster::Cluster;
use crate::flags::{Auth, Flags};
use crate::pods::Pods;
use crate::watch::start;

/// Writes what happens to stderr; RUST_LOG says how much. `colours` are for terminals only, and not when NO_COLOR is set.
pub fn log(colours: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube=error"));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    let colours = colours && !plain && std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot begin: an open door, no cluster, or a port that is taken.
pub async fn run(flags: Flags) -> anyhow::Result<()> {
    let door = flags.door().map_err(|why| anyhow!(why))?;
    let cluster = Cluster::connect(flags.kubeconfig.clone(), flags.context.clone()).await?;
    let listen = flags.listen();
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; --port chooses another"))?;
    let cache = Arc::new(Cache::default());
    start(cluster.client(), flags.namespace.as_deref(), &cache);
    let reviewer: Option<Arc<dyn Reviewer>> = match flags.auth {
        Auth::Token => Some(Arc::new(cluster.clone())),
        Auth::None => None,
    };
    let (end, ending) = watch::channel(false);
    let app = App {
        pods: Pods::watched(cluster.client().clone(), Arc::clone(&cache)),
        access: Access::new(reviewer, flags.allow_actions),
        door,
        home: flags.namespace.clone().unwrap_or_else(|| cluster.namespace().to_owned()),
        cluster: Some(cluster),
        cache,
        ending,
    };
    tracing::info!(
        "http://{}/{} shows the Rollouts of {}",
        listener.local_addr()?,
        slash(&flags.root_path),
        server(&app)
    );
    let ended = async move {
        ended().await;
        // Streams have no end of their own; whoever reads them comes back to the next process.
        let _ = end.send(true);
    };
    axum::serve(listener, router(Arc::new(app), &flags.root_path)).with_graceful_shutdown(ended).await?;
    Ok(())
}

fn slash(root: &str) -> String {
    if root.is_empty() { String::new() } else { format!("{root}/") }
}

fn server(app: &App) -> String {
    app.cluster.as_ref().map(Cluster::server).unwrap_or_default()
}

/// Waits for the signal to end. Without a handler it is ended by the signal itself.
async fn ended() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
