//! Says what can be set from outside: flags and environment, named as those of Argo Rollouts' controller.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};

mod foreign;

pub use foreign::Foreign;

/// Serves Rollouts and AnalysisRuns of argoproj.io/v1alpha1: brings new versions to users step by step, and takes them
/// back when they are worse.
///
/// It may take over from Argo Rollouts' controller: same lease, same field manager, same metrics.
#[derive(Clone, Debug, Parser)]
#[command(name = "serin-controller", version, max_term_width = 120)]
pub struct Options {
    /// Kubeconfig to use outside of a cluster. Default: $KUBECONFIG, else ~/.kube/config, else the service account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of the lease, and with --namespaced the only namespace that is served. Default: $POD_NAMESPACE, else
    /// that of the service account or of the kubeconfig context.
    #[arg(long, short, env = "POD_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
    /// Serve only one namespace; needs a Role instead of a ClusterRole. ClusterAnalysisTemplates are not read then.
    #[arg(long, num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub namespaced: bool,
    /// Serve only objects with this value of the label argo-rollouts.argoproj.io/controller-instance-id. Default: those
    /// without the label.
    #[arg(long, default_value = "", value_name = "ID", hide_default_value = true)]
    pub instance_id: String,
    /// Port of /metrics.
    #[arg(long = "metricsPort", aliases = ["metricsport", "metrics-port"], default_value_t = 8090, value_name = "PORT")]
    pub metrics_port: u16,
    /// Port of /healthz and /readyz.
    #[arg(long = "healthzPort", alias = "healthz-port", default_value_t = 8080, value_name = "PORT")]
    pub healthz_port: u16,
    /// Address of Prometheus for metrics that name none.
    #[arg(long, env = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS", value_name = "URL")]
    pub prometheus_address: Option<String>,
    /// Seconds after which every Rollout is looked at again although nothing has changed.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub rollout_resync: u64,
    /// Rollouts that are looked at at the same time.
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = workers)]
    pub rollout_threads: u16,
    /// Experiments that are looked at at the same time.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = workers)]
    pub experiment_threads: u16,
    /// AnalysisRuns that are measured at the same time. Waiting for a provider takes no thread, so it may be many.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = workers)]
    pub analysis_threads: u16,
    /// Version of networking.istio.io to use. Default: the newest that is served.
    #[arg(long, value_name = "VERSION")]
    pub istio_api_version: Option<String>,
    /// API version of Ambassador's Mappings.
    #[arg(long, default_value = "getambassador.io/v2", value_name = "GROUP/VERSION")]
    pub ambassador_api_version: String,
    /// Version of split.smi-spec.io.
    #[arg(long, default_value = "v1alpha1", value_name = "VERSION")]
    pub traffic_split_api_version: String,
    /// Ask AWS what the load balancers of ALB Ingresses do: a step is done, and pods go, only when they have its weights.
    /// Needs AWS keys; see docs/traffic.md for the permissions.
    #[arg(long, alias = "alb-verify-weight", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub aws_verify_target_group: bool,
    /// Tag by which the AWS load balancer controller says whose a target group is.
    #[arg(long, default_value = "ingress.k8s.aws/resource", value_name = "KEY")]
    pub alb_tag_key_resource_id: String,
    /// Read settings of notifications in every namespace, beside those of the controller's: a team's own services and
    /// secrets for its own Rollouts. Needs the right to list the ConfigMap and the Secret by their names.
    #[arg(long = "self-service-notification-enabled", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub self_service: bool,
    /// Act only while holding the lease argo-rollouts-controller-lock[-ID].
    #[arg(long, num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    pub leader_elect: bool,
    /// Time after which others may take a lease that is not renewed.
    #[arg(long, default_value = "15s", value_name = "DURATION", value_parser = duration)]
    pub leader_election_lease_duration: Duration,
    /// Time after which the holder stops when it cannot renew; less than the lease duration.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub leader_election_renew_deadline: Duration,
    /// Time between two tries to get or renew the lease.
    #[arg(long, default_value = "2s", value_name = "DURATION", value_parser = duration)]
    pub leader_election_retry_period: Duration,
    /// How much to log: error, warn, info, debug, trace, or a filter such as `info,serin_controller=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "LEVEL")]
    pub loglevel: String,
    /// Shape of the log.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub logformat: LogFormat,
    /// Flags of Argo's controller that change nothing here.
    #[command(flatten)]
    pub foreign: Foreign,
}

