//! Says metrics in the text format of Prometheus (version 0.0.4).
//!
//! Written here because the names must be those of Argo Rollouts' controller, whose counters lack the `_total` that
//! OpenMetrics libraries append.

use std::fmt::Write;

/// The content type of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub struct Page(String);

/// The kinds of metrics.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

impl Page {
    /// Begins a family of series.
    pub fn family(&mut self, name: &'static str, shape: Shape, help: &str) -> Family<'_> {
        let shape = match shape {
            Shape::Counter => "counter",
            Shape::Gauge => "gauge",
            Shape::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {shape}");
        Family { page: &mut self.0, name }
    }

    /// A family of one series without labels.
    pub fn single(&mut self, name: &'static str, shape: Shape, help: &str, value: f64) {
        self.family(name, shape, help).sample(&[], value);
    }

    /// The finished page.
    pub fn text(self) -> String {
        self.0
    }
}

/// Name and value of a label.
pub type Label<'l> = (&'static str, &'l str);

/// The series of one family.
#[derive(Debug)]
pub struct Family<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One series.
    pub fn sample(&mut self, labels: &[Label], value: f64) {
        self.line("", labels, value);
    }

    /// The series of one histogram.
    pub fn histogram(&mut self, labels: &[Label], histogram: &Histogram) {
        let mut below = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            below += count;
            let bound = bound.to_string();
            self.line("_bucket", &[labels, &[("le", &bound)]].concat(), count_value(below));
        }
        self.line("_bucket", &[labels, &[("le", "+Inf")]].concat(), count_value(histogram.total));
        self.line("_sum", labels, histogram.sum);
        self.line("_count", labels, count_value(histogram.total));
    }

    fn line(&mut self, suffix: &str, labels: &[Label], value: f64) {
        let _ = write!(self.page, "{}{suffix}", self.name);
        for (position, (key, text)) in labels.iter().enumerate() {
            let start = if position == 0 { '{' } else { ',' };
            let _ = write!(self.page, "{start}{key}=\"{}\"", escape(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.page, "{end} {value}");
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A count as the format writes it; exact up to 2^53.
pub fn count_value(count: u64) -> f64 {
    count as f64
}

/// A histogram of seconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    total: u64,
    sum: f64,
}

impl Histogram {
    /// An empty one with these upper bounds.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], total: 0, sum: 0.0 }
    }

    /// The seconds of all observations together.
    #[cfg(test)]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Counts one observation.
    pub fn observe(&mut self, seconds: f64) {
        if let Some(position) = self.bounds.iter().position(|bound| seconds <= *bound) {
            self.counts[position] += 1;
        }
        self.total += 1;
        self.sum += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut page = Page::default();
        page.family("a_error", Shape::Counter, "Errors.").sample(&[("name", "x\"y"), ("n", "1")], 3.0);
        let mut histogram = Histogram::new(&[0.01, 0.5]);
        for seconds in [0.001, 0.01, 0.2, 7.0] {
            histogram.observe(seconds);
        }
        page.family("b", Shape::Histogram, "Seconds.").histogram(&[("n", "1")], &histogram);
        let expected = "# HELP a_error Errors.\n# TYPE a_error counter\na_error{name=\"x\\\"y\",n=\"1\"} 3\n\
            # HELP b Seconds.\n# TYPE b histogram\nb_bucket{n=\"1\",le=\"0.01\"} 2\nb_bucket{n=\"1\",le=\"0.5\"} 3\n\
            b_bucket{n=\"1\",le=\"+Inf\"} 4\nb_sum{n=\"1\"} 7.211\nb_count{n=\"1\"} 4\n";
        assert_eq!(page.text(), expected);
    }
}
