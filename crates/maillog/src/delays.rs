//! How long a message took, in the figures of a delivery line.

/// The four parts of `delays=a/b/c/d`, in microseconds; negative ones count as 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// From arrival until the queue manager took the message.
    pub before_queue_manager_micros: i64,
    /// In the queue manager until the delivery began.
    pub in_queue_manager_micros: i64,
    /// Connection, greeting and TLS.
    pub connection_micros: i64,
    /// The transfer of the message.
    pub transmission_micros: i64,
}

impl Delays {
    /// The whole, as `delay=` shows it.
    pub fn total_micros(&self) -> i64 {
        self.before_queue_manager_micros
            + self.in_queue_manager_micros
            + self.connection_micros
            + self.transmission_micros
    }
}

impl std::fmt::Display for Delays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            Seconds(self.before_queue_manager_micros),
            Seconds(self.in_queue_manager_micros),
            Seconds(self.connection_micros),
            Seconds(self.transmission_micros)
        )
    }
}

/// Microseconds shown as seconds with two significant digits and at most two decimals: `0.06`, `1.2`, `37`, `450`, `0`
/// (postconf(5) `delay_logging_resolution_limit` = 2).
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub i64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.max(0);
        // The unit that the last shown digit counts; rounding up may reach the next range (9.96 → 10), where the
        // missing digit is a zero anyway.
        let unit = match micros {
            0..1_000_000 => 10_000,
            1_000_000..10_000_000 => 100_000,
            _ => 1_000_000,
        };
        let rounded = (micros + unit / 2) / unit * unit;
        let (whole, hundredths) = (rounded / 1_000_000, rounded % 1_000_000 / 10_000);
        match hundredths {
            0 => write!(f, "{whole}"),
            n if n % 10 == 0 => write!(f, "{whole}.{}", n / 10),
            n => write!(f, "{whole}.{n:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_two_digits() {
        for (micros, shown) in [
            (-5, "0"),
            (0, "0"),
            (4_999, "0"),
            (5_000, "0.01"),
            (60_000, "0.06"),
            (100_000, "0.1"),
            (123_456, "0.12"),
            (996_000, "1"),
            (1_000_000, "1"),
            (1_230_000, "1.2"),
            (9_960_000, "10"),
            (12_300_000, "12"),
            (99_600_000, "100"),
            (450_400_000, "450"),
        ] {
            assert_eq!(Seconds(micros).to_string(), shown, "{micros}");
        }
    }

    #[test]
    fn four_parts() {
        let delays = Delays {
            before_queue_manager_micros: 20_000,
            in_queue_manager_micros: 10_000,
            connection_micros: 0,
            transmission_micros: 30_000,
        };
        assert_eq!(delays.to_string(), "0.02/0.01/0/0.03");
        assert_eq!(Seconds(delays.total_micros()).to_string(), "0.06");
    }
}
