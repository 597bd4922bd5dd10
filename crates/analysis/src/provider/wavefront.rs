//! Translates a Wavefront query to and from its chart API: the point closest to now of each series.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serin_api::provider::QueryMetric;

use super::address::Address;
use super::go_text::two_decimals;
use super::profile::{find, text};
use super::{
    Login, Look, Place, Problem, Profiles, Provider, Reply, Request, Response, Sampled, Samples, excerpt,
    form, of_status,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The Secret with a token for each address.
pub(super) fn profile() -> (Place, String) {
    (Place::Home, "wavefront-api-tokens".to_owned())
}

/// One Wavefront, as one metric reaches it.
pub(super) struct Wavefront<'m> {
    address: Address,
    query: &'m str,
    token: &'m str,
}

impl<'m> Wavefront<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address or a query that cannot work, [`Problem::Missing`] without a token.
    pub(super) fn new(metric: &'m QueryMetric, profiles: &'m Profiles) -> Result<Self, Problem> {
        let named = metric.address.as_deref().unwrap_or_default().trim();
        let full = match named {
            "" => String::new(),
            full if full.contains("://") => full.to_owned(),
            host => format!("https://{host}"),
        };
        let remedy = "give the host of your cluster, such as longboard.wavefront.com";
        let address = Address::parse("wavefront.address", &full, remedy)?;
        let query = metric.query.as_deref().unwrap_or_default();
        if query.trim().is_empty() {
            return Err(Problem::Field {
                field: "wavefront.query".to_owned(),
                why: "it is empty".to_owned(),
                remedy: "give an expression such as avg(ts(\"app.errors\"))",
            });
        }
        let profile_name = profile();
        let token = text(find(profiles, &profile_name)?, &profile_name, named)?;
        Ok(Self { address, query, token })
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    timeseries: Vec<Series>,
    #[serde(default)]
    warnings: Option<String>,
    #[serde(default, rename = "errorMessage")]
    error: Option<String>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    data: Vec<(f64, Value)>,
}

/// The point of a series that is closest to `at`: seconds since 1970 and value.
fn closest(series: &Series, at: f64) -> Option<(f64, f64)> {
    let points = series.data.iter().filter_map(|(time, value)| Some((*time, number(value)?)));
    points.min_by(|(one, _), (other, _)| (one - at).abs().total_cmp(&(other - at).abs()))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

impl Provider for Wavefront<'_> {
    fn place(&self) -> String {
        format!("Wavefront {}", self.address)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        let moment = look.at.as_second().saturating_mul(1000).to_string();
        // Begin and end are the same moment, so points beside it must be welcome.
        let fields =
            [("q", self.query), ("s", &moment), ("e", &moment), ("p", "1"), ("g", "s"), ("strict", "false")];
        Ok(Request {
            method: "GET",
            url: format!("{}?{}", self.address.endpoint("/api/v2/chart/api"), form::encode(&fields)),
            headers: vec![
                ("Accept".to_owned(), "application/json".to_owned()),
                ("Authorization".to_owned(), format!("Bearer {}", self.token)),
            ],
            body: None,
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Complete,
        })
    }

    fn reply(&self, look: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let Ok(body) = serde_json::from_str::<Body>(&response.body) else {
            return Reply::Malformed(format!("not an answer of Wavefront: {}", excerpt(&response.body)));
        };
        if let Some(error) = body.error.filter(|error| !error.is_empty()) {
            return Reply::Malformed(error);
        }
        let at = look.at.as_second() as f64;
        let points: Vec<_> = body.timeseries.iter().filter_map(|series| closest(series, at)).collect();
        let list = |texts: Vec<String>| match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(",")),
        };
        let each = |write: &dyn Fn(&(f64, f64)) -> String| list(points.iter().map(write).collect());
        let mut notes = BTreeMap::from([
            ("timestamps".to_owned(), each(&|(time, _)| (*time as i64).to_string())),
            ("drift".to_owned(), each(&|(time, _)| ((time - at) as i64).to_string())),
        ]);
        notes.extend(body.warnings.filter(|text| !text.is_empty()).map(|text| ("warnings".to_owned(), text)));
        let shown = Some(each(&|(_, value)| two_decimals(*value)));
        let result = match points.as_slice() {
            [] => return Reply::NoData,
            [(_, value)] => Samples::Number(*value),
            many => Samples::Numbers(many.iter().map(|(_, value)| *value).collect()),
        };
        Reply::Samples(Sampled { result, shown, notes })
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
