//! Decides what chance decides: the same for the same seed, on every machine and with every version of this program.

/// A source of chance (SplitMix64, public domain by Sebastiano Vigna).
#[derive(Clone, Debug)]
pub struct Seed(u64);

impl Seed {
    /// Starts from a number; equal numbers give equal chances.
    pub fn new(seed: u64) -> Self {
        // Small numbers differ in few bits; the first draw spreads them.
        let mut chance = Self(seed ^ 0x5e71_17a1_c0de_cafe);
        chance.draw();
        chance
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = most.saturating_sub(least).unsigned_abs().saturating_add(1);
        least + i64::try_from(self.draw() % width).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let last = i64::try_from(choices.len()).unwrap_or(1) - 1;
        choices[usize::try_from(self.between(0, last)).unwrap_or(0)].clone()
    }

    /// Puts a list into any order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            let other = self.between(0, i64::try_from(last).unwrap_or(0));
            list.swap(last, usize::try_from(other).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_chances_and_every_number_comes() {
        let draws = |seed| {
            let mut seed = Seed::new(seed);
            (0..200).map(|_| seed.between(1, 6)).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert!((1..=6).all(|side| draws(7).contains(&side)));
    }
}
