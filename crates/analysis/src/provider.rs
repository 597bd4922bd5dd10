//! Translates a metric into one HTTP request, and the answer into samples. The socket belongs to the shell.

use std::collections::BTreeMap;

use serin_api::provider::{JobMetric, MetricProvider};

mod address;
pub mod aws;
mod cloud_watch;
mod datadog;
mod exchange;
pub mod extension;
pub(crate) mod form;
mod go_text;
mod graphite;
mod influxdb;
mod json_path;
mod kayenta;
mod login;
mod new_relic;
pub mod oauth2;
mod problem;
pub mod profile;
pub mod prometheus;
mod sky_walking;
mod wavefront;
mod web;

pub use exchange::{Answer, Judged, Login, Look, Reply, Request, Response, Sampled, Samples};
pub(crate) use exchange::{excerpt, shortened};
use exchange::{of_status, print_number, text_at};
pub use problem::Problem;
pub use profile::{Place, Profiles};

use cloud_watch::CloudWatch;
use datadog::Datadog;
use extension::Extension;
pub use extension::{Endpoint, Extensions};
use graphite::Graphite;
use influxdb::Influxdb;
use kayenta::Kayenta;
use new_relic::NewRelic;
use prometheus::Prometheus;
use sky_walking::SkyWalking;
use wavefront::Wavefront;
use web::Web;

/// One kind of source of measurements, set up for one metric.
///
/// # Laws
/// Pure: the same arguments give the same result, and no clock is read.
pub trait Provider {
    /// Where the data come from, for people: `Prometheus http://prometheus:9090`. Never a secret.
    fn place(&self) -> String;

    /// The request that measures, or that asks how a measurement goes on that is underway.
    ///
    /// # Errors
    /// [`Problem`] when the metric asks for something that cannot be asked.
    fn request(&self, look: &Look) -> Result<Request, Problem>;

    /// What `response` says.
    fn reply(&self, look: &Look, response: &Response) -> Reply;

    /// What the metadata of the metric result shows of the question, for example the resolved query.
    fn shown(&self) -> BTreeMap<String, String>;
}

/// What a provider finds around it.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// Address of Prometheus for metrics that name none.
    pub default_prometheus: Option<&'s str>,
    /// The profiles that [`profile::needed`] named.
    pub profiles: &'s Profiles,
    /// The extensions that are configured; `None` where nobody knows, as in a check before anything runs.
    pub extensions: Option<&'s Extensions>,
}

/// Where measurements come from.
pub enum Source<'m> {
    /// A provider that is asked over HTTP.
    Asked(Box<dyn Provider + 'm>),
    /// A Job, whose end is the measurement.
    Job(&'m JobMetric),
}

/// The source of a metric whose arguments are filled in.
///
/// # Errors
/// [`Problem`] when there is none, more than one, one without its credentials, or one with a field that cannot work.
pub fn source<'m>(metric: &'m MetricProvider, around: Surroundings<'m>) -> Result<Source<'m>, Problem> {
    let all = [
        metric.prometheus.as_ref().map(|metric| boxed(Prometheus::new(metric, around.default_prometheus))),
        metric.web.as_ref().map(|metric| boxed(Web::new(metric))),
        metric.datadog.as_ref().map(|metric| boxed(Datadog::new(metric, around.profiles))),
        metric.new_relic.as_ref().map(|metric| boxed(NewRelic::new(metric, around.profiles))),
        metric.wavefront.as_ref().map(|metric| boxed(Wavefront::new(metric, around.profiles))),
        metric.cloud_watch.as_ref().map(|metric| boxed(CloudWatch::new(metric, around.profiles))),
        metric.graphite.as_ref().map(|metric| boxed(Graphite::new(metric))),
        metric.influxdb.as_ref().map(|metric| boxed(Influxdb::new(metric, around.profiles))),
        metric.skywalking.as_ref().map(|metric| boxed(SkyWalking::new(metric))),
        metric.kayenta.as_ref().map(|metric| boxed(Kayenta::new(metric))),
        metric.plugin.as_ref().map(|plugin| boxed(Extension::new(plugin, around.extensions))),
    ];
    let job = metric.job.as_ref().map(|job| Ok(Source::Job(job)));
    let asked = all.into_iter().flatten().map(|provider| provider.map(Source::Asked));
    let mut set = asked.chain(job);
    match (set.next(), set.next()) {
        (None, _) => Err(Problem::NoProvider),
        (Some(source), None) => source,
        (Some(_), Some(_)) => Err(Problem::SeveralProviders),
    }
}

/// The provider of a metric that is asked over HTTP.
///
/// # Errors
/// As [`source`]; also when the metric is measured by a Job.
pub fn of<'m>(
    metric: &'m MetricProvider,
    around: Surroundings<'m>,
) -> Result<Box<dyn Provider + 'm>, Problem> {
    match source(metric, around)? {
        Source::Asked(provider) => Ok(provider),
        Source::Job(_) => Err(Problem::Field {
            field: "job".to_owned(),
            why: "a Job is run, not asked".to_owned(),
            remedy: "use another provider for what compares or asks",
        }),
    }
}

fn boxed<'m, P: Provider + 'm>(provider: Result<P, Problem>) -> Result<Box<dyn Provider + 'm>, Problem> {
    provider.map(|provider| Box::new(provider) as Box<dyn Provider + 'm>)
}
