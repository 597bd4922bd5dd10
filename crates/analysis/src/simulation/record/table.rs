//! Reads a record from a table: one line for each window, columns separated by commas.

use super::{Moment, Record};
use crate::judge::histogram::Histogram;

/// The columns that are read; others are left alone.
#[derive(Default)]
struct Columns {
    requests: Option<usize>,
    errors: Option<usize>,
    /// Place and upper bound of cumulative bucket counts, ascending.
    buckets: Vec<(usize, f64)>,
}

impl Record {
    /// The first line names the columns: `requests`, `errors`, and for latencies `le=0.1`, `le=0.25` ... `le=+Inf` with counts
    /// of requests that took at most so many seconds. `seconds` is the length of the windows.
    ///
    /// # Errors
    /// The line, the column, the value and what would be right.
    pub fn of_table(text: &str, seconds: f64) -> Result<Self, String> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let (_, header) = lines.next().ok_or("it is empty: give a line that names the columns")?;
        let columns = Columns::of(header)?;
        let moments = lines.map(|(number, line)| {
            columns.moment(line, seconds).map_err(|why| format!("line {number}: {why}"))
        });
        Self::new(moments.collect::<Result<_, _>>()?)
    }
}

impl Columns {
    fn of(header: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for (place, name) in header.split(',').map(str::trim).enumerate() {
            match name.strip_prefix("le=").map(|bound| (bound, bound.parse::<f64>())) {
                None if name == "requests" => columns.requests = Some(place),
                None if name == "errors" => columns.errors = Some(place),
                None => {}
                Some((_, Ok(bound))) if bound > 0.0 => columns.buckets.push((place, bound)),
                Some((bound, _)) => {
                    return Err(format!("column le={bound}: give seconds above 0, or +Inf"));
                }
            }
        }
        let ascending = columns.buckets.is_sorted_by(|(_, one), (_, next)| one < next);
        let closed = columns.buckets.last().is_none_or(|(_, bound)| bound.is_infinite());
        if !ascending || !closed {
            return Err("its le= columns must ascend and end with le=+Inf".to_owned());
        }
        match columns {
            Self { requests: Some(_), errors: Some(_), .. } => Ok(columns),
            Self { requests: None, errors: None, ref buckets } if !buckets.is_empty() => Ok(columns),
            _ => {
                Err("its first line must name the columns requests and errors, or le=... columns".to_owned())
            }
        }
    }

    fn moment(&self, line: &str, seconds: f64) -> Result<Moment, String> {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = |place: usize| {
            let cell = cells.get(place).copied().unwrap_or_default();
            let number = cell.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| format!("column {}: '{cell}' is no count; give a number from 0", place + 1))
        };
        let counts = self.buckets.iter().map(|(place, _)| number(*place)).collect::<Result<Vec<_>, _>>()?;
        if !counts.is_sorted() {
            return Err("its le= counts must not fall: each one includes those before".to_owned());
        }
        let all = counts.last().copied().unwrap_or(0.0);
        let (requests, rate) = match (self.requests, self.errors) {
            (Some(requests), Some(errors)) => (number(requests)?, Some(number(errors)?)),
            _ => (all, None),
        };
        if let Some(errors) = rate.filter(|errors| *errors > requests) {
            return Err(format!("errors {errors} are more than requests {requests}"));
        }
        let own =
            std::iter::once(0.0).chain(counts.iter().copied()).zip(&counts).map(|(last, next)| next - last);
        let bounds = self.buckets.iter().map(|(_, bound)| *bound).collect();
        let latencies = Histogram::new(bounds, own.collect()).filter(|latencies| latencies.total() > 0.0);
        // A window without requests says nothing, and is left out.
        let rps = if !self.buckets.is_empty() && latencies.is_none() { 0.0 } else { requests / seconds };
        Ok(Moment {
            rps,
            rate: rate.map(|errors| if requests > 0.0 { errors / requests } else { 0.0 }),
            latencies,
        })
    }
}
