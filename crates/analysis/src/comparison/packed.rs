//! Writes numbers in little room so that they come back bit for bit: for evidence in a status of limited size.
//!
//! The text is base64 of half bytes. The first one of each number says how it is written: 0 to 8, so many leading bytes
//! of the float follow and the others are 0; [`AGAIN`], it is one of the 256 numbers before; [`DECIMAL`], digits behind
//! the point and an integer; [`WHOLE`], an integer; [`NOTHING`], there is none. The shortest way is taken.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const AGAIN: u8 = 9;
const DECIMAL: u8 = 10;
const WHOLE: u8 = 11;
const NOTHING: u8 = 12;
/// Fills the last byte.
const END: u8 = 15;

/// Integers below this are floats without rounding.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0; // 2^53
/// Powers of ten, all of them floats without rounding.
const TENS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Writes.
#[derive(Debug, Default)]
pub(super) struct Packer {
    halves: Vec<u8>,
    before: Vec<u64>,
}

impl Packer {
    /// Any float, with all its bits.
    pub(super) fn number(&mut self, value: f64) {
        let ways = [Some(bytes(value)), whole(value), decimal(value), self.again(value)];
        let shortest = ways.into_iter().flatten().min_by_key(Vec::len).unwrap_or_default();
        self.halves.extend(shortest);
        self.before.push(value.to_bits());
    }

    /// A number that may be missing.
    pub(super) fn maybe(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.number(value),
            None => self.halves.push(NOTHING),
        }
    }

    /// An integer below 2^53, such as a count or seconds since 1970.
    pub(super) fn integer(&mut self, value: i64) {
        self.number(value as f64);
    }

    pub(super) fn text(mut self) -> String {
        if self.halves.len() % 2 == 1 {
            self.halves.push(END);
        }
        let byte = |pair: &[u8]| pair.iter().fold(0, |byte, half| byte << 4 | half);
        STANDARD_NO_PAD.encode(self.halves.chunks(2).map(byte).collect::<Vec<u8>>())
    }

    fn again(&self, value: f64) -> Option<Vec<u8>> {
        let back = self.before.iter().rev().take(256).position(|bits| *bits == value.to_bits())?;
        let back = u8::try_from(back).ok()?;
        Some(vec![AGAIN, back >> 4, back & 15])
    }
}

fn bytes(value: f64) -> Vec<u8> {
    let bytes = value.to_bits().to_be_bytes();
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let halves = bytes.iter().take(used).flat_map(|byte| [byte >> 4, byte & 15]);
    std::iter::once(used as u8).chain(halves).collect()
}

fn whole(value: f64) -> Option<Vec<u8>> {
    let fits = value.is_sign_positive() && value.trunc() == value && value < LARGEST_WHOLE;
    fits.then(|| std::iter::once(WHOLE).chain(counted(value as u64)).collect())
}

/// The integer that is the value times a power of ten, when dividing it again gives the same bits.
fn decimal(value: f64) -> Option<Vec<u8>> {
    let scaled = |places: &usize| TENS.get(*places).map(|ten| ((value * ten).round(), *ten));
    let exact = |places: &usize| {
        scaled(places)
            .is_some_and(|(whole, ten)| (1.0..LARGEST_WHOLE).contains(&whole) && whole / ten == value)
    };
    let places = (1..TENS.len()).find(exact)?;
    let (whole, _) = scaled(&places)?;
    Some([DECIMAL, places as u8].into_iter().chain(counted(whole as u64)).collect())
}

/// How many half bytes, and these.
fn counted(value: u64) -> Vec<u8> {
    let used = (67 - value.leading_zeros()) / 4;
    let halves = (0..used).rev().map(|place| (value >> (4 * place) & 15) as u8);
    std::iter::once(used as u8).chain(halves).collect()
}

/// Reads what [`Packer`] wrote, in the same order. `None` everywhere: that is not what was written.
#[derive(Debug)]
pub(super) struct Unpacker {
    halves: std::vec::IntoIter<u8>,
    before: Vec<f64>,
}

impl Unpacker {
    pub(super) fn of(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let halves: Vec<u8> = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect();
        Some(Self { halves: halves.into_iter(), before: Vec::new() })
    }

    pub(super) fn number(&mut self) -> Option<f64> {
        self.maybe()?
    }

