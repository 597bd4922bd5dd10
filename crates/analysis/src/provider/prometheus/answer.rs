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
        Data::Scalar(_) | Data::Vector(_) => {
            Err(Reply::Malformed("Prometheus did not answer a range of samples".to_owned()))
        }
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
    histograms: Vec<Value>,
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

fn number(text: &str) -> Result<f64, Reply> {
    text.parse().map_err(|_| Reply::Malformed(format!("\"{}\" is not a number", excerpt(text))))
}
