//! Translates a judgement of Kayenta: finds the configuration, starts the judgement, then waits for its score.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use serin_api::AnalysisPhase;
use serin_api::provider::{KayentaMetric, KayentaThreshold};

use super::address::Address;
use super::{
    Judged, Login, Look, Problem, Provider, Reply, Request, Response, excerpt, form, of_status, text_at,
};

const TIMEOUT: Duration = Duration::from_secs(15);
/// Time between two looks at a judgement that is underway.
const AGAIN: Duration = Duration::from_secs(15);
/// Metadata of the measurement: which configuration, and which judgement.
const CONFIG: &str = "canaryConfigId";
const EXECUTION: &str = "canaryExecutionId";

/// One Kayenta, as one metric reaches it.
pub(super) struct Kayenta<'m> {
    address: Address,
    metric: &'m KayentaMetric,
}

impl<'m> Kayenta<'m> {
    /// Set up from a metric whose arguments are filled in.
    ///
    /// # Errors
    /// [`Problem::Field`] for an address that cannot work, a name that is missing, or scores in the wrong order.
    pub(super) fn new(metric: &'m KayentaMetric) -> Result<Self, Problem> {
        let remedy = "give one such as http://spinnaker-kayenta:8090";
        let address = Address::parse("kayenta.address", &metric.address, remedy)?;
        let refuse = |field: &str, why: &str, remedy| Problem::Field {
            field: format!("kayenta.{field}"),
            why: why.to_owned(),
            remedy,
        };
        for (field, name) in
            [("application", &metric.application), ("canaryConfigName", &metric.canary_config_name)]
        {
            if name.is_empty() {
                return Err(refuse(field, "it is empty", "give the name that Kayenta knows"));
            }
        }
        let KayentaThreshold { pass, marginal } = metric.threshold;
        if marginal > pass {
            let why = "marginal is more than pass";
            return Err(refuse("threshold", why, "give a pass of at least marginal, such as 90 and 75"));
        }
        Ok(Self { address, metric })
    }

    fn start(&self, config: &str) -> Request {
        let metric = self.metric;
        let fields = form::encode(&[
            ("application", &metric.application),
            ("metricsAccountName", &metric.metrics_account_name),
            ("configurationAccountName", &metric.configuration_account_name),
            ("storageAccountName", &metric.storage_account_name),
        ]);
        let scopes = metric.scopes.iter().flatten().map(|scope| {
            let both =
                json!({"controlScope": scope.control_scope, "experimentScope": scope.experiment_scope});
            (scope.name.clone(), both)
        });
        let scopes: Map<String, Value> = scopes.collect();
        let KayentaThreshold { pass, marginal } = metric.threshold;
        let body = json!({"scopes": scopes, "thresholds": {"pass": pass, "marginal": marginal}});
        Request {
            method: "POST",
            body: Some(body.to_string()),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            ..self.get(&format!("/canary/{}?{fields}", form::escaped(config)))
        }
    }

    fn get(&self, path: &str) -> Request {
        Request {
            method: "GET",
            url: self.address.endpoint(path),
            headers: vec![("Accept".to_owned(), "application/json".to_owned())],
            body: None,
            timeout: TIMEOUT,
            insecure: false,
            login: Login::Complete,
        }
    }

    fn found(&self, configs: &Value) -> Reply {
        let name = self.metric.canary_config_name.as_str();
        let found =
            configs.as_array().into_iter().flatten().find(|config| text_at(config, "/name") == Some(name));
        match found.and_then(|config| text_at(config, "/id")) {
            Some(id) => underway(CONFIG, id, Duration::ZERO),
            None => Reply::Malformed(format!("Kayenta has no canaryConfig \"{name}\" for this application")),
        }
    }

    fn scored(&self, judgement: &Value, execution: &str) -> Reply {
        match judgement.get("complete").and_then(Value::as_bool) {
            None => return Reply::Malformed("Missing Complete Status".to_owned()),
            Some(false) => return underway(EXECUTION, execution, AGAIN),
            Some(true) => {}
        }
        let Some(score) = judgement.pointer("/result/judgeResult/score/score").and_then(Value::as_f64) else {
            let status = text_at(judgement, "/status").unwrap_or_default();
            return Reply::Malformed(format!("Missing Score (status: {status})"));
        };
        let score = score as i64;
        let KayentaThreshold { pass, marginal } = self.metric.threshold;
        let phase = if score >= pass {
            AnalysisPhase::Successful
        } else if score >= marginal {
            AnalysisPhase::Inconclusive
        } else {
            AnalysisPhase::Failed
        };
        let message = match phase {
            AnalysisPhase::Successful => String::new(),
            _ => format!("score {score}, pass {pass}, marginal {marginal}"),
        };
        Reply::Judged(Judged { phase, value: score.to_string(), message, notes: BTreeMap::new() })
    }
}

fn underway(key: &str, text: &str, after: Duration) -> Reply {
    Reply::Underway { notes: BTreeMap::from([(key.to_owned(), text.to_owned())]), after }
}

impl Provider for Kayenta<'_> {
    fn place(&self) -> String {
        format!("Kayenta {}", self.address)
    }

    fn request(&self, look: &Look) -> Result<Request, Problem> {
        Ok(match (look.underway.get(EXECUTION), look.underway.get(CONFIG)) {
            (Some(execution), _) => self.get(&format!("/canary/{}", form::escaped(execution))),
            (None, Some(config)) => self.start(config),
            (None, None) => {
                let fields = form::encode(&[
                    ("application", &self.metric.application),
                    ("configurationAccountName", &self.metric.configuration_account_name),
                ]);
                self.get(&format!("/canaryConfig?{fields}"))
            }
        })
    }

    fn reply(&self, look: &Look, response: &Response) -> Reply {
        if let Some(reply) = of_status(response) {
            return reply;
        }
        let Ok(body) = serde_json::from_str::<Value>(&response.body) else {
            return Reply::Malformed(format!("not an answer of Kayenta: {}", excerpt(&response.body)));
        };
        match (look.underway.get(EXECUTION), look.underway.get(CONFIG)) {
            (Some(execution), _) => self.scored(&body, execution),
            (None, Some(_)) => match text_at(&body, "/canaryExecutionId").filter(|id| !id.is_empty()) {
                Some(id) => underway(EXECUTION, id, AGAIN),
                None => Reply::Malformed("Invalid canaryExecutionId".to_owned()),
            },
            (None, None) => self.found(&body),
        }
    }

    fn shown(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}