    pub(super) fn maybe(&mut self) -> Option<Option<f64>> {
        let value = match self.halves.next()? {
            NOTHING => return Some(None),
            used @ 0..=8 => {
                let bits = self.read(2 * u32::from(used))?;
                f64::from_bits(if used == 0 { 0 } else { bits << (64 - 8 * u32::from(used)) })
            }
            AGAIN => {
                let back = usize::try_from(self.read(2)?).ok()?;
                *self.before.iter().rev().nth(back)?
            }
            DECIMAL => {
                let ten = TENS.get(usize::from(self.halves.next()?))?;
                self.counted()? / ten
            }
            WHOLE => self.counted()?,
            _ => return None,
        };
        self.before.push(value);
        Some(Some(value))
    }

    /// An integer; `None` also for a number that is none.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.number()?;
        (value.trunc() == value && value.abs() < LARGEST_WHOLE).then_some(value as i64)
    }

    /// So many numbers.
    pub(super) fn numbers<const N: usize>(&mut self) -> Option<[f64; N]> {
        let mut read = [0.0; N];
        for place in &mut read {
            *place = self.number()?;
        }
        Some(read)
    }

    /// Everything was read.
    pub(super) fn ended(mut self) -> bool {
        matches!((self.halves.next(), self.halves.next()), (None | Some(END), None))
    }

    fn counted(&mut self) -> Option<f64> {
        let used = u32::from(self.halves.next()?);
        let whole = self.read(used)?;
        (whole < 1 << 53).then_some(whole as f64)
    }

    fn read(&mut self, halves: u32) -> Option<u64> {
        (0..halves).try_fold(0, |bits: u64, _| Some(bits << 4 | u64::from(self.halves.next()?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(values: &[f64]) -> Vec<f64> {
        let mut packer = Packer::default();
        values.iter().for_each(|value| packer.number(*value));
        let mut reader = Unpacker::of(&packer.text()).unwrap();
        let read = values.iter().map(|_| reader.number().unwrap()).collect();
        assert!(reader.ended());
        read
    }

    fn size(value: f64) -> usize {
        let mut packer = Packer::default();
        packer.number(value);
        packer.halves.len()
    }

    #[test]
    fn awkward_floats_come_back_bit_for_bit() {
        let awkward = [
            0.0,
            -0.0,
            0.1 + 0.2,
            5e-324,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            LARGEST_WHOLE,
            LARGEST_WHOLE - 1.0,
            -600.0,
            1e-15,
            0.1,
            0.1,
        ];
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&there_and_back(&awkward)), bits(&awkward));
        assert!(there_and_back(&[f64::NAN])[0].is_nan());
    }

    #[test]
    fn what_is_common_is_short() {
        // In half bytes; a float has 16.
        for (value, halves) in [
            (0.0, 1),
            (600.0, 5),
            (0.005, 4),
            (2.5, 5),
            (1_772_366_400.0, 10),
            (f64::NEG_INFINITY, 5),
            (0.1 + 0.2, 17),
        ] {
            assert_eq!(size(value), halves, "{value}");
        }
    }

    #[test]
    fn what_nobody_wrote_is_refused() {
        for text in ["no base64!", "AA==", "/w", "kA", "WA"] {
            let read = Unpacker::of(text).and_then(|mut reader| reader.number());
            assert!(read.is_none(), "{text}: {read:?}");
        }
        let mut packer = Packer::default();
        packer.number(7.25);
        packer.maybe(None);
        let text = packer.text();
        let mut reader = Unpacker::of(&text).unwrap();
        assert_eq!((reader.number(), reader.maybe()), (Some(7.25), Some(None)));
        assert!(reader.ended());
        let mut early = Unpacker::of(&text).unwrap();
        assert_eq!(early.integer(), None, "7.25 is no integer");
        assert!(!Unpacker::of(&text).unwrap().ended(), "not everything was read");
    }

    proptest! {
        #[test]
        fn every_list_of_floats_comes_back_bit_for_bit(
            bits in proptest::collection::vec(any::<u64>(), 0..300),
            decimals in proptest::collection::vec((0i64..1_000_000_000, 0i32..9), 0..300),
        ) {
            let decimals = decimals.iter().map(|(whole, places)| *whole as f64 / 10f64.powi(*places));
            let values: Vec<f64> = bits.iter().map(|bits| f64::from_bits(*bits)).chain(decimals).collect();
            let read = there_and_back(&values);
            for (value, read) in values.iter().zip(&read) {
                prop_assert_eq!(value.to_bits(), read.to_bits());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[A-Za-z0-9+/]{0,60}") {
            if let Some(mut reader) = Unpacker::of(&text) {
                while reader.maybe().is_some() {}
            }
        }
    }
}
