//! Puts what was before the rollout into the status, and reads it back.

use super::super::packed::{Packer, Unpacker};
use super::{Ladder, Noise, Past};
use crate::judge::histogram::Histogram;
use crate::judge::tally::Tally;

impl Past {
    pub(in crate::comparison) fn pack(&self, to: &mut Packer) {
        let Self { windows, tally, noise, bounds, ladder, spread } = self;
        to.integer(i64::from(*windows));
        put(to, tally.map(|tally| (tally.events, tally.trials)));
        to.integer(noise.len() as i64);
        noise.iter().for_each(|noise| put(to, noise.map(|Noise(rho, tau)| (rho, tau))));
        let histogram = ladder.as_ref().map(|Ladder(histogram)| histogram);
        let rungs = histogram.map(|histogram| histogram.bounds().iter().zip(histogram.counts()));
        to.integer(rungs.as_ref().map_or(0, |rungs| rungs.len() as i64));
        for (bound, count) in rungs.into_iter().flatten() {
            to.number(*bound);
            to.number(*count);
        }
        to.integer(bounds.len() as i64);
        bounds.iter().for_each(|bound| to.maybe(*bound));
        put(to, spread.map(|Noise(variance, mean)| (variance, mean)));
    }

    pub(in crate::comparison) fn unpack(from: &mut Unpacker) -> Option<Self> {
        let windows = u32::try_from(from.integer()?).ok()?;
        let tally = take(from)?.map(|(events, trials)| Tally::new(events, trials));
        let noise = (0..from.integer()?)
            .map(|_| Some(take(from)?.map(|(rho, tau)| Noise(rho, tau))))
            .collect::<Option<Vec<_>>>()?;
        let rungs = (0..from.integer()?)
            .map(|_| Some((from.number()?, from.number()?)))
            .collect::<Option<(Vec<f64>, Vec<f64>)>>()?;
        let ladder = match rungs {
            (bounds, _) if bounds.is_empty() => None,
            (bounds, counts) => Some(Ladder(Histogram::new(bounds, counts)?)),
        };
        let bounds = (0..from.integer()?).map(|_| from.maybe()).collect::<Option<Vec<_>>>()?;
        let spread = take(from)?.map(|(variance, mean)| Noise(variance, mean));
        Some(Self { windows, tally, noise, bounds, ladder, spread })
    }
}

fn put(to: &mut Packer, pair: Option<(f64, f64)>) {
    to.maybe(pair.map(|(one, _)| one));
    pair.iter().for_each(|(_, other)| to.number(*other));
}

fn take(from: &mut Unpacker) -> Option<Option<(f64, f64)>> {
    let Some(one) = from.maybe()? else { return Some(None) };
    Some(Some((one, from.number()?)))
}