/// Shape of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object on a line.
    Json,
}

fn workers(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a number from 1 to 65535".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = serin_api::go_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| format!("'{text}' is not a duration such as 15s or 1m30s"))
}

impl Options {
    /// What one flag alone cannot tell to be wrong.
    ///
    /// # Errors
    /// A sentence that names the flags.
    pub fn check(&self) -> Result<(), String> {
        let (lease, deadline) = (self.leader_election_lease_duration, self.leader_election_renew_deadline);
        if deadline >= lease {
            return Err(
                "--leader-election-renew-deadline must be less than --leader-election-lease-duration, \
                 else two controllers act at the same time"
                    .to_owned(),
            );
        }
        if self.leader_election_retry_period >= deadline {
            return Err("--leader-election-retry-period must be less than --leader-election-renew-deadline"
                .to_owned());
        }
        if self.metrics_port == self.healthz_port {
            return Err("--metricsPort and --healthzPort must be different".to_owned());
        }
        Ok(())
    }

    /// Whether each namespace may have its own settings of notifications; with one namespace, they are the controller's.
    pub fn self_service(&self) -> bool {
        self.self_service && !self.namespaced
    }

    /// Name of the lease.
    pub fn lease(&self) -> String {
        match self.instance_id.as_str() {
            "" => "argo-rollouts-controller-lock".to_owned(),
            instance => format!("argo-rollouts-controller-lock-{instance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(flags: &[&str]) -> Result<Options, String> {
        let all = std::iter::once("serin-controller").chain(flags.iter().copied());
        Options::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn flags_are_read_as_argo_writes_them() {
        let options =
            parse(&["--namespaced", "--leader-elect=false", "--metricsport", "9", "--logformat=json"]);
        let options = options.unwrap();
        assert!(options.namespaced && !options.leader_elect);
        assert_eq!((options.metrics_port, options.logformat), (9, LogFormat::Json));
        assert!(!options.aws_verify_target_group, "AWS is asked only when somebody wants it");
        for flag in ["--aws-verify-target-group", "--aws-verify-target-group=true", "--alb-verify-weight"] {
            assert!(parse(&[flag]).unwrap().aws_verify_target_group, "{flag}");
        }
        assert_eq!(options.lease(), "argo-rollouts-controller-lock");
        assert!(parse(&["--self-service-notification-enabled"]).unwrap().self_service());
        assert!(!parse(&["--self-service-notification-enabled", "--namespaced"]).unwrap().self_service());
        assert_eq!(parse(&["--instance-id", "x"]).unwrap().lease(), "argo-rollouts-controller-lock-x");
    }

    #[test]
    fn flags_without_meaning_are_refused_with_a_reason() {
        for (flags, reason) in [
            (vec!["--controllers=analysis"], "served together"),
            (vec!["--leader-election-retry-period=soon"], "is not a duration"),
            (vec!["--traefik-api-group=traefik.containo.us"], "only traefik.io is supported"),
            (vec!["--rollout-threads=0"], "from 1 to 65535"),
            (vec!["--no-such-flag"], "unexpected argument"),
        ] {
            let message = parse(&flags).unwrap_err();
            assert!(message.contains(reason), "{flags:?}: {message}");
        }
    }

    #[test]
    fn flags_of_argo_that_change_nothing_are_taken_and_said() {
        let said = parse(&["--qps=40", "--ingress-threads", "5"]).unwrap().foreign.said();
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("--qps changes nothing: ") && said[1].contains("--rollout-threads"),
            "{said:?}"
        );
        assert!(parse(&[]).unwrap().foreign.said().is_empty());
    }

    #[test]
    fn times_of_the_lease_must_leave_no_gap() {
        let wrong = parse(&["--leader-election-renew-deadline=15s"]).unwrap();
        assert!(wrong.check().unwrap_err().contains("two controllers"));
        assert!(parse(&[]).unwrap().check().is_ok());
    }
}
