//! Says things in colour on a terminal, and plainly everywhere else.

use serin_api::AnalysisPhase;

use serin_view::phase::Phase;

/// What a text means; the colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Wrong.
    Bad,
    /// On its way.
    Moving,
    /// Waits for a person.
    Waiting,
    /// Less important.
    Quiet,
    /// A heading.
    Strong,
    /// Like all other text.
    Plain,
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    coloured: bool,
}

impl Paint {
    /// Plain text.
    pub const PLAIN: Self = Self { coloured: false };

    /// Colours when `terminal`, unless they are not wanted (`--no-color`, or `NO_COLOR` as no-color.org defines it).
    pub fn for_output(terminal: bool, no_color: bool) -> Self {
        let unwanted = no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { coloured: terminal && !unwanted }
    }

    /// The text in the colour of the tone.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            _ if !self.coloured || text.is_empty() => return text.to_owned(),
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Moving => "36",
            Tone::Waiting => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// Icon and tone of a phase.
pub fn of_phase(phase: Phase) -> (&'static str, Tone) {
    let tone = match phase {
        Phase::Healthy => Tone::Good,
        Phase::Degraded => Tone::Bad,
        Phase::Progressing => Tone::Moving,
        Phase::Paused => Tone::Waiting,
    };
    (phase.icon(), tone)
}

/// Icon and tone of an analysis phase.
pub fn of_analysis(phase: AnalysisPhase) -> (&'static str, Tone) {
    match phase {
        AnalysisPhase::Unset | AnalysisPhase::Pending | AnalysisPhase::Running => ("◌", Tone::Moving),
        AnalysisPhase::Successful => ("✔", Tone::Good),
        AnalysisPhase::Failed => ("✖", Tone::Bad),
        AnalysisPhase::Error => ("⚠", Tone::Bad),
        AnalysisPhase::Inconclusive => ("?", Tone::Waiting),
    }
}

/// A bar of 20 cells for `part` of `whole`.
pub fn bar(part: f64, whole: f64) -> String {
    const CELLS: usize = 20;
    let share = if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 };
    let full = (1..=CELLS).filter(|cell| *cell as f64 <= share * CELLS as f64 + 1e-9).count();
    format!("{}{}", "█".repeat(full), "░".repeat(CELLS - full))
}

/// Lines of cells in columns, two spaces apart; the last cell of a line is not padded. A line of one cell is a remark:
/// it does not widen its column.
pub fn columns(paint: Paint, lines: &[Vec<(String, Tone)>]) -> String {
    let count = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let table = lines.iter().filter(|line| line.len() > 1);
        table.filter_map(|line| line.get(column)).map(|(text, _)| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..count).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let last = line.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |index| index + 1);
        for (index, ((cell, tone), width)) in line.iter().zip(&widths).take(last).enumerate() {
            text.push_str(&paint.tone(*tone, cell));
            if index + 1 < last {
                text.push_str(&" ".repeat(width.saturating_sub(cell.chars().count()) + 2));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_full_only_at_the_whole() {
        for (part, expected) in [
            (0.0, "░░░░░░░░░░░░░░░░░░░░"),
            (4.9, "░░░░░░░░░░░░░░░░░░░░"),
            (5.0, "█░░░░░░░░░░░░░░░░░░░"),
            (20.0, "████░░░░░░░░░░░░░░░░"),
            (99.0, "███████████████████░"),
            (100.0, "████████████████████"),
            (400.0, "████████████████████"),
        ] {
            assert_eq!(bar(part, 100.0), expected, "{part}");
        }
        assert_eq!(bar(1.0, 0.0), "░░░░░░░░░░░░░░░░░░░░");
    }

    #[test]
    fn columns_align_by_characters_and_end_without_blanks() {
        let cell = |text: &str| (text.to_owned(), Tone::Plain);
        let lines = [
            vec![cell("NAME"), cell("STATUS"), cell("INFO")],
            vec![cell("shop"), cell("✔ Healthy"), cell("")],
        ];
        assert_eq!(columns(Paint::PLAIN, &lines), "NAME  STATUS     INFO\nshop  ✔ Healthy\n");
    }

    #[test]
    fn colours_are_for_terminals() {
        assert_eq!(Paint::for_output(false, false).tone(Tone::Bad, "no"), "no");
        assert_eq!(Paint::for_output(true, true).tone(Tone::Bad, "no"), "no");
        assert_eq!(Paint { coloured: true }.tone(Tone::Bad, "no"), "\x1b[31mno\x1b[0m");
    }
}
