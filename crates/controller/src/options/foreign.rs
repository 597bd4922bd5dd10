//! Flags that Argo's controller has and this one does not need.

/// Flags that Argo's controller has and that mean nothing here: taken, so that its Deployment starts this program as it
/// is, and each said at the start with the reason, so that a setting is not lost silently.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Foreign {
    #[arg(long, hide = true)]
    qps: Option<String>,
    #[arg(long, hide = true)]
    burst: Option<String>,
    #[arg(long, hide = true)]
    kloglevel: Option<String>,
    #[arg(long, hide = true)]
    service_threads: Option<String>,
    #[arg(long, hide = true)]
    ingress_threads: Option<String>,
    #[arg(long, hide = true)]
    ephemeral_metadata_threads: Option<String>,
    #[arg(long, hide = true, env = "ARGO_ROLLOUTS_ANALYSIS_JOB_NAMESPACE")]
    analysis_job_namespace: Option<String>,
    #[arg(long, hide = true, env = "ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG")]
    analysis_job_kubeconfig: Option<String>,
    #[arg(long, hide = true)]
    enable_pprof_address: Option<String>,
    #[arg(long, hide = true)]
    aws_target_group_binding_api_version: Option<String>,
    #[arg(long, hide = true)]
    ephemeral_metadata_update_pod_retries: Option<String>,
    #[arg(long, hide = true)]
    alb_ingress_classes: Option<String>,
    #[arg(long, hide = true)]
    nginx_ingress_classes: Option<String>,
    #[arg(long, hide = true, value_parser = only(&["networking", "networking/v1", "networking.k8s.io/v1"]))]
    ingress_api_version: Option<String>,
    #[arg(long, hide = true, value_parser = only(&["v1beta2"]))]
    appmesh_crd_version: Option<String>,
    #[arg(long, hide = true, value_parser = only(&["traefik.io"]))]
    traefik_api_group: Option<String>,
    #[arg(long, hide = true, value_parser = only(&["traefik.io/v1alpha1"]))]
    traefik_api_version: Option<String>,
    #[arg(long, hide = true, value_parser = refused("Rollouts and their analysis are always served together"))]
    controllers: Option<String>,
}

impl Foreign {
    /// A sentence for each of these flags that is set.
    pub fn said(&self) -> Vec<String> {
        let client = "requests are limited by the API server's priority and fairness, not by the client";
        let same_loop = "it is done in the same loop as the Rollout; use --rollout-threads";
        let bindings = "readiness gates say when pods are targets, and TargetGroupBindings are not read";
        let named = "a Rollout names its Ingress and with it the router";
        let beside_run = "Jobs of analyses run beside their AnalysisRun";
        [
            ("analysis-job-namespace", &self.analysis_job_namespace, beside_run),
            ("analysis-job-kubeconfig", &self.analysis_job_kubeconfig, beside_run),
            ("qps", &self.qps, client),
            ("burst", &self.burst, client),
            ("kloglevel", &self.kloglevel, "there is no client-go here; use --loglevel"),
            ("service-threads", &self.service_threads, same_loop),
            ("ingress-threads", &self.ingress_threads, same_loop),
            ("ephemeral-metadata-threads", &self.ephemeral_metadata_threads, same_loop),
            ("aws-target-group-binding-api-version", &self.aws_target_group_binding_api_version, bindings),
            (
                "ephemeral-metadata-update-pod-retries",
                &self.ephemeral_metadata_update_pod_retries,
                "a lost write is repeated",
            ),
            ("alb-ingress-classes", &self.alb_ingress_classes, named),
            ("nginx-ingress-classes", &self.nginx_ingress_classes, named),
            ("enable-pprof-address", &self.enable_pprof_address, "there is no Go runtime to profile"),
        ]
        .into_iter()
        .filter(|(_, value, _)| value.is_some())
        .map(|(flag, _, why)| format!("--{flag} changes nothing: {why}"))
        .collect()
    }
}

fn refused(why: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |_| Err(format!("{why}; remove the flag"))
}

/// Takes what is done anyhow, and refuses what is not.
fn only(known: &'static [&'static str]) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |text| match known.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!("only {} is supported; remove the flag", known.join(", "))),
    }
}
