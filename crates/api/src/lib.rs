//! The `argoproj.io/v1alpha1` resources that Serin serves: types, validation and the field documentation users read.
//!
//! No client and no logic: what a field leads to is decided in `serin-core`.

mod alb_status;
mod analysis;
mod analysis_run;
mod blue_green;
mod canary;
mod canary_step;
mod comparison;
pub mod crd;
mod experiment;
pub mod kustomize;
pub mod label;
mod phase;
pub mod provider;
mod rollout;
mod rollout_analysis;
mod rollout_status;
mod routed;
mod schema;
mod template;
mod traffic_routing;
mod units;
mod validation;

pub use alb_status::AlbStatus;
pub use analysis::{
    AnalysisTemplate, AnalysisTemplateSpec, Argument, ArgumentSource, ClusterAnalysisTemplate,
    ClusterAnalysisTemplateSpec, DryRun, FieldReference, MeasurementRetention, Metric, SecretKeyReference,
    TemplateReference,
};
pub use analysis_run::{
    AnalysisRun, AnalysisRunSpec, AnalysisRunStatus, Arms, Measurement, MetricResult, RunSummary, TtlStrategy,
};
pub use blue_green::{
    AntiAffinity, BlueGreenStrategy, PodMetadata, PreferredAntiAffinity, RequiredAntiAffinity,
};
pub use canary::{CanaryStrategy, PingPong, ProgressThreshold, RoleServices};
pub use canary_step::{
    Bake, CanaryStep, ExperimentStep, ExperimentStepAnalysis, ExperimentStepTemplate, HeaderRouteMatch,
    MirrorRouteMatch, NamedService, PauseStep, PluginStep, SetCanaryScale, SetHeaderRoute, SetMirrorRoute,
    StringMatch,
};
pub use comparison::{
    BusinessRateComparison, Comparison, ErrorRateComparison, LatencyComparison, MeanComparison, Preset,
    Sensitivity, Worse,
};
pub use experiment::{
    Experiment, ExperimentAnalysis, ExperimentAnalysisStatus, ExperimentCondition, ExperimentSpec,
    ExperimentStatus, ExperimentTemplate, ExperimentTemplateStatus,
};
pub use phase::AnalysisPhase;
pub use rollout::{
    AnalysisHistory, RollbackWindow, Rollout, RolloutSpec, RolloutStrategy, ScaleDown, WorkloadReference,
};
pub use rollout_analysis::{
    AnalysisRunArgument, AnalysisRunArgumentSource, AnalysisRunMetadata, BackgroundAnalysis,
    PostPromotionAnalysis, RolloutAnalysis,
};
pub use rollout_status::{
    BakeStatus, BlueGreenStatus, BrakeStatus, CanaryStatus, DryRunStatus, Gate, PauseCondition,
    RolloutAnalysisRunStatus, RolloutCondition, RolloutDuration, RolloutStatus, StepPluginStatus,
    TrafficWeights, WeightDestination,
};
pub use routed::Routed;
pub use template::RawTemplate;
pub use traffic_routing::{
    AlbTrafficRouting, AmbassadorTrafficRouting, ApisixRoute, ApisixTrafficRouting, AppMeshTrafficRouting,
    AppMeshVirtualNodeGroup, AppMeshVirtualNodeReference, AppMeshVirtualService, BUILT_IN_ROUTERS,
    GENERIC_ROUTER, GenericReadiness, GenericRoute, IstioDestinationRule, IstioTrafficRouting,
    IstioVirtualService, ManagedRoute, NginxTrafficRouting, RolloutTrafficRouting, SessionAffinity,
    SmiTrafficRouting, StickinessConfig, TcpRoute, TlsRoute, TraefikTrafficRouting,
};
pub use units::{go_duration, percentage, percentage_points};
pub use validation::{Problem, validate, validate_experiment};
