//! Reads the answers of the query API: numbers for conditions, whole series for comparisons.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::provider::{Reply, Response, Sampled, Samples, excerpt, of_status};

/// Samples of one series, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Labels, with `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Seconds since 1970 and value.
    pub samples: Vec<(f64, f64)>,
}

/// Samples of one native histogram, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// Labels, with `__name__`.
    pub labels: BTreeMap<String, String>,
    /// Seconds since 1970, and the buckets that are not empty.
    pub samples: Vec<(f64, Vec<NativeBucket>)>,
}

/// One bucket of a native histogram; its count is not cumulative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeBucket {
    /// Lower bound.
    pub left: f64,
    /// Upper bound.
    pub right: f64,
    /// Observations.
    pub count: f64,
}

/// Histograms as Prometheus has them: classic buckets as counters with `le`, and native ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histograms {
    /// Classic buckets.
    pub series: Vec<Series>,
    /// Native histograms.
    pub native: Vec<Native>,
}

/// The numbers of an instant or range query: a scalar as one number, a vector or matrix as a list (a matrix series by
/// series). An empty vector is an empty list, which is not a success by itself.
pub(super) fn values(response: &Response) -> Reply {
    let answer = match read(response) {
        Ok(answer) => answer,
        Err(reply) => return reply,
    };
    let notes = answer.notes();
    let result = match answer.result() {
        Ok(Data::Scalar(number)) => Samples::Number(number),
        Ok(Data::Vector(series) | Data::Matrix(series)) => Samples::Numbers(
            series.iter().flat_map(|series| &series.samples).map(|(_, value)| *value).collect(),
        ),
        Err(reply) => return reply,
    };
    Reply::Samples(Sampled { result, shown: None, notes })
}

/// The series of a query that selects a range, with the warnings of Prometheus.
///
/// # Errors
/// The [`Reply`] that says what came instead.
pub fn series(response: &Response) -> Result<(Vec<Series>, BTreeMap<String, String>), Reply> {
    let answer = read(response)?;
    let notes = answer.notes();
    match answer.result()? {
        Data::Matrix(series) => Ok((series, notes)),
        Data::Scalar(_) | Data::Vector(_) => Err(not_a_range()),
    }
}

/// The histograms of a query that selects a range, with the warnings of Prometheus.
///
/// # Errors
/// The [`Reply`] that says what came instead.
pub fn histograms(response: &Response) -> Result<(Histograms, BTreeMap<String, String>), Reply> {
    let answer = read(response)?;
    let notes = answer.notes();
    let mut all = Histograms::default();
    for mut point in answer.points()? {
        let sampled = std::mem::take(&mut point.histograms);
        if !sampled.is_empty() {
            let samples = sampled.into_iter().map(|(at, sample)| Ok((at, sample.buckets()?)));
            let samples = samples.collect::<Result<_, Reply>>()?;
            all.native.push(Native { labels: point.metric.clone(), samples });
        }
        if !point.values.is_empty() {
            all.series.push(point.series()?);
        }
    }
    Ok((all, notes))
}

#[derive(Deserialize)]
struct NativeSample {
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

impl NativeSample {
    fn buckets(self) -> Result<Vec<NativeBucket>, Reply> {
        let bucket = |(_, left, right, count): (u8, String, String, String)| {
            Ok(NativeBucket { left: number(&left)?, right: number(&right)?, count: number(&count)? })
        };
        self.buckets.into_iter().map(bucket).collect()
    }
}

#[derive(Deserialize)]
struct Body {
    status: String,
    #[serde(default)]
    data: Option<Untyped>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Untyped {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Point {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
    histogram: Option<Value>,
    #[serde(default)]
    histograms: Vec<(f64, NativeSample)>,
}

enum Data {
    Scalar(f64),
    Vector(Vec<Series>),
    Matrix(Vec<Series>),
}

fn read(response: &Response) -> Result<Body, Reply> {
    // Prometheus explains refusals (400, 422) and its own timeouts (503) in the body.
    let body: Option<Body> = serde_json::from_str(&response.body).ok();
    let explained = body
        .as_ref()
        .filter(|body| body.status == "error")
        .map(|body| format!("{}: {}", body.error_type, body.error));
    match (of_status(response), explained) {
        (Some(Reply::Down(_)), Some(why)) => Err(Reply::Down(format!("HTTP {}: {why}", response.status))),
        (Some(Reply::Malformed(_)) | None, Some(why)) => Err(Reply::Malformed(why)),
        (Some(reply), _) => Err(reply),
        (None, None) => body.filter(|body| body.status == "success").ok_or_else(|| {
            Reply::Malformed(format!("not an answer of Prometheus: {}", excerpt(&response.body)))
        }),
    }
}

impl Body {
    fn notes(&self) -> BTreeMap<String, String> {
        if self.warnings.is_empty() {
            return BTreeMap::new();
        }
        let quoted: Vec<String> = self.warnings.iter().map(|warning| format!("\"{warning}\"")).collect();
        BTreeMap::from([("warnings".to_owned(), quoted.join(", "))])
    }

    /// What a query of a range gave, not read any further.
    fn points(self) -> Result<Vec<Point>, Reply> {
        let data = self.data.filter(|data| data.kind == "matrix").ok_or_else(not_a_range)?;
        serde_json::from_value(data.result)
            .map_err(|error| Reply::Malformed(format!("the matrix cannot be read: {error}")))
    }

    fn result(self) -> Result<Data, Reply> {
        let Some(data) = self.data else {
            return Err(Reply::Malformed("Prometheus answered without data".to_owned()));
        };
        let unreadable =
            |error: serde_json::Error| Reply::Malformed(format!("the {} cannot be read: {error}", data.kind));
        match data.kind.as_str() {
            "scalar" => {
                let (_, text): (f64, String) = serde_json::from_value(data.result).map_err(unreadable)?;
                Ok(Data::Scalar(number(&text)?))
            }
            "vector" => {
                let points: Vec<Point> = serde_json::from_value(data.result).map_err(unreadable)?;
                points.into_iter().map(Point::series).collect::<Result<_, _>>().map(Data::Vector)
            }
            "matrix" => {
                let points: Vec<Point> = serde_json::from_value(data.result).map_err(unreadable)?;
                points.into_iter().map(Point::series).collect::<Result<_, _>>().map(Data::Matrix)
            }
            _ => Err(Reply::Malformed(format!("Prometheus metric type not supported: {}", data.kind))),
        }
    }
}

impl Point {
    fn series(self) -> Result<Series, Reply> {
        let Self { metric, value, values, histogram, histograms } = self;
        if histogram.is_some() || !histograms.is_empty() {
            return Err(Reply::Malformed(
                "the result holds native histograms, not numbers: use histogram_quantile, histogram_count or histogram_sum"
                    .to_owned(),
            ));
        }
        let samples = value.into_iter().chain(values).map(|(time, text)| Ok((time, number(&text)?)));
        Ok(Series { labels: metric, samples: samples.collect::<Result<_, Reply>>()? })
    }
}

fn not_a_range() -> Reply {
    Reply::Malformed("Prometheus did not answer a range of samples".to_owned())
}

fn number(text: &str) -> Result<f64, Reply> {
    text.parse().map_err(|_| Reply::Malformed(format!("\"{}\" is not a number", excerpt(text))))
}
