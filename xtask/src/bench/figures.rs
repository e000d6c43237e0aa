//! Several runs of one thing: their median, smallest and largest.

use std::fmt;

/// Figures of equal runs.
#[derive(Default, Clone)]
pub struct Figures(Vec<f64>);

impl Figures {
    pub fn add(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle figure; of an even number the mean of the two in the middle, of none NaN.
    pub fn median(&self) -> f64 {
        match self.0.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => self.0[count / 2],
            count => f64::midpoint(self.0[count / 2 - 1], self.0[count / 2]),
        }
    }
}

/// `median (smallest-largest)`, to the right; the precision is that of each number.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (places, width) = (f.precision().unwrap_or(0), f.width().unwrap_or(0));
        let text = match (self.0.first(), self.0.last()) {
            (Some(smallest), Some(largest)) => {
                let median = self.median();
                format!("{median:.places$} ({smallest:.places$}-{largest:.places$})")
            }
            _ => "-".to_owned(),
        };
        write!(f, "{text:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn the_median_stands_between_the_smallest_and_the_largest() {
        let mut figures = Figures::default();
        assert_eq!(figures.to_string(), "-");
        for figure in [5.0, 1.0, 2.0] {
            figures.add(figure);
        }
        assert_eq!(format!("{figures:.1}"), "2.0 (1.0-5.0)");
        figures.add(3.0);
        assert_eq!(figures.to_string(), "2 (1-5)");
        assert!((figures.median() - 2.5).abs() < f64::EPSILON);
    }
}
