//! Decides which cluster is meant: the flags, the kubeconfig, or the pod that this runs in.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::failure::{Failure, Place, root, similar};
use crate::flags::Connection;

/// The configuration of a client, and where it leads.
///
/// # Errors
/// A kubeconfig that is missing, unreadable or without the wanted context: by file and context.
pub(crate) async fn configuration(flags: &Connection) -> Result<(Config, Place), Failure> {
    let source = source(flags);
    let kubeconfig = match (&flags.kubeconfig, &source) {
        (Some(path), _) => Kubeconfig::read_from(path),
        (None, Some(_)) => Kubeconfig::read(),
        (None, None) => return in_cluster(),
    };
    let source = source.unwrap_or_default();
    let kubeconfig = kubeconfig.map_err(|why| unreadable(&source, &why))?;
    let context = flags.context.clone().or_else(|| kubeconfig.current_context.clone());
    let Some(context) = context.filter(|context| !context.is_empty()) else {
        return Err(no_context(&source, &kubeconfig));
    };
    if !contexts(&kubeconfig).contains(&context) {
        return Err(unknown_context(&source, &context, &kubeconfig));
    }
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|why| {
        Failure::new(format!("cannot use context \"{context}\" of {source}: {}", root(&why)))
    })?;
    let place = Place { server: address(&config), context: Some(context), source };
    Ok((config, place))
}

/// Where the kubeconfig comes from; `None` when there is none.
fn source(flags: &Connection) -> Option<String> {
    if let Some(path) = &flags.kubeconfig {
        return Some(path.display().to_string());
    }
    if let Some(variable) = std::env::var_os("KUBECONFIG").filter(|variable| !variable.is_empty()) {
        return Some(format!("KUBECONFIG={}", Path::new(&variable).display()));
    }
    let default = default_path()?;
    default.exists().then(|| default.display().to_string())
}

fn default_path() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".kube/config"))
}

fn in_cluster() -> Result<(Config, Place), Failure> {
    let config = Config::incluster().map_err(|_| {
        let default = default_path().map(|path| path.display().to_string()).unwrap_or_default();
        Failure::new(format!(
            "no kubeconfig: --kubeconfig is not given, KUBECONFIG is not set and {default} does not exist; give one of them"
        ))
    })?;
    let place = Place {
        server: address(&config),
        context: None,
        source: "the service account of this pod".to_owned(),
    };
    Ok((config, place))
}

fn address(config: &Config) -> String {
    config.cluster_url.to_string().trim_end_matches('/').to_owned()
}

fn unreadable(source: &str, why: &KubeconfigError) -> Failure {
    let why = match why {
        KubeconfigError::ReadConfig(why, path) if !source.contains(&*path.to_string_lossy()) => {
            format!("{}: {why}", path.display())
        }
        KubeconfigError::ReadConfig(why, _) => why.to_string(),
        why => why.to_string(),
    };
    Failure::new(format!("cannot read the kubeconfig {source}: {why}"))
}

fn contexts(kubeconfig: &Kubeconfig) -> Vec<String> {
    kubeconfig.contexts.iter().map(|context| context.name.clone()).collect()
}

fn no_context(source: &str, kubeconfig: &Kubeconfig) -> Failure {
    Failure::new(match contexts(kubeconfig).as_slice() {
        [] => format!("{source} is no kubeconfig with contexts; --kubeconfig names another file"),
        known => format!("{source} has no current context; choose one with --context: {}", known.join(", ")),
    })
}

fn unknown_context(source: &str, context: &str, kubeconfig: &Kubeconfig) -> Failure {
    let all = contexts(kubeconfig);
    let near = similar(context, all.iter().map(String::as_str));
    let known = if near.is_empty() { all.iter().map(String::as_str).collect() } else { near };
    Failure::new(match known.as_slice() {
        [] => format!("{source} has no context \"{context}\", nor any other"),
        known => format!("{source} has no context \"{context}\"; there is {}", known.join(", ")),
    })
}
