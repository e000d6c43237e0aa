//! UTF-7 (RFC 2152), which encoding_rs leaves out.

/// A streaming decoder.
#[derive(Debug, Clone, Default)]
pub(super) struct Decoder {
    /// Inside `+…-`.
    shifted: bool,
    /// Nothing has followed the `+` yet.
    fresh: bool,
    bits: u32,
    bit_count: u32,
    /// A high surrogate that waits for its low one.
    high: Option<u16>,
}

impl Decoder {
    pub(super) fn feed(&mut self, input: &[u8], output: &mut String) {
        for &byte in input {
            if !self.shifted {
                match byte {
                    b'+' => (self.shifted, self.fresh) = (true, true),
                    0..0x80 => output.push(char::from(byte)),
                    _ => output.push('\u{fffd}'),
                }
                continue;
            }
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => {
                    self.unshift(byte, output);
                    continue;
                }
            };
            self.fresh = false;
            self.bits = self.bits << 6 | u32::from(value);
            self.bit_count += 6;
            if self.bit_count >= 16 {
                self.bit_count -= 16;
                let unit = (self.bits >> self.bit_count) as u16;
                self.bits &= (1 << self.bit_count) - 1;
                self.unit(unit, output);
            }
        }
    }

    pub(super) fn finish(&mut self, output: &mut String) {
        self.drop_high(output);
        *self = Decoder::default();
    }

    fn unshift(&mut self, byte: u8, output: &mut String) {
        self.drop_high(output);
        let fresh = self.fresh;
        *self = Decoder::default();
        match byte {
            b'-' if fresh => output.push('+'),
            b'-' => {}
            0..0x80 => output.push(char::from(byte)),
            _ => output.push('\u{fffd}'),
        }
    }

    fn drop_high(&mut self, output: &mut String) {
        if self.high.take().is_some() {
            output.push('\u{fffd}');
        }
    }

    fn unit(&mut self, unit: u16, output: &mut String) {
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let pair = char::decode_utf16([high, unit]).next();
                output.push(pair.and_then(Result::ok).unwrap_or('\u{fffd}'));
            }
            (waiting, unit) => {
                if waiting.is_some() {
                    output.push('\u{fffd}');
                }
                match unit {
                    0xd800..=0xdbff => self.high = Some(unit),
                    _ => output.push(char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}')),
                }
            }
        }
    }
}
