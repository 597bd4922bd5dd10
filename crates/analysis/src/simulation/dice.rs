//! Throws reproducible dice: the same seed gives the same rollouts everywhere.

/// xoshiro256++ seeded by splitmix64: reproducible everywhere, no dependency.
pub struct Dice([u64; 4]);

impl Dice {
    /// Dice that depend on the seed alone.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }))
    }

    fn draw(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// In `(0, 1]`.
    pub fn uniform(&mut self) -> f64 {
        ((self.draw() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Of mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Exact below 50, a rounded normal above.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean >= 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut count, mut left) = (0.0, mean + self.uniform().ln());
        while left > 0.0 {
            count += 1.0;
            left += self.uniform().ln();
        }
        count
    }

    /// Exact, by the gaps between successes.
    pub fn binomial(&mut self, trials: f64, p: f64) -> f64 {
        if p <= 0.0 {
            return 0.0;
        }
        let (mut count, mut position) = (0.0, 0.0);
        loop {
            position += (self.uniform().ln() / (1.0 - p.min(1.0 - 1e-12)).ln()).floor() + 1.0;
            if position > trials {
                return count;
            }
            count += 1.0;
        }
    }

    /// Binomial; a rounded normal where both kinds are many, exact where one is rare.
    pub fn many(&mut self, trials: f64, p: f64) -> f64 {
        let (hits, misses) = (trials * p, trials * (1.0 - p));
        if hits > 30.0 && misses > 30.0 {
            let drawn = (hits + (hits * (1.0 - p)).sqrt() * self.normal()).round();
            return drawn.clamp(0.0, trials);
        }
        if p > 0.5 { trials - self.binomial(trials, 1.0 - p) } else { self.binomial(trials, p) }
    }
}
